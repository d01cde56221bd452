"""Measures of a model in addition to the metrics of its task: metrics of your own, and facts of the served model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from kerasvision import introspection
from kerasvision.config.base import Dependent
from kerasvision.errors import ConfigError

# What infra_validator measures of a served model, in the unit that the name gives. A rule may name them like metrics.
FACTS = (
    "latency_p50_ms",
    "latency_p95_ms",
    "latency_p99_ms",
    "images_per_second",
    "start_seconds",
    "memory_mb",
    "size_mb",
    "max_difference",
)


class Metric(Dependent):
    """A metric of your own, by the path of its function: `Metric("my_metrics:worst_recall", bounds=(0, 1))`.

    It is measured like every other metric: over each split, with an interval, on every slice, and for the rules of a gate.
    The function receives three arguments and returns float (R,), the metric for R weightings of the same N examples:

    - truth: the right answers. Classification: int (N,), class numbers in the order of labels.txt. Captioning: object (N,),
      a tuple of str for each image. Segmentation: int (N, C), the known pixels of each class. MultiLabel: bool (N, C), which
      tags each image has. Regression: float64 (N, V), NaN where a number is missing. Reconstruction: float (N,), zeros, the
      error that would be right.
    - answers: of the model. Classification: float32 (N, C), the scores of the classes. Captioning: object (N,), str.
      Segmentation: int (N, C, C + 1), the known pixels by true and by answered class; the last column is without an answer.
      MultiLabel: float32 (N, C), the scores of the tags. Regression: float64 (N, V). Reconstruction: float (N, M), the M
      metrics of each image, in the order of the task's own metrics.
    - weights: float64 (N, R), how much each example counts. For the score itself all are 1. For a resample of the bootstrap
      they say how often each example was drawn, which may be 0.

    The arrays are read-only. NaN means that there is no value, for example on a slice without examples of a class. The
    evaluation stops if the score of a whole split is NaN, or if any value is infinite. The module is part of the evaluator's
    cache key alone, so a changed metric does not rerun the training.

    In my_metrics.py:

    >>> import numpy as np
    >>> def worst_recall(truth, scores, weights):
    ...     right = scores.argmax(axis=1) == truth
    ...     of_class = [truth == number for number in range(scores.shape[1])]
    ...     return np.min([right[of] @ weights[of] / weights[of].sum(axis=0) for of in of_class], axis=0)

    The answer is right for the one image of class 0, and for one of the three images of class 1, which gives 1/3. If the
    last image, whose answer is wrong, has weight 0, it gives 1/2.

    >>> scores = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.8, 0.2]])
    >>> weights = np.array([[1, 1, 1, 1], [1, 1, 1, 0]]).T
    >>> worst_recall(np.array([0, 1, 1, 1]), scores, weights).round(3).tolist()
    [0.333, 0.5]

    A function of scikit-learn takes one weighting at a time, which is slower:

    >>> def kappa(truth, scores, weights):
    ...     from sklearn.metrics import cohen_kappa_score
    ...     answered = scores.argmax(axis=1)
    ...     return [cohen_kappa_score(truth, answered, sample_weight=column) for column in weights.T]

    >>> Metric("accuracy")
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Metric.function: a path to a metric must have the form 'module:function'; received
    'accuracy'.
    """

    function: str = Field(description="'module:function'")
    name: str = Field(pattern=r"^[A-Za-z_]\w*$", description="by default the name of the function")
    best: Literal["max", "min"] = Field(default="max", description="whether a higher or a lower value is better")
    bounds: tuple[float, float] | None = Field(
        default=None,
        description="its lowest and highest possible value. With them its interval allows for an image unlike all those in "
        "the split; without them, a metric that is equal for all resamples has no interval",
    )

    def __init__(self, function: str = "", **fields: Any) -> None:
        super().__init__(**{"function": function, "name": str(function).rpartition(":")[2], **fields})

    @model_validator(mode="wrap")
    @classmethod
    def _by_path(cls, value: Any, handler: Any) -> Any:
        """A text is the path of a function."""
        return handler({"function": value} if isinstance(value, str) else value)

    @field_validator("function", mode="after")
    @classmethod
    def _is_a_path(cls, function: str) -> str:
        module, _, name = function.partition(":")
        if not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
            raise ValueError(f"a path to a metric must have the form 'module:function'; received {function!r}")
        return function

    @model_validator(mode="after")
    def _is_no_fact(self) -> "Metric":
        if self.name in FACTS:
            raise ValueError(f"{self.name!r} is a fact of the served model; set another name: name='...'")
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise ValueError(f"bounds must be (lowest, highest); received {self.bounds}")
        return self

    def code_paths(self) -> frozenset[str]:
        """The path of the function."""
        return super().code_paths() | {self.function}

    def files(self) -> Iterator[tuple[str, Path]]:
        """None of its own.

        Raises:
            ConfigError: there is no such module.
        """
        module = self.function.partition(":")[0]
        if not introspection.module_exists(module):
            raise ConfigError(
                f"the metric {self.name} requires the module {module!r}, which was not found",
                hint="put it in the folder that you run the pipeline from, or install it",
            )
        yield from super().files()
