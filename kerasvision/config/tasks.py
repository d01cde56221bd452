"""What is to be learned: the task of an experiment."""

import re
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from kerasvision import lookup
from kerasvision.config.base import Component
from kerasvision.errors import ConfigError


class Task(Component):
    """Base of all tasks. `implementation` is a class that follows `kerasvision.tasks.base.Task`."""

    def check_metric(self, name: str) -> None:
        """Raises ConfigError where this task does not measure `name`."""

    def best_is(self, metric: str) -> Literal["max", "min"]:
        """Whether more or less of a metric is better."""
        return "max"


class Classification(Task):
    """One label per image: softmax over the classes, trained with cross-entropy.

    Metrics: `accuracy`, `top_<k>_accuracy`, `log_loss`, `majority_accuracy` (what always answering the most frequent
    class would score), and per class `precision[daisy]`, `recall[daisy]`, `f1[daisy]`.
    """

    implementation: ClassVar[str] = "kerasvision.tasks.classification.task:ClassificationTask"

    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    top_k: int = Field(default=5, ge=2, le=100)

    def metric_names(self) -> Sequence[str]:
        """The metrics of a whole data set."""
        return ("accuracy", f"top_{self.top_k}_accuracy", "log_loss", "majority_accuracy")

    def check_metric(self, name: str) -> None:
        """Raises ConfigError where this task does not measure `name`."""
        if name not in self.metric_names() and not re.fullmatch(r"(precision|recall|f1)\[.+\]", name):
            raise ConfigError(f"classification has no metric {name!r}; {lookup.did_you_mean(name, self.metric_names())}")

    def best_is(self, metric: str) -> Literal["max", "min"]:
        """`log_loss` is better when smaller, everything else when larger."""
        return "min" if metric == "log_loss" else "max"
