"""Runs a function on one image at a time, for augmentations that choose a branch or a filter for each image."""

from collections.abc import Callable

import tensorflow as tf


def map_images(function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """`function(image, numbers)` of every row: images float32 (N, H, W, C) and numbers (N, draws) to images of that shape.

    >>> images, numbers = tf.ones((2, 1, 1, 1)), tf.constant([[2.0], [3.0]])
    >>> map_images(lambda image, numbers: image * numbers[0], images, numbers).numpy().ravel().tolist()
    [2.0, 3.0]
    """
    if images.shape[0] == 1:  # without a loop, so that the graph inside a parallel map is simple
        return function(images[0], numbers[0])[tf.newaxis]
    signature = tf.TensorSpec(images.shape[1:], tf.float32)
    changed = tf.map_fn(lambda row: function(*row), (images, numbers), fn_output_signature=signature)
    return tf.ensure_shape(changed, images.shape)
