"""Where a picture is placed in one of another size, and how it, its boxes and its masks get there.

One placement serves pixels, boxes and masks: position p of the picture, in pixels, moves to p * scale + translation in the
result.

It uses stock TensorFlow operations only: a SavedModel with these functions loads where only TensorFlow is installed.
"""

from typing import NamedTuple

import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.lookup import did_you_mean
from kerasvision.ops.tracing import without_autograph

FITS = ("stretch", "crop", "pad")

# This many pixels more than the kernel reads are decoded: at the edge of a part, JPEG colours may be slightly off.
_MARGIN = 2


class Placement(NamedTuple):
    """From pixels of a picture to pixels of the result.

    Attributes:
        scale: float32 (2,), along height and width.
        translation: float32 (2,), along height and width, in pixels of the result.
    """

    scale: tf.Tensor
    translation: tf.Tensor


@without_autograph
def resize_image(image: tf.Tensor, *, image_size: tuple[int, int], fit: str, crop_fraction: float = 1.0) -> tf.Tensor:
    """A picture resized by linear interpolation; a picture that shrinks is averaged over all its pixels.

    Args:
        image: (H, W, C), or a batch (N, H, W, C) of pictures of one size; uint8 or float32, in [0, 255]; H and W at least 1.
            N, H and W may be unknown when the graph is built.
        image_size: (height, width) of the result.
        fit: "stretch" scales each side by its own factor; "crop" scales by one factor until both sides cover the result,
            and cuts the rest, half on either side; "pad" scales by one factor until both sides fit, and centres the
            picture on black. An odd pixel is cut, or left black, at the bottom and at the right.
        crop_fraction: with "crop", the share of the scaled picture's side that is kept: at 0.875, the middle 224 of 256
            pixels.

    Returns:
        float32 (height, width, C) or (N, height, width, C) in [0, 255].

    Raises:
        ConfigError: another `fit`, an `image_size` that is not two positive whole numbers, or a `crop_fraction` outside
            (0, 1] or below 1 with a fit other than "crop".

    Source: triangle kernel, widened by the scale when shrinking (as in Pillow's `Image.resize`).

    >>> wide = [[[10.0], [20.0], [30.0], [40.0]]]
    >>> resize_image(wide, image_size=(1, 1), fit="crop")[:, :, 0].numpy().tolist()  # the second of four pixels
    [[20.0]]
    >>> resize_image(wide, image_size=(3, 4), fit="pad")[:, :, 0].numpy().tolist()
    [[0.0, 0.0, 0.0, 0.0], [10.0, 20.0, 30.0, 40.0], [0.0, 0.0, 0.0, 0.0]]
    """
    image = tf.convert_to_tensor(image)
    size = tf.shape(image)[-3:-1]
    placement = fitted(size, image_size=image_size, fit=fit, crop_fraction=crop_fraction)
    if fit != "crop":
        return place_image(image, placement, image_size=image_size)
    part = needed_part(size, placement, image_size=image_size)
    y, x, height, width = tf.unstack(part)
    rows, columns = slice(y, y + height), slice(x, x + width)
    cut = image[rows, columns] if len(image.shape) == 3 else image[:, rows, columns]
    return place_image(cut, moved(placement, part), image_size=image_size)


@without_autograph
def fitted(size: tf.Tensor, *, image_size: tuple[int, int], fit: str, crop_fraction: float = 1.0) -> Placement:
    """Where `resize_image` places a picture of a given size, int32 (2,)."""
    if fit not in FITS:
        raise ConfigError(f"no fit is named {fit!r}; {did_you_mean(str(fit), FITS)}")
    if len(image_size) != 2 or not all(isinstance(side, int) and side > 0 for side in image_size):
        raise ConfigError("image_size must be two positive whole numbers, height and width", received=image_size)
    if not 0 < crop_fraction <= 1 or (crop_fraction < 1 and fit != "crop"):
        raise ConfigError(
            "crop_fraction must lie in (0, 1], and below 1 it requires fit='crop'", received=f"{crop_fraction}, fit={fit!r}"
        )
    scaled = _scaled_size(size, image_size=image_size, fit=fit, crop_fraction=crop_fraction)
    scale = tf.cast(scaled, tf.float32) / tf.cast(size, tf.float32)
    return Placement(scale, tf.cast(tf.truncatediv(image_size - scaled, 2), tf.float32))


@without_autograph
def cut_out(part: tf.Tensor, *, image_size: tuple[int, int]) -> Placement:
    """The placement that fills the result with one part of the picture.

    Args:
        part: (4,) y, x, height and width in pixels; int32 or float32.
        image_size: (height, width) of the result.

    >>> cut_out([1, 0, 2, 4], image_size=(4, 4)).translation.numpy().tolist()  # at a scale of 2, row 1 moves 2 up
    [-2.0, -0.0]
    """
    part = tf.cast(part, tf.float32)
    scale = tf.constant(image_size, tf.float32) / part[2:]
    return Placement(scale, -part[:2] * scale)


