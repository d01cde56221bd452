"""How people see numbers on a page: a line per image, and for each value its answers and residuals against the truth."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

MOST_IN_LINE = 3
# The values with plots: the least explained ones.
MOST_PLOTS = 6
PLOTS = "Answers and residuals against the truth"
MOST_POINTS = 5000
SEED = 0


def caption_line(row: pd.Series, *, names: Sequence[str]) -> str:
    """`age 31 → 33.5`, and so on; at most three values, those with the largest relative error first.

    >>> row = pd.Series({"truth[age]": 30.0, "answer[age]": 33.5, "truth[size]": float("nan"), "answer[size]": 2.0})
    >>> caption_line(row, names=("age", "size"))
    'age 30 → 33.5'
    """
    worst = _worst_first(row, names)
    parts = [f"{name} {row[f'truth[{name}]']:.4g} → {row[f'answer[{name}]']:.4g}" for name in worst[:MOST_IN_LINE]]
    more = len(worst) - MOST_IN_LINE
    return ", ".join(parts) + (f" (+{more})" if more > 0 else "")


def explained_values(row: pd.Series, *, names: Sequence[str]) -> list[tuple[str, int]]:
    """(what is explained, the number of the value): the value with the largest relative error; none without a truth.

    >>> row = pd.Series({"truth[age]": 30.0, "answer[age]": 33.5, "truth[size]": 1.0, "answer[size]": 3.0})
    >>> explained_values(row, names=("age", "size"))
    [('what raises size', 1)]
    """
    return [(f"what raises {name}", names.index(name)) for name in _worst_first(row, names)[:1]]


def _worst_first(row: pd.Series, names: Sequence[str]) -> list[str]:
    known = [name for name in names if not np.isnan(row[f"truth[{name}]"])]
    return sorted(known, key=lambda name: -_relative_error(row[f"truth[{name}]"], row[f"answer[{name}]"]))


def _relative_error(truth: float, answer: float) -> float:
    return abs(answer - truth) / max(abs(truth), abs(answer), 1e-12)


def value_plots(rows: pd.DataFrame, values: pd.DataFrame) -> dict[str, Figure]:
    """Title -> figure, with a row of two plots for each of the values with the least R2, at most six.

    Args:
        rows: of a judgement, with `truth[<value>]` and `answer[<value>]`.
        values: its table of values.
    """
    names = list(values["r2"].sort_values(kind="stable").index[:MOST_PLOTS])
    figure = Figure(figsize=(8.0, 3.4 * len(names)), layout="constrained")
    axes = figure.subplots(len(names), 2, squeeze=False)
    for (left, right), name in zip(axes, names, strict=True):
        # The font of a plot lacks many scripts.
        shown = name if name.isascii() else f"value {list(values.index).index(name) + 1}"
        _draw_value(left, right, rows, name, shown=shown)
    return {PLOTS: figure}


def _draw_value(left: Axes, right: Axes, rows: pd.DataFrame, name: str, *, shown: str) -> None:
    known = rows[rows[f"truth[{name}]"].notna()]
    if len(known) > MOST_POINTS:
        known = known.sample(MOST_POINTS, random_state=SEED)
    truth, answer = known[f"truth[{name}]"], known[f"answer[{name}]"]
    for axes, y, label in ((left, answer, f"answer: {shown}"), (right, answer - truth, "residual: answer - truth")):
        axes.scatter(truth, y, s=10, alpha=0.5, linewidths=0)
        axes.set_xlabel("truth")
        axes.set_ylabel(label, parse_math=False)  # a name may contain $
        axes.grid(alpha=0.3)
    if len(known):
        ends = [min(truth.min(), answer.min()), max(truth.max(), answer.max())]
        left.plot(ends, ends, color="0.4", linewidth=1)
    right.axhline(0.0, color="0.4", linewidth=1)
