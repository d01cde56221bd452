"""Draws learning curves, and embeds plots in a page."""

import base64
import io
from collections.abc import Mapping, Sequence

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


def data_url(figure: Figure, *, dpi: int = 100) -> str:
    """A plot as a data URL, which contains the image itself."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