@without_autograph
def needed_part(size: tf.Tensor, placement: Placement, *, image_size: tuple[int, int]) -> tf.Tensor:
    """int32 (4,): y, x, height and width of the part that the result needs of a picture of `size`, int32 (2,)."""
    reach = tf.maximum(1.0 / placement.scale, 1.0) + _MARGIN
    ends = (tf.constant([[0, 0], image_size], tf.float32) - placement.translation) / placement.scale
    first, last = tf.unstack(tf.cast(ends + tf.constant([[-1.0], [1.0]]) * reach, tf.int32))
    first = tf.clip_by_value(first, 0, size - 1)
    last = tf.clip_by_value(last, first + 1, size)
    return tf.concat([first, last - first], axis=0)


def moved(placement: Placement, part: tf.Tensor) -> Placement:
    """The same placement for a part of the picture: int32 (4,) y, x, height and width."""
    return Placement(placement.scale, placement.translation + tf.cast(part[:2], tf.float32) * placement.scale)


@without_autograph
def place_image(image: tf.Tensor, placement: Placement, *, image_size: tuple[int, int] | tf.Tensor) -> tf.Tensor:
    """A picture in its place, on black.

    Args:
        image: (H, W, C), or a batch (N, H, W, C); uint8 or float32, in [0, 255].
        placement: where the picture goes, or all pictures of the batch.
        image_size: (height, width) of the result; also int32 (2,), if the size is known only at run time.

    Returns:
        float32 (height, width, C) or (N, height, width, C) in [0, 255].
    """
    known = [None, None] if tf.is_tensor(image_size) else [*image_size]
    height, width = tf.unstack(image_size) if tf.is_tensor(image_size) else image_size
    # Most of the time that a small picture takes is that of the interpolation, which would give the same numbers here.
    fills = tf.reduce_all(tf.shape(image)[-3:-1] == [height, width])
    stays = fills & tf.reduce_all(placement.scale == 1.0) & tf.reduce_all(placement.translation == 0.0)
    interpolated = _interpolated if len(image.shape) == 3 else _interpolated_batch
    placed = tf.cond(
        stays,
        lambda: tf.cast(image, tf.float32),
        lambda: interpolated(image, placement, image_size=(height, width)),
    )
    return tf.ensure_shape(placed, [*image.shape[:-3], *known, image.shape[-1]])


@without_autograph
def place_boxes(boxes: tf.Tensor, size: tf.Tensor, placement: Placement, *, image_size: tuple[int, int]) -> tf.Tensor:
    """Boxes moved with their picture and clipped to the result.

    Args:
        boxes: float32 (M, 4) y_min, x_min, y_max, x_max as shares of the picture's sides.
        size: int32 (2,), height and width of the picture.
        placement: where the picture goes.
        image_size: (height, width) of the result.

    Returns:
        float32 (M, 4) in [0, 1], as shares of the result's sides; a box outside the result has no area.

    >>> half = cut_out([0, 2, 4, 2], image_size=(8, 8))  # the right half of 4 x 4
    >>> place_boxes(tf.constant([[0.0, 0.25, 0.5, 0.75]]), [4, 4], half, image_size=(8, 8)).numpy().tolist()
    [[0.0, 0.0, 0.5, 0.5]]
    """
    size, sides = tf.cast(size, tf.float32), tf.constant(image_size, tf.float32)
    scale, translation = size * placement.scale / sides, placement.translation / sides
    return tf.clip_by_value(boxes * tf.tile(scale, [2]) + tf.tile(translation, [2]), 0.0, 1.0)


@without_autograph
def place_masks(
    masks: tf.Tensor, placement: Placement, *, image_size: tuple[int, int], size: tf.Tensor | None = None, fill: int = 0
) -> tf.Tensor:
    """Masks moved with their picture: each pixel of the result has the value where its centre comes from, `fill` outside.

    Args:
        masks: (M, H, W), any numeric dtype.
        placement: where the picture goes.
        image_size: (height, width) of the result.
        size: int32 (2,), height and width of the picture, if it was reduced and its masks were not; None: H and W.
        fill: the value outside the picture.

    Returns:
        (M, height, width), the same dtype.

    >>> beside = Placement(tf.constant([1.0, 1.0]), tf.constant([0.0, 1.0]))  # one pixel to the right
    >>> place_masks(tf.constant([[[7, 8]]], tf.uint8), beside, image_size=(1, 4), fill=255).numpy().tolist()
    [[[255, 7, 8, 255]]]
    """
    insides = []
    for axis, side in enumerate(image_size, start=1):
        count, scale = tf.shape(masks)[axis], placement.scale[axis - 1]
        if size is not None:
            scale = scale * (tf.cast(size[axis - 1], tf.float32) / tf.cast(count, tf.float32))
        middle = (tf.range(side, dtype=tf.float32) + 0.5 - placement.translation[axis - 1]) / scale
        index = tf.cast(tf.floor(middle), tf.int32)
        insides.append((index >= 0) & (index < count))
        masks = tf.gather(masks, tf.clip_by_value(index, 0, count - 1), axis=axis)
    return tf.where(insides[0][:, tf.newaxis] & insides[1], masks, tf.cast(fill, masks.dtype))


