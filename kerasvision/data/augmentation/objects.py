"""Pixels, boxes, masks and label maps move together.

Every move of an image is an affine map, which says where each pixel comes from. It is float64 (N, 2, 3), rows [[a, b, s],
[c, d, t]]: the pixel of the result at (x, y) comes from (a x + b y + s, c x + d y + t) of the image. Both are in pixels from
the centre of the picture, x to the right and y down.
"""

from collections.abc import Mapping
from typing import TypeAlias

import tensorflow as tf

from kerasvision.config.example_parts import IGNORED
from kerasvision.data.tight_boxes import tight_boxes
from kerasvision.ops.boxes import areas

# A number for all maps, or a tensor (N,).
Coefficient: TypeAlias = float | tf.Tensor

# The visible share of each object, float32 (N, M) in [0, 1]. Objects have it while augmentations run, if one asks for it.
VISIBLE = "visible"
# A box thinner than this share of the picture is a rounding error.
_NOTHING = 1e-5


def affine_map(a: Coefficient, b: Coefficient, s: Coefficient, c: Coefficient, d: Coefficient, t: Coefficient) -> tf.Tensor:
    """A map, float64 (N, 2, 3), from its six coefficients: numbers, or tensors (N,); at least one is a tensor.

    >>> affine_map(1, 0, tf.constant([5.0, 6.0]), 0, 1, 0).shape
    TensorShape([2, 2, 3])
    """
    shape = next(tf.shape(value) for value in (a, b, s, c, d, t) if isinstance(value, tf.Tensor))
    rows = [[tf.broadcast_to(tf.cast(value, tf.float64), shape) for value in row] for row in ((a, b, s), (c, d, t))]
    return tf.stack([tf.stack(row, axis=-1) for row in rows], axis=-2)


def moved_pixels(images: tf.Tensor, maps: tf.Tensor, *, fill: float = 0.0, interpolation: str = "BILINEAR") -> tf.Tensor:
    """The images moved by the maps.

    Args:
        images: (N, H, W, C), uint8 or float32.
        maps: float64 (N, 2, 3), see above.
        fill: the value outside the image.
        interpolation: "BILINEAR", or "NEAREST" for the one nearest pixel.

    Returns:
        The same shape and dtype. "BILINEAR" is linear between two pixels, and at the border between a pixel and `fill`.
    """
    images = tf.convert_to_tensor(images)
    size = tf.shape(images)[1:3]
    if interpolation == "NEAREST":
        return _nearest_pixels(images, _coefficients(maps, size), fill=fill)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=_coefficients(maps, size),
        output_shape=size,
        fill_value=float(fill),
        interpolation=interpolation,
        fill_mode="CONSTANT",
    )
    return tf.ensure_shape(moved, images.shape)


def moved_objects(objects: Mapping[str, tf.Tensor], maps: tf.Tensor, *, image_size: tf.Tensor) -> dict[str, tf.Tensor]:
    """Boxes and masks moved by the maps.

    A box becomes the smallest upright box around its moved corners, clipped at the border of the image. For a rotated or
    sheared box this may be larger than its object. With masks, it ends where the moved mask ends (see `tight_boxes`). An
    object without any visible part is removed: its label becomes -1, everything else 0. An area stays that in the whole
    image.

    Args:
        objects: "bbox" float32 (N, M, 4), "label" int64 (N, M), and perhaps "crowd" bool (N, M), "area" float32 (N, M),
            "visible" float32 (N, M) and "mask" uint8 (N, M, H, W).
        maps: float64 (N, 2, 3), see above.
        image_size: int32 (2,): height and width.

    Returns:
        The same keys, shapes and dtypes.
    """
    whole = _moved_boxes(objects["bbox"], maps, image_size=image_size)
    boxes = tf.clip_by_value(whole, 0.0, 1.0)
    moved = keep_objects({**less_visible(objects, whole, boxes), "bbox": boxes}, has_size(boxes) & (objects["label"] >= 0))
    if "mask" in objects:
        moved["mask"] = _moved_masks(moved["mask"], maps)
        moved["bbox"] = tight_boxes(moved["bbox"], moved["mask"])
    return moved


