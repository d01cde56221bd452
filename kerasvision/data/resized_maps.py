"""The label map of an image moves with it when it is resized to the network's size."""

import tensorflow as tf

from kerasvision.config.example_parts import IGNORED
from kerasvision.ops.resize import Placement, place_masks


def place_map(png: tf.Tensor, size: tf.Tensor, placement: Placement, *, image_size: tuple[int, int]) -> tf.Tensor:
    """A label map, decoded and moved. Each pixel has the number of the nearest one; numbers are never mixed.

    Args:
        png: string scalar, a grey PNG of class numbers, one for each pixel of the image's file.
        size: int32 (2,), height and width of the image in pixels; the map may be larger, if the image was reduced.
        placement: where the image goes.
        image_size: (height, width) of the result.

    Returns:
        uint8 (height, width): class numbers; 255, which says nothing about a pixel, also outside the image.

    >>> from kerasvision.ops.resize import fitted
    >>> png = tf.io.encode_png(tf.constant([[[0], [1]]], tf.uint8))  # one row of two pixels
    >>> size = tf.constant([1, 2])
    >>> place_map(png, size, fitted(size, image_size=(2, 2), fit="pad"), image_size=(2, 2)).numpy().tolist()
    [[0, 1], [255, 255]]
    """
    numbers = tf.io.decode_png(png, channels=1)[tf.newaxis, :, :, 0]
    placed = place_masks(numbers, placement, image_size=image_size, size=size, fill=IGNORED)[0]
    return tf.ensure_shape(placed, image_size)
