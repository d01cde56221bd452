"""COCO's average precision and recall of boxes, for many weightings of the images at once.

The matching is done once; a score is then a sum over answers, each with the weight of its image. A resample of the images
for the bootstrap is a weighting by how often each was drawn. With all weights 1 the scores are those of pycocotools.

    average precision  mean over 101 recalls of the best precision at that recall or above, over thresholds and classes
    recall             share of the objects that any answer found, with at most 1, 10 or 100 answers for each image and class
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from kerasvision.data.measuring.measurements import SIZE_LIMITS, SIZE_NAMES
from kerasvision.tasks.detection.matching import (
    MOST_ANSWERS,
    Answers,
    Bools,
    Floats,
    Ints,
    Matches,
    Objects,
    match,
    overlaps,
    place_in_group,
)

RECALLS = np.linspace(0, 1, 101)
# Areas in square pixels: ending of a metric's name -> least, most. An area at a limit belongs to both sides of it.
AREAS = {"": (0.0, np.inf)} | {
    f"_{name}": limits for name, limits in zip(SIZE_NAMES, pairwise((0.0, *SIZE_LIMITS, np.inf)), strict=True)
}
FEW_ANSWERS = (1, 10)


@dataclass(frozen=True)
class _OfClass:
    """The answers of one class, by falling score, and its objects.

    Attributes:
        images: int64 (D,).
        place: int64 (D,), how many answers of this class its image has before it.
        right, ignored: bool (T, D).
        objects: int64 (G,), the image of each object that counts.
    """

    images: Ints
    place: Ints
    right: Bools
    ignored: Bools
    objects: Ints

    def found(self, weights: Floats, *, most: int = MOST_ANSWERS) -> Floats:
        """The weights of the objects found, float64 (T, R), by at most `most` answers for each image."""
        counted = self.right & (self.place < most)
        in_image = np.stack([np.bincount(self.images[row], minlength=len(weights)) for row in counted])
        found: Floats = in_image.astype(np.float64) @ weights
        return found

    def of_images(self, renumbered: Ints) -> Self:
        """The same of some images; `renumbered` is int64 (N,), their new numbers, and -1 for the others."""
        kept, images = renumbered[self.images] >= 0, renumbered[self.objects]
        return type(self)(
            renumbered[self.images[kept]], self.place[kept], self.right[:, kept], self.ignored[:, kept], images[images >= 0]
        )


class BoxScores:
    """The scores of answered boxes under any weighting of their images.

    Args:
        objects: of N images.
        answers: of the same images, in any order.
        count: N.
        classes: the number of classes; class numbers are in [0, classes).

    Attributes:
        objects: as given.
        answers: those that count, ordered by image, class and falling score.
        matches: what became of these answers, for objects of all areas.

    >>> objects = Objects(np.array([0]), np.array([0]), np.array([[0.0, 0, 9, 9]]), np.array([False]), np.array([81.0]))
    >>> answers = Answers(np.array([0]), np.array([0]), np.array([[0.0, 0, 9, 8]]), np.array([0.7]))
    >>> scores = BoxScores(objects, answers, count=1, classes=1).scores(np.ones((1, 1)))
    >>> scores["box_average_precision"].tolist(), scores["box_average_precision_50"].tolist()
    ([0.8], [1.0])
    """

    def __init__(self, objects: Objects, answers: Answers, *, count: int, classes: int) -> None:
        self.count, self.objects, self.answers = count, objects, answers.best()
        best = self.answers
        near, place = overlaps(best, objects), place_in_group(best.images, best.classes)
        # Answers of equal score stand in the order of their images, as COCO has them.
        order = np.lexsort((np.arange(len(place)), -best.scores, best.classes))
        spans = np.searchsorted(best.classes[order], np.arange(classes + 1))
        rows = [order[first:last] for first, last in pairwise(spans)]
        matches = {
            name: match(best, objects, near, least_area=least, most_area=most) for name, (least, most) in AREAS.items()
        }
        self.matches = matches[""]
        self._areas: Mapping[str, list[_OfClass]] = {
            name: _by_class(objects, best, place, of_area, rows) for name, of_area in matches.items()
        }

    def of_images(self, images: Ints) -> Self:
        """The scores of some images only, int64 (M,): weights then have a row for each of them, in this order."""
        part = copy(self)
        part.count = len(images)
        renumbered = np.full(self.count, -1)
        renumbered[images] = np.arange(len(images))
        part._areas = {name: [one.of_images(renumbered) for one in of] for name, of in self._areas.items()}
        return part

    def curve(self, weights: Floats) -> Floats:
        """The best precision at each recall or above, float64 (classes, T, 101), for weights (N,); NaN without objects."""
        return np.stack([_curve(one, weights) for one in self._areas[""]])

    def scores(self, weights: Floats) -> dict[str, Floats]:
        """Metric -> float64 (R,), the mean over the classes that have objects; NaN if none has.

        Args:
            weights: float64 (N, R), how often each image counts.
        """
        found: dict[str, Floats] = {}
        for name, of in self._areas.items():
            precision, recall = self._means(of, weights)
            found[f"box_average_precision{name}"], found[f"box_recall{name}"] = precision.mean(0), recall.mean(0)
            if not name:
                found["box_average_precision_50"], found["box_average_precision_75"] = precision[0], precision[5]
        for most in FEW_ANSWERS:
            recalls = [_recall(one, weights, most=most) for one in self._areas[""]]
            found[f"box_recall_{most}"] = _mean_of_classes(recalls).mean(0)
        return found

    def of_classes(self, weights: Floats) -> Floats:
        """The average precision of each class over all thresholds, float64 (classes, R); NaN without objects."""
        return np.stack([_average_precision(one, weights).mean(0) for one in self._areas[""]])

    def _means(self, of: list[_OfClass], weights: Floats) -> tuple[Floats, Floats]:
        """Average precision and recall at each threshold, float64 (T, R) each."""
        precisions, recalls = [_average_precision(one, weights) for one in of], [_recall(one, weights) for one in of]
        return _mean_of_classes(precisions), _mean_of_classes(recalls)


def _by_class(objects: Objects, best: Answers, place: Ints, matches: Matches, rows: list[Ints]) -> list[_OfClass]:
    return [
        _OfClass(
            images=best.images[of],
            place=place[of],
            right=matches.right[:, of],
            ignored=matches.ignored[:, of],
            objects=objects.images[matches.counts & (objects.classes == number)],
        )
        for number, of in enumerate(of[~matches.ignored[:, of].all(0)] for of in rows)
    ]


def _mean_of_classes(values: list[Floats]) -> Floats:
    """The mean over the classes that have a value, float64 (T, R), of float64 (T, R) of each class."""
    stacked = np.stack(values)
    known = ~np.isnan(stacked)
    count = known.sum(0)
    mean: Floats = np.divide(np.where(known, stacked, 0.0).sum(0), count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean


def _share(part: Floats, whole: Floats) -> Floats:
    """part / whole, NaN where there is no whole."""
    share: Floats = np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)
    return share


def _recall(of: _OfClass, weights: Floats, *, most: int = MOST_ANSWERS) -> Floats:
    """The share of the objects found, float64 (T, R); NaN without objects."""
    return _share(of.found(weights, most=most), weights[of.objects].sum(0))


def _average_precision(of: _OfClass, weights: Floats) -> Floats:
    """At each threshold, float64 (T, R); NaN without objects.

    Recall rises only at right answers, so precision is needed only there.
    """
    objects = weights[of.objects].sum(0)
    each = weights[of.images]
    answered = np.concatenate([np.zeros((1, each.shape[1])), np.cumsum(each, 0)])
    found = []
    for right, ignored in zip(map(np.flatnonzero, of.right), map(np.flatnonzero, of.ignored), strict=True):
        left_out = np.concatenate([np.zeros((1, each.shape[1])), np.cumsum(each[ignored], 0)])
        counted = answered[right + 1] - left_out[np.searchsorted(ignored, right)]
        found.append(_area_below(each[right], counted, objects))
    return np.where(objects > 0, np.stack(found), np.nan)


def _curve(of: _OfClass, weights: Floats) -> Floats:
    """float64 (T, 101): the best precision at each recall or above; NaN without objects."""
    objects = weights[of.objects].sum()
    each = weights[of.images]
    answered = np.cumsum(np.where(of.ignored, 0.0, each), axis=1)
    found = np.cumsum(np.where(of.right, each, 0.0), axis=1)
    curve = np.full((len(of.right), len(RECALLS)), 0.0 if objects > 0 else np.nan)
    if objects > 0 and len(each):
        precision = np.divide(found, answered, out=np.zeros_like(found), where=answered > 0)
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        for row, recall in enumerate(found / objects):
            first = np.searchsorted(recall, RECALLS, "left")
            reached = first < len(each)
            curve[row, reached] = precision[row, first[reached]]
    return curve


def _area_below(right: Floats, answered: Floats, objects: Floats) -> Floats:
    """The mean over `RECALLS` of the best precision at that recall or above, float64 (R,).

    Args:
        right: float64 (K, R), the weights of the right answers, by falling score.
        answered: float64 (K, R), the weights of all answers up to each of them.
        objects: float64 (R,), the weights of all objects.
    """
    if not len(right):
        return np.zeros(len(objects))
    found = np.cumsum(right, 0)
    precision = np.divide(found, answered, out=np.zeros_like(found), where=answered > 0)
    precision = np.maximum.accumulate(precision[::-1], 0)[::-1]
    recall = np.divide(found, objects, out=np.zeros_like(found), where=objects > 0)
    reached = np.searchsorted(RECALLS, recall, "right")
    steps = np.diff(reached, axis=0, prepend=0)
    area: Floats = (precision * steps).sum(0) / len(RECALLS)
    return area
