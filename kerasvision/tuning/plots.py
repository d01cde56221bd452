"""Plots of a search: the best so far, trials by epoch, parallel coordinates, the score against each setting."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kerasvision import config as c
from kerasvision.tuning.records import Scalar, SearchResult
from kerasvision.tuning.spaces import ends, place_within
from kerasvision.tuning.table import short_names, written

COLUMNS = 3
BEST = "#c2410c"
COLOURS = colormaps["viridis"].with_extremes()
# A score is drawn at the edge if it is farther than this many interquartile ranges away: Tukey's outer fence.
FENCE = 3.0
# In the parallel coordinates, the height of a setting that was not varied, below the axis, which goes from 0 to 1.
BELOW = -0.12


def draw_best_so_far(result: SearchResult) -> Figure:
    """Plots the score of each trial, and the best so far, against the total minutes of all trials."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.subplots()
    minutes = np.cumsum([trial.seconds for trial in result.trials]) / 60
    scores = np.array([np.nan if trial.score is None else trial.score for trial in result.trials])
    best = (np.fmin if result.direction == "min" else np.fmax).accumulate(scores)
    scored = np.isfinite(scores)
    limits = _fence(scores, result.direction)
    axes.step(minutes, np.clip(best, *limits), where="post", color=BEST, label="best so far")
    axes.scatter(minutes[scored], np.clip(scores[scored], *limits), s=18, color="#3b76c4", label="trial", zorder=3)
    if not scored.all():
        edge = np.zeros((~scored).sum())
        axes.scatter(
            minutes[~scored],
            edge,
            marker="x",
            color="#777",
            label="no score",
            transform=axes.get_xaxis_transform(),
            clip_on=False,
        )
    axes.set_xlabel("minutes, all trials together")
    _finish(axes, result)
    axes.legend()
    return figure


def draw_epochs(result: SearchResult) -> Figure | None:
    """Plots the objective of each trial by epoch, with the best trial marked; None if no history has the objective."""
    curves = {trial.id: [epoch.get(result.objective, np.nan) for epoch in trial.history] for trial in result.trials}
    ranked = [trial for trial, _ in result.scored() if np.isfinite(curves[trial.id]).any()]
    if not ranked:
        return None
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.subplots()
    limits = _fence([value for trial in ranked for value in curves[trial.id]], result.direction)
    for place, trial in reversed(list(enumerate(ranked))):
        epochs = [epoch["epoch"] for epoch in trial.history]
        others = {"color": _colour(place, len(ranked)), "alpha": 0.6}
        style: dict[str, Any] = {"color": BEST, "linewidth": 2.2} if place == 0 else others
        label = f"best, {trial.id}" if place == 0 else None
        axes.plot(epochs, np.clip(curves[trial.id], *limits), marker=".", label=label, **style)
    axes.set_xlabel("epoch")
    _tick_whole_numbers(axes)
    _finish(axes, result)
    axes.legend()
    return figure


def draw_parallel(result: SearchResult, space: dict[str, c.Space]) -> Figure:
    """Plots a line per trial through its settings to its score, the best on top. Values that were not varied are below."""
    ranked = result.scored()
    names = short_names(list(space))
    figure = Figure(figsize=(max(7.0, 1.9 * (len(space) + 1)), 4.2), layout="constrained")
    axes = figure.subplots()
    for at, (path, values) in enumerate(space.items()):
        _draw_axis(axes, at, names[path], *_ticks(values))
    limits = _fence([score for _, score in ranked], result.direction)
    worst, best = reversed(limits) if result.direction == "min" else limits
    _draw_axis(axes, len(space), _measure(result), (0.0, 1.0), (f"{worst:.4g}", f"{best:.4g}"))
    for place, (trial, score) in reversed(list(enumerate(ranked))):
        heights = [_place(values, trial.values.get(path)) for path, values in space.items()]
        height = 0.5 if worst == best else float((np.clip(score, *limits) - worst) / (best - worst))
        # Shifted a little: trials with the same choice would hide each other.
        shift = 0.03 * (place / max(1, len(ranked) - 1) - 0.5)
        others = {"color": _colour(place, len(ranked)), "alpha": 0.65}
        style: dict[str, Any] = {"color": BEST, "linewidth": 2.4} if place == 0 else others
        axes.plot(range(len(space) + 1), [*(one + shift for one in heights), height], **style)
    axes.set_axis_off()
    axes.set_xlim(-0.35, len(space) + 0.35)
    axes.set_ylim(-0.2, 1.18)
    return figure


