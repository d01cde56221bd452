"""The metrics of answers with several tags, each a function of weighted images: one table for scores, resamples and slices.

Definitions are those of scikit-learn with `sample_weight`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kerasvision import config as c
from kerasvision.tasks.added_metrics import added_measures
from kerasvision.tasks.metrics import Floats, Measure, quotient
from kerasvision.tasks.ranking import ranking_scores

# Rows times tags up to which resamples are ranked again; see `kerasvision.tasks.classification.metrics`.
MOST_RANKED = 200_000
# Tags times weightings up to which single tags have a value for each.
MOST_VALUES = 1_000_000
# Pairs of image and tag up to which all are ranked at once: sorting them takes about 5 s and 1 GB.
MOST_PAIRS = 20_000_000
# Numbers in memory at a time, if weightings are taken in turn.
AT_ONCE = 8_000_000


@dataclass(frozen=True)
class Answers:
    """The answers for a data set.

    Attributes:
        truth: bool (N, C), which tags the images have.
        scores: float32 (N, C) in [0, 1].
        chosen: bool (N, C), which tags are answered.
        names: of the C tags.
    """

    truth: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.floating[Any]]
    chosen: npt.NDArray[np.bool_]
    names: Sequence[str]

    def of(self, rows: npt.NDArray[np.integer[Any]]) -> "Answers":
        """The answers for some rows, int64 (M,)."""
        return Answers(self.truth[rows], self.scores[rows], self.chosen[rows], self.names)

    @cached_property
    def hits(self) -> npt.NDArray[np.bool_]:
        """bool (N, C), which true tags are answered."""
        return self.truth & self.chosen


@dataclass(frozen=True)
class WeightedTags:
    """Answers under R weightings. Each sum is computed once, for all metrics.

    Attributes:
        answers: for N images and C tags.
        weights: float64 (N, R), at least 0, and not all 0 in a column.
    """

    answers: Answers
    weights: Floats

    def mean(self, values: npt.NDArray[Any]) -> Floats:
        """float64 (R,), the weighted mean of one value per image, (N,)."""
        found: Floats = values @ self.weights / self.weights.sum(axis=0)
        return found

    def sum(self, pairs: npt.NDArray[np.bool_]) -> Floats:
        """float64 (R,), the total weight of pairs of image and tag, bool (N, C)."""
        found: Floats = pairs.sum(axis=1).astype(np.float64) @ self.weights
        return found

    def by_tag(self, pairs: npt.NDArray[np.bool_]) -> Floats:
        """float64 (C, R), the total weight of the images of each tag, of pairs bool (N, C)."""
        found: Floats = sparse.csr_array(pairs.T, dtype=np.float64) @ self.weights
        return found

    def some(self, columns: slice) -> "WeightedTags":
        """The same answers under some of the weightings."""
        return WeightedTags(self.answers, self.weights[:, columns])

    @cached_property
    def counts(self) -> tuple[Floats, Floats, Floats]:
        """float64 (C, R) each: weights of the images that have a tag, that are answered with it, and both."""
        one = self.answers
        return self.by_tag(one.truth), self.by_tag(one.chosen), self.by_tag(one.hits)

    @cached_property
    def average_precisions(self) -> Floats:
        """float64 (C, R), NaN for a tag without weight on an image that has it."""
        one = self.answers
        tags = zip(one.scores.T, one.truth.T, strict=True)
        return np.stack([ranking_scores(scores, truth, self.weights)[1] for scores, truth in tags])


def metric_table(*, added: Sequence[c.Metric] = (), per_tag: bool = True) -> dict[str, Measure[WeightedTags]]:
    """name -> how it is measured, in the order of a page.

    Args:
        added: custom metrics.
        per_tag: whether single tags are measured too.
    """
    table = {
        "mean_average_precision": Measure(_mean_average_precision, applies=_can_be_ranked),
        "micro_average_precision": Measure(_micro_average_precision, applies=_can_be_ranked),
        "macro_f1": Measure(_macro_f1),
        "micro_f1": Measure(_micro_f1),
        "micro_precision": Measure(lambda one: quotient(one.sum(one.answers.hits), one.sum(one.answers.chosen))),
        "micro_recall": Measure(lambda one: quotient(one.sum(one.answers.hits), one.sum(one.answers.truth))),
        "subset_accuracy": Measure(lambda one: one.mean((one.answers.truth == one.answers.chosen).all(axis=1))),
        "hamming_loss": Measure(lambda one: one.mean((one.answers.truth != one.answers.chosen).mean(axis=1))),
        **added_measures(added, lambda one: (one.answers.truth, one.answers.scores)),
    }
    if per_tag:
        table |= {
            "average_precision[class]": Measure(lambda one: one.average_precisions, applies=_has_room_and_ranks),
            "precision[class]": Measure(_precision, applies=_has_room),
            "recall[class]": Measure(_recall, applies=_has_room),
            "f1[class]": Measure(_f1, applies=_has_room),
        }
    return table


def _can_be_ranked(one: WeightedTags) -> bool:
    weightings: int = one.weights.shape[1]
    return weightings == 1 or one.answers.truth.size <= MOST_RANKED


def _has_room(one: WeightedTags) -> bool:
    weightings: int = one.weights.shape[1]
    return weightings == 1 or len(one.answers.names) * weightings <= MOST_VALUES


def _has_room_and_ranks(one: WeightedTags) -> bool:
    return _has_room(one) and _can_be_ranked(one)


def _mean_average_precision(one: WeightedTags) -> Floats:
    return _mean_of_known(one.average_precisions)


def _micro_average_precision(one: WeightedTags) -> Floats:
    """Of all pairs of image and tag; no value if there are more than 20 million."""
    answers = one.answers
    if answers.truth.size > MOST_PAIRS:
        return np.full(one.weights.shape[1], np.nan)
    scores, truth, tags = answers.scores.ravel(), answers.truth.ravel(), len(answers.names)

    def ranked(part: WeightedTags) -> Floats:
        return ranking_scores(scores, truth, np.repeat(part.weights, tags, axis=0))[1]

    return _in_turn(one, ranked, size=answers.truth.size)


def _macro_f1(one: WeightedTags) -> Floats:
    return _in_turn(one, lambda part: _mean_of_known(_f1(part)), size=len(one.answers.names))


def _micro_f1(one: WeightedTags) -> Floats:
    answers = one.answers
    return quotient(2 * one.sum(answers.hits), one.sum(answers.truth) + one.sum(answers.chosen))


def _recall(one: WeightedTags) -> Floats:
    """No value for a tag that no image has."""
    true, _, hits = one.counts
    return quotient(hits, true)


def _precision(one: WeightedTags) -> Floats:
    """0 for a tag that is never answered; no value for a tag that no image has."""
    true, answered, hits = one.counts
    return np.where(true > 0, quotient(hits, answered, without=0.0), np.nan)


def _f1(one: WeightedTags) -> Floats:
    """The harmonic mean of precision and recall: 2 hits / (true + answered)."""
    true, answered, hits = one.counts
    return np.where(true > 0, quotient(2 * hits, true + answered), np.nan)


def _mean_of_known(values: Floats) -> Floats:
    """float64 (R,): the mean over the tags that have a value, of (C, R); NaN if none has one."""
    known = ~np.isnan(values)
    return quotient(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))


def _in_turn(one: WeightedTags, measure: Callable[[WeightedTags], Floats], *, size: int) -> Floats:
    """A measure that needs `size` numbers for each weighting, of some weightings at a time."""
    columns, step = one.weights.shape[1], max(1, AT_ONCE // size)
    if columns <= step:
        return measure(one)
    return np.concatenate([measure(one.some(slice(start, start + step))) for start in range(0, columns, step)])
