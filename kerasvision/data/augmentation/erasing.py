"""Augmentations that cover a part of the image: random erasing and cutout.

A completely covered object is removed. A label map says nothing about covered pixels.
"""

import tensorflow as tf

from kerasvision.config.augmentation_pixels import Cutout, RandomErasing
from kerasvision.config.example_parts import IGNORED
from kerasvision.data.augmentation.chain import Batch
from kerasvision.data.augmentation.draws import integers, uniform
from kerasvision.data.augmentation.objects import covered_in_part, keep_objects
from kerasvision.data.augmentation.per_image import map_images
from kerasvision.ops.random import uniform_rows


def random_erasing(batch: Batch, *, numbers: tf.Tensor, settings: RandomErasing) -> Batch:
    """Every image with a rectangle covered, or unchanged.

    Args:
        batch: "image" float32 (N, H, W, C) in [0, 255], perhaps "objects", and other keys.
        numbers: float32 (N, 6) in [0, 1): they draw whether to cover, the area, ratio, top and left of the rectangle, and
            the noise.
        settings: the probability, the ranges, and the fill.
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
    """Every image with a square covered.

    Args:
        batch: "image" float32 (N, H, W, C) in [0, 255], perhaps "objects", and other keys.
        numbers: float32 (N, 2) in [0, 1): they draw the row and the column of the square's centre.
        settings: the size and the fill.
    """
    sides = tf.shape(batch["image"])[1:3]
    middle = tf.stack([integers(numbers[:, axis], sides[axis]) for axis in (0, 1)], axis=1)
    first = middle - settings.size // 2
    square = tf.concat([tf.maximum(first, 0), tf.minimum(first + settings.size, sides)], axis=1)
    return cover_rectangles(batch, square, settings.fill)


def cover_rectangles(batch: Batch, rectangles: tf.Tensor, fill: float | tf.Tensor) -> Batch:
    """The batch with a rectangle of every image covered by `fill`, and without the objects that it covers completely.

    A label map becomes 255 there: a network cannot know what a covered pixel was.

    Args:
        batch: see the package's docstring.
        rectangles: int32 (N, 4): top, left, bottom, right in pixels, the last two exclusive; inside the image.
        fill: one value for all pixels, or float32 (N, H, W, C).
    """
    images = batch["image"]
    changed = {
        **batch,
        "image": paste_rectangles(images, rectangles, tf.broadcast_to(tf.cast(fill, tf.float32), tf.shape(images))),
    }
    if "objects" in batch:
        sides = tf.cast(tf.tile(tf.shape(images)[1:3], [2]), tf.float32)
        # A hundredth of a pixel allows for the rounding of the boxes.
        hidden = tf.cast(rectangles, tf.float32)[:, None] - batch["objects"]["bbox"] * sides
        shown = tf.reduce_any(hidden * tf.constant([1.0, 1.0, -1.0, -1.0]) > 0.01, axis=-1)
        objects = covered_in_part(batch["objects"], tf.cast(rectangles, tf.float32)[:, None] / sides)
        changed["objects"] = keep_objects(objects, shown & (batch["objects"]["label"] >= 0))
    if "label_map" in batch:
        changed["label_map"] = paste_in_maps(
            batch["label_map"], rectangles, tf.fill(tf.shape(batch["label_map"]), tf.constant(IGNORED, tf.uint8))
        )
    return changed


def paste_rectangles(images: tf.Tensor, rectangles: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """The images, each with a rectangle of another image.

    Args:
        images: (N, H, W, C), uint8 or float32.
        rectangles: int32 (N, 4): top, left, bottom, right in pixels, the last two exclusive; inside the image.
        others: (N, H, W, C), the other images.

    Returns:
        (N, H, W, C) of the same dtype.

    >>> zeros, ones = tf.zeros((1, 2, 3, 1)), tf.ones((1, 2, 3, 1))
    >>> paste_rectangles(zeros, tf.constant([[0, 1, 1, 3]]), ones)[0, :, :, 0].numpy().tolist()
    [[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    """
    height, width, channels = tf.unstack(tf.shape(images)[1:])
    top, left, bottom, right = (rectangles[:, side, None] for side in range(4))
    # A choice for every value of a row instead of every pixel: TensorFlow is slow at repeating a choice for three channels.
    rows, columns = tf.range(height)[None], tf.repeat(tf.range(width), channels)[None]
    of_rows, of_columns = (rows >= top) & (rows < bottom), (columns >= left) & (columns < right)
    flat = tf.stack([-1, height, width * channels])
    chosen = tf.where(of_rows[:, :, None] & of_columns[:, None, :], tf.reshape(others, flat), tf.reshape(images, flat))
    return tf.ensure_shape(tf.reshape(chosen, tf.shape(images)), images.shape)


def paste_in_maps(label_maps: tf.Tensor, rectangles: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """`paste_rectangles` for label maps, uint8 (N, H, W)."""
    return paste_rectangles(label_maps[..., tf.newaxis], rectangles, others[..., tf.newaxis])[..., 0]


def _noise(image: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """float32 of the image's shape, uniform in [0, 255), from the bits of one number."""
    size = tf.size(image)
    values = uniform_rows(tf.bitcast(number, tf.int32), 0, rows=size // 4 + 1, columns=4)
    return 255 * tf.reshape(tf.reshape(values, [-1])[:size], tf.shape(image))
