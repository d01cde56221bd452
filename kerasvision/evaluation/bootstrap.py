"""Confidence intervals of every metric that a task measures, and of its difference between two models.

- A metric that counts examples (accuracy, top-k accuracy, precision, recall, F1, exact matches) has the exact interval of
  `exact.py`.
- Every other metric has the interval of the percentile bootstrap (Efron & Tibshirani, An Introduction to the Bootstrap,
  1993, chapter 13). Resampling cannot show what was never seen: for 20 images without a mistake it gives 1 to 1. So each
  resample also contains one unseen example, with the weight of one among n + 1. For the low end that example has the least
  value of the metric, for the high end the largest (Gaffke, 2005; https://arxiv.org/abs/2106.03163, section 3). For a share,
  this is Clopper and Pearson's interval. Resampling itself can shift a metric: it raises a calibration error, for example.
  The end on that side is then moved back by twice the bias (chapter 10). The low end of a calibration error is moved down
  further, by all that chance adds to the error.

Whole examples are drawn with replacement, without strata, with a fixed seed: the same answers give the same interval.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from scipy import special

from kerasvision.errors import DataError
from kerasvision.evaluation.exact import Interval, scaled_interval
from kerasvision.tasks.base import Bounded, Counted, Evidence, Judgement

SEED = 0
# Fewer examples than this show too little of how examples differ.
LEAST_ROWS = 10
# A metric has no interval if it is undefined on more than this share of the resamples (no example of a class was drawn).
MOST_UNDEFINED = 0.1
CHUNK_VALUES = 2_000_000


def resample_counts(count: int, *, resamples: int, seed: int = SEED) -> Iterator[np.ndarray]:
    """Yields how often each row was drawn: float64 (count, R) chunks, whose R add up to `resamples`.

    >>> drawn = np.hstack(list(resample_counts(5, resamples=3)))
    >>> drawn.shape, drawn.sum(axis=0).tolist()
    ((5, 3), [5.0, 5.0, 5.0])
    """
    random = np.random.default_rng(seed)
    size = max(1, CHUNK_VALUES // count)
    for start in range(0, resamples, size):
        columns = min(size, resamples - start)
        # Row-major draws, so that a resample does not depend on the size of the chunks.
        drawn = random.integers(0, count, (columns, count)) + count * np.arange(columns)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=columns * count).reshape(columns, count)
        yield np.ascontiguousarray(counts.T, np.float64)


def intervals(
    judgement: Judgement, *, rows: np.ndarray | None = None, resamples: int, confidence: float
) -> dict[str, Interval]:
    """Maps each metric that has an interval to its low and high end. An interval always contains its score.

    Args:
        judgement: what was measured.
        rows: int64 (M,), positions of the examples of a slice; None means all. With fewer than 10, only metrics that count
            examples have an interval.
        resamples: how many.
        confidence: the share of intervals that should contain the score on all possible images, in (0, 1).
    """
    rows = np.arange(len(judgement.rows)) if rows is None else rows
    evidence = judgement.evidence(rows)
    found = {name: scaled_interval(one, confidence=confidence) for name, one in evidence.items() if isinstance(one, Counted)}
    if len(rows) < LEAST_ROWS:
        return found
    scores = judgement.weighted_scores(rows, np.ones((len(rows), 1)))
    for name, values in _resampled((judgement,), rows, resamples)[0].items():
        ends = (
            None
            if name in found
            else score_interval(values, score=float(scores[name][0]), evidence=evidence.get(name), confidence=confidence)
        )
        if ends is not None:
            found[name] = ends
    return found


def score_interval(values: np.ndarray, *, score: float, evidence: Evidence | None, confidence: float) -> Interval | None:
    """The interval of a score, or of a difference, from its values on resamples.

    Args:
        values: float64 (R,), NaN where a resample has none.
        score: on the examples themselves, without resampling.
        evidence: how the metric is measured; None if unknown.
        confidence: as for `intervals`.

    Returns:
        None if the score is not a number, if more than a tenth of the values are not numbers, or if all resamples give
        the same value and there is no evidence of how far off that could be.

    >>> [round(end, 3) for end in score_interval(np.ones(1000), score=1.0, evidence=Bounded(0, 1, 20), confidence=0.95)]
    [0.832, 1.0]
    """
    if np.isnan(score):
        return None
    low, high = values, values
    if isinstance(evidence, Bounded) and evidence.count > 0:
        bias = np.nanmean(values) - score if np.isfinite(values).any() else 0.0
        unseen = _unseen_weights(len(values), evidence.count)
        low = (1 - unseen) * (values - 2 * max(bias, 0.0)) + unseen * evidence.least
        high = (1 - unseen) * (values - 2 * min(bias, 0.0)) + unseen * evidence.most
    lower, upper = interval(low, confidence=confidence), interval(high, confidence=confidence)
    if lower is None or upper is None:
        return None
    ends = min(lower[0], score), max(upper[1], score)
    if isinstance(evidence, Bounded):
        mean, deviation = evidence.by_chance
        added = mean + special.ndtri((1 + confidence) / 2) * deviation
        ends = max(min(ends[0], score - added), min(evidence.least, score)), min(ends[1], max(evidence.most, score))
    return ends if ends[0] < ends[1] else None


def interval(values: np.ndarray, *, confidence: float) -> Interval | None:
    """The range of the middle `confidence` of float64 (R,) values; None if more than a tenth of them are NaN.

    >>> interval(np.arange(101.0), confidence=0.5)
    (25.0, 75.0)
    """
    defined = values[~np.isnan(values)]
    if len(defined) < (1 - MOST_UNDEFINED) * len(values):
        return None
    low, high = np.quantile(defined, ((1 - confidence) / 2, (1 + confidence) / 2))
    return float(low), float(high)


def paired_differences(
    judgement: Judgement, other: Judgement, *, rows: np.ndarray | None = None, resamples: int
) -> dict[str, np.ndarray]:
    """Maps each metric to float64 (resamples,): this judgement's score minus the other's, on the same resampled examples.

    Args:
        judgement: of one model.
        other: of another model, for the same examples.
        rows: int64 (M,), positions of the examples of a slice; None means all.
        resamples: how many.

    Raises:
        DataError: the judgements differ in their examples or in the order of these.
    """
    if judgement.rows["id"].tolist() != other.rows["id"].tolist():
        raise DataError("two models must be compared on the same examples; these were asked about different ones")
    rows = np.arange(len(judgement.rows)) if rows is None else rows
    ours, theirs = _resampled((judgement, other), rows, resamples)
    return {name: ours[name] - theirs[name] for name in ours if name in theirs}


def difference_evidence(ours: Evidence | None, theirs: Evidence | None) -> Bounded | None:
    """The bounds of a metric's difference between two models: minus and plus the width of the metric's range.

    >>> difference_evidence(Counted(19, 20), Counted(20, 20))
    Bounded(least=-1.0, most=1.0, count=20, by_chance=(0.0, 0.0))
    """
    if ours is None or theirs is None:
        return None
    (least, most), (other_least, other_most) = _range_of(ours), _range_of(theirs)
    width = max(most, other_most) - min(least, other_least)
    return Bounded(-width, width, min(_count_of(ours), _count_of(theirs)))


def _range_of(one: Evidence) -> Interval:
    return (one.scale(0.0), one.scale(1.0)) if isinstance(one, Counted) else (one.least, one.most)


def _count_of(one: Evidence) -> int:
    return one.of if isinstance(one, Counted) else one.count


def _unseen_weights(resamples: int, count: int) -> np.ndarray:
    """float64 (resamples,): the weights of an unseen example: quantiles of Beta(1, count) in a random order."""
    steps = (np.random.default_rng(SEED).permutation(resamples) + 0.5) / resamples
    return 1 - (1 - steps) ** (1 / count)


def _resampled(judgements: tuple[Judgement, ...], rows: np.ndarray, resamples: int) -> tuple[Mapping[str, np.ndarray], ...]:
    """For each judgement: metric -> float64 (resamples,), all on the same resamples."""
    chunks = [
        [one.weighted_scores(rows, counts) for one in judgements]
        for counts in resample_counts(len(rows), resamples=resamples)
    ]
    return tuple(
        {name: np.concatenate([chunk[number][name] for chunk in chunks]) for name in chunks[0][number]}
        for number in range(len(judgements))
    )
