"""Running a function on one image at a time, for what has a branch to choose, or a filter of its own, for each image."""

from collections.abc import Callable

import tensorflow as tf


def map_images(function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """`function(image, numbers)` of every row: float32 (N, H, W, C) images and (N, draws) numbers, to images again.

    >>> images, numbers = tf.ones((2, 1, 1, 1)), tf.constant([[2.0], [3.0]])
    >>> map_images(lambda image, numbers: image * numbers[0], images, numbers).numpy().ravel().tolist()
    [2.0, 3.0]
    """
    if images.shape[0] == 1:  # no loop, so that inside a parallel map the graph is plain
        return function(images[0], numbers[0])[tf.newaxis]
    signature = tf.TensorSpec(images.shape[1:], tf.float32)
    changed = tf.map_fn(lambda row: function(*row), (images, numbers), fn_output_signature=signature)
    return tf.ensure_shape(changed, images.shape)
