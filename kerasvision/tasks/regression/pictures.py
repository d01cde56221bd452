"""How people see numbers on a page: a line per image, and for each value its answers and residuals against the truth."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

MOST_IN_LINE = 3
# The values with a plot: the least explained ones.
MOST_PLOTS = 8
MOST_POINTS = 5000
SEED = 0


def caption_line(row: pd.Series, *, names: Sequence[str]) -> str:
    """`age 31 → 33.5`, and so on; at most three values, those with the largest relative error first.

    >>> row = pd.Series({"truth[age]": 30.0, "answer[age]": 33.5, "truth[size]": float("nan"), "answer[size]": 2.0})
    >>> caption_line(row, names=("age", "size"))
    'age 30 → 33.5'
    """
    known = [name for name in names if not np.isnan(row[f"truth[{name}]"])]
    worst = sorted(known, key=lambda name: -_relative_error(row[f"truth[{name}]"], row[f"answer[{name}]"]))
    parts = [f"{name} {row[f'truth[{name}]']:.4g} → {row[f'answer[{name}]']:.4g}" for name in worst[:MOST_IN_LINE]]
    more = len(known) - MOST_IN_LINE
    return ", ".join(parts) + (f" (+{more})" if more > 0 else "")


def _relative_error(truth: float, answer: float) -> float:
    return abs(answer - truth) / max(abs(truth), abs(answer), 1e-12)


def value_plots(rows: pd.DataFrame, values: pd.DataFrame) -> dict[str, Figure]:
    """Title -> figure, for the values with the least R2, at most eight.

    Args:
        rows: of a judgement, with `truth[<value>]` and `answer[<value>]`.
        values: its table of values.
    """
    names = values["r2"].sort_values(kind="stable").index[:MOST_PLOTS]
    return {f"{name}: answers and residuals against the truth": _value_plot(rows, name) for name in names}


def _value_plot(rows: pd.DataFrame, name: str) -> Figure:
    known = rows[rows[f"truth[{name}]"].notna()]
    if len(known) > MOST_POINTS:
        known = known.sample(MOST_POINTS, random_state=SEED)
    truth, answer = known[f"truth[{name}]"], known[f"answer[{name}]"]
    figure = Figure(figsize=(8.0, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, y in ((left, answer), (right, answer - truth)):
        axes.scatter(truth, y, s=10, alpha=0.5, linewidths=0)
        axes.set_xlabel("truth")
        axes.grid(alpha=0.3)
    if len(known):
        ends = [min(truth.min(), answer.min()), max(truth.max(), answer.max())]
        left.plot(ends, ends, color="0.4", linewidth=1)
    right.axhline(0.0, color="0.4", linewidth=1)
    left.set_ylabel("answer")
    right.set_ylabel("residual: answer - truth")
    return figure
