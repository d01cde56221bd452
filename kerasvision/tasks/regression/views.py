"""A network of numbers that answers with their means over an image and views of it."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from kerasvision.ops.views import View


class MeanOverViews(keras.Model):
    """From scaled images float32 (N, H, W, C) to the means of the network's numbers, float32 (N, V).

    Args:
        network: from such images to numbers (N, V); its weights are shared.
        views: at least one function from such images to that shape.

    >>> network = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten()])
    >>> MeanOverViews(network, [lambda images: images[:, :, ::-1]])(tf.constant([[[[1.0], [3.0]]]])).numpy().tolist()
    [[2.0, 2.0]]
    """

    def __init__(self, network: keras.Model, views: Sequence[View]) -> None:
        super().__init__(name=f"{network.name}_over_views")
        self.network, self.views = network, tuple(views)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """The means; the network sees all views in one batch, so that it is in the graph once."""
        seen = tf.concat([images, *(view(images) for view in self.views)], axis=0)
        numbers = self.network(seen, training=False)
        return tf.reduce_mean(tf.reshape(numbers, [1 + len(self.views), -1, numbers.shape[-1]]), axis=0)
