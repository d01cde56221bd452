"""From the bytes of an image file to pixels of a given size, the same in training, evaluation and serving.

Stock TensorFlow operations only: a SavedModel that contains these functions loads where only TensorFlow is installed.
Each runs eagerly, in `tf.data.Dataset.map`, and in `tf.map_fn` over a batch of strings.
"""

import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.lookup import did_you_mean
from kerasvision.ops.exif import exif_orientation, may_be_turned

COLOR_MODES = ("rgb", "grayscale")
FITS = ("stretch", "crop", "pad")

# ITU-R BT.601 luma, 0.299, 0.587, 0.114, rounded to 1/65536 so that they add up to 1 and float32 sums are exact.
_LUMA = (19595 / 65536, 38470 / 65536, 7471 / 65536)

# What brings a picture upright, by EXIF orientation: swap rows and columns, then flip top-bottom, then left-right.
_UPRIGHT = (
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


def decode_image(image_bytes: tf.Tensor, *, color_mode: str) -> tf.Tensor:
    r"""Pixels of a JPEG, PNG, GIF, BMP or WebP file, turned upright as its EXIF orientation says.

    Every file is decoded to three channels first: a one-channel decode raises for CMYK JPEG, GIF, BMP and WebP.
    What is lost on the way, silently: an alpha channel is dropped (transparent pixels show the colour stored under
    them), 16 bits per channel become 8, CMYK becomes RGB without its colour profile, an animation its first frame.
    The orientation is read from JPEG files only. Two kinds of file need converting first, and are refused by
    `kerasvision.data.inspection`: a BMP with a palette comes out wrong, its indices read as greys, and a WebP with
    transparency or several frames raises.

    Args:
        image_bytes: scalar string, the whole file.
        color_mode: "rgb", or "grayscale" for luma 0.299 R + 0.587 G + 0.114 B, rounded; greys keep their exact values.

    Returns:
        uint8 (H, W, 3) for "rgb", (H, W, 1) for "grayscale", in [0, 255].

    Raises:
        ConfigError: another `color_mode`.
        tf.errors.InvalidArgumentError: when it runs: bytes that are no image, cut off, or of another format (TIFF).

    Source: luma: Recommendation ITU-R BT.601, section 2.5.1.

    >>> red_and_grey = tf.io.encode_png(tf.constant([[[255, 0, 0], [7, 7, 7]]], tf.uint8))
    >>> decode_image(red_and_grey, color_mode="rgb").numpy().tolist()
    [[[255, 0, 0], [7, 7, 7]]]
    >>> decode_image(red_and_grey, color_mode="grayscale").numpy().tolist()  # 0.299 * 255 = 76.2
    [[[76], [7]]]
    """
    if color_mode not in COLOR_MODES:
        raise ConfigError("color_mode must be 'rgb' or 'grayscale'", received=color_mode)
    image = tf.io.decode_image(image_bytes, channels=3, expand_animations=False)
    image.set_shape([None, None, 3])
    # Grey before turning: a third of the pixels' bytes to move.
    image = _luma(image) if color_mode == "grayscale" else image
    return tf.cond(
        may_be_turned(image_bytes),
        lambda: apply_orientation(image, exif_orientation(image_bytes)),
        lambda: image,
    )


def apply_orientation(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """A picture turned upright, as its EXIF orientation says.

    Args:
        image: (H, W, C), any type and range.
        orientation: int32 scalar, 1 to 8; where the stored picture's first row and first column belong:
            1 top and left; 2 top and right; 3 bottom and right; 4 bottom and left; 5 left and top; 6 right and top;
            7 right and bottom; 8 left and bottom. Any other value leaves the picture as it is.

    Returns:
        (H, W, C), or (W, H, C) for orientations 5 to 8; same type and range.

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


def resize_image(image: tf.Tensor, *, image_size: tuple[int, int], fit: str) -> tf.Tensor:
    """A picture brought to a given size, by linear interpolation that averages over all source pixels when it shrinks.

    Args:
        image: (H, W, C), uint8 or float32, in [0, 255]; H and W at least 1, and may be unknown when the graph is built.
        image_size: (height, width) of the result.
        fit: "stretch" scales each side by itself; "crop" scales by one factor until both sides cover the result, and
            cuts the overhang, half on either side; "pad" scales by one factor until both sides fit, and puts the
            picture in the middle of black. An odd pixel is cut, or left black, at the bottom and at the right.

    Returns:
        float32 (height, width, C) in [0, 255].

    Raises:
        ConfigError: another `fit`, or an `image_size` that is not two positive whole numbers.

    Source: triangle kernel, widened by the scale when shrinking (as in Pillow's `Image.resize`).

    >>> wide = [[[10.0], [20.0], [30.0], [40.0]]]
    >>> resize_image(wide, image_size=(1, 1), fit="crop")[:, :, 0].numpy().tolist()  # of four pixels, the second
    [[20.0]]
    >>> resize_image(wide, image_size=(3, 4), fit="pad")[:, :, 0].numpy().tolist()
    [[0.0, 0.0, 0.0, 0.0], [10.0, 20.0, 30.0, 40.0], [0.0, 0.0, 0.0, 0.0]]
    """
    if fit not in FITS:
        raise ConfigError(f"no fit is named {fit!r}; {did_you_mean(str(fit), FITS)}")
    if len(image_size) != 2 or not all(isinstance(side, int) and side > 0 for side in image_size):
        raise ConfigError("image_size must be two positive whole numbers, height and width", received=image_size)
    image = tf.convert_to_tensor(image)
    source = tf.shape(image)[:2]
    scaled = _scaled_size(source, image_size=image_size, fit=fit)
    # One operation scales and cuts (or pads): scaling first would make 224 x 2,240,000 pixels of 1 x 10,000.
    resized = tf.raw_ops.ScaleAndTranslate(
        images=image[tf.newaxis],
        size=image_size,
        scale=tf.cast(scaled, tf.float32) / tf.cast(source, tf.float32),
        translation=tf.cast(tf.truncatediv(image_size - scaled, 2), tf.float32),
        kernel_type="triangle",
        antialias=True,
    )[0]
    # The weights are normalised in float32: without the clip, white may become 255.00002.
    return tf.ensure_shape(tf.clip_by_value(resized, 0.0, 255.0), [*image_size, image.shape[-1]])


def _luma(image):
    red, green, blue = (tf.cast(channel, tf.float32) for channel in tf.split(image, 3, axis=-1))
    return tf.cast(_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue + 0.5, tf.uint8)


def _turn(image, orientation):
    swap, flip_rows, flip_columns = tf.unstack(tf.gather(tf.constant(_UPRIGHT), orientation))
    image = tf.transpose(image, tf.where(swap, [1, 0, 2], [0, 1, 2]))
    return tf.raw_ops.Reverse(tensor=image, dims=tf.stack([flip_rows, flip_columns, False]))


def _scaled_size(source, *, image_size, fit):
    """int32 (2,): height and width of the whole picture after scaling, before the crop or the padding."""
    if fit == "stretch":
        return tf.constant(image_size)
    ratios = tf.constant(image_size, tf.float64) / tf.cast(source, tf.float64)
    ratio = tf.reduce_max(ratios) if fit == "crop" else tf.reduce_min(ratios)
    # At least one pixel: 10,000 x 1, scaled to fit 224 x 224, must not vanish.
    return tf.maximum(tf.cast(tf.round(tf.cast(source, tf.float64) * ratio), tf.int32), 1)
