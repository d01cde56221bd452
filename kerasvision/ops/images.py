"""From the bytes of an image file to upright pixels, whole or in part. Training, evaluation and serving share this code.

It uses stock TensorFlow operations only: a SavedModel with these functions loads where only TensorFlow is installed.
Each function runs eagerly, in `tf.data.Dataset.map`, and in `tf.map_fn` over a batch of strings.
"""

from typing import NamedTuple

import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.ops.exif import exif_orientation, may_be_turned
from kerasvision.ops.headers import begins, byte_values
from kerasvision.ops.tracing import without_autograph

COLOR_MODES = ("rgb", "grayscale")

# ITU-R BT.601 luma: 0.299, 0.587, 0.114, rounded to 1/65536 so that they sum to 1 and float32 sums are exact.
_LUMA = (19595 / 65536, 38470 / 65536, 7471 / 65536)

# How to turn a picture upright, by EXIF orientation: swap rows and columns, then flip top-bottom, then left-right.
UPRIGHT = (
    (False, False, False),  # 0 does not exist
    (False, False, False),  # 1 upright
    (False, False, True),  # 2 mirrored
    (False, True, True),  # 3 upside down
    (False, True, False),  # 4 upside down, mirrored
    (True, False, False),  # 5 lying on its left side, mirrored
    (True, False, True),  # 6 lying on its left side: turn clockwise
    (True, True, True),  # 7 lying on its right side, mirrored
    (True, True, False),  # 8 lying on its right side: turn anticlockwise
)


@without_autograph
def decode_image(image_bytes: tf.Tensor, *, color_mode: str, significant_bits: int = 16) -> tf.Tensor:
    r"""Pixels of a JPEG, PNG, GIF, BMP or WebP file, turned upright by its EXIF orientation.

    Every file is decoded to three channels first: a one-channel decode raises for CMYK JPEG, GIF, BMP and WebP.
    Decoding silently drops an alpha channel (transparent pixels show the colour stored under them), reduces 16 bits per
    channel to 8, converts CMYK to RGB without its colour profile, and keeps only the first frame of an animation.
    Two kinds of file must be converted first. TensorFlow misreads the kinds that `kerasvision.ops.readable` lists; ingest,
    `predict`, `serve` and the exported model reject them. A WebP with transparency or several frames raises.

    Args:
        image_bytes: scalar string, the whole file.
        color_mode: "rgb", or "grayscale" for luma 0.299 R + 0.587 G + 0.114 B, rounded; greys keep their exact values.
        significant_bits: how many bits of a 16-bit PNG's values carry the picture, 8 to 16. The upper 8 of these are
            kept. Values that need more bits become 255.

    Returns:
        uint8 (H, W, 3) for "rgb", (H, W, 1) for "grayscale", in [0, 255].

    Raises:
        ConfigError: another `color_mode`.
        tf.errors.InvalidArgumentError: at run time, if the bytes are not an image, are cut off, or have another format
            (TIFF).

    Source: luma: Recommendation ITU-R BT.601, section 2.5.1.

    >>> red_and_grey = tf.io.encode_png(tf.constant([[[255, 0, 0], [7, 7, 7]]], tf.uint8))
    >>> decode_image(red_and_grey, color_mode="rgb").numpy().tolist()
    [[[255, 0, 0], [7, 7, 7]]]
    >>> decode_image(red_and_grey, color_mode="grayscale").numpy().tolist()  # 0.299 * 255 = 76.2
    [[[76], [7]]]
    >>> twelve_bits = tf.io.encode_png(tf.constant([[[0], [4095]]], tf.uint16))
    >>> decode_image(twelve_bits, color_mode="grayscale", significant_bits=12).numpy().tolist()
    [[[0], [255]]]
    """
    _checked(color_mode)
    image = _stored_pixels(image_bytes, significant_bits)
    # Convert to grey before turning: then there are a third of the bytes to move.
    image = luma(image) if color_mode == "grayscale" else image
    return tf.cond(
        may_be_turned(image_bytes),
        lambda: apply_orientation(image, exif_orientation(image_bytes)),
        lambda: image,
    )


