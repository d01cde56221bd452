"""What is to be learned: the task of an experiment."""

import re
from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol, Self

from pydantic import Field, model_validator

from kerasvision import lookup
from kerasvision.config.augmentation import Augmentation
from kerasvision.config.base import Component
from kerasvision.config.evaluation import Evaluation
from kerasvision.config.export import Export
from kerasvision.config.metrics import Metric
from kerasvision.config.model import Model
from kerasvision.config.sources import AnnotationKind
from kerasvision.errors import ConfigError

# The metrics of a single class, which bear its name in brackets.
OF_A_CLASS = ("precision", "recall", "f1", "roc_auc", "average_precision")


class Surroundings(Protocol):
    """What a task may look at of the experiment that holds it: an `Experiment`, seen from below.

    An experiment knows its task, so a task cannot import `Experiment`.
    """

    @property
    def augment(self) -> Sequence[Augmentation]:
        """What happens to the training images."""

    @property
    def model(self) -> Model:
        """The network that is trained."""

    @property
    def evaluation(self) -> Evaluation:
        """What is measured."""

    @property
    def export(self) -> Export:
        """What is made of the trained network."""


class Names(Component):
    """Base of what says how the names of what is told apart are found, where they are not the classes of the labels.

    `implementation` is a function (settings, `kerasvision.data.examples.ExampleSet`) -> names in the order of their numbers.
    It is called by the transform stage, and what it gives must depend on the train split alone.
    """


class Task(Component):
    """Base of all tasks. `implementation` is a class that follows `kerasvision.tasks.base.Task`."""

    # Whether `Task.simple_models` gives scikit-learn models whose answers are right or wrong, for the stage simple_models.
    has_simple_models: ClassVar[bool] = False

    # What it requires of the images besides their pixels.
    requires: ClassVar[tuple[AnnotationKind, ...]] = ()

    def names_to_fit(self) -> Names | None:
        """How the names of what is told apart are found; None where they are the classes of the labels."""
        return None

    def check_metric(self, name: str) -> None:
        """Raises ConfigError where this task does not measure `name`."""

    def check_experiment(self, experiment: Surroundings) -> None:
        """Raises ConfigError where another part of an experiment does not go with this task."""

    def training_metric_names(self) -> Sequence[str]:
        """What is measured after every epoch, with the loss; nothing where that is not known before the training."""
        return ()

    def best_is(self, metric: str) -> Literal["max", "min"]:
        """Whether more or less of a metric is better."""
        return "min" if metric == "loss" else "max"

    def without_added_metrics(self) -> Self:
        """What all stages but the evaluator receive, so that a changed metric trains nothing anew."""
        return self


class MeasuredTask(Task):
    """Base of the tasks with metrics, which `metrics` may add to.

    A task of your own subclasses it, gives `metrics` a default, and names in `implementation` a subclass of
    `kerasvision.tasks.measured.MeasuredTask`.
    """

    # Of the metrics of the task and those of its training, which are better when smaller.
    best_when_smaller: ClassVar[frozenset[str]] = frozenset({"loss"})

    metrics: tuple[Metric, ...] = Field(default=(), description="metrics of your own, besides those of the task")

    def built_in_metrics(self) -> Sequence[str]:
        """The metrics of a whole data set that every such task has."""
        return ()

    def metric_names(self) -> Sequence[str]:
        """The metrics of a whole data set."""
        return (*self.built_in_metrics(), *(metric.name for metric in self.metrics))

    def check_metric(self, name: str) -> None:
        """Raises ConfigError where this task does not measure `name`."""
        if name not in self.metric_names():
            raise ConfigError(f"{self.kind} has no metric {name!r}; {lookup.did_you_mean(name, self.metric_names())}")

    def best_is(self, metric: str) -> Literal["max", "min"]:
        """Whether more or less of a metric is better."""
        chosen = {one.name: one.best for one in self.metrics}
        return chosen.get(metric, "min" if metric in self.best_when_smaller else "max")

    def without_added_metrics(self) -> Self:
        """The same task, without `metrics`."""
        return self.model_copy(update={"metrics": ()})

    @model_validator(mode="after")
    def _metrics_have_names_of_their_own(self) -> Self:
        taken = {*self.built_in_metrics(), *self.training_metric_names()}
        for metric in self.metrics:
            if metric.name in taken:
                raise ValueError(f"metrics need different names; received {metric.name!r} twice, see Metric(name=...)")
            taken.add(metric.name)
        return self


