"""Tests whether one model is better than another on the same images, or the difference is due to chance."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from kerasvision.evaluation.bootstrap import score_interval
from kerasvision.evaluation.exact import change_interval
from kerasvision.tasks.base import Evidence


@dataclass(frozen=True)
class ScoreChange:
    """The change of a score.

    Attributes:
        change: new minus old.
        low, high: ends of its confidence interval.
        p_value: of the hypothesis that nothing changed, two-sided; None if the test gives none.
    """

    change: float
    low: float
    high: float
    p_value: float | None = None


def bootstrap_change(
    change: float, resampled: np.ndarray, *, confidence: float, evidence: Evidence | None = None
) -> ScoreChange:
    """The paired bootstrap: images are drawn with replacement, each with both models' answers.

    If few images differ, the interval is too narrow: 4 lost of 1,000 and none won looks like a change here, while McNemar's
    exact test says that it may be chance.

    Args:
        change: of the score, on the images themselves, without resampling.
        resampled: float64 (R,), the change on each resample; NaN where it is undefined.
        confidence: of the interval, such as 0.95; its ends are the quantiles at (1 -+ confidence) / 2.
        evidence: how the change is measured. With it, the interval allows for an image unlike those seen: two models
            that give the same answers to 30 images may differ by 0.12 (see `score_interval`).

    >>> bootstrap_change(0.5, np.arange(101) / 128, confidence=0.5)
    ScoreChange(change=0.5, low=0.1953125, high=0.5859375, p_value=None)
    """
    ends = score_interval(resampled, score=change, evidence=evidence, confidence=confidence)
    return ScoreChange(change, *(ends or (float("nan"), float("nan"))))


def mcnemar_change(new: np.ndarray, old: np.ndarray, *, confidence: float) -> ScoreChange:
    """McNemar's exact test: of the images that only one model answers right, does each model answer half?

    The interval of the change excludes zero exactly if the two-sided p is below 1 - confidence, which takes at least 6
    images at 0.95. Models that give the same answers to all images have an interval too: see `exact.change_interval`.

    Args:
        new: bool (N,), whether one model is right for each image.
        old: bool (N,), whether the other is.
        confidence: of the interval.

    Source: McNemar, 1947. The exact form is a binomial test of the discordant pairs, by scipy.stats.binomtest.

    >>> right = np.repeat([1, 1, 0], [6, 4, 2])
    >>> change = mcnemar_change(right, np.repeat([0, 1, 0], [6, 4, 2]), confidence=0.95)   # 6 won, none lost, of 12
    >>> change.change, change.p_value       # p = 2 / 2**6
    (0.5, 0.03125)
    """
    new, old = np.asarray(new, bool), np.asarray(old, bool)
    won, lost = int((new & ~old).sum()), int((old & ~new).sum())
    p_value = float(stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0
    ends = change_interval(won, lost, len(new), confidence=confidence)
    return ScoreChange((won - lost) / len(new), *ends, p_value)