class OpenImage(NamedTuple):
    """An image file with its size. It is decoded only if the size requires that.

    Attributes:
        image_bytes: scalar string, the whole file.
        size: int32 (2,), height and width of the upright picture.
        is_upright_jpeg: bool scalar: whether a part of the picture can be decoded alone.
        whole: uint8 (H, W, C), the upright picture; (0, 0, C) for a JPEG of which only the header was read.
        orientation: int32 scalar, as in `apply_orientation`: of a JPEG that may be decoded at a part of its size, see
            `kerasvision.ops.reduced`; 0 for every other file. None: no file may.
        file_size: int32 (2,), height and width of the upright picture in the file, if the image may have been reduced since,
            see `kerasvision.ops.working`. None: `size`.
    """

    image_bytes: tf.Tensor
    size: tf.Tensor
    is_upright_jpeg: tf.Tensor
    whole: tf.Tensor
    orientation: tf.Tensor | None = None
    file_size: tf.Tensor | None = None


@without_autograph
def open_image(
    image_bytes: tf.Tensor, *, color_mode: str, significant_bits: int = 16, reduced_from: int | None = None
) -> OpenImage:
    """The file with its size, for `decode_part`.

    Args:
        image_bytes: scalar string, the whole file.
        color_mode: as in `decode_image`.
        significant_bits: as in `decode_image`.
        reduced_from: a JPEG with at least this many pixels may be decoded at a part of its size; None: no file may.

    Returns:
        The file and its size; see `OpenImage`.

    Raises:
        The errors of `decode_image`.
    """
    channels = 3 if _checked(color_mode) == "rgb" else 1
    is_jpeg, is_turned = tf.strings.substr(image_bytes, 0, 3) == b"\xff\xd8\xff", may_be_turned(image_bytes)

    def from_header() -> tuple[tf.Tensor, tf.Tensor]:
        return tf.image.extract_jpeg_shape(image_bytes)[:2], tf.zeros((0, 0, channels), tf.uint8)

    def from_pixels() -> tuple[tf.Tensor, tf.Tensor]:
        whole = decode_image(image_bytes, color_mode=color_mode, significant_bits=significant_bits)
        return tf.shape(whole)[:2], whole

    def as_stored() -> tuple[tf.Tensor, tf.Tensor]:
        size, whole = tf.cond(is_jpeg & ~is_turned, from_header, from_pixels)
        return tf.ensure_shape(size, [2]), tf.ensure_shape(whole, [None, None, channels])

    def turned() -> tuple[tf.Tensor, tf.Tensor]:
        size, whole = from_header()
        return tf.where(orientation >= 5, size[::-1], size), whole

    if reduced_from is None:
        size, whole = as_stored()
        return OpenImage(image_bytes, size, is_jpeg & ~is_turned, whole)
    # Sides of up to 65,535 pixels: their product may be more than an int32.
    sides = tf.cond(is_jpeg, lambda: tf.image.extract_jpeg_shape(image_bytes)[:2], lambda: tf.zeros(2, tf.int32))
    pixels = tf.reduce_prod(tf.cast(sides, tf.int64))
    orientation = tf.cond(
        is_jpeg & (pixels >= reduced_from),
        lambda: tf.cond(is_turned, lambda: exif_orientation(image_bytes), lambda: 1),
        lambda: 0,
    )
    size, whole = tf.cond(orientation > 0, turned, as_stored)
    size, whole = tf.ensure_shape(size, [2]), tf.ensure_shape(whole, [None, None, channels])
    return OpenImage(image_bytes, size, is_jpeg & ~is_turned, whole, orientation)


@without_autograph
def decode_part(image: OpenImage, part: tf.Tensor) -> tf.Tensor:
    """A part of what `decode_image` returns. Of an upright JPEG, not all pixels are decoded.

    If a JPEG stores colour at half resolution, the leftmost and rightmost columns of the part may differ from the whole
    picture by a few grey levels: the decoder does not look beyond the part.

    Args:
        image: the file.
        part: int32 (4,), y, x, height and width in the upright picture.

    Returns:
        uint8 (height, width, C).

    Raises:
        The errors of `decode_image`. A file that is cut off below the part may go unnoticed.

    >>> file = tf.io.encode_png(tf.constant([[[0], [1], [2]], [[3], [4], [5]]], tf.uint8))
    >>> picture = open_image(file, color_mode="grayscale")
    >>> picture.size.numpy().tolist(), decode_part(picture, [1, 0, 1, 2])[:, :, 0].numpy().tolist()
    ([2, 3], [[3, 4]])
    """
    part, channels = tf.convert_to_tensor(part), image.whole.shape[-1]

    def from_file() -> tf.Tensor:
        pixels = tf.io.decode_and_crop_jpeg(image.image_bytes, part, channels=3)
        return luma(pixels) if channels == 1 else pixels

    def from_pixels() -> tf.Tensor:
        whole = image.whole
        if image.orientation is not None:
            whole = tf.cond(image.orientation > 0, from_turned_jpeg, lambda: image.whole)
        return tf.slice(whole, tf.pad(part[:2], [[0, 1]]), tf.pad(part[2:], [[0, 1]], constant_values=channels))

    def from_turned_jpeg() -> tf.Tensor:
        return decode_image(image.image_bytes, color_mode="rgb" if channels == 3 else "grayscale")

    return tf.ensure_shape(tf.cond(image.is_upright_jpeg, from_file, from_pixels), [None, None, channels])


