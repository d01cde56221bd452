"""Detection in pages: a line below an image, and curves of precision."""

import json

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kerasvision.tasks.base import Illustration, Judgement
from kerasvision.tasks.drawing import Drawing

# With more classes, single curves cannot be told apart.
MOST_CURVES = 10


def caption_line(row: pd.Series) -> str:
    """How many objects there are, and what became of them.

    >>> caption_line(pd.Series({"objects": 3, "found": 2, "missed": 1, "false": 4}))
    '2 of 3 found, 4 false'
    """
    return f"{row['found']} of {row['objects']} found, {row['false']} false"


def drawings(row: pd.Series) -> tuple[Drawing, ...]:
    """What was found, falsely found and missed in the image of a row.

    >>> drawings(pd.Series({"things": '[["missed", [0.0, 0.0, 0.5, 1.0], "cat", null]]'}))
    (Drawing(kind='missed', corners=(0.0, 0.0, 0.5, 1.0), label='cat', score=None),)
    """
    return tuple(Drawing(kind, tuple(corners), label, score) for kind, corners, label, score in json.loads(row["things"]))


def illustrations(rows: pd.DataFrame) -> list[Illustration]:
    """Each image with its drawings; the answer in words, and the objects that are there."""
    return [_illustration(row) for _, row in rows.iterrows()]


def _illustration(row: pd.Series) -> Illustration:
    drawn = drawings(row)
    truth = tuple(one.label for one in drawn if one.kind != "false")
    return Illustration(str(row["id"]), caption_line(row), truth=truth, drawings=drawn)


def figures(judgement: Judgement) -> dict[str, Figure]:
    """Precision against recall at IoU 0.5: of each class as a thin line, if there are few, and the mean as a thick one."""
    table = judgement.curves["precision_recall"]
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    curves = [part for _, part in table.groupby("class", sort=False)]
    for part in curves if len(curves) <= MOST_CURVES else ():
        axes.plot(part["recall"], part["precision"], color="0.7", linewidth=1)
    mean = table.groupby("recall", as_index=False)["precision"].mean()
    axes.plot(mean["recall"], mean["precision"], color="C0", linewidth=2)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), xticks=np.linspace(0, 1, 6))
    return {"Precision and recall at IoU 0.5": figure}
