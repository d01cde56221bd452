"""An evaluation as one self-contained page: verdict, scores, slices, curves, plots, samples, top losses."""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kerasvision.config.evaluation import Evaluation
from kerasvision.data.examples import ExampleSet
from kerasvision.data.measuring.contact_sheets import Picture
from kerasvision.data.splits import TEST
from kerasvision.evaluation.choices import draw_choices
from kerasvision.evaluation.curves import data_url, draw_history
from kerasvision.evaluation.drawn import drawings_of, kinds_in, shown_pictures
from kerasvision.evaluation.evaluated import Evaluated
from kerasvision.evaluation.gate import Verdict
from kerasvision.evaluation.reasons import Reasons
from kerasvision.evaluation.samples import ShownExample
from kerasvision.evaluation.score import worst_rows
from kerasvision.evaluation.shown_rules import urgent_rules
from kerasvision.tasks.base import Judgement, Task
from kerasvision.tasks.drawing import STYLES

MOST_PICTURES = 32
# A matrix with more columns, or a table with more rows, cannot be read on a page: the files contain all of it.
MOST_COLUMNS = 40
MOST_ROWS = 15
MOST_CLASSES = 200
# The gate judges every slice; a page shows at most this many slices of a kind.
MOST_SLICES = 100


@dataclass(frozen=True)
class Findings:
    """All that an evaluation found.

    Attributes:
        evaluated: split -> the model's results; includes the test split, which is judged.
        verdict: the gate's.
        settings: what was measured.
        history: a row per epoch of the training.
        variants: from `variant_table`.
        simple: scores of the simple models; None if they were left out.
        choices: what the simple models chose on the validation split; None if they chose nothing.
        samples: test images that the task illustrates.
        lessons: title -> plot of what the network was taught.
        reasons: for some of the test images with the largest loss, where the reasons for the answer lie.
        epoch_pictures: (epoch, data URL of a picture of what the network made then).
    """

    evaluated: Mapping[str, Evaluated]
    verdict: Verdict
    settings: Evaluation
    history: pd.DataFrame
    variants: pd.DataFrame = field(default_factory=pd.DataFrame)
    simple: pd.DataFrame | None = None
    choices: pd.DataFrame | None = None
    samples: Sequence[ShownExample] = ()
    lessons: Mapping[str, Figure] = field(default_factory=dict)
    reasons: Reasons = field(default_factory=dict)
    epoch_pictures: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class ScoreCell:
    """A score as the page shows it."""

    score: float
    low: float | None = None
    high: float | None = None


def write_evaluation_page(
    findings: Findings, *, task: Task, examples: ExampleSet, file: Path, significant_bits: int = 16
) -> None:
    """Writes the page. It shows 16-bit images as the network sees them (`kerasvision.ops.images.decode_image`).

    Names of files and labels are escaped, and appear as HTML text, because the fonts of plots lack many scripts.
    """
    judged = findings.evaluated[TEST]
    evaluated = dict(sorted(findings.evaluated.items(), key=lambda item: item[0] != TEST))  # the judged split comes first
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    worst = top_losses(judged.judgement, task=task, examples=examples, significant_bits=significant_bits)
    kinds = kinds_in([*(sample.picture for sample in findings.samples), *(one[0] for one in worst)])
    page = environment.get_template("evaluation.html").render(
        verdict=findings.verdict,
        rules=urgent_rules(findings.verdict.rules, outcome=lambda rule: rule.outcome),
        settings=findings.settings,
        splits={split: len(one.judgement.rows) for split, one in evaluated.items()},
        overall=overall_table(evaluated),
        rivals=rivals(findings, best_is=task.settings.best_is),
        variants=findings.variants.to_dict("records"),
        simple=[] if findings.simple is None else findings.simple.replace({np.nan: None}).to_dict("records"),
        choices=None if findings.choices is None else data_url(draw_choices(findings.choices)),
        per_class=per_class_table(judged),
        most_classes=MOST_CLASSES,
        most_slices=MOST_SLICES,
        left_out={split: one.judgement.left_out for split, one in evaluated.items()},
        slices=slice_groups(judged),
        curves=data_url(draw_history({str(name): values.tolist() for name, values in findings.history.items()})),
        figures={
            title: data_url(figure) for title, figure in {**task.figures(judged.judgement), **findings.lessons}.items()
        },
        epoch_pictures=findings.epoch_pictures,
        tables=judged.judgement.tables,
        most_columns=MOST_COLUMNS,
        most_rows=MOST_ROWS,
        samples=findings.samples,
        wrong=wrong_answers(judged.judgement),
        worst=worst,
        reasons=findings.reasons,
        styles=STYLES,
        kinds=kinds,
    )
    file.write_text(page, encoding="utf-8")


