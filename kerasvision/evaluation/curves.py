"""Draws learning curves, and embeds plots in a page."""

import base64
import io
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

MOST_COLUMNS = 3
EPOCH, OF_VALIDATION = "epoch", "val_"


def draw_history(history: Mapping[str, Sequence[float]]) -> Figure:
    """Plots the loss and each metric by epoch, with training and validation in the same plot, if both were measured.

    Args:
        history: column of `history.csv` -> its values, one for each epoch.
    """
    names = list(dict.fromkeys(name.removeprefix(OF_VALIDATION) for name in history if name != EPOCH))
    columns = min(MOST_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.9 * rows), layout="constrained")
    for number, name in enumerate(names, 1):
        axes = figure.add_subplot(rows, columns, number)
        for split, column, color in (("training", name, "C0"), ("validation", f"{OF_VALIDATION}{name}", "C1")):
            if column in history:
                axes.plot(history[EPOCH], history[column], label=split, color=color)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 2.5, 5, 10]))
        axes.set_title(name)
        axes.legend()
        axes.grid(alpha=0.3)
    return figure


def draw_choices(choices: pd.DataFrame) -> Figure:
    """Plots the accuracy on the validation split by k, with a line for each distance, and a plot for each kind of features.

    Args:
        choices: features, distance, k, accuracy; other columns are not used.
    """
    kinds = list(dict.fromkeys(choices["features"]))
    figure = Figure(figsize=(4.2 * len(kinds), 2.9), layout="constrained")
    for number, kind in enumerate(kinds, 1):
        axes, rows = figure.add_subplot(1, len(kinds), number), choices[choices["features"] == kind]
        for distance, of_distance in rows.groupby("distance", sort=True):
            line = of_distance.sort_values("k")
            axes.plot(line["k"], line["accuracy"], marker="o", markersize=3, label=distance)
        best = rows.iloc[0]
        axes.plot(best["k"], best["accuracy"], "o", color="none", markeredgecolor="black", markersize=9, label="chosen")
        axes.set(xlabel="k", xscale="log", ylabel="validation accuracy", title=kind)
        axes.set_xticks(sorted(set(rows["k"])), [str(k) for k in sorted(set(rows["k"]))], minor=False)
        axes.minorticks_off()
        axes.legend(fontsize=7)
        axes.grid(alpha=0.3)
    return figure


def data_url(figure: Figure, *, dpi: int = 100) -> str:
    """A plot as a data URL, which contains the image itself."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
