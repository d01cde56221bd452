"""Cross-validation: the scores of several trainings, each on the images of its own fold.

Source: Hastie et al., 2009, "The Elements of Statistical Learning", section 7.10.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from kerasvision.data.splits import TEST
from kerasvision.progress import say

Properties = dict[str, int | float | str]


def add_fold(
    scores: Path, *, before: Path | None, folder: Path, fold: int, folds: int, final: bool, headline: str
) -> Properties:
    """Adds a fold to those before it, and writes the files of `CrossValidation`; after the last fold it says the mean.

    Args:
        scores: `scores.json` of the evaluation of this fold.
        before: `folds.csv` of the folds before it; None: it is the first.
        folder: where to write.
        fold: its number, from 1.
        folds: how many there will be.
        final: whether another network is trained on all images, and pushed.
        headline: the main metric; "" if the task names none.

    Returns:
        The properties of the artifact.
    """
    table = with_fold(None if before is None else pd.read_csv(before), json.loads(scores.read_text(encoding="utf-8")), fold)
    summary, served = summarized(table), what_is_served(final=final)
    table.to_csv(folder / "folds.csv", index=False)
    summary.to_csv(folder / "cross_validation.csv", index=False)
    rows = json.loads(summary.to_json(orient="records", double_precision=15))
    record = {"folds": fold, "of": folds, "served": served, "metrics": rows}
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (folder / "cross_validation.json").write_text(text, encoding="utf-8")
    (folder / "cross_validation.html").write_text(_page(table, summary, served, folds), encoding="utf-8")
    main = summary[summary["metric"] == headline]
    if main.empty:
        return {"folds": fold}
    mean, deviation = float(main["mean"].iloc[0]), float(main["deviation"].fillna(0).iloc[0])
    if fold == folds:
        say(f"{headline} {mean:.4f} +- {deviation:.4f} over {folds} folds. {served}")
    return {"folds": fold, "headline": headline, "mean": mean, "deviation": deviation}


def with_fold(before: pd.DataFrame | None, scores: Mapping[str, Any], fold: int) -> pd.DataFrame:
    """A row per fold and metric of the whole fold: fold, examples, metric, score.

    >>> of_fold = {"splits": {"test": {"count": 10, "scores": {"accuracy": {"score": 0.9}, "f1[rose]": {"score": 0.5}}}}}
    >>> with_fold(None, of_fold, 1)
       fold  examples    metric  score
    0     1        10  accuracy    0.9
    """
    judged = scores["splits"][TEST]
    rows = [
        {"fold": fold, "examples": judged["count"], "metric": name, "score": cell["score"]}
        for name, cell in judged["scores"].items()
        if "[" not in name
    ]
    table = pd.DataFrame(rows, columns=["fold", "examples", "metric", "score"])
    return table if before is None else pd.concat([before, table], ignore_index=True)


def summarized(table: pd.DataFrame) -> pd.DataFrame:
    """A row per metric: metric, mean over the folds, deviation (with n - 1; NaN for one fold), folds that have the metric.

    Every fold counts the same, and the deviation is that of a fold, not of the mean. It also contains how much the networks
    differ, because each was trained on other images.

    >>> table = pd.DataFrame({"fold": [1, 2], "examples": 10, "metric": "accuracy", "score": [0.8, 0.9]})
    >>> summarized(table).round(4)
         metric  mean  deviation  folds
    0  accuracy  0.85     0.0707      2
    """
    grouped = table.groupby("metric", sort=False)["score"]
    return grouped.agg(mean="mean", deviation="std", folds="count").reset_index()


def what_is_served(*, final: bool) -> str:
    """A sentence about the network that is pushed, if the gate blesses the network of the first fold."""
    if final:
        return "Pushed is another network, trained on all images; the scores of the folds say what to expect of it"
    return "Pushed is the network of fold 1; training.final='all' would push another one, trained on all images"


def _page(table: pd.DataFrame, summary: pd.DataFrame, served: str, folds: int) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    wide = table.pivot_table(index="metric", columns="fold", values="score", sort=False)
    return environment.get_template("cross_validation.html").render(
        folds=folds,
        served=served,
        numbers=[int(number) for number in wide.columns],
        examples=dict(zip(table["fold"], table["examples"], strict=True)),
        rows=[
            (one["metric"], one["mean"], one["deviation"], list(wide.loc[str(one["metric"])]))
            for one in summary.to_dict("records")
        ],
    )
