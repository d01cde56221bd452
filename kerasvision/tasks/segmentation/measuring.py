"""What an evaluation keeps of a batch of maps, at any size of the images: counts for each image, and two small pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasvision.data.png import encode_png
from kerasvision.errors import DataError
from kerasvision.shortened import shortened
from kerasvision.tasks.segmentation.answers import CLASSES, MAP_PNG, NUMBERS
from kerasvision.tasks.segmentation.boundary import boundary_f1
from kerasvision.tasks.segmentation.counting import as_entries, confusion_of
from kerasvision.tasks.segmentation.truth import ImageMap, Pixels, decoded, resized

# Names of what is kept.
CONFUSION, BOUNDARY, TRUE_PICTURE, ANSWERED_PICTURE = "confusion", "boundary", "true_picture", "answered_picture"
KEPT = (CONFUSION, BOUNDARY, TRUE_PICTURE, ANSWERED_PICTURE)
# The longer side of the pictures in pixels.
PICTURE_SIDE = 160


def measured_maps(
    truth: Sequence[ImageMap], predictions: Mapping[str, npt.NDArray[Any]], *, classes: Sequence[str], tolerance: float
) -> dict[str, npt.NDArray[Any]]:
    """The counts of N images, and small pictures of their maps.

    `confusion` int64 (N, M, 2), see `counting.as_entries`; `boundary` float64 (N, K), see `boundary.boundary_f1`;
    `true_picture` and `answered_picture`, object (N,), PNG of at most 160 pixels a side.

    Args:
        truth: of the N images.
        predictions: `mask_png_bytes` object (N,), of the size of the images; or `class_numbers` uint8 (N, h, w), which are
            stretched to that size. `classes` object (N, K) of bytes, if the answers name their classes.
        classes: of the task.
        tolerance: of the borders, a share of the diagonal.

    Raises:
        DataError: the answers are of other classes, or have another size than the truth.
    """
    check_classes(predictions, classes)
    confusions, borders, pictures = [], [], []
    for row, one in enumerate(truth):
        true, answer = _maps_of_image(one, predictions, row)
        confusions.append(confusion_of(true, answer, count=len(classes)))
        borders.append(boundary_f1(true, answer, count=len(classes), tolerance=tolerance))
        pictures.append((_picture(true), _picture(answer)))
    true_pictures, answered_pictures = zip(*pictures, strict=True)
    return {
        CONFUSION: as_entries(confusions),
        BOUNDARY: np.stack(borders),
        TRUE_PICTURE: np.array(true_pictures, object),
        ANSWERED_PICTURE: np.array(answered_pictures, object),
    }


def check_classes(predictions: Mapping[str, npt.NDArray[Any]], classes: Sequence[str]) -> None:
    """Raises DataError if answers, whose `classes` is object (N, K) of bytes, are of other classes."""
    names = [name.encode() for name in classes]
    if CLASSES in predictions and any(list(row) != names for row in predictions[CLASSES] if row[0]):
        raise DataError(
            f"a model must answer with the classes {shortened(tuple(classes), most=10)}; this one has others",
            hint="if it is the last blessed model, leave NoWorse out of the gate until a new one is blessed",
        )


def _maps_of_image(truth: ImageMap, predictions: Mapping[str, npt.NDArray[Any]], row: int) -> tuple[Pixels, Pixels]:
    if MAP_PNG not in predictions:
        answer = predictions[NUMBERS][row]
        true = truth.pixels(answer.shape)
        return true, resized(answer, true.shape)
    # A row without an answer: the evaluation stops later, and names its image.
    png = predictions[MAP_PNG][row]
    answer = decoded(png) if png else np.zeros((1, 1), np.uint8)
    true = truth.pixels(answer.shape)
    if png and true.shape != answer.shape:
        raise DataError(
            f"a map must have the size of its image, {_shown(answer)}; received one of {_shown(true)}",
            hint="make the map from the upright image, or leave the image out",
        )
    return true, answer if png else resized(answer, true.shape)


def _picture(pixels: Pixels) -> bytes:
    """A grey PNG of class numbers, at most 160 pixels a side."""
    share = min(1.0, PICTURE_SIDE / max(pixels.shape))
    height, width = (max(1, round(side * share)) for side in pixels.shape)
    return encode_png(resized(pixels, (height, width)))


def _shown(pixels: Pixels) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"
