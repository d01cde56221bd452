"""Augmentations that move pixels: shifts, mirror images, rotations and zooms. All annotations move with them.

They change "image", float32 (N, H, W, C) in [0, 255], "objects" and "label_map" of a batch; see the package's docstring.
"""

import math

import tensorflow as tf

from kerasvision.config.augmentation import PadCrop, RandomFlip, Rotate, ScaleJitter, Translate, Zoom
from kerasvision.data.augmentation.chain import Batch
from kerasvision.data.augmentation.draws import integers, uniform
from kerasvision.data.augmentation.objects import affine_map, moved_map, moved_objects, moved_pixels


def pad_crop(batch: Batch, *, numbers: tf.Tensor, settings: PadCrop) -> Batch:
    """Every image moved by up to `pad` pixels in each direction; the border pixels fill the gap.

    This equals padding with the border pixels and cropping at a random place: pixel (y, x) of the result is pixel
    (y + dy, x + dx) of the image, clipped to it. Pixels that repeat the border belong to no box and no mask, and a label
    map says nothing about them.

    `numbers`, float32 (N, 2) in [0, 1), draw the shifts down and across.
    """
    images = batch["image"]
    shape = tf.shape(images)
    shift = integers(numbers, 2 * settings.pad + 1) - settings.pad
    rows = tf.clip_by_value(tf.range(shape[1])[None] + shift[:, :1], 0, shape[1] - 1)
    columns = tf.clip_by_value(tf.range(shape[2])[None] + shift[:, 1:], 0, shape[2] - 1)
    moved = tf.gather(tf.gather(images, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)
    return _with_annotations(batch, moved, affine_map(1, 0, shift[:, 1], 0, 1, shift[:, 0]))


def random_flip(batch: Batch, *, numbers: tf.Tensor, settings: RandomFlip) -> Batch:
    """Every image mirrored, or not, with the same probability.

    `numbers`, float32 (N, 2) in [0, 1), draw the mirroring left to right and top to bottom.
    """
    flips = numbers < 0.5
    across, down = flips[:, 0] & (settings.direction != "vertical"), flips[:, 1] & (settings.direction != "horizontal")
    images = _mirrored(batch["image"], down=down, across=across)
    return _with_annotations(batch, images, affine_map(tf.where(across, -1, 1), 0, 0, 0, tf.where(down, -1, 1), 0))


def rotate(batch: Batch, *, numbers: tf.Tensor, settings: Rotate) -> Batch:
    """Every image rotated about its centre by up to `degrees` in both directions.

    `numbers`, float32 (N, 1) in [0, 1), draw the angle.
    """
    angle = tf.cast(uniform(numbers[:, 0], -settings.degrees, settings.degrees), tf.float64) * (math.pi / 180)
    return _warped(batch, rotation_map(angle), fill=settings.fill)


def translate(batch: Batch, *, numbers: tf.Tensor, settings: Translate) -> Batch:
    """Every image moved by up to `height` and `width`, shares of its sides, in both directions.

    `numbers`, float32 (N, 2) in [0, 1), draw the ways down and across.
    """
    sides = tf.cast(tf.shape(batch["image"])[1:3], tf.float32)
    down = uniform(numbers[:, 0], -settings.height, settings.height) * sides[0]
    right = uniform(numbers[:, 1], -settings.width, settings.width) * sides[1]
    return _warped(batch, affine_map(1, 0, -right, 0, 1, -down), fill=settings.fill)


def zoom(batch: Batch, *, numbers: tf.Tensor, settings: Zoom) -> Batch:
    """Every image enlarged or shrunk about its centre, by one factor for both sides.

    `numbers`, float32 (N, 1) in [0, 1), draw the factor.
    """
    factor = tf.cast(uniform(numbers[:, 0], *settings.factor), tf.float64)
    return _warped(batch, affine_map(1 / factor, 0, 0, 0, 1 / factor, 0), fill=settings.fill)


def scale_jitter(batch: Batch, *, numbers: tf.Tensor, settings: ScaleJitter) -> Batch:
    """Every image enlarged or shrunk, and moved as far as it still fills the picture, or is still all inside it.

    `numbers`, float32 (N, 3) in [0, 1), draw the factor, and the places down and across.
    """
    factor = tf.cast(uniform(numbers[:, 0], *settings.factor), tf.float64)
    sides = tf.cast(tf.shape(batch["image"])[1:3], tf.float64)
    # Enlarged, half of what is too much lies on either side; shrunk, half of what is free.
    shift = tf.cast(numbers[:, 1:] - 0.5, tf.float64) * tf.abs(factor - 1)[:, None] * sides
    maps = affine_map(1 / factor, 0, -shift[:, 1] / factor, 0, 1 / factor, -shift[:, 0] / factor)
    return _warped(batch, maps, fill=settings.fill)


def rotation_map(angle: tf.Tensor) -> tf.Tensor:
    """The map, float64 (N, 2, 3), that rotates pictures clockwise by `angle` radians, float64 (N,)."""
    return affine_map(tf.cos(angle), tf.sin(angle), 0, -tf.sin(angle), tf.cos(angle), 0)


def _mirrored(images: tf.Tensor, *, down: tf.Tensor, across: tf.Tensor) -> tf.Tensor:
    """Each image, upside down where `down`, bool (N,), and left to right where `across`."""
    if images.shape[0] == 1:
        # This is much less work than choosing between images. Without the batch axis TensorFlow also has special code for
        # the rows of a colour image.
        return tf.raw_ops.Reverse(tensor=images[0], dims=tf.stack([down[0], across[0], False]))[tf.newaxis]
    images = tf.where(across[:, None, None, None], tf.reverse(images, axis=[2]), images)
    return tf.where(down[:, None, None, None], tf.reverse(images, axis=[1]), images)


def _warped(batch: Batch, maps: tf.Tensor, *, fill: float) -> Batch:
    return _with_annotations(batch, moved_pixels(batch["image"], maps, fill=fill), maps)


def _with_annotations(batch: Batch, images: tf.Tensor, maps: tf.Tensor) -> Batch:
    moved = {**batch, "image": tf.ensure_shape(images, batch["image"].shape)}
    if "objects" in batch:
        moved["objects"] = moved_objects(batch["objects"], maps, image_size=tf.shape(images)[1:3])
    if "label_map" in batch:
        moved["label_map"] = moved_map(batch["label_map"], maps)
    return moved
