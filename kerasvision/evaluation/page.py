"""An evaluation as one page that opens without a network: verdict, scores, curves, mistakes."""

import base64
import io
import re
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TEST
from kerasvision.evaluation.gate import Verdict
from kerasvision.evaluation.score import worst_rows
from kerasvision.ops.images import decode_image
from kerasvision.tasks.base import Judgement, Task

MOST_MISTAKES = 24
COLUMNS = 8


def write_evaluation_page(
    judgement: Judgement, *, verdict: Verdict, task: Task, history: Path, examples: ExampleSet, file: Path
) -> None:
    """Writes the page. Names of files and labels are escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("evaluation.html").render(
        verdict=verdict,
        count=len(judgement.rows),
        overall={name: value for name, value in judgement.scores.items() if "[" not in name},
        per_class=per_class_table(judgement.scores),
        curves=_data_url(draw_history(pd.read_csv(history))),
        tables=judgement.tables,
        mistakes=_mistakes(judgement, task, examples),
    )
    file.write_text(page, encoding="utf-8")


def per_class_table(scores: dict[str, float]) -> pd.DataFrame:
    """Scores named `metric[class]` as a table, a row per class.

    >>> per_class_table({"accuracy": 1.0, "recall[cat]": 0.5}).loc["cat", "recall"].item()
    0.5
    """
    named = [(match, value) for name, value in scores.items() if (match := re.fullmatch(r"(\w+)\[(.+)\]", name))]
    table = pd.DataFrame([(match[2], match[1], value) for match, value in named], columns=["class", "metric", "value"])
    return table.pivot_table(index="class", columns="metric", values="value", sort=False)


def draw_history(history: pd.DataFrame) -> Figure:
    """Loss and each metric by epoch, training and validation in one plot."""
    names = [name for name in history.columns if name != "epoch" and not name.startswith("val_")]
    figure = Figure(figsize=(4.5 * len(names), 3.2), layout="constrained")
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names, strict=True):
        axes.plot(history["epoch"], history[name], label="training")
        if f"val_{name}" in history:
            axes.plot(history["epoch"], history[f"val_{name}"], label="validation")
        axes.set_xlabel("epoch")
        axes.set_title(name)
        axes.legend()
        axes.grid(alpha=0.3)
    return figure


def draw_mistakes(judgement: Judgement, task: Task, examples: ExampleSet, *, most: int = MOST_MISTAKES) -> Figure | None:
    """The wrongly answered test images with the largest loss; None where there are none."""
    worst = worst_rows(judgement, most=most)
    if worst.empty:
        return None
    wanted = set(worst["id"])
    images = {
        example["id"].numpy().decode(): decode_image(example["image"], color_mode="rgb").numpy()
        for example in examples.dataset(TEST)
        if example["id"].numpy().decode() in wanted
    }
    rows = -(-len(worst) // COLUMNS)
    figure = Figure(figsize=(1.5 * COLUMNS, 1.8 * rows), layout="constrained")
    places = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for place in places:
        place.set_axis_off()
    for axes, (_, row) in zip(places, worst.iterrows(), strict=False):
        axes.set_axis_on()
        task.draw(axes, image=images[row["id"]], row=row)
    return figure


def _mistakes(judgement: Judgement, task: Task, examples: ExampleSet) -> str:
    figure = draw_mistakes(judgement, task, examples)
    return _data_url(figure) if figure is not None else ""


def _data_url(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
