"""The metrics of a detector under many weightings of the images: COCO's, and counts of the answers of at least one score."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasvision import config as c
from kerasvision.tasks.added_metrics import TruthAndAnswers, added_evidence, added_measures
from kerasvision.tasks.base import Bounded, Evidence
from kerasvision.tasks.detection.average_precision import BoxScores
from kerasvision.tasks.detection.classes import Classes
from kerasvision.tasks.detection.matching import Bools, Floats, Ints
from kerasvision.tasks.detection.proposal_recall import METRIC as PROPOSAL_RECALL
from kerasvision.tasks.detection.truth import ImageObjects
from kerasvision.tasks.metrics import Measure, of_class, quotient, weighted_scores

# Of all that `BoxScores` measures, what a page shows.
MEASURED = frozenset(c.Detection().built_in_metrics())
# The place of IoU 0.5 among the thresholds.
AT_HALF = 0
SHARES = (
    *("box_average_precision", "box_average_precision_50", "box_average_precision_75", "box_recall", "box_recall_1"),
    *("box_recall_10", "precision", "recall", "f1"),
)


@dataclass(frozen=True)
class Counts:
    """The answers of at least one score, and the objects, of N images and C classes.

    Attributes:
        found, false, objects: float64 (N, C), answers that found an object and that did not, at IoU 0.5; and objects.
    """

    found: Floats
    false: Floats
    objects: Floats

    @property
    def errors(self) -> Floats:
        """float64 (N,): by how much the number of answers differs from that of the objects."""
        errors: Floats = np.abs((self.found + self.false - self.objects).sum(1))
        return errors

    def of_images(self, images: Ints) -> "Counts":
        """The same of some images, int64 (M,)."""
        return Counts(self.found[images], self.false[images], self.objects[images])


@dataclass(frozen=True)
class JudgedBoxes:
    """The answers of a detector for N images, with all that its metrics need.

    Attributes:
        boxes: COCO's matching.
        classes: of the data set.
        best_score: answers with a lower score do not count for precision, recall, F1 and the number of objects.
        truth: object (N,) of `ImageObjects`, for metrics of a person's own.
        answers: object (N,), a dict of the outputs for each image, likewise.
        sizes: int (N, 2), height and width of each image in pixels.
        added: these metrics.
        covered: float64 (N,), how many objects the proposals of a two-stage detector cover; None without proposals.
    """

    boxes: BoxScores
    classes: Classes
    best_score: float
    truth: Sequence[ImageObjects]
    answers: Sequence[object]
    sizes: npt.NDArray[Any]
    added: Sequence[c.Metric] = ()
    covered: Floats | None = None
    counts: Counts = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", counts_from(self.boxes, score=self.best_score, classes=len(self.classes.names)))

    def scores(self, rows: Ints, weights: Floats, *, per_class: bool = True) -> dict[str, Floats]:
        """Metric -> float64 (R,), NaN if it has no value.

        Args:
            rows: int64 (M,), the images that are weighted.
            weights: float64 (M, R).
            per_class: whether to add the metrics of single classes.
        """
        boxes, counts = self.boxes.of_images(rows), self.counts.of_images(rows)
        found, false, objects = (part.T @ weights for part in (counts.found, counts.false, counts.objects))
        scores = {name: value for name, value in boxes.scores(weights).items() if name in MEASURED}
        scores |= _shares(found.sum(0), false.sum(0), objects.sum(0))
        scores["count_error"] = quotient(counts.errors @ weights, weights.sum(0))
        if self.covered is not None:
            scores[PROPOSAL_RECALL] = quotient(self.covered[rows] @ weights, objects.sum(0))
        if per_class:
            recall = quotient(found, objects)
            precision = boxes.of_classes(weights)
            for number in self.classes.numbers:
                name = self.classes.names[number]
                scores[of_class("average_precision[class]", name)] = precision[number]
                scores[of_class("recall[class]", name)] = recall[number]
        return scores | weighted_scores(self._added, _Weighted(self, rows, weights))

    @property
    def _added(self) -> "dict[str, Measure[_Weighted]]":
        return added_measures(self.added, _truth_and_answers)

    def evidence(self, rows: Ints) -> dict[str, Evidence]:
        """The bounds of each metric on some images, int64 (M,). Answers in one image depend on each other."""
        objects, errors = self.counts.objects[rows], self.counts.errors[rows]
        with_objects = int((objects.sum(1) > 0).sum())
        shares = SHARES if self.covered is None else (*SHARES, PROPOSAL_RECALL)
        found: dict[str, Evidence] = dict.fromkeys(shares, Bounded(0.0, 1.0, with_objects))
        for number in self.classes.numbers:
            bounds = Bounded(0.0, 1.0, int((objects[:, number] > 0).sum()))
            for metric in ("average_precision[class]", "recall[class]"):
                found[of_class(metric, self.classes.names[number])] = bounds
        if len(rows):
            found["count_error"] = Bounded(0.0, float(errors.max()), len(rows))
        return found | added_evidence(self.added, len(rows))


@dataclass(frozen=True)
class _Weighted:
    judged: JudgedBoxes
    rows: Ints
    weights: Floats


def _truth_and_answers(one: _Weighted) -> TruthAndAnswers:
    truth, answers = np.empty(len(one.rows), object), np.empty(len(one.rows), object)
    for place, row in enumerate(one.rows):
        truth[place], answers[place] = one.judged.truth[row], one.judged.answers[row]
    return truth, answers


def _shares(found: Floats, false: Floats, objects: Floats) -> dict[str, Floats]:
    """Precision, recall and F1, float64 (R,) each, from the weights of answers and objects."""
    return {
        "precision": quotient(found, found + false),
        "recall": quotient(found, objects),
        "f1": quotient(2 * found, found + false + objects),
    }


def counts_from(boxes: BoxScores, *, score: float, classes: int) -> Counts:
    """The answers of at least this score, by image and class."""
    counted = boxes.answers.scores >= score
    right, ignored = boxes.matches.right[AT_HALF], boxes.matches.ignored[AT_HALF]
    count = partial(_table, rows=boxes.count, columns=classes)
    answers, objects = boxes.answers, boxes.objects
    return Counts(
        found=count(answers.images, answers.classes, counted & right),
        false=count(answers.images, answers.classes, counted & ~right & ~ignored),
        objects=count(objects.images, objects.classes, boxes.matches.counts),
    )


def best_score(boxes: BoxScores) -> float:
    """The score with the best F1 over all answers of at least this score; of equally good ones the highest.

    1.0 if no answer found an object: then no answer counts.
    """
    right, ignored = boxes.matches.right[AT_HALF], boxes.matches.ignored[AT_HALF]
    scores, right = boxes.answers.scores[~ignored], right[~ignored]
    if not right.any():
        return 1.0
    order = np.argsort(-scores, kind="stable")
    scores, found = scores[order], np.cumsum(right[order])
    f1 = 2 * found / (np.arange(1, len(scores) + 1) + boxes.matches.counts.sum())
    # Answers of one score count together.
    last = np.append(scores[1:] < scores[:-1], True)
    return float(scores[last][np.argmax(f1[last])])


def _table(images: Ints, classes: Ints, kept: Bools, *, rows: int, columns: int) -> Floats:
    places = images[kept] * columns + classes[kept]
    return np.bincount(places, minlength=rows * columns).reshape(rows, columns).astype(np.float64)
