"""The first of two steps from a large photo to the network's input: a picture of a working size, in whole grey levels.

The step is the same in training, evaluation and serving, and a picture of the working size passes it unchanged. So a copy of
its result, kept without loss, gives the second step the same pixels as the photo itself.
"""

import tensorflow as tf

from kerasvision.ops.images import OpenImage, open_image
from kerasvision.ops.reduced import place_part
from kerasvision.ops.resize import Placement
from kerasvision.ops.tracing import without_autograph

# Decoded pixels that remain for each pixel of the working size, along each side: fewer than for the network's size, because
# the second step averages once more.
LEAST_PIXELS = 1.5


@without_autograph
def open_working(
    image_bytes: tf.Tensor,
    *,
    color_mode: str,
    significant_bits: int = 16,
    reduced_from: int | None = None,
    working_side: int | None = None,
) -> OpenImage:
    """An image file at its working size.

    Args:
        image_bytes: scalar string, the whole file.
        color_mode, significant_bits, reduced_from: as in `open_image`.
        working_side: an image whose shorter side is longer than this is reduced to it, averaged over all its pixels and
            rounded; None: none is.

    Returns:
        The file as `open_image` returns it, with the size and the pixels of the reduced picture.

    Raises:
        The errors of `open_image`.

    >>> photo = tf.io.encode_png(tf.constant([[[10], [20], [30], [40]]] * 2, tf.uint8))
    >>> picture = open_working(photo, color_mode="grayscale", working_side=1)
    >>> picture.whole[:, :, 0].numpy().tolist()  # (3 * 10 + 3 * 20 + 30) / 7 = 17.1
    [[17, 33]]
    """
    image = open_image(image_bytes, color_mode=color_mode, significant_bits=significant_bits, reduced_from=reduced_from)
    return image if working_side is None else at_working_size(image, working_side)


def at_working_size(image: OpenImage, working_side: int) -> OpenImage:
    """The image, reduced until its shorter side has at most `working_side` pixels."""
    shorter = tf.reduce_min(image.size)
    is_large = shorter > working_side

    def reduced() -> tf.Tensor:
        ratio = working_side / tf.cast(shorter, tf.float64)
        size = tf.cast(tf.round(tf.cast(image.size, tf.float64) * ratio), tf.int32)
        placement = Placement(tf.cast(size, tf.float32) / tf.cast(image.size, tf.float32), tf.zeros(2))
        whole = tf.concat([[0, 0], image.size], axis=0)
        pixels = place_part(image, whole, placement, image_size=size, least_pixels=LEAST_PIXELS)
        return tf.cast(tf.round(pixels), tf.uint8)

    whole = tf.cond(is_large, reduced, lambda: image.whole)
    whole = tf.ensure_shape(whole, [None, None, image.whole.shape[-1]])
    size = tf.where(is_large, tf.shape(whole)[:2], image.size)
    orientation = None if image.orientation is None else tf.where(is_large, 0, image.orientation)
    return OpenImage(image.image_bytes, size, image.is_upright_jpeg & ~is_large, whole, orientation, image.size)
