"""A classifier that answers with the mean of its probabilities over an image and views of it.

Source: Krizhevsky et al., 2012, section 4.1, who average the softmax outputs over crops and mirror images.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from kerasvision.ops.views import View
from kerasvision.tasks.classification.losses import answer_logits, network_logits


class OverViews(keras.Model):
    """From scaled images float32 (N, H, W, C) to logits float32 (N, C), whose scores are means of probabilities.

    Args:
        network: from such images to logits (N, C); its weights are shared.
        views: at least one function from such images to that shape. If they are cut out of a larger picture, the network
            answers about them alone, and not about the picture itself.
        loss: that the network was trained with; it says how scores follow from logits.

    >>> network = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten()])
    >>> mirrored = OverViews(network, [lambda images: images[:, :, ::-1]], loss="cross_entropy")
    >>> image = tf.math.log([[[[0.75], [0.25]]]])
    >>> for one in (network, mirrored):
    ...     print(tf.nn.softmax(one(image)).numpy().round(3))
    [[0.75 0.25]]
    [[0.5 0.5]]
    """

    def __init__(self, network: keras.Model, views: Sequence[View], *, loss: str) -> None:
        super().__init__(name=f"{network.name}_over_views")
        self.network, self.views, self.loss_name = network, tuple(views), loss
        self.itself = not any(isinstance(view, View) and view.of_larger for view in views)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """The logits; the network sees all views in one batch, so that it is in the graph once."""
        views = [*([images] if self.itself else []), *(view(images) for view in self.views)]
        seen = tf.concat(views, axis=0)
        logits = tf.nn.log_softmax(answer_logits(self.network(seen, training=False), loss=self.loss_name))
        each = tf.reshape(logits, [len(views), -1, logits.shape[-1]])
        # The logarithm of the mean, around the largest: probabilities that are 0 in float32 keep their logarithm.
        largest = tf.reduce_max(each, axis=0)
        mean = largest + tf.math.log(tf.reduce_mean(tf.exp(each - largest), axis=0))
        return network_logits(mean, loss=self.loss_name)