def overall_table(evaluated: Mapping[str, Evaluated]) -> dict[str, dict[str, ScoreCell]]:
    """metric -> split -> its cell, for metrics of the whole split; a split without the metric is left out."""
    table: dict[str, dict[str, ScoreCell]] = {}
    for split, one in evaluated.items():
        for metric, score in one.judgement.scores.items():
            if "[" not in metric:
                table.setdefault(metric, {})[split] = ScoreCell(score, *one.intervals.get(metric, ()))
    return table


def per_class_table(one: Evaluated) -> dict[str, dict[str, ScoreCell]]:
    """class -> metric -> cell, from the scores named `metric[class]`."""
    table: dict[str, dict[str, ScoreCell]] = {}
    for name, score in one.judgement.scores.items():
        if match := re.fullmatch(r"(\w+)\[(.+)\]", name, re.DOTALL):
            table.setdefault(match[2], {})[match[1]] = ScoreCell(score, *one.intervals.get(name, ()))
    return table


def rivals(findings: Findings, *, best_is: Callable[[str], str] = lambda metric: "max") -> list[tuple[str, str, ScoreCell]]:
    """(who, metric, cell) for each metric that people or simple models have a score for; the best first."""
    judged, rows = findings.evaluated[TEST], list[tuple[str, str, ScoreCell]]()
    for one in [] if findings.simple is None else findings.simple[findings.simple["score"].notna()].to_dict("records"):
        cell = ScoreCell(one["score"], *_ends(one["low"], one["high"]))
        rows.append((f"{one['model']} on {one['features']}", one["metric"], cell))
    rows += [
        (f"people ({findings.settings.human_source})", metric, ScoreCell(value))
        for metric, value in findings.settings.human.items()
    ]
    metrics = list(dict.fromkeys(metric for _, metric, _ in rows))
    scores = judged.judgement.scores
    rows += [
        ("this model", metric, ScoreCell(scores[metric], *judged.intervals.get(metric, ())))
        for metric in metrics
        if metric in scores
    ]
    for one in findings.variants.to_dict("records"):
        if one["metric"] in metrics:
            cell = ScoreCell(one["score"], *_ends(one["low"], one["high"]))
            rows.append((f"this model, {one['variant']}", one["metric"], cell))
    signs = {metric: 1 if best_is(metric) == "min" else -1 for metric in metrics}
    return sorted(rows, key=lambda row: (metrics.index(row[1]), signs[row[1]] * row[2].score))


# (value, range, count, metric -> cell) of a slice.
SliceRow = tuple[str, str, int, dict[str, ScoreCell]]


def slice_groups(one: Evaluated) -> dict[str, tuple[list[str], list[SliceRow]]]:
    """slice -> (the metrics that occur, without those of single classes; a row for each part)."""
    table = one.slices[~one.slices["metric"].str.contains("[", regex=False)] if len(one.slices) else one.slices
    return {
        str(name): (
            list(dict.fromkeys(group["metric"])),
            [_slice_row(part.to_dict("records")) for _, part in group.groupby("value", sort=False)],
        )
        for name, group in table.groupby("slice", sort=False)
    }


def _slice_row(records: list[dict[Hashable, Any]]) -> SliceRow:
    """The row of a part, from its records of single metrics."""
    first = records[0]
    cells = {record["metric"]: ScoreCell(record["score"], *_ends(record["low"], record["high"])) for record in records}
    return first["value"], first["range"], int(first["count"]), cells


def top_losses(
    judgement: Judgement, *, task: Task, examples: ExampleSet, most: int = MOST_PICTURES, significant_bits: int = 16
) -> Sequence[tuple[Picture, str, bool, float]]:
    """(picture, the task's caption, whether the answer was wrong, loss) of the examples with the largest loss."""
    worst = worst_rows(judgement, most=most)
    found = shown_pictures(examples, drawings_of(worst, task=task), significant_bits=significant_bits)
    return [
        (found[row["id"]], task.caption(row), not row.get("correct", True), float(row["loss"]))
        for _, row in worst.iterrows()
    ]


def wrong_answers(judgement: Judgement) -> int | None:
    """The number of wrong answers; None if answers are neither right nor wrong."""
    return int((~judgement.rows["correct"]).sum()) if "correct" in judgement.rows else None


def _ends(low: float, high: float) -> tuple[float, ...]:
    return () if np.isnan(low) else (low, high)
