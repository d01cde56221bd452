"""What is known of a model on one split: what the gate judges, and what a page shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from kerasvision.tasks.base import Judgement

# The columns of `Evaluated.slices`.
SLICE_COLUMNS = ("slice", "value", "count", "metric", "score", "low", "high")


@dataclass(frozen=True)
class Evaluated:
    """What is known of a model on one split.

    Attributes:
        split: its name.
        judgement: the task's: scores, rows (one per example, with its id, `loss`, `correct` where an answer is right or
            wrong, and its slice of every kind: `slice_label`), tables.
        intervals: metric -> interval, low and high.
        slices: in long form: slice (`label`), value (`dog`), count of examples, metric, score, low, high.
        confidence: of the intervals.
        expected: kind of slice -> the values that the data set has, with or without an example in this split.
    """

    split: str
    judgement: Judgement
    intervals: Mapping[str, tuple[float, float]]
    slices: pd.DataFrame
    confidence: float = 0.95
    expected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def parts(self) -> Mapping[tuple[str, str], pd.DataFrame]:
        """(slice, value) -> its rows of `slices`, one for each metric."""
        keys = [self.slices["slice"].astype(str), self.slices["value"].astype(str)]
        return {(str(kind), str(value)): part for (kind, value), part in self.slices.groupby(keys, sort=False)}
