"""The results of a model on one split: the gate judges them, and pages show them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import pandas as pd

from kerasvision.tasks.base import Judgement

# The columns of `Evaluated.slices`.
SLICE_COLUMNS = ("slice", "value", "count", "metric", "score", "low", "high")


@dataclass(frozen=True)
class Evaluated:
    """The results of a model on one split.

    Attributes:
        split: its name.
        judgement: the task's: scores, tables, and rows: one per example, with its id, `loss`, `correct` if an answer can
            be right or wrong, and its slice of every kind (`slice_label`).
        intervals: metric -> low and high end of its interval.
        slices: in long form: slice (`label`), value (`dog`), number of examples, metric, score, low, high.
        confidence: of the intervals, such as 0.95.
        expected: kind of slice -> all values in the data set, also those without an example in this split.
    """

    split: str
    judgement: Judgement
    intervals: Mapping[str, tuple[float, float]]
    slices: pd.DataFrame
    confidence: float = 0.95
    expected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def with_tables(self, tables: Mapping[str, pd.DataFrame]) -> "Evaluated":
        """The same results with more tables."""
        return replace(self, judgement=replace(self.judgement, tables={**self.judgement.tables, **tables}))

    @cached_property
    def parts(self) -> Mapping[tuple[str, str], pd.DataFrame]:
        """(slice, value) -> its rows of `slices`, one for each metric."""
        keys = [self.slices["slice"].astype(str), self.slices["value"].astype(str)]
        return {(str(kind), str(value)): part for (kind, value), part in self.slices.groupby(keys, sort=False)}
