"""What a model is measured by besides the metrics of its task: metrics of one's own, and facts of the served model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from kerasvision import lookup
from kerasvision.config.base import Dependent
from kerasvision.errors import ConfigError

# What infra_validator measures of a served model, in the unit of its name; a rule may name them like metrics.
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
    """A metric of your own, by the path of its function: `Metric("my_metrics:balanced_accuracy", bounds=(0, 1))`.

    It is measured like every other: over each split, with an interval, on every slice, and for the rules of a gate. The
    function receives three arguments and returns float (R,), the metric under R weightings of the same N examples at once:

    - truth: what is right. Classification: int (N,), class numbers in the order of labels.txt. Captioning: object (N,), of
      each image a tuple of str.
    - answers: what the model said. Classification: float32 (N, C), the scores of the classes. Captioning: object (N,), str.
    - weights: float64 (N, R), how much each example counts. All are 1 for the score itself; for a resample of the bootstrap
      they are how often each example was drawn, which may be 0.

    The arrays are read-only. NaN says that there is no value: on a slice without examples of a class, say. A score of a
    whole split that is NaN stops the evaluation, and so does an infinite value. The module counts in the cache key of the
    evaluator alone, so a changed metric trains nothing anew.

    In my_metrics.py:

    >>> import numpy as np
    >>> def balanced_accuracy(truth, scores, weights):
    ...     right = scores.argmax(axis=1) == truth
    ...     of_class = [truth == number for number in range(scores.shape[1])]
    ...     return np.mean([right[of] @ weights[of] / weights[of].sum(axis=0) for of in of_class], axis=0)

    One image of class 0, answered rightly, and three of class 1, of which one is: (1 + 1/3) / 2. Where the last one, which
    is wrong, counts nothing: (1 + 1/2) / 2.

    >>> scores = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.8, 0.2]])
    >>> weights = np.array([[1, 1, 1, 1], [1, 1, 1, 0]]).T
    >>> balanced_accuracy(np.array([0, 1, 1, 1]), scores, weights).round(3).tolist()
    [0.667, 0.75]

    A function of scikit-learn answers for one weighting at a time, and takes longer:

    >>> def kappa(truth, scores, weights):
    ...     from sklearn.metrics import cohen_kappa_score
    ...     answered = scores.argmax(axis=1)
    ...     return [cohen_kappa_score(truth, answered, sample_weight=column) for column in weights.T]

    >>> Metric("accuracy")
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Metric.function: a path to a metric has the form 'module:function'; received 'accuracy'.
    """

    function: str = Field(description="'module:function'")
    name: str = Field(pattern=r"^[A-Za-z_]\w*$", description="that of the function by default")
    best: Literal["max", "min"] = Field(default="max", description="whether more or less of it is better")
    bounds: tuple[float, float] | None = Field(
        default=None,
        description="the least and the most that it can be. Its interval then allows for an image unlike those that were "
        "seen; without them a metric that all resamples agree on has no interval",
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
            raise ValueError(f"a path to a metric has the form 'module:function'; received {function!r}")
        return function

    @model_validator(mode="after")
    def _is_no_fact(self) -> "Metric":
        if self.name in FACTS:
            raise ValueError(f"{self.name!r} is a fact of the served model; name the metric otherwise: name='...'")
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise ValueError(f"bounds are the least and the most; received {self.bounds}")
        return self

    def code_paths(self) -> frozenset[str]:
        """The function's."""
        return super().code_paths() | {self.function}

    def files(self) -> Iterator[tuple[str, Path]]:
        """None of its own.

        Raises:
            ConfigError: there is no such module.
        """
        module = self.function.partition(":")[0]
        if not lookup.module_exists(module):
            raise ConfigError(
                f"the metric {self.name} needs the module {module!r}, which is not there",
                hint="it must lie in the folder that the pipeline is run from, or be installed",
            )
        yield from super().files()
