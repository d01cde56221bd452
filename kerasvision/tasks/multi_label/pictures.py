"""Tags in pages: a line below an image, and curves of precision."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kerasvision.shortened import shortened
from kerasvision.tasks.base import Judgement
from kerasvision.tasks.multi_label.judging import ALL

# With more tags, single curves cannot be told apart.
MOST_CURVES = 10
MOST_NAMED = 4
# A picture for each.
MOST_EXPLAINED = 2


def caption_line(row: pd.Series) -> str:
    """The true tags, and what is wrong with the answer.

    >>> caption_line(pd.Series({"tags": ["sea", "sun"], "missed": ["sun"], "false": ["sand"]}))
    'sea, sun; missed: sun; false: sand'
    >>> caption_line(pd.Series({"tags": [], "missed": [], "false": []}))
    'no tag'
    """
    parts = [_named(row["tags"]) or "no tag"]
    parts += [f"{kind}: {names}" for kind in ("missed", "false") if (names := _named(row[kind]))]
    return "; ".join(parts)


def explained_tags(row: pd.Series, *, names: Sequence[str]) -> list[tuple[str, int]]:
    """(which tag is explained, its number): at most two false tags and two missed ones; of a right answer, two tags.

    >>> row = pd.Series({"answered": ["sea", "sand"], "missed": ["sun"], "false": ["sand"]})
    >>> explained_tags(row, names=("sea", "sun", "sand"))
    [('for sand, which is false', 2), ('for sun, which was missed', 1)]
    """
    false, missed = row["false"][:MOST_EXPLAINED], row["missed"][:MOST_EXPLAINED]
    shown = [(f"for {tag}, which is false", tag) for tag in false]
    shown += [(f"for {tag}, which was missed", tag) for tag in missed]
    shown = shown or [(f"for {tag}", tag) for tag in row["answered"][:MOST_EXPLAINED]]
    return [(text, names.index(tag)) for text, tag in shown]


def figures(judgement: Judgement) -> dict[str, Figure]:
    """Precision against recall: of each tag as a thin line, if there are few; of all pairs as a thick one."""
    table = judgement.curves["precision_recall"]
    if table.empty:
        return {}
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    single = [part for name, part in table.groupby("tag", sort=False) if name != ALL]
    for part in single if len(single) <= MOST_CURVES else ():
        axes.plot(part["recall"], part["precision"], color="0.7", linewidth=1)
    every = table[table["tag"] == ALL]
    axes.plot(every["recall"], every["precision"], color="C0", linewidth=2)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), xticks=np.linspace(0, 1, 6))
    return {"Precision and recall": figure}


def _named(names: Sequence[str]) -> str:
    return shortened(names, most=MOST_NAMED) if len(names) else ""
