"""How well one answered box per image fits its object: the metrics under many weightings of the images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasvision import config as c
from kerasvision.tasks.added_metrics import TruthAndAnswers, added_evidence, added_measures
from kerasvision.tasks.base import Bounded, Counted, Evidence
from kerasvision.tasks.detection.matching import Floats, Ints, iou_of
from kerasvision.tasks.metrics import Measure, quotient, weighted_scores

BOX = "box"
# A box with at least this IoU is at the right place.
ENOUGH = 0.5


@dataclass(frozen=True)
class Located:
    """The answers for N images.

    Attributes:
        truth: float64 (N, 5).
        boxes: float64 (N, 4), answered.
        numbers: int (N,), answered classes; None without classes.
        iou: float64 (N,), NaN without an object.
        right: float64 (N,), whether the class is right; 1 without answered classes.
    """

    truth: Floats
    boxes: Floats
    numbers: npt.NDArray[Any] | None
    iou: Floats
    right: Floats

    @classmethod
    def of(cls, truth: Floats, predictions: Mapping[str, npt.NDArray[Any]]) -> "Located":
        """From the truth, float64 (N, 5), and the outputs of the predictor."""
        boxes, numbers = predictions[BOX].astype(np.float64), predictions.get("class_numbers")
        iou = iou_of(boxes, np.nan_to_num(truth[:, :4]), crowd=np.zeros(len(truth), bool))
        right = np.ones(len(truth)) if numbers is None else (numbers == truth[:, 4]).astype(np.float64)
        return cls(truth, boxes, numbers, np.where(np.isnan(truth[:, 0]), np.nan, iou), right)

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """bool (N,): the images with an object."""
        return ~np.isnan(self.iou)


@dataclass(frozen=True)
class _Weighted:
    located: Located
    rows: Ints
    weights: Floats

    def mean(self, values: Floats) -> Floats:
        """float64 (R,) of float64 (N,), over the images with an object."""
        known = self.located.known[self.rows]
        weights = self.weights * known[:, None]
        found: Floats = quotient(np.where(known, values[self.rows], 0.0) @ weights, weights.sum(axis=0))
        return found


def _values(located: Located) -> dict[str, Floats]:
    """Metric -> its value for each image, float64 (N,)."""
    iou = np.nan_to_num(located.iou)
    found = {"mean_iou": iou} | {f"iou_{share}": (iou >= share / 100).astype(np.float64) for share in (50, 75)}
    if located.numbers is None:
        return found
    return found | {"accuracy": located.right, "localization_accuracy": located.right * found["iou_50"]}


def scores_of_rows(located: Located, rows: Ints, weights: Floats, *, added: Sequence[c.Metric] = ()) -> dict[str, Floats]:
    """Each metric of some images, int64 (M,), under R weightings, float64 (M, R): float64 (R,) each.

    `added` are metrics of a user's own.
    """
    weighted = _Weighted(located, rows, weights)
    scores = {name: weighted.mean(values) for name, values in _values(located).items()}
    table: dict[str, Measure[_Weighted]] = added_measures(added, _truth_and_answers)
    return scores | weighted_scores(table, weighted)


def _truth_and_answers(one: _Weighted) -> TruthAndAnswers:
    return one.located.truth[one.rows], one.located.boxes[one.rows]


def evidence(located: Located, rows: Ints, *, added: Sequence[c.Metric] = ()) -> dict[str, Evidence]:
    """How each metric is measured on some images, int64 (M,)."""
    known = located.known[rows]
    count = int(known.sum())
    found: dict[str, Evidence] = {}
    for name, values in _values(located).items() if count else ():
        found[name] = Bounded(0.0, 1.0, count) if name == "mean_iou" else Counted(int(values[rows][known].sum()), count)
    return found | added_evidence(added, len(rows))
