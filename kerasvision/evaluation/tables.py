"""Writes an evaluation as files that other programs can read.

scores.json           per split: count, scores with their intervals, metrics left out and why; scores of people
slices.csv            split, slice, value, count, metric, score, low, high, range
variants.csv          variant, metric, score, low, high, difference, difference_low, difference_high; if requested
predictions.parquet   a row per test image
<name>.csv            each table of the task, such as confusion and calibration
validation/           the same for the validation split, if it is measured
"""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from kerasvision.config.evaluation import Evaluation
from kerasvision.data.splits import TEST
from kerasvision.evaluation.evaluated import Evaluated


def save_evaluation_tables(
    evaluated: Mapping[str, Evaluated], variants: pd.DataFrame, *, settings: Evaluation, folder: Path
) -> None:
    """Writes all these files.

    Args:
        evaluated: split -> the model's results; must include the test split.
        variants: from `variant_table`.
        settings: the confidence of the intervals, and the scores of people.
        folder: where to write them.
    """
    text = json.dumps(scores_data(evaluated, settings), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "scores.json").write_text(text + "\n", encoding="utf-8")
    parts = [one.slices.assign(split=split) for split, one in evaluated.items()]
    slices = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    slices.insert(0, "split", slices.pop("split"))
    slices.to_csv(folder / "slices.csv", index=False)
    if len(variants):
        variants.to_csv(folder / "variants.csv", index=False)
    for split, one in evaluated.items():
        place = folder if split == TEST else folder / split
        place.mkdir(exist_ok=True)
        one.judgement.rows.to_parquet(place / "predictions.parquet", index=False)
        for name, table in (one.judgement.tables | one.judgement.curves).items():
            table.to_csv(place / f"{name}.csv")


def scores_data(evaluated: Mapping[str, Evaluated], settings: Evaluation) -> dict[str, object]:
    """The content of `scores.json`. A score without an interval has no `low` and `high`."""
    return {
        "confidence": settings.confidence,
        "resamples": settings.resamples,
        "splits": {split: _split_data(one) for split, one in evaluated.items()},
        "human": {"scores": settings.human, "source": settings.human_source},
    }


def _split_data(one: Evaluated) -> dict[str, object]:
    def ends(metric: str) -> dict[str, float]:
        return dict(zip(("low", "high"), one.intervals.get(metric, ()), strict=False))

    scores = {metric: {"score": score, **ends(metric)} for metric, score in one.judgement.scores.items()}
    return {"count": len(one.judgement.rows), "scores": scores, "left_out": one.judgement.left_out}
