"""Mosaic: parts of four images of a batch, put together into one image, with their objects and label maps."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from kerasvision.config.augmentation_mixing import Mosaic
from kerasvision.data.augmentation.chain import Batch
from kerasvision.data.augmentation.draws import uniform
from kerasvision.data.augmentation.mixing import partners
from kerasvision.data.augmentation.objects import has_size, keep_objects, less_visible, padded_objects
from kerasvision.data.tight_boxes import tight_boxes

# crop_and_resize gives black outside [0, 1] of the image, which a place at the border may leave by rounding.
_INSIDE = 1e-6


class Tile(NamedTuple):
    """One of the four rectangles of every mosaic of a batch, and which part of which image it shows.

    A position of that image, in pixels, is at (position - start) * scale + corner of the mosaic.

    Attributes:
        corner: int32 (2,), its top and left in pixels.
        size: int32 (2,), its height and width.
        other: int32 (N,), the row of the image that it shows.
        scale: float32 (N, 1), at most 1.
        start: float32 (N, 2), y and x at which the part begins in that image, in pixels.
    """

    corner: tf.Tensor
    size: tf.Tensor
    other: tf.Tensor
    scale: tf.Tensor
    start: tf.Tensor


def mosaic(batch: Batch, *, numbers: tf.Tensor, settings: Mosaic) -> Batch:
    """Each image with parts of three others around a part of itself, and the objects and label maps of these parts.

    Args:
        batch: "image" float32 (N, H, W, C) in [0, 255], perhaps "objects" and "label_map", and other keys.
        numbers: float32 (N, 18) in [0, 1). The first two of the first row draw where the four meet; then each row draws the
            three others, the four scales, the four places (y and x), and whether to mix.
        settings: the ranges, and the probability.

    Returns:
        The batch without "label". Its objects have `settings.rows_of_objects(M)` rows; those that are there come first.
    """
    images = batch["image"]
    tiles = make_tiles(tf.shape(images)[1:3], numbers, settings)
    changed = {key: part for key, part in batch.items() if key != "label"}
    mixed = numbers[:, 17] < settings.probability
    if "objects" in batch:
        rows = settings.rows_of_objects(batch["objects"]["label"].shape[1])
        together = [_objects_in(tile, batch["objects"], sides=tf.shape(images)[1:3]) for tile in tiles]
        objects = {name: tf.concat([part[name] for part in together], axis=1) for name in batch["objects"]}
        mixed &= tf.reduce_sum(tf.cast(objects["label"] >= 0, tf.int32), axis=1) <= rows
        changed["objects"] = _chosen_objects(mixed, objects, batch["objects"], rows=rows)
    together = tf.ensure_shape(_joined([_pixels(tile, images) for tile in tiles]), images.shape)
    changed["image"] = tf.where(mixed[:, None, None, None], together, images)
    if "label_map" in batch:
        numbers_of_pixels = batch["label_map"]
        parts = [_nearest(tile, tf.gather(numbers_of_pixels, tile.other), sides=tf.shape(images)[1:3]) for tile in tiles]
        together = tf.ensure_shape(_joined(parts), numbers_of_pixels.shape)
        changed["label_map"] = tf.where(mixed[:, None, None], together, numbers_of_pixels)
    return changed


def make_tiles(sides: tf.Tensor, numbers: tf.Tensor, settings: Mosaic) -> list[Tile]:
    """The four tiles, row by row.

    Args:
        sides: int32 (2,): height and width of the images.
        numbers: float32 (N, 18) in [0, 1), see `mosaic`.
        settings: the ranges.
    """
    lengths = tf.cast(sides, tf.float32)
    middle = tf.cast(tf.round(uniform(numbers[0, :2], *settings.center) * lengths), tf.int32)
    middle = tf.clip_by_value(middle, 1, sides - 1)
    others = [tf.range(tf.shape(numbers)[0]), *(partners(numbers[:, column]) for column in (2, 3, 4))]
    tiles = []
    for number, other in enumerate(others):
        is_later = tf.constant([number // 2, number % 2])
        corner, size = middle * is_later, tf.where(is_later > 0, sides - middle, middle)
        scale = uniform(numbers[:, 5 + number, None], *settings.scale)
        scale = tf.maximum(scale, tf.reduce_max(tf.cast(size, tf.float32) / lengths))
        free = lengths - tf.cast(size, tf.float32) / scale
        tiles.append(Tile(corner, size, other, scale, numbers[:, 9 + 2 * number : 11 + 2 * number] * tf.maximum(free, 0.0)))
    return tiles


def _joined(parts: Sequence[tf.Tensor]) -> tf.Tensor:
    """(N, H, W, ...): what the four tiles show, each (N, height, width, ...), row by row."""
    top_left, top_right, bottom_left, bottom_right = parts
    return tf.concat([tf.concat([top_left, top_right], axis=2), tf.concat([bottom_left, bottom_right], axis=2)], axis=1)


def _pixels(tile: Tile, images: tf.Tensor) -> tf.Tensor:
    """float32 (N, height, width, C): what the tile shows, linear between the pixels of its images."""
    last = tf.cast(tf.maximum(tf.shape(images)[1:3] - 1, 1), tf.float32)
    # Centres of the first and the last pixels, counted from the centre of the image's first pixel.
    first = tile.start + 0.5 / tile.scale - 0.5
    end = tile.start + (tf.cast(tile.size, tf.float32) - 0.5) / tile.scale - 0.5
    part = tf.clip_by_value(tf.concat([first / last, end / last], axis=1), _INSIDE, 1 - _INSIDE)
    return tf.image.crop_and_resize(images, part, tile.other, tile.size)


def _objects_in(tile: Tile, objects: Mapping[str, tf.Tensor], *, sides: tf.Tensor) -> dict[str, tf.Tensor]:
    """The objects in the part that a tile shows, in their places in the mosaic: (N, M, ...)."""
    theirs = {name: tf.gather(part, tile.other) for name, part in objects.items()}
    lengths = tf.cast(tf.tile(sides, [2]), tf.float32)
    corner, size = tf.cast(tile.corner, tf.float32), tf.cast(tile.size, tf.float32)
    start, scale = tf.tile(tile.start, [1, 2])[:, None], tile.scale[:, None]
    whole = (theirs["bbox"] * lengths - start) * scale + tf.tile(corner, [2])
    boxes = tf.clip_by_value(whole, tf.tile(corner, [2]), tf.tile(corner + size, [2])) / lengths
    moved = {**less_visible(theirs, whole / lengths, boxes), "bbox": boxes}
    moved = keep_objects(moved, has_size(boxes) & (theirs["label"] >= 0))
    if "mask" in moved:
        moved["mask"] = _masks(tile, moved["mask"], sides=sides)
        moved["bbox"] = tight_boxes(moved["bbox"], moved["mask"])
    return moved


def _masks(tile: Tile, masks: tf.Tensor, *, sides: tf.Tensor) -> tf.Tensor:
    """uint8 (N, M, H, W): in the tile what its part of `masks` shows, and 0 elsewhere."""
    masks = _nearest(tile, masks, sides=sides)
    after = sides - tile.corner - tile.size
    around = tf.stack([tile.corner, after], axis=1)
    return tf.pad(masks, tf.concat([tf.zeros((2, 2), tf.int32), around], axis=0))


def _nearest(tile: Tile, pictures: tf.Tensor, *, sides: tf.Tensor) -> tf.Tensor:
    """(N, ..., height, width): what the tile shows of (N, ..., H, W), each pixel the nearest one."""
    for axis in (0, 1):
        places = (tf.range(tile.size[axis], dtype=tf.float32) + 0.5) / tile.scale + tile.start[:, axis, None]
        places = tf.clip_by_value(tf.cast(places, tf.int32), 0, sides[axis] - 1)
        pictures = tf.gather(pictures, places, axis=pictures.shape.rank - 2 + axis, batch_dims=1)
    return pictures


def _chosen_objects(
    mixed: tf.Tensor, together: Mapping[str, tf.Tensor], own: Mapping[str, tf.Tensor], *, rows: int
) -> dict[str, tf.Tensor]:
    """`rows` objects of each image: those of the four parts where `mixed`, bool (N,), else its own. Padding comes last."""
    first = tf.argsort(tf.cast(together["label"] < 0, tf.int32), axis=1, stable=True)[:, :rows]
    alone = padded_objects(own, rows)
    chosen = {}
    for name, part in together.items():
        picked = tf.gather(part, first, axis=1, batch_dims=1)
        is_mixed = tf.reshape(mixed, [-1] + [1] * (part.shape.rank - 1))
        chosen[name] = tf.ensure_shape(tf.where(is_mixed, picked, alone[name]), alone[name].shape)
    return chosen
