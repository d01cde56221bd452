"""A part of an image in its place, decoded at a half, a quarter or an eighth of its size where that is enough.

A JPEG decoder can compute 4 x 4, 2 x 2 or 1 x 1 pixels of each block of 8 x 8, from its lowest frequencies, with
less work. Such a picture is a smaller picture of the same scene: position p lies at p / ratio in it. At least two of its
pixels remain for each pixel of the result, so that the antialiased resize after it still averages.

Source: "scaled decompression" of libjpeg (libjpeg.txt, section "Decompression image scaling").
"""

from functools import partial

import tensorflow as tf

from kerasvision.ops.images import UPRIGHT, OpenImage, apply_orientation, decode_part, luma
from kerasvision.ops.resize import Placement, moved, place_image
from kerasvision.ops.tracing import without_autograph

RATIOS = (2, 4, 8)
LEAST_PIXELS = 2.0


@without_autograph
def place_part(
    image: OpenImage,
    part: tf.Tensor,
    placement: Placement,
    *,
    image_size: tuple[int, int] | tf.Tensor,
    least_pixels: float = LEAST_PIXELS,
) -> tf.Tensor:
    """A part of an image in its place, on black: what `place_image` makes of `decode_part`, or nearly that.

    Args:
        image: an open file; if it has an orientation, it may be decoded at a part of its size.
        part: int32 (4,), y, x, height and width of the part that is needed, in the upright picture.
        placement: of the whole upright picture.
        image_size: (height, width) of the result; also int32 (2,), if the size is known only at run time.
        least_pixels: how many decoded pixels must remain for each pixel of the result, along each side.

    Returns:
        float32 (height, width, C) in [0, 255].

    >>> grey = tf.io.encode_jpeg(tf.fill((64, 64, 3), tf.constant(100, tf.uint8)))
    >>> from kerasvision.ops.images import open_image
    >>> image = open_image(grey, color_mode="rgb", reduced_from=0)
    >>> eighth = Placement(tf.fill(2, 1 / 8), tf.zeros(2))
    >>> place_part(image, tf.constant([0, 0, 64, 64]), eighth, image_size=(8, 8)).numpy().max().round(3).item()
    100.0
    """

    def exact() -> tf.Tensor:
        return place_image(decode_part(image, part), moved(placement, part), image_size=image_size)

    def reduced(ratio: int) -> tf.Tensor:
        pixels, window, shift = _decoded(image, part, ratio)
        scale = placement.scale * ratio
        there = moved(Placement(scale, placement.translation - shift * scale), window)
        return place_image(pixels, there, image_size=image_size)

    if image.orientation is None:
        return exact()
    finest = tf.reduce_max(tf.abs(placement.scale)) * least_pixels
    fitting = tf.reduce_sum(tf.cast(finest * tf.constant(RATIOS, tf.float32) <= 1.0, tf.int32))
    index = tf.where(image.orientation > 0, fitting, 0)
    placed = tf.switch_case(index, [exact, *(partial(reduced, ratio) for ratio in RATIOS)])
    known = [None, None] if tf.is_tensor(image_size) else [*image_size]
    return tf.ensure_shape(placed, [*known, image.whole.shape[-1]])


def _decoded(image: OpenImage, part: tf.Tensor, ratio: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """A reduced part, uint8 (h, w, C); int32 (4,), where it lies in the reduced picture; and how far positions are shifted.

    The reduced picture has its last row and column rounded up. Where a turn puts these first, every position moves by what
    was added, float32 (2,).
    """
    smaller = -(-image.size // ratio)

    def upright() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        first = part[:2] // ratio
        last = tf.minimum(-(-(part[:2] + part[2:]) // ratio), smaller)
        window = tf.concat([first, last - first], axis=0)
        return tf.io.decode_and_crop_jpeg(image.image_bytes, window, channels=3, ratio=ratio), window, tf.zeros(2)

    def turned() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        stored = tf.io.decode_jpeg(image.image_bytes, channels=3, ratio=ratio)
        flips = tf.gather(tf.constant(UPRIGHT), image.orientation)[1:]
        added = tf.cast(smaller, tf.float32) - tf.cast(image.size, tf.float32) / ratio
        whole = tf.concat([[0, 0], smaller], axis=0)
        return apply_orientation(stored, image.orientation), whole, tf.where(flips, added, 0.0)

    pixels, window, shift = tf.cond(image.is_upright_jpeg, upright, turned)
    pixels = tf.ensure_shape(pixels, [None, None, 3])
    return (luma(pixels) if image.whole.shape[-1] == 1 else pixels), window, shift