class Classification(MeasuredTask):
    """One label per image. Every loss takes the network's N x C outputs s and the label y of an image:

    - `cross_entropy`: -log softmax(s)_y
    - `hinge`: the sum over all j but y of max(0, s_j - s_y + 1), the multi-class SVM of cs231n
      (https://cs231n.github.io/linear-classify/#svm; Weston & Watkins, 1999); `squared_hinge`: of its squares
    - `binary_cross_entropy`: each class against all others, -log sigmoid(s_y) and the sum over all j but y of
      -log sigmoid(-s_j)

    Where images were mixed, so are the losses, by the shares of the labels. An answer's scores sum to 1 with all of them,
    but only those of `cross_entropy` are probabilities; the network of a hinge has learned margins, and the softmax of them
    is no more than an order.

    Metrics: `accuracy`, `top_<k>_accuracy`, `log_loss`, `expected_calibration_error` (in 15 bins), `majority_accuracy` (what
    always answering the most frequent class would score), and per class, against all others, `precision[daisy]`,
    `recall[daisy]`, `f1[daisy]`, `roc_auc[daisy]`, `average_precision[daisy]`; `roc_auc` and `average_precision` are the
    means of those. By scikit-learn's definitions, where it has one. `metrics` adds metrics of your own, see `Metric`.

    >>> Classification(loss="hinge", label_smoothing=0.1)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Classification: label_smoothing is for the cross-entropies, as a hinge asks for a margin
    of 1 anyway; received label_smoothing=0.1, loss='hinge'.
    """

    implementation: ClassVar[str] = "kerasvision.tasks.classification.task:ClassificationTask"
    has_simple_models: ClassVar[bool] = True
    requires: ClassVar[tuple[AnnotationKind, ...]] = ("labels",)
    best_when_smaller: ClassVar[frozenset[str]] = frozenset({"loss", "log_loss", "expected_calibration_error"})

    loss: Literal["cross_entropy", "hinge", "squared_hinge", "binary_cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="share of each label that goes to all classes alike"
    )
    top_k: int = Field(default=5, ge=2, le=100)

    @model_validator(mode="after")
    def _smooths_what_can_be(self) -> "Classification":
        if self.label_smoothing and "hinge" in self.loss:
            raise ValueError(
                "label_smoothing is for the cross-entropies, as a hinge asks for a margin of 1 anyway; "
                f"received label_smoothing={self.label_smoothing}, loss={self.loss!r}"
            )
        return self

    def built_in_metrics(self) -> Sequence[str]:
        """The metrics of a whole data set, without those of `metrics`."""
        return (
            "accuracy",
            f"top_{self.top_k}_accuracy",
            "log_loss",
            "expected_calibration_error",
            "majority_accuracy",
            "roc_auc",
            "average_precision",
        )

    def training_metric_names(self) -> Sequence[str]:
        """What is measured after every epoch; top-k accuracy only where there are more than k classes."""
        return ("loss", "accuracy", f"top_{self.top_k}_accuracy", "log_loss")

    def check_metric(self, name: str) -> None:
        """Raises ConfigError where this task does not measure `name`."""
        if name not in self.metric_names() and not re.fullmatch(rf"({'|'.join(OF_A_CLASS)})\[.+\]", name):
            known = (*self.metric_names(), *(f"{metric}[class]" for metric in OF_A_CLASS))
            raise ConfigError(f"classification has no metric {name!r}; {lookup.did_you_mean(name, known)}")