@without_autograph
def apply_orientation(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """A picture turned upright by its EXIF orientation.

    Args:
        image: (H, W, C), any dtype and range.
        orientation: int32 scalar, 1 to 8: the sides to which the stored picture's first row and first column belong:
            1 top and left; 2 top and right; 3 bottom and right; 4 bottom and left; 5 left and top; 6 right and top;
            7 right and bottom; 8 left and bottom. Any other value leaves the picture as it is.

    Returns:
        (H, W, C), or (W, H, C) for orientations 5 to 8; same dtype and range.

    Source: Exif 2.3 (CIPA DC-008-2012), section 4.6.4 A, "Orientation".

    >>> apply_orientation([[[1], [2]], [[3], [4]]], 6)[:, :, 0].numpy().tolist()  # a quarter turn clockwise
    [[3, 1], [4, 2]]
    """
    image, orientation = tf.convert_to_tensor(image), tf.convert_to_tensor(orientation, tf.int32)
    upright = tf.cond(
        (orientation >= 2) & (orientation <= 8),
        lambda: _turn(image, orientation),
        lambda: image,
    )
    upright.set_shape([None, None, image.shape[-1]])
    return upright


def _stored_pixels(image_bytes: tf.Tensor, significant_bits: int) -> tf.Tensor:
    """uint8 (H, W, 3) as stored, not yet upright."""

    def of_any_file() -> tf.Tensor:
        return tf.io.decode_image(image_bytes, channels=3, expand_animations=False)

    def of_deep_png() -> tf.Tensor:
        values = tf.io.decode_png(image_bytes, channels=3, dtype=tf.uint16)
        used = tf.minimum(values, tf.constant(2**significant_bits - 1, tf.uint16))
        return tf.cast(tf.bitwise.right_shift(used, tf.constant(significant_bits - 8, tf.uint16)), tf.uint8)

    # The decoder itself keeps the upper 8 of 16 bits.
    image = of_any_file() if significant_bits == 16 else tf.cond(_is_deep_png(image_bytes), of_deep_png, of_any_file)
    image.set_shape([None, None, 3])
    return image


def _is_deep_png(image_bytes: tf.Tensor) -> tf.Tensor:
    """Source: PNG (third edition), section 11.2.1: the bit depth is the ninth byte of the first chunk's content."""
    return begins(image_bytes, b"\x89PNG") & (byte_values(image_bytes, 24, 1)[0] == 16)


def _checked(color_mode: str) -> str:
    if color_mode not in COLOR_MODES:
        raise ConfigError("color_mode must be 'rgb' or 'grayscale'", received=color_mode)
    return color_mode


def luma(image: tf.Tensor) -> tf.Tensor:
    """The greys of colours: uint8 (..., 3) -> uint8 (..., 1), rounded as `decode_image` says.

    >>> luma(tf.constant([[[255, 0, 0], [7, 7, 7]]], tf.uint8)).numpy().tolist()  # 0.299 * 255 = 76.2
    [[[76], [7]]]
    """
    red, green, blue = (tf.cast(channel, tf.float32) for channel in tf.split(image, 3, axis=-1))
    return tf.cast(_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue + 0.5, tf.uint8)


def _turn(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    swap, flip_rows, flip_columns = tf.unstack(tf.gather(tf.constant(UPRIGHT), orientation))
    image = tf.transpose(image, tf.where(swap, [1, 0, 2], [0, 1, 2]))
    return tf.raw_ops.Reverse(tensor=image, dims=tf.stack([flip_rows, flip_columns, False]))
