"""Scores of a served model on a split, with intervals, and by slice."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from kerasvision.config.evaluation import Evaluation
from kerasvision.evaluation.bootstrap import intervals
from kerasvision.evaluation.evaluated import Evaluated
from kerasvision.evaluation.predictions import PredictedSplit
from kerasvision.evaluation.slices import Slice, slice_table
from kerasvision.tasks.base import Judgement, Task


def evaluate(
    predicted: PredictedSplit,
    *,
    split: str,
    task: Task,
    slices: Sequence[Slice],
    settings: Evaluation,
    expected: Mapping[str, tuple[str, ...]] | None = None,
) -> Evaluated:
    """The results of a model on a split, from its answers.

    Args:
        predicted: the answers.
        split: its name.
        task: judges them.
        slices: the parts that are also scored separately.
        settings: the number of resamples, and the confidence.
        expected: kind of slice -> the values that the data set has.

    Returns:
        The results; `judgement.rows` has a column `slice_<name>` for each way in which the split is divided.
    """
    judgement = with_slices(judged(task, predicted), slices)
    return Evaluated(
        split=split,
        judgement=judgement,
        intervals=intervals(judgement, resamples=settings.resamples, confidence=settings.confidence),
        slices=slice_table(judgement, slices, settings),
        confidence=settings.confidence,
        expected=expected or {},
    )


def judged(task: Task, predicted: PredictedSplit, predictions: Mapping[str, np.ndarray] | None = None) -> Judgement:
    """The task's judgement of these answers or, if given, of other `predictions` for the same examples.

    Outputs have N rows, with the dtypes and shapes of the task's predictor: `scores` float32 (N, C), for example.
    """
    answers = predicted.predictions if predictions is None else predictions
    return task.judge(ids=predicted.ids, truth=predicted.truth, predictions=answers)


def with_slices(judgement: Judgement, slices: Sequence[Slice]) -> Judgement:
    """The same judgement, with a column `slice_<name>` that says which slice a row belongs to."""
    rows = judgement.rows.copy()
    for name in dict.fromkeys(part.name for part in slices):
        values = pd.Series("", index=range(len(rows)), dtype=object)
        for part in slices:
            if part.name == name:
                values[part.rows] = part.value
        rows[f"slice_{name}"] = values.to_numpy()
    return replace(judgement, rows=rows)


def worst_rows(judgement: Judgement, *, most: int) -> pd.DataFrame:
    """The examples with the largest loss, the largest first."""
    return judgement.rows.nlargest(most, "loss")
