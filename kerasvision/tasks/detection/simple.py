"""Two detectors without a network, to compare with: the same boxes for every image, and a classifier of coloured regions.

The second is built as R-CNN is (Girshick et al., 2013, https://arxiv.org/abs/1311.2524): a segmentation proposes regions,
and a linear support vector machine says what each is. Here a region is what differs from the colour of the background. It is
described by histograms of its gradients (Dalal & Triggs, 2005, https://doi.org/10.1109/CVPR.2005.177), colour and sides.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, special
from sklearn.cluster import KMeans
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from kerasvision.tasks.base import Baseline
from kerasvision.tasks.detection.classes import Classes
from kerasvision.tasks.detection.matching import Floats, Ints, iou_of
from kerasvision.tasks.detection.truth import ImageObjects

Answered = Callable[[npt.NDArray[Any]], dict[str, npt.NDArray[Any]]]
PER_CLASS = 5
# A region is at least this share of the image.
LEAST_REGION = 0.002
MOST_REGIONS = 20
# A region that overlaps an object this much is one of its class.
ENOUGH = 0.5
CELLS, DIRECTIONS = 4, 9
SEED = 0


def simple_detectors(classes: Classes) -> dict[str, Baseline]:
    """name -> a function from images, float32 (N, side, side, C), and their objects, to one from images to answers."""
    return {
        "commonest boxes": partial(commonest_boxes, classes=classes),
        "regions by colour": partial(coloured_regions, classes=classes),
    }


def commonest_boxes(images: npt.NDArray[Any], truth: Sequence[ImageObjects], *, classes: Classes) -> Answered:
    """The same boxes for every image: of each class the middles of five groups, scored by the share of images with them.

    Args:
        images: float32 (N, side, side, C) in [0, 1].
        truth: object (N,).
        classes: of the data set.
    """
    boxes, scores, numbers = [], [], []
    for number in classes.numbers:
        of_class = np.concatenate([one.boxes[(one.classes == number) & ~one.crowd] for one in truth])
        groups = min(PER_CLASS, len(np.unique(of_class, axis=0)))
        if groups:
            found = KMeans(groups, n_init=1, random_state=SEED).fit(of_class)
            boxes.append(found.cluster_centers_)
            scores.append(np.bincount(found.labels_, minlength=groups) / max(len(truth), of_class.shape[0]))
            numbers.append(np.full(groups, number))
    every = [(np.concatenate(boxes), np.concatenate(scores), np.concatenate(numbers)) if boxes else _nothing()]
    return lambda asked: _answers(every * len(asked), asked.shape[1:3], classes=classes)


def coloured_regions(images: npt.NDArray[Any], truth: Sequence[ImageObjects], *, classes: Classes) -> Answered:
    """Regions that differ from the background, each with the class that a linear support vector machine gives it.

    Args:
        images: float32 (N, side, side, C) in [0, 1].
        truth: object (N,).
        classes: of the data set.
    """
    features, labels = [], []
    for image, things in zip(images, truth, strict=True):
        for box in regions(image):
            features.append(described(image, box))
            labels.append(_label_of(box, things))
    machine = make_pipeline(StandardScaler(), LinearSVC(C=0.01, random_state=SEED))
    if len(set(labels)) < 2:
        return lambda asked: _answers([_nothing()] * len(asked), asked.shape[1:3], classes=classes)
    machine.fit(np.stack(features), labels)
    return lambda asked: _answers([_classified(machine, image) for image in asked], asked.shape[1:3], classes=classes)


def regions(image: npt.NDArray[Any]) -> Floats:
    """Boxes float64 (M, 4), as shares of the sides, of what differs from the commonest colour; the largest regions first.

    Args:
        image: float32 (H, W, C) in [0, 1].

    >>> image = np.zeros((10, 10, 1), np.float32)
    >>> image[2:6, 5:9] = 1.0
    >>> regions(image).tolist()
    [[0.2, 0.5, 0.6, 0.9]]
    """
    height, width = image.shape[:2]
    away = np.abs(image - np.median(image, axis=(0, 1))).max(axis=-1)
    # Half of the largest difference separates shapes of clear colours from grain.
    marked, count = ndimage.label(away > max(away.max() / 2, 1e-6))
    sizes = np.bincount(marked.ravel(), minlength=count + 1)[1:]
    slices = ndimage.find_objects(marked)
    chosen = [row for row in np.argsort(-sizes, kind="stable") if sizes[row] >= LEAST_REGION * height * width]
    corners = [(slices[row][0].start, slices[row][1].start, slices[row][0].stop, slices[row][1].stop) for row in chosen]
    return np.array(corners[:MOST_REGIONS], np.float64).reshape(-1, 4) / [height, width, height, width]


def described(image: npt.NDArray[Any], box: Floats) -> Floats:
    """A region in numbers, float64 (4 * 4 * 9 + C + 2,): histograms of the directions of its gradients, with those at its
    border; its mean colour; and its height and width as shares of the image.
    """
    height, width = image.shape[:2]
    top, left, bottom, right = np.rint(box * [height, width, height, width]).astype(int)
    part = image[top:bottom, left:right].astype(np.float64)
    around = np.pad(image.astype(np.float64), ((1, 1), (1, 1), (0, 0)), mode="edge")[top : bottom + 2, left : right + 2]
    down, across = np.gradient(around.mean(axis=-1))
    strength, angle = np.hypot(down, across), np.arctan2(down, across) % np.pi
    rows, columns = (np.minimum(np.arange(side) * CELLS // side, CELLS - 1) for side in strength.shape)
    direction = np.minimum((angle / np.pi * DIRECTIONS).astype(int), DIRECTIONS - 1)
    places = (rows[:, None] * CELLS + columns) * DIRECTIONS + direction
    histogram = np.bincount(places.ravel(), strength.ravel(), minlength=CELLS * CELLS * DIRECTIONS)
    sides = box[2:] - box[:2]
    return np.concatenate([histogram / (np.linalg.norm(histogram) + 1e-6), part.mean(axis=(0, 1)), sides])


def _label_of(box: Floats, things: ImageObjects) -> int:
    """The class of the object that a region shows, or -1 if it does not show an object."""
    near = iou_of(np.broadcast_to(box, things.boxes.shape), things.boxes, crowd=np.zeros(len(things.boxes), bool))
    return int(things.classes[near.argmax()]) if len(near) and near.max() >= ENOUGH else -1


def _classified(machine: Any, image: npt.NDArray[Any]) -> tuple[Floats, Floats, Ints]:
    boxes = regions(image)
    if not len(boxes):
        return _nothing()
    margins = machine.decision_function(np.stack([described(image, box) for box in boxes]))
    # With two classes there is one margin, that of the second.
    margins = np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins
    known = machine.classes_ >= 0
    best = margins[:, known].argmax(axis=1)
    return boxes, special.expit(margins[:, known].max(axis=1)), machine.classes_[known][best]


def _nothing() -> tuple[Floats, Floats, Ints]:
    return np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64)


def _answers(
    found: Sequence[tuple[Floats, Floats, Ints]], frame: tuple[int, ...], *, classes: Classes
) -> dict[str, npt.NDArray[Any]]:
    """Boxes, scores and class numbers of N images as `answers.predictor` gives them."""
    most = max([1, *(len(scores) for _, scores, _ in found)])
    answers = {
        "boxes": np.zeros((len(found), most, 4), np.float32),
        "scores": np.zeros((len(found), most), np.float32),
        "class_numbers": np.zeros((len(found), most), np.int32),
        "count": np.array([len(scores) for _, scores, _ in found], np.int32),
        "image_size": np.tile(np.array(frame, np.int32), (len(found), 1)),
    }
    for row, (boxes, scores, numbers) in enumerate(found):
        order = np.argsort(-scores, kind="stable")
        for name, value in (("boxes", boxes), ("scores", scores), ("class_numbers", numbers)):
            answers[name][row, : len(order)] = value[order]
    names = np.array([name.encode() for name in classes.names], object)[answers["class_numbers"]]
    return {**answers, "classes": np.where(np.arange(most) < answers["count"][:, None], names, b"")}
