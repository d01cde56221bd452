"""Scores of a trained network, and of the last blessed model, on the test split."""

import json
from pathlib import Path

import pandas as pd

from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TEST
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import DataError
from kerasvision.evaluation.predictions import PredictedSplit, predict_split, predict_split_from_bytes
from kerasvision.models.saved import load_network
from kerasvision.tasks.base import Judgement, Task


def score_network(model_file: Path, *, task: Task, examples: ExampleSet, transform: ImageTransform) -> Judgement:
    """How a trained network does on the test split.

    Raises:
        DataError: there is no test split.
    """
    if not examples.count(TEST):
        raise DataError("there is no test split to evaluate on", hint="set splits.test above 0")
    predictor = task.predictor(load_network(model_file))
    return _judge(task, predict_split(examples, split=TEST, transform=transform, predictor=predictor))


def score_baseline(saved_model: Path, *, task: Task, examples: ExampleSet) -> dict[str, float]:
    """The scores of a served model on the same split, through its own transform."""
    return _judge(task, predict_split_from_bytes(examples, split=TEST, saved_model=saved_model)).scores


def save_judgement(judgement: Judgement, *, scores: Path, predictions: Path, folder: Path) -> None:
    """Writes scores as JSON, rows as Parquet, and every further table as CSV under its name."""
    scores.write_text(json.dumps(judgement.scores, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    judgement.rows.to_parquet(predictions, index=False)
    for name, table in judgement.tables.items():
        table.to_csv(folder / f"{name}.csv")


def worst_rows(judgement: Judgement, *, most: int) -> pd.DataFrame:
    """The examples that were answered wrongly, the largest loss first."""
    wrong = judgement.rows[~judgement.rows["correct"]]
    return wrong.nlargest(most, "loss")


def _judge(task: Task, predicted: PredictedSplit) -> Judgement:
    return task.judge(ids=predicted.ids, labels=predicted.labels, predictions=predicted.predictions)
