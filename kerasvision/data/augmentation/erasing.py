"""Augmentations that cover a part of the image: random erasing and cutout. An object covered whole is taken out."""

import tensorflow as tf

from kerasvision.config.augmentation import Cutout, RandomErasing
from kerasvision.data.augmentation.chain import Batch
from kerasvision.data.augmentation.draws import integers, uniform
from kerasvision.data.augmentation.objects import keep_objects
from kerasvision.data.augmentation.per_image import map_images
from kerasvision.ops.random import uniform_rows


def random_erasing(batch: Batch, *, numbers: tf.Tensor, settings: RandomErasing) -> Batch:
    """Every image with a rectangle covered, or as it is.

    The numbers: whether, area, ratio, top, left, noise.
    """
    height, width = tf.unstack(tf.shape(batch["image"])[1:3])
    area = uniform(numbers[:, 1], *settings.area) * tf.cast(height * width, tf.float32)
    ratio = uniform(numbers[:, 2], *settings.ratio)
    rows = tf.clip_by_value(tf.cast(tf.round(tf.sqrt(area * ratio)), tf.int32), 1, height)
    columns = tf.clip_by_value(tf.cast(tf.round(tf.sqrt(area / ratio)), tf.int32), 1, width)
    top, left = integers(numbers[:, 3], height - rows + 1), integers(numbers[:, 4], width - columns + 1)
    erased = tf.stack([top, left, top + rows, left + columns], axis=1)
    erased = tf.where(numbers[:, :1] < settings.probability, erased, 0)
    if settings.fill != "noise":
        return cover_rectangles(batch, erased, settings.fill)

    def noise(image: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        return tf.cond(numbers[0] < settings.probability, lambda: _noise(image, numbers[5]), lambda: image)

    return cover_rectangles(batch, erased, map_images(noise, batch["image"], numbers))


def cutout(batch: Batch, *, numbers: tf.Tensor, settings: Cutout) -> Batch:
    """Every image with a square covered. The numbers: the row and the column of its middle."""
    sides = tf.shape(batch["image"])[1:3]
    middle = tf.stack([integers(numbers[:, axis], sides[axis]) for axis in (0, 1)], axis=1)
    first = middle - settings.size // 2
    square = tf.concat([tf.maximum(first, 0), tf.minimum(first + settings.size, sides)], axis=1)
    return cover_rectangles(batch, square, settings.fill)


def cover_rectangles(batch: Batch, rectangles: tf.Tensor, fill: float | tf.Tensor) -> Batch:
    """The batch with a rectangle of every image covered by `fill`, and the objects that lie whole under it taken out.

    Args:
        batch: see the package's docstring.
        rectangles: int32 (N, 4): top, left, bottom, right in pixels, the last two exclusive; inside the image.
        fill: a brightness, or float32 (N, H, W, C).
    """
    images = batch["image"]
    changed = {
        **batch,
        "image": paste_rectangles(images, rectangles, tf.broadcast_to(tf.cast(fill, tf.float32), tf.shape(images))),
    }
    if "objects" in batch:
        sides = tf.cast(tf.tile(tf.shape(images)[1:3], [2]), tf.float32)
        # A hundredth of a pixel for the rounding of the boxes.
        hidden = tf.cast(rectangles, tf.float32)[:, None] - batch["objects"]["bbox"] * sides
        shown = tf.reduce_any(hidden * tf.constant([1.0, 1.0, -1.0, -1.0]) > 0.01, axis=-1)
        changed["objects"] = keep_objects(batch["objects"], shown & (batch["objects"]["label"] >= 0))
    return changed


def paste_rectangles(images: tf.Tensor, rectangles: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """The images with a rectangle of another one in each.

    Args:
        images: float32 (N, H, W, C).
        rectangles: int32 (N, 4): top, left, bottom, right in pixels, the last two exclusive; inside the image.
        others: float32 (N, H, W, C).

    >>> zeros, ones = tf.zeros((1, 2, 3, 1)), tf.ones((1, 2, 3, 1))
    >>> paste_rectangles(zeros, tf.constant([[0, 1, 1, 3]]), ones)[0, :, :, 0].numpy().tolist()
    [[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    """
    height, width, channels = tf.unstack(tf.shape(images)[1:])
    top, left, bottom, right = (rectangles[:, side, None] for side in range(4))
    # Every value of a row, not every pixel: TensorFlow is slow where it has to repeat a choice for three channels.
    rows, columns = tf.range(height)[None], tf.repeat(tf.range(width), channels)[None]
    of_rows, of_columns = (rows >= top) & (rows < bottom), (columns >= left) & (columns < right)
    flat = tf.stack([-1, height, width * channels])
    chosen = tf.where(of_rows[:, :, None] & of_columns[:, None, :], tf.reshape(others, flat), tf.reshape(images, flat))
    return tf.ensure_shape(tf.reshape(chosen, tf.shape(images)), images.shape)


def _noise(image: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """float32 of the image's shape, uniform in [0, 255), from the bits of one number."""
    size = tf.size(image)
    values = uniform_rows(tf.bitcast(number, tf.int32), 0, rows=size // 4 + 1, columns=4)
    return 255 * tf.reshape(tf.reshape(values, [-1])[:size], tf.shape(image))
