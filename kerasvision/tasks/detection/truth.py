"""The objects of images as they are judged: in the upright original image, with crowds and areas."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision.tasks.detection.classes import Classes
from kerasvision.tasks.detection.matching import Answers, Bools, Floats, Ints, Objects


class ImageObjects(NamedTuple):
    """The objects of one image.

    Attributes:
        boxes: float64 (M, 4), y_min, x_min, y_max, x_max as shares of the image's height and width.
        classes: int64 (M,), class numbers of the data set.
        crowd: bool (M,).
        areas: float64 (M,), in pixels of the image.
    """

    boxes: Floats
    classes: Ints
    crowd: Bools
    areas: Floats


def image_objects(objects: Mapping[str, Any], *, classes: Classes) -> npt.NDArray[np.object_]:
    """The objects of the classes that the network finds: object (N,) of `ImageObjects`.

    Args:
        objects: of a batch, ragged, or dense with labels -1 in rows without an object: `bbox` float32 (N, M, 4), `label`
            int64 (N, M), `crowd` bool (N, M) and `area` float32 (N, M).
        classes: says which classes count.
    """
    parts = {name: _rows(objects[name]) for name in ("bbox", "label", "crowd", "area")}
    found = np.empty(len(parts["label"]), object)
    for row, label in enumerate(parts["label"]):
        kept = np.isin(label, classes.numbers)
        boxes, crowd, areas = (parts[name][row] for name in ("bbox", "crowd", "area"))
        found[row] = ImageObjects(
            np.asarray(boxes, np.float64).reshape(-1, 4)[kept],
            np.asarray(label, np.int64)[kept],
            np.asarray(crowd, bool)[kept],
            np.asarray(areas, np.float64)[kept],
        )
    return found


def all_objects(truth: Sequence[ImageObjects], sizes: npt.NDArray[Any]) -> Objects:
    """The objects of N images in pixels.

    Args:
        truth: of each image.
        sizes: int32 or int64 (N, 2), height and width of each image in pixels.

    >>> one = ImageObjects(np.array([[0, 0, 0.5, 1]]), np.array([2]), np.array([False]), np.array([32.0]))
    >>> all_objects([one], np.array([[8, 8]])).boxes.tolist()
    [[0.0, 0.0, 4.0, 8.0]]
    """
    images = np.repeat(np.arange(len(truth)), [len(one.classes) for one in truth])
    return Objects(
        images=images,
        classes=_joined([one.classes for one in truth], np.zeros(0, np.int64)),
        boxes=_joined([one.boxes for one in truth], np.zeros((0, 4))) * _corners(sizes)[images],
        crowd=_joined([one.crowd for one in truth], np.zeros(0, bool)),
        areas=_joined([one.areas for one in truth], np.zeros(0)),
    )


def all_answers(predictions: Mapping[str, npt.NDArray[Any]]) -> Answers:
    """The answers for N images in pixels.

    Args:
        predictions: `boxes` float32 (N, K, 4) in [0, 1], `scores` float32 (N, K), `class_numbers` int32 (N, K), `count`
            int32 (N,) and `image_size` int32 (N, 2).
    """
    is_found = np.arange(predictions["boxes"].shape[1]) < predictions["count"][:, None]
    images = np.nonzero(is_found)[0]
    return Answers(
        images=images,
        classes=predictions["class_numbers"][is_found].astype(np.int64),
        boxes=predictions["boxes"][is_found].astype(np.float64) * _corners(predictions["image_size"])[images],
        scores=predictions["scores"][is_found].astype(np.float64),
    )


def _corners(sizes: npt.NDArray[Any]) -> Floats:
    """float64 (N, 4), height, width, height, width."""
    return np.tile(np.asarray(sizes, np.float64).reshape(-1, 2), 2)


def _rows(part: Any) -> Sequence[Any]:
    if isinstance(part, tf.RaggedTensor):
        # Slices of the flat values: turning each row into a tensor would take most of the time.
        flat = part.values
        values = (flat.to_tensor() if isinstance(flat, tf.RaggedTensor) else flat).numpy()
        return [values[first:last] for first, last in pairwise(part.row_splits.numpy())]
    rows: Sequence[Any] = part.numpy()
    return rows


def _joined(parts: Sequence[Any], empty: Any) -> Any:
    return np.concatenate([empty, *parts])