def _interpolated(image: tf.Tensor, placement: Placement, *, image_size: tuple[int, int]) -> tf.Tensor:
    """What `place_image` returns for a picture that is scaled or moved."""
    height, width = image_size
    channels = image.shape[-1]
    # One axis at a time: the other axis keeps scale 1 and translation 0.
    scale_down, scale_across = tf.unstack(tf.pad(placement.scale[:, tf.newaxis], [[0, 0], [0, 1]], constant_values=1.0))
    down, across = tf.unstack(tf.pad(placement.translation[:, tf.newaxis], [[0, 0], [0, 1]]))
    picture = tf.reshape(image, tf.stack([1, tf.shape(image)[0], 1, -1]))
    rows = _rows(picture, height, scale=scale_down, translation=down)
    # Columns are turned into rows: TensorFlow's kernel adds whole rows at memory speed, but columns three numbers at a time.
    # Both transpositions are of plain matrices, which puts the channels one after the other: moving three numbers at a time
    # would take longer. This takes a third of the time of one ScaleAndTranslate over both axes and gives the same numbers.
    picture = tf.reshape(tf.transpose(tf.reshape(rows, [height, -1])), [1, -1, 1, channels * height])
    columns = tf.reshape(_rows(picture, width, scale=scale_across, translation=across), [width * channels, height])
    placed = tf.reshape(tf.transpose(columns), [height, width, channels])
    # The weights are normalised in float32, so white may become 255.00002. No weight is negative, so no result is.
    return tf.minimum(placed, 255.0)


def _interpolated_batch(images: tf.Tensor, placement: Placement, *, image_size: tuple[int, int]) -> tf.Tensor:
    """The results of `_interpolated` for a batch (N, H, W, C). The pictures lie side by side, so the kernel runs once."""
    height, width = image_size
    scale, translation = placement.scale, placement.translation
    rows = _side_by_side(tf.transpose(images, [1, 0, 2, 3]), height, scale=scale[0], translation=translation[0])
    columns = _side_by_side(tf.transpose(rows, [2, 1, 3, 0]), width, scale=scale[1], translation=translation[1])
    return tf.minimum(tf.transpose(columns, [1, 3, 0, 2]), 255.0)


def _side_by_side(pictures: tf.Tensor, count: int, *, scale: tf.Tensor, translation: tf.Tensor) -> tf.Tensor:
    """float32 (count, A, B, C): `count` rows interpolated from those of (H, A, B, C)."""
    shape = tf.shape(pictures)
    picture = tf.reshape(pictures, tf.stack([1, shape[0], 1, -1]))
    rows = _rows(picture, count, scale=tf.stack([scale, 1.0]), translation=tf.stack([translation, 0.0]))
    return tf.reshape(rows, tf.concat([[count], shape[1:]], axis=0))


def _rows(picture: tf.Tensor, count: int, *, scale: tf.Tensor, translation: tf.Tensor) -> tf.Tensor:
    """float32 (1, count, 1, C): `count` rows interpolated from those of (1, H, 1, C)."""
    return tf.raw_ops.ScaleAndTranslate(
        images=picture, size=[count, 1], scale=scale, translation=translation, kernel_type="triangle", antialias=True
    )


def _scaled_size(size: tf.Tensor, *, image_size: tuple[int, int], fit: str, crop_fraction: float) -> tf.Tensor:
    """int32 (2,): height and width of the whole picture after scaling, before the crop or the padding."""
    if fit == "stretch":
        return tf.constant(image_size)
    ratios = tf.constant(image_size, tf.float64) / tf.cast(size, tf.float64)
    ratio = tf.reduce_max(ratios) / crop_fraction if fit == "crop" else tf.reduce_min(ratios)
    # At least one pixel: 10,000 x 1, scaled to fit 224 x 224, must not vanish.
    return tf.maximum(tf.cast(tf.round(tf.cast(size, tf.float64) * ratio), tf.int32), 1)
