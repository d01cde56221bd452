"""A task's judgement of the predictions for a whole data set, and how each metric is measured.

`kerasvision.tasks.base` has these names too: the packages above the tasks use them from there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

# (rows int64 (M,), weights float64 (M, R)) -> metric -> float64 (R,): the scores of some rows under R weightings.
WeightedScores = Callable[[np.ndarray, np.ndarray], Mapping[str, np.ndarray]]


def _unscaled(share: float) -> float:
    return share


@dataclass(frozen=True)
class Counted:
    """A metric that counts examples; its interval is exact.

    Attributes:
        right: the number of examples that count for it.
        of: the number of all examples.
        scale: a rising function from the share, in [0, 1], to the metric; the share itself by default.
    """

    right: int
    of: int
    scale: Callable[[float], float] = _unscaled


@dataclass(frozen=True)
class Bounded:
    """A metric that counts nothing but is between two values; its interval is a bootstrap that uses them.

    Attributes:
        least, most: the two values. If a metric has no bound there, the worst value that was seen.
        count: the number of its examples; for a mean over classes, as if all classes had as many as the rarest.
        by_chance: mean and standard deviation of what chance alone adds to it.
    """

    least: float
    most: float
    count: int
    by_chance: tuple[float, float] = (0.0, 0.0)


# How a metric is measured, from which its interval follows.
Evidence = Counted | Bounded


@dataclass(frozen=True)
class Judgement:
    """The task's judgement of the predictions for a whole data set.

    Attributes:
        scores: metric -> value, never NaN. A metric of a single class has the class in brackets: `recall[daisy]`.
        rows: one row per example, in order: id, the truth, the prediction, `loss` (larger is worse), and `correct` if an
            answer can be right or wrong.
        tables: more tables by name, such as a confusion matrix. If its columns have a name, a table is a matrix of counts.
        curves: more tables by name, whose rows are points of a plot. Files contain them; a page shows only the plots, which
            are in `Task.figures`.
        left_out: metric -> why it has no value here.
        undefined: metric -> why it has no value on any images, because of the classes or the settings. A gate's rule gives
            this reason; no page and no list of what is missing names the metric.
        weighted_scores: the scores of some rows under many weightings at once; NaN if a metric has no value. The bootstrap
            and the slices use it.
        within_label: the same for rows of one label, without metrics of single classes, which mean nothing there.
        evidence: rows int64 (M,) -> metric -> how it is measured on these rows. A metric without evidence has the plain
            bootstrap's interval, or none if all resamples give the same value.
        remarks: sentences about the model as a whole that a person should read first.
    """

    scores: dict[str, float]
    rows: pd.DataFrame
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    curves: dict[str, pd.DataFrame] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    undefined: dict[str, str] = field(default_factory=dict)
    weighted_scores: WeightedScores = field(default=lambda rows, weights: {}, repr=False, compare=False)
    within_label: WeightedScores | None = field(default=None, repr=False, compare=False)
    evidence: Callable[[np.ndarray], Mapping[str, Evidence]] = field(default=lambda rows: {}, repr=False, compare=False)
    remarks: tuple[str, ...] = ()
