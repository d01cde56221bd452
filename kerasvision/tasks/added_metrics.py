"""Metrics that a person adds to a task by the path of a function: called with weighted examples, and held to their word."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from kerasvision import config as c
from kerasvision import lookup
from kerasvision.errors import ConfigError, KerasvisionError, StageError
from kerasvision.tasks.base import Bounded, Evidence
from kerasvision.tasks.metrics import Floats, Measure, Weighted

W = TypeVar("W", bound=Weighted)
# What is right for each of N examples, and what the model said, both with N rows.
TruthAndAnswers = tuple[npt.NDArray[Any], npt.NDArray[Any]]
# A metric may leave its bounds by what rounding does.
ROUNDING = 1e-6


def added_measures(metrics: Sequence[c.Metric], truth_and_answers: Callable[[W], TruthAndAnswers]) -> dict[str, Measure[W]]:
    """name -> how it is measured, of metrics of a person's own: the end of a task's table.

    Args:
        metrics: from the settings of the task.
        truth_and_answers: what the functions receive of weighted examples, besides their weights.
    """

    def measure(weighted: W, *, metric: c.Metric) -> Floats:
        return _called(metric, *truth_and_answers(weighted), weighted.weights)

    return {metric.name: Measure(partial(measure, metric=metric)) for metric in metrics}


def added_evidence(metrics: Sequence[c.Metric], count: int) -> dict[str, Evidence]:
    """name -> that it lies between its bounds, of the metrics that have some.

    Args:
        metrics: from the settings of the task.
        count: how many examples are measured.
    """
    return {metric.name: Bounded(*metric.bounds, count) for metric in metrics if metric.bounds is not None}


def check_added_scores(metrics: Sequence[c.Metric], scores: Mapping[str, float], *, count: int) -> None:
    """Raises StageError where such a metric has no value over a whole split.

    Args:
        metrics: from the settings of the task.
        scores: of `count` examples; NaN where a metric has no value.
        count: how many examples the split has.
    """
    for metric in metrics:
        if np.isnan(scores[metric.name]):
            raise StageError(
                f"the metric {metric.name} is not a number over all {count} examples, each of weight 1",
                hint=_way_out(metric),
            )


def _called(metric: c.Metric, truth: npt.NDArray[Any], answers: npt.NDArray[Any], weights: Floats) -> Floats:
    """What the function returns.

    Raises:
        ConfigError: there is no such function, or it returns something else than one number for each weighting.
        StageError: it raised an error, or returned what is infinite or outside its bounds.
    """
    function: Any = lookup.load(metric.function)
    try:
        # 0 / 0 says that there is no value; it is no news to a person.
        with np.errstate(divide="ignore", invalid="ignore"):
            found = function(*map(_read_only, (truth, answers, weights)))
    except KerasvisionError:
        raise
    except Exception as error:
        raise StageError(
            f"the metric {metric.name} raised {type(error).__name__}: {error} (weights of shape {weights.shape})",
            hint=_way_out(metric),
        ) from error
    return _checked(metric, found, weightings=weights.shape[1])


def _checked(metric: c.Metric, found: object, *, weightings: int) -> Floats:
    try:
        values = np.asarray(found)
    except ValueError:  # rows of different lengths
        values = np.asarray(None)
    if values.shape != (weightings,) or values.dtype.kind not in "iuf":
        raise ConfigError(
            f"the metric {metric.name} must return one number for each weighting, float ({weightings},); "
            f"received {type(found).__name__} of shape {values.shape} and type {values.dtype}",
            hint=_way_out(metric),
        )
    low, high = metric.bounds or (-np.inf, np.inf)
    outside = values[np.isinf(values) | (values < low - ROUNDING) | (values > high + ROUNDING)]
    if len(outside):
        rule = "be finite" if metric.bounds is None else f"lie in its bounds [{low:g}, {high:g}]"
        raise StageError(f"the metric {metric.name} must {rule}; it returned {outside[0]:g}", hint=_way_out(metric))
    return values.astype(np.float64)


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same values; other metrics are made of them too."""
    view = array.view()
    view.flags.writeable = False
    return view


def _way_out(metric: c.Metric) -> str:
    return f"correct {metric.function}, or leave it out of task.metrics"
