"""A network whose probabilities of tags are means over an image and views of it."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from kerasvision.ops.views import View


class OverViews(keras.Model):
    """From scaled images float32 (N, H, W, C) to logits float32 (N, tags), whose sigmoids are means of probabilities.

    Source: Krizhevsky et al., 2012, section 4.1, who average the outputs over crops and mirror images.

    Args:
        network: from such images to logits (N, tags); its weights are shared.
        views: at least one function from such images to that shape.

    >>> network = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten()])
    >>> mirrored = OverViews(network, [lambda images: images[:, :, ::-1]])
    >>> tf.sigmoid(mirrored(tf.constant([[[[0.0], [100.0]]]]))).numpy()
    array([[0.75, 0.75]], dtype=float32)
    """

    def __init__(self, network: keras.Model, views: Sequence[View]) -> None:
        super().__init__(name=f"{network.name}_over_views")
        self.network, self.views = network, tuple(views)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """The logits; the network sees all views in one batch, so that it is in the graph once."""
        seen = tf.concat([images, *(view(images) for view in self.views)], axis=0)
        logits = tf.cast(self.network(seen, training=False), tf.float32)
        each = tf.reshape(logits, [1 + len(self.views), -1, logits.shape[-1]])
        # As logarithms of the mean of p and of the mean of 1 - p: probabilities near 0 and 1 keep their digits.
        return _log_sum(tf.math.log_sigmoid(each)) - _log_sum(tf.math.log_sigmoid(-each))


def _log_sum(logarithms: tf.Tensor) -> tf.Tensor:
    # Not tf.reduce_logsumexp, whose test for infinity other formats lack.
    largest = tf.reduce_max(logarithms, axis=0)
    return largest + tf.math.log(tf.reduce_sum(tf.exp(logarithms - largest), axis=0))
