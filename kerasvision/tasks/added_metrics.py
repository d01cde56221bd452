"""Custom metrics, given by the path of a function: calls them with weighted examples, and checks what they return."""

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
# What is right for each of N examples, and the model's answers, both with N rows.
TruthAndAnswers = tuple[npt.NDArray[Any], npt.NDArray[Any]]
# How far rounding may take a metric outside its bounds.
ROUNDING = 1e-6


def added_measures(metrics: Sequence[c.Metric], truth_and_answers: Callable[[W], TruthAndAnswers]) -> dict[str, Measure[W]]:
    """name -> how to measure it, for custom metrics: the end of a task's table.

    Args:
        metrics: from the settings of the task.
        truth_and_answers: gives, for weighted examples, what the functions receive in addition to the weights.
    """

    def measure(weighted: W, *, metric: c.Metric) -> Floats:
        return _called(metric, *truth_and_answers(weighted), weighted.weights)

    return {metric.name: Measure(partial(measure, metric=metric)) for metric in metrics}


def added_evidence(metrics: Sequence[c.Metric], count: int) -> dict[str, Evidence]:
    """name -> its bounds, for the metrics that have bounds.

    Args:
        metrics: from the settings of the task.
        count: the number of examples measured.
    """
    return {metric.name: Bounded(*metric.bounds, count) for metric in metrics if metric.bounds is not None}


def check_added_scores(metrics: Sequence[c.Metric], scores: Mapping[str, float], *, count: int) -> None:
    """Raises StageError if a custom metric has no value on a whole split.

    Args:
        metrics: from the settings of the task.
        scores: of `count` examples; NaN where a metric has no value.
        count: the number of examples in the split.
    """
    for metric in metrics:
        if np.isnan(scores[metric.name]):
            raise StageError(
                f"the metric {metric.name} is not a number over all {count} examples, each of weight 1",
                hint=_way_out(metric),
            )


def _called(metric: c.Metric, truth: npt.NDArray[Any], answers: npt.NDArray[Any], weights: Floats) -> Floats:
    """What the function returns: float64 (R,).

    Raises:
        ConfigError: there is no such function, or it does not return one number for each weighting.
        StageError: it raised an error, or returned a number that is infinite or outside its bounds.
    """
    function: Any = lookup.load(metric.function)
    try:
        # 0 / 0 means that there is no value; the warning would be of no use to a person.
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
        rule = "be finite" if metric.bounds is None else f"be in its bounds [{low:g}, {high:g}]"
        raise StageError(f"the metric {metric.name} must {rule}; it returned {outside[0]:g}", hint=_way_out(metric))
    return values.astype(np.float64)


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same values as a read-only view, because other metrics use them too."""
    view = array.view()
    view.flags.writeable = False
    return view


def _way_out(metric: c.Metric) -> str:
    return f"correct {metric.function}, or leave it out of task.metrics"
