"""The metrics of maps under many weightings of the images. All follow from pixels counted by image and class, and F1."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasvision import config as c
from kerasvision.tasks.added_metrics import TruthAndAnswers, added_evidence, added_measures
from kerasvision.tasks.base import Bounded, Evidence
from kerasvision.tasks.metrics import Measure, of_class, quotient, weighted_scores
from kerasvision.tasks.segmentation.counting import Floats, Ints, from_entries

IOU_OF_A_CLASS = "iou[class]"


@dataclass(frozen=True)
class JudgedMaps:
    """The counts of N images and K classes, with all that the metrics need.

    Attributes:
        entries: int64 (N, M, 2), the confusion of each image, see `counting.as_entries`.
        boundary: float64 (N, K), F1 of the borders; NaN where an image has no border of a class.
        classes: the names.
        background: the class that `mean_iou_objects` leaves out.
        added: metrics of a user's own.
        both, true, answered: float64 (N, K), pixels.
    """

    entries: Ints
    boundary: Floats
    classes: Sequence[str]
    background: str
    added: Sequence[c.Metric] = ()
    both: Floats = field(init=False)
    true: Floats = field(init=False)
    answered: Floats = field(init=False)

    def __post_init__(self) -> None:
        counts = from_entries(self.entries, count=len(self.classes))
        for name, part in zip(("both", "true", "answered"), counts, strict=True):
            object.__setattr__(self, name, part.astype(np.float64))

    def scores(self, rows: Ints, weights: Floats, *, per_class: bool = True) -> dict[str, Floats]:
        """Metric -> float64 (R,), NaN if it has no value.

        Args:
            rows: int64 (P,), the images that are weighted.
            weights: float64 (P, R).
            per_class: whether to add the metrics of single classes.
        """
        both, true, answered = (part[rows].T @ weights for part in (self.both, self.true, self.answered))
        iou = quotient(both, true + answered - both)
        objects = np.array([name != self.background for name in self.classes])
        scores = {
            "mean_iou": mean_of_classes(iou),
            "weighted_iou": quotient(np.nansum(iou * true, axis=0), true.sum(axis=0)),
            "pixel_accuracy": quotient(both.sum(axis=0), true.sum(axis=0)),
            "mean_accuracy": mean_of_classes(quotient(both, true)),
            "dice": mean_of_classes(quotient(2 * both, true + answered)),
            "boundary_f1": mean_of_classes(self._boundary(rows, weights)),
        }
        if not objects.all():
            scores["mean_iou_objects"] = mean_of_classes(iou[objects])
        if per_class:
            scores |= {of_class(IOU_OF_A_CLASS, name): row for name, row in zip(self.classes, iou, strict=True)}
        return scores | weighted_scores(self._added, _Weighted(self, rows, weights))

    def _boundary(self, rows: Ints, weights: Floats) -> Floats:
        """float64 (K, R): the mean over the images with a border of the class; NaN without any."""
        known = ~np.isnan(self.boundary[rows])
        values = np.where(known, self.boundary[rows], 0.0)
        return quotient(values.T @ weights, known.astype(np.float64).T @ weights)

    @property
    def _added(self) -> "dict[str, Measure[_Weighted]]":
        return added_measures(self.added, _truth_and_answers)

    def evidence(self, rows: Ints) -> dict[str, Evidence]:
        """The bounds of each metric on some images, int64 (P,). Pixels of one image depend on each other."""
        names = ("mean_iou", "mean_iou_objects", "weighted_iou", "pixel_accuracy", "mean_accuracy", "dice", "boundary_f1")
        found: dict[str, Evidence] = dict.fromkeys(names, Bounded(0.0, 1.0, len(rows)))
        for number, name in enumerate(self.classes):
            with_class = int((self.true[rows, number] + self.answered[rows, number] > 0).sum())
            found[of_class(IOU_OF_A_CLASS, name)] = Bounded(0.0, 1.0, with_class)
        return found | added_evidence(self.added, len(rows))

    def confusion(self, rows: Ints) -> Ints:
        """The sum over some images, int64 (P,) -> int64 (K, K + 1), pixels; the last column is pixels without an answer."""
        count = len(self.classes)
        places, pixels = self.entries[rows, :, 0].ravel(), self.entries[rows, :, 1].ravel()
        summed = np.bincount(places, pixels, minlength=count * (count + 1))
        return summed.reshape(count, count + 1).astype(np.int64)


def mean_of_classes(values: Floats) -> Floats:
    """The mean over the classes that have a value, float64 (R,), of float64 (K, R); NaN without any.

    >>> mean_of_classes(np.array([[1.0, np.nan], [0.5, np.nan], [np.nan, np.nan]])).tolist()
    [0.75, nan]
    """
    known = ~np.isnan(values)
    return quotient(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))


@dataclass(frozen=True)
class _Weighted:
    judged: JudgedMaps
    rows: Ints
    weights: Floats


def _truth_and_answers(one: _Weighted) -> TruthAndAnswers:
    """int64 (N, K), true pixels; and int64 (N, K, K + 1), the confusion of each image."""
    count = len(one.judged.classes)
    answers: npt.NDArray[Any] = np.stack([one.judged.confusion(np.array([row])) for row in one.rows])
    return answers.sum(axis=2).reshape(len(one.rows), count), answers