def draw_settings(result: SearchResult, space: dict[str, c.Space]) -> Figure:
    """Plots the score against each setting, without the trials in which the setting was not varied."""
    rows = -(-len(space) // COLUMNS)
    figure = Figure(figsize=(9.5, 2.9 * rows), layout="constrained")
    places = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    names = short_names(list(space))
    for axes, (path, values) in zip(places, space.items(), strict=False):
        _draw_setting(axes, result, path, values)
        axes.set_xlabel(names[path], parse_math=False)
    for axes in places[len(space) :]:
        axes.set_axis_off()
    return figure


def _draw_setting(axes: Axes, result: SearchResult, path: str, values: c.Space) -> None:
    scored = result.scored()
    shown = [(trial.values[path], score) for trial, score in scored if path in trial.values]
    scores = np.clip([score for _, score in shown], *_fence([score for _, score in scored], result.direction))
    across = [_across(values, value) for value, _ in shown]
    if isinstance(values, c.Choice):
        axes.set_xticks(range(len(values.values)), [_cut(value) for value in values.values], parse_math=False)
        axes.set_xlim(-0.5, len(values.values) - 0.5)
    else:
        axes.set_xscale("log" if isinstance(values, c.LogUniform) else "linear")
        if isinstance(values, c.Int):
            _tick_whole_numbers(axes)
    colours = [_colour(place, len(shown)) for place in range(len(shown))]
    axes.scatter(across, scores, s=26, c=colours, alpha=0.8)
    if scored and path in scored[0][0].values:
        best, score = scored[0]
        axes.scatter([_across(values, best.values[path])], [score], s=110, facecolors="none", edgecolors=BEST, linewidths=2)
    _finish(axes, result)


def _draw_axis(axes: Axes, at: int, name: str, heights: tuple[float, ...], texts: tuple[str, ...]) -> None:
    axes.plot([at, at], [0, 1], color="#9aa5b1", linewidth=1, zorder=1)
    axes.text(at, 1.1, name, ha="center", weight="bold", fontsize=9, parse_math=False)
    boxed = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1}
    for height, text in zip(heights, texts, strict=True):
        axes.text(at + 0.03, height, text, va="center", fontsize=8, parse_math=False, bbox=boxed, zorder=5)


def _ticks(space: c.Space) -> tuple[tuple[float, ...], tuple[str, ...]]:
    values = space.values if isinstance(space, c.Choice) else ends(space)
    return tuple(_place(space, value) for value in values), tuple(_cut(value) for value in values)


def _place(space: c.Space, value: Scalar | None) -> float:
    """The position of a value on an axis from 0 to 1."""
    return BELOW if value is None else place_within(space, value)


def _across(space: c.Space, value: Scalar) -> float:
    """The position of a value on the axis of its setting: the index of a choice, or the value itself."""
    return space.values.index(value) if isinstance(space, c.Choice) else float(value)


def _tick_whole_numbers(axes: Axes) -> None:
    locator = axes.xaxis.get_major_locator()
    if isinstance(locator, MaxNLocator):
        locator.set_params(integer=True)


def _fence(values: Sequence[float] | np.ndarray, direction: str) -> tuple[float, float]:
    """The range of scores that a plot shows in detail: all except very bad ones."""
    known = np.asarray(values, "float64")
    known = known[np.isfinite(known)]
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    beyond = FENCE * max(high - low, abs(middle) * 1e-6)
    if direction == "min":
        return known.min(), min(known.max(), high + beyond)
    return max(known.min(), low - beyond), known.max()


def _finish(axes: Axes, result: SearchResult) -> None:
    axes.set_ylabel(_measure(result), parse_math=False)
    axes.grid(alpha=0.3)


def _measure(result: SearchResult) -> str:
    return result.objective.removeprefix("val_")


def _colour(place: int, count: int) -> tuple[float, float, float, float]:
    """The colour of a rank: the best trials are green, the worst dark. Yellow is left out, since it is hard to see."""
    return COLOURS(0.75 * (1 - place / max(1, count - 1)))


def _cut(value: Scalar) -> str:
    text = written(value)
    return text if len(text) <= 14 else text[:13] + "…"