def moved_map(label_map: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    """Label maps moved by the maps: each pixel has the number of the nearest one, and 255 if that is outside the image.

    Args:
        label_map: uint8 (N, H, W).
        maps: float64 (N, 2, 3), see above.

    Returns:
        uint8 (N, H, W).

    >>> to_the_right = affine_map(1, 0, tf.constant([-1.0]), 0, 1, 0)
    >>> moved_map(tf.constant([[[3, 4, 5]]], tf.uint8), to_the_right).numpy().tolist()
    [[[255, 3, 4]]]
    """
    return moved_pixels(label_map[..., tf.newaxis], maps, fill=IGNORED, interpolation="NEAREST")[..., 0]


def padded_objects(objects: Mapping[str, tf.Tensor], rows: int) -> dict[str, tf.Tensor]:
    """The objects of each image in `rows` rows, at least as many as before: the new labels are -1, everything else 0.

    Args:
        objects: "label" int64 (N, M), and other parts, (N, M, ...); M is known when the graph is built.
        rows: how many rows to return, M or more.

    >>> padded_objects({"label": tf.constant([[3, 1]]), "area": tf.ones((1, 2))}, 3)["label"].numpy().tolist()
    [[3, 1, -1]]
    """
    padded = {}
    for name, part in objects.items():
        around = [[0, 0], [0, rows - part.shape[1]], *[[0, 0]] * (part.shape.rank - 2)]
        padded[name] = tf.pad(part, around, constant_values=tf.cast(-1 if name == "label" else 0, part.dtype))
    return padded


def has_size(boxes: tf.Tensor) -> tf.Tensor:
    """bool (...): whether a box, float32 (..., 4) in [0, 1], is more than a rounding error."""
    return tf.reduce_all(boxes[..., 2:] - boxes[..., :2] > _NOTHING, axis=-1)


def with_visible(objects: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The objects with their "visible" shares, float32 (N, M), which are 1 unless the objects have some already.

    Args:
        objects: "label" int64 (N, M), and other parts. One image, without the axis N, is allowed too.

    >>> with_visible({"label": tf.constant([[3, -1]])})["visible"].numpy().tolist()
    [[1.0, 1.0]]
    """
    return {VISIBLE: tf.ones(tf.shape(objects["label"])), **objects}


def less_visible(objects: Mapping[str, tf.Tensor], whole: tf.Tensor, seen: tf.Tensor) -> dict[str, tf.Tensor]:
    """The objects, whose visible share becomes smaller: only `seen` of the box `whole` is left, both float32 (..., 4).

    Objects without "visible" do not change.
    """
    if VISIBLE not in objects:
        return dict(objects)
    left = tf.math.divide_no_nan(areas(seen), areas(whole))
    return {**objects, VISIBLE: objects[VISIBLE] * tf.minimum(left, 1.0)}


def keep_objects(objects: Mapping[str, tf.Tensor], kept: tf.Tensor) -> dict[str, tf.Tensor]:
    """The objects without those that are not `kept`, bool (N, M): their labels become -1, everything else 0."""
    left = {
        **objects,
        "label": tf.where(kept, objects["label"], -1),
        "bbox": tf.where(kept[..., None], objects["bbox"], 0.0),
    }
    if "crowd" in objects:
        left["crowd"] = objects["crowd"] & kept
    for name in ("area", VISIBLE):
        if name in objects:
            left[name] = tf.where(kept, objects[name], 0.0)
    if "mask" in objects:
        left["mask"] = objects["mask"] * tf.cast(kept, tf.uint8)[..., None, None]
    return left


def covered_in_part(objects: Mapping[str, tf.Tensor], rectangles: tf.Tensor) -> dict[str, tf.Tensor]:
    """The objects, whose visible share becomes smaller by what a rectangle covers of their boxes.

    Args:
        objects: "bbox" float32 (N, M, 4), perhaps "visible" float32 (N, M); without it they do not change.
        rectangles: float32 (N, 1, 4) in [0, 1]: y_min, x_min, y_max, x_max.
    """
    if VISIBLE not in objects:
        return dict(objects)
    boxes = objects["bbox"]
    low, high = tf.maximum(boxes[..., :2], rectangles[..., :2]), tf.minimum(boxes[..., 2:], rectangles[..., 2:])
    covered = tf.math.divide_no_nan(areas(tf.concat([low, high], axis=-1)), areas(boxes))
    return {**objects, VISIBLE: objects[VISIBLE] * tf.maximum(1.0 - covered, 0.0)}


def _coefficients(maps: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """float32 (N, 8): the maps in TensorFlow's form, from pixel index to pixel index, (0, 0) at the top left."""
    middle = tf.cast(size[::-1] - 1, tf.float64)[:, None] / 2
    linear = maps[:, :, :2]
    shift = maps[:, :, 2:] + middle - _times(linear, middle)
    six = tf.reshape(tf.concat([linear, shift], axis=-1), [-1, 6])
    return tf.cast(tf.pad(six, [[0, 0], [0, 2]]), tf.float32)


def _nearest_pixels(images: tf.Tensor, coefficients: tf.Tensor, *, fill: float) -> tf.Tensor:
    """The result of ImageProjectiveTransformV3 with interpolation="NEAREST", in a third of its time."""
    height, width = tf.unstack(tf.shape(images)[1:3])
    x, y = tf.range(width, dtype=tf.float32)[None, None], tf.range(height, dtype=tf.float32)[None, :, None]
    a, b, s, c, d, t = (coefficients[:, number, None, None] for number in range(6))
    # A border of `fill`, one pixel wide, stands for everything outside; so places begin at 1.
    column = _place(a * x + (s + 1.5), b * y, width + 1)
    row = _place(c * x + (t + 1.5), d * y, height + 1)
    bordered = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=tf.cast(fill, images.dtype))
    pixels = tf.reshape(bordered, tf.stack([tf.shape(images)[0], (height + 2) * (width + 2), images.shape[-1]]))
    return tf.ensure_shape(tf.gather(pixels, row * (width + 2) + column, axis=1, batch_dims=1), images.shape)


def _place(along: tf.Tensor, across: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
    """int32: the sum of both, clipped to [0, last] and rounded down."""
    return tf.cast(tf.clip_by_value(along + across, 0.0, tf.cast(last, tf.float32)), tf.int32)


def _times(matrices: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
    """(N, 2, 2) times (2, K) or (N, 2, K), term by term: `tf.matmul` may round one image and many differently."""
    return matrices[..., :1] * vectors[..., :1, :] + matrices[..., 1:] * vectors[..., 1:, :]


def _moved_boxes(boxes: tf.Tensor, maps: tf.Tensor, *, image_size: tf.Tensor) -> tf.Tensor:
    """float32 (N, M, 4): upright boxes around the moved corners, as shares of the image, also where they leave it."""
    height, width = tf.unstack(tf.cast(image_size, tf.float64))
    y_min, x_min, y_max, x_max = tf.unstack(tf.cast(boxes, tf.float64) - 0.5, axis=-1)
    x = tf.stack([x_min, x_max, x_min, x_max], axis=-1) * width
    y = tf.stack([y_min, y_min, y_max, y_max], axis=-1) * height
    # The maps go from the result to the image; the corners move in the other direction.
    a, b, s, c, d, t = (maps[:, row, column, None, None] for row in range(2) for column in range(3))
    x, y, determinant = x - s, y - t, a * d - b * c
    x, y = (d * x - b * y) / determinant / width, (a * y - c * x) / determinant / height
    lowest, highest = (
        tf.stack([extreme(y, axis=-1), extreme(x, axis=-1)], axis=-1) for extreme in (tf.reduce_min, tf.reduce_max)
    )
    return tf.cast(tf.concat([lowest, highest], axis=-1) + 0.5, tf.float32)


def _moved_masks(masks: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    shape = tf.shape(masks)
    pictures = tf.reshape(masks, tf.concat([[shape[0] * shape[1]], shape[2:], [1]], axis=0))
    moved = moved_pixels(pictures, tf.repeat(maps, shape[1], axis=0), interpolation="NEAREST")
    return tf.ensure_shape(tf.reshape(moved, shape), masks.shape)
