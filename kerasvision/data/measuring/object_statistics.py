"""What a detector's author asks of the boxes: how many of each class in each split, their shapes, places and repetitions."""

from typing import NamedTuple, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kerasvision.data.splits import TEST, TRAIN, VALIDATION

# The picture of the places has this many fields along each side.
FIELDS = 8
# Width over height of a box: where each name but the first begins.
ASPECT_NAMES = ("below 1:3", "1:3 to 2:3", "2:3 to 3:2", "3:2 to 3:1", "above 3:1")
ASPECT_LIMITS = (1 / 3, 2 / 3, 3 / 2, 3)
# Two boxes whose corners agree to this share of the image's sides are the same box.
SAME = 1e-3


class Boxes(NamedTuple):
    """Every object of a data set.

    Attributes:
        image: int64 (K,), the number of its image.
        label: int64 (K,), the number of its class.
        corners: float32 (K, 4) in [0, 1]: y_min, x_min, y_max, x_max.
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    corners: NDArray[np.float32]


NO_BOXES = Boxes(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4), np.float32))


class ObjectStatistics(TypedDict, total=False):
    """The objects of a data set, crowds included; empty without objects.

    Attributes:
        by_split: split -> class -> how many objects.
        without: split -> how many images without an object.
        most: objects of the image with the most.
        most_in: id of that image.
        aspects: range of width over height -> how many boxes; see `ASPECT_NAMES`.
        places: 8 x 8 fields of the images, row by row -> how many boxes have their center there.
        repeated: ids of images with the same box of the same class twice.
    """

    by_split: dict[str, dict[str, int]]
    without: dict[str, int]
    most: int
    most_in: str
    aspects: dict[str, int]
    places: list[list[int]]
    repeated: list[str]


def object_statistics(boxes: Boxes, images: pd.DataFrame, *, classes: tuple[str, ...]) -> ObjectStatistics:
    """The statistics of all boxes.

    Args:
        boxes: `image` is a row of the table.
        images: a row for each image, with `id`, `split`, and `width` and `height` of the upright image.
        classes: class names in the order of their numbers.

    >>> images = pd.DataFrame({"id": ["a", "b"], "split": ["train", "test"], "width": 100, "height": 50})
    >>> corners = np.array([[0, 0, 0.5, 0.25], [0, 0, 0.5, 0.25]], np.float32)
    >>> found = object_statistics(Boxes(np.array([0, 0]), np.array([0, 0]), corners), images, classes=("cat",))
    >>> found["by_split"], found["without"], found["repeated"], found["aspects"]["2:3 to 3:2"]
    ({'train': {'cat': 2}, 'test': {'cat': 0}}, {'train': 0, 'test': 1}, ['a'], 2)
    """
    splits, per_image = images["split"].to_numpy(), np.bincount(boxes.image, minlength=len(images))
    by_split, without = {}, {}
    for split in sorted(images["split"].unique(), key=[TRAIN, VALIDATION, TEST].index):
        counts = np.bincount(boxes.label[splits[boxes.image] == split], minlength=len(classes))
        by_split[str(split)] = dict(zip(classes, counts.tolist(), strict=True))
        without[str(split)] = int(((per_image == 0) & (splits == split)).sum())
    return ObjectStatistics(
        by_split=by_split,
        without=without,
        most=int(per_image.max(initial=0)),
        most_in=str(images["id"].iloc[int(per_image.argmax())]) if len(images) else "",
        aspects=_aspects(boxes, images),
        places=_places(boxes.corners),
        repeated=images["id"].iloc[_repeated(boxes)].tolist(),
    )


def _aspects(boxes: Boxes, images: pd.DataFrame) -> dict[str, int]:
    height, width = (boxes.corners[:, 2:] - boxes.corners[:, :2]).astype(np.float64).T
    pixels_wide = width * images["width"].to_numpy()[boxes.image]
    pixels_high = np.maximum(height * images["height"].to_numpy()[boxes.image], 1e-9)
    counts = np.bincount(np.digitize(pixels_wide / pixels_high, ASPECT_LIMITS), minlength=len(ASPECT_NAMES))
    return dict(zip(ASPECT_NAMES, counts.tolist(), strict=True))


def _places(corners: NDArray[np.float32]) -> list[list[int]]:
    """FIELDS rows of FIELDS numbers: how many centers lie in each field."""
    fields = np.minimum((corners[:, :2] + corners[:, 2:]) / 2 * FIELDS, FIELDS - 1).astype(np.int64)
    counts = np.bincount(fields[:, 0] * FIELDS + fields[:, 1], minlength=FIELDS**2)
    rows: list[list[int]] = counts.reshape(FIELDS, FIELDS).tolist()
    return rows


def _repeated(boxes: Boxes) -> NDArray[np.int64]:
    """int64 (R,): the images with a box that is there twice, in ascending order."""
    rounded = np.round(boxes.corners / SAME).astype(np.int64)
    rows, counts = np.unique(np.column_stack([boxes.image, boxes.label, rounded]), axis=0, return_counts=True)
    return np.unique(rows[counts > 1, 0])
