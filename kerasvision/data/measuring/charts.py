"""Histograms as numbers for a page: shares per bin and split, ready for drawing as SVG."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

WIDTH, HEIGHT = 100.0, 40.0
BINS = 24
LOGARITHMIC_FROM = 20.0  # from this ratio of largest to smallest value on, the axis is logarithmic


@dataclass(frozen=True)
class Histogram:
    """The distribution of a number, split by split.

    Attributes:
        title: the number's name, with its unit.
        outlines: split -> points of an SVG polyline in a box of 100 x 40; the height is the share of the split's images.
        low, middle, high: the ends and the middle of the axis, as text.
        medians: split -> median, as text.
    """

    title: str
    outlines: dict[str, str]
    low: str
    middle: str
    high: str
    medians: dict[str, str]


def histogram(images: pd.DataFrame, column: str, *, title: str, splits: list[str]) -> Histogram | None:
    """The distribution of a column; None if it contains no number.

    Args:
        images: a row per image, with `split`.
        column: the column; NaN is left out.
        title: its name, with its unit.
        splits: in the order in which they are drawn.
    """
    values = images[column].astype("float64")
    known = values[np.isfinite(values)]
    if known.empty:
        return None
    edges = _edges(known)
    by_split = {split: known[images["split"] == split] for split in splits}
    shares = {split: np.histogram(own, edges)[0] / len(own) for split, own in by_split.items() if len(own)}
    highest = max(share.max() for share in shares.values())
    return Histogram(
        title=title,
        outlines={split: _outline(share / highest) for split, share in shares.items()},
        low=short_number(edges[0]),
        middle=short_number(edges[BINS // 2]),
        high=short_number(edges[-1]),
        medians={split: short_number(by_split[split].median()) for split in shares},
    )


def short_number(value: float) -> str:
    """A number with three significant digits, or, from 100 on, without decimals.

    >>> short_number(0.12345), short_number(12.34), short_number(1234567.0)
    ('0.123', '12.3', '1,234,567')
    """
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _edges(values: pd.Series) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.linspace(low - 0.5, low + 0.5, BINS + 1)
    if low > 0 and high / low >= LOGARITHMIC_FROM:
        edges = np.geomspace(low, high, BINS + 1)
        edges[[0, -1]] = low, high  # exactly, so that the extremes are inside the outermost bins
        return edges
    return np.linspace(low, high, BINS + 1)


def _outline(heights: np.ndarray) -> str:
    """A staircase from the lower left to the lower right corner."""
    x = np.repeat(np.linspace(0.0, WIDTH, len(heights) + 1), 2)
    y = HEIGHT - 0.95 * HEIGHT * np.concatenate([[0.0], np.repeat(heights, 2), [0.0]])
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
