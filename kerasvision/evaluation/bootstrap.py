"""How sure a score is: intervals and paired differences over resampled examples, of whatever a task measures.

Source: the percentile bootstrap, Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13. Whole examples are
drawn with replacement, without strata, and by a fixed seed: the same answers give the same interval.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from kerasvision.errors import DataError
from kerasvision.tasks.base import Judgement

SEED = 0
# Fewer examples than these say too little of how examples differ: three right answers of three would give [1, 1].
LEAST_ROWS = 10
# A metric that more resamples than these cannot give (no example of a class was drawn) has no interval.
MOST_UNDEFINED = 0.1
CHUNK_VALUES = 2_000_000

Interval = tuple[float, float]


def resample_counts(count: int, *, resamples: int, seed: int = SEED) -> Iterator[np.ndarray]:
    """How often each of `count` rows was drawn: float64 (count, R), in chunks of which R sums to `resamples`.

    >>> drawn = np.hstack(list(resample_counts(5, resamples=3)))
    >>> drawn.shape, drawn.sum(axis=0).tolist()
    ((5, 3), [5.0, 5.0, 5.0])
    """
    random = np.random.default_rng(seed)
    size = max(1, CHUNK_VALUES // count)
    for start in range(0, resamples, size):
        columns = min(size, resamples - start)
        # Row-major draws: what a resample holds does not depend on the size of the chunks.
        drawn = random.integers(0, count, (columns, count)) + count * np.arange(columns)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=columns * count).reshape(columns, count)
        yield np.ascontiguousarray(counts.T, np.float64)


def intervals(
    judgement: Judgement, *, rows: np.ndarray | None = None, resamples: int, confidence: float
) -> dict[str, Interval]:
    """metric -> low and high, of every metric that has one.

    An interval always holds its score: resampling adds to a calibration error, whose interval would else lie above it.

    Args:
        judgement: what was measured.
        rows: positions of the examples of a slice; all where it is left out. At least 10, or there are no intervals.
        resamples: how many.
        confidence: share of the resamples that lie inside.
    """
    rows = np.arange(len(judgement.rows)) if rows is None else rows
    if len(rows) < LEAST_ROWS:
        return {}
    values = _resampled((judgement,), rows, resamples)[0]
    scores = judgement.resampled(rows, np.ones((len(rows), 1)))
    found = {name: interval(values[name], confidence=confidence) for name in values}
    return {
        name: (min(ends[0], float(scores[name][0])), max(ends[1], float(scores[name][0])))
        for name, ends in found.items()
        if ends is not None and not np.isnan(scores[name][0])
    }


def interval(values: np.ndarray, *, confidence: float) -> Interval | None:
    """The middle `confidence` of the values; None where more than a tenth of them are NaN.

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
    """metric -> float64 (resamples,): this judgement's score less the other's, on the same resampled examples.

    Args:
        judgement: of one model.
        other: of another, asked about the same examples.
        rows: positions of the examples of a slice; all where it is left out.
        resamples: how many.

    Raises:
        DataError: they are not of the same examples in the same order.
    """
    if judgement.rows["id"].tolist() != other.rows["id"].tolist():
        raise DataError("two models are compared on the same examples, and these were asked about different ones")
    rows = np.arange(len(judgement.rows)) if rows is None else rows
    ours, theirs = _resampled((judgement, other), rows, resamples)
    return {name: ours[name] - theirs[name] for name in ours if name in theirs}


def _resampled(
    judgements: tuple[Judgement, ...], rows: np.ndarray, resamples: int
) -> tuple[Mapping[str, np.ndarray], ...]:
    """The scores of each judgement, all on the same resamples."""
    chunks = [[one.resampled(rows, counts) for one in judgements]
              for counts in resample_counts(len(rows), resamples=resamples)]  # fmt: skip
    return tuple(
        {name: np.concatenate([chunk[number][name] for chunk in chunks]) for name in chunks[0][number]}
        for number in range(len(judgements))
    )
