"""The task of an experiment: what the network learns."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Protocol, Self

from pydantic import Field, model_validator

from kerasvision import introspection, lookup
from kerasvision.config.answer_files import AnswerPart
from kerasvision.config.augmentation import Augmentation
from kerasvision.config.base import Component
from kerasvision.config.evaluation import Evaluation
from kerasvision.config.example_parts import EVERYTHING, ExamplePart
from kerasvision.config.export import Export
from kerasvision.config.metrics import Metric
from kerasvision.config.model import Model
from kerasvision.config.search import Search
from kerasvision.config.sources import AnnotationKind, Source
from kerasvision.errors import ConfigError


class Resizing(Protocol):
    """The part of a `Transform` that a task may check."""

    @property
    def fit(self) -> str:
        """How an image of another aspect ratio is resized."""

    @property
    def scale_name(self) -> str:
        """How the pixels are scaled."""

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of what the network receives."""


class Updating(Protocol):
    """The part of an `Optimizer` that a task may check."""

    # Whether it can update single rows of a weight.
    updates_rows: ClassVar[bool]


class Phase(Protocol):
    """The parts of a phase of a `Training` that a task may check."""

    @property
    def freeze(self) -> str | None:
        """The level up to which the network is frozen."""

    @property
    def features(self) -> str:
        """How often a frozen part runs."""

    @property
    def optimizer(self) -> Updating:
        """How a step changes the weights."""


class Learning(Protocol):
    """The parts of a `Training` that a task may check."""

    @property
    def sampling(self) -> str:
        """Which images an epoch uses."""

    @property
    def micro_batches(self) -> int:
        """Parts of a batch that run one after the other."""

    @property
    def features(self) -> str:
        """How often the frozen part of the network runs."""

    @property
    def chosen_by(self) -> Mapping[str, str]:
        """The settings that use a metric of the validation split -> the metric."""

    @property
    def phases(self) -> Sequence["Phase"]:
        """The trainings that follow each other on the same weights."""


class Bound(Protocol):
    """The part of a rule of a `Gate` that a task may check."""

    # A metric of the task, or a fact.
    metric: str


class Judging(Protocol):
    """The part of a `Gate` that a task may check."""

    @property
    def rules(self) -> Sequence[Bound]:
        """What the model must reach."""


class Surroundings(Protocol):
    """The parts of an `Experiment` that its task may check.

    `Experiment` imports the tasks, so a task cannot import `Experiment`.
    """

    @property
    def transform(self) -> Resizing:
        """What every image goes through."""

    @property
    def source(self) -> Source:
        """Where the images come from."""

    @property
    def augment(self) -> Sequence[Augmentation]:
        """The augmentation of the training images."""

    @property
    def model(self) -> Model:
        """The network that is trained."""

    @property
    def training(self) -> Learning:
        """How the network is trained."""

    @property
    def evaluation(self) -> Evaluation:
        """What is measured."""

    @property
    def export(self) -> Export:
        """How the trained network is exported."""

    @property
    def search(self) -> Search | None:
        """Which settings are searched."""

    @property
    def gate(self) -> Judging:
        """What the model must reach before it may be served."""


class Names(Component):
    """Base class of settings for the names of a network's outputs, if these are not the classes of the labels.

    `implementation` is a function (settings, `kerasvision.data.examples.ExampleSet`) -> names in the order of their numbers.
    The transform stage calls it. Its result must depend on the train split alone.
    """


class Task(Component):
    """Base class of all tasks. `implementation` is a class with the interface of `kerasvision.tasks.base.Task`."""

    # Whether `Task.simple_models` or `Task.baselines` gives models for the stage simple_models.
    has_simple_models: ClassVar[bool] = False

    # What it requires of the images in addition to their pixels.
    requires: ClassVar[tuple[AnnotationKind, ...]] = ()

    # What a training reads of the examples in addition to their pixels. Other parts are dropped before they are decoded.
    reads: ClassVar[frozenset[ExamplePart]] = EVERYTHING

    # What `Task.presentation` can show of its answers; None if that is not known before they are made.
    answer_parts: ClassVar[frozenset[AnswerPart] | None] = None

    def names_to_fit(self) -> Names | None:
        """How to find the names of the network's outputs; None if they are the classes of the labels."""
        return None

    def check_metric(self, name: str) -> None:
        """Raises ConfigError if this task does not measure `name`."""

    def check_experiment(self, experiment: Surroundings) -> None:
        """Raises ConfigError if another part of an experiment is not compatible with this task."""

    def training_metric_names(self) -> Sequence[str]:
        """What is measured after every epoch, including the loss; empty if that is not known before the training."""
        return ()

    def headline_metric(self) -> str | None:
        """The metric of a whole data set that a list of models shows; None if the task names none."""
        return None

    def training_headline_metric(self) -> str | None:
        """The metric, in addition to the loss, that the line of an epoch shows; None for the loss alone."""
        return next((name for name in self.training_metric_names() if name != "loss"), None)

    def best_is(self, metric: str) -> Literal["max", "min"]:
        """Whether a higher or a lower value of a metric is better."""
        return "min" if metric == "loss" else "max"

    def chance(self, classes: int) -> tuple[str, float] | None:
        """(a metric of the training, its value for a network that gives every class the same score); None if unknown."""
        return None

    def even_metrics(self) -> Sequence[str]:
        """The metrics of a whole data set in which every class has the same weight, however many images show it."""
        return ()

    def without_added_metrics(self) -> Self:
        """The task that all stages except the evaluator receive, so that a changed metric does not rerun the training."""
        return self


class MeasuredTask(Task):
    """Base class of the tasks with metrics, which `metrics` may add to.

    A task of your own subclasses it, gives `metrics` a default, and names in `implementation` a subclass of
    `kerasvision.tasks.measured.MeasuredTask`.
    """

    # The metrics of the task and of its training for which a lower value is better.
    best_when_smaller: ClassVar[frozenset[str]] = frozenset({"loss"})

    metrics: tuple[Metric, ...] = Field(default=(), description="metrics of your own, in addition to those of the task")

    def built_in_metrics(self) -> Sequence[str]:
        """The metrics of a whole data set that the task itself defines."""
        return ()

    def metric_names(self) -> Sequence[str]:
        """The metrics of a whole data set."""
        return (*self.built_in_metrics(), *(metric.name for metric in self.metrics))

    def headline_metric(self) -> str | None:
        """The first of its metrics."""
        return next(iter(self.metric_names()), None)

    def check_metric(self, name: str) -> None:
        """Raises ConfigError where this task does not measure `name`."""
        if name not in self.metric_names():
            raise ConfigError(f"{self.kind} has no metric {name!r}; {lookup.did_you_mean(name, self.metric_names())}")

    def best_is(self, metric: str) -> Literal["max", "min"]:
        """Whether a higher or a lower value of a metric is better."""
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
                raise ValueError(f"metrics must have different names; received {metric.name!r} twice; see Metric(name=...)")
            taken.add(metric.name)
        return self


def check_one_row_of_outputs(model: Model, *, task: str) -> None:
    """Raises ConfigError if a network of our table does not return one row of numbers. Others are checked when built.

    Args:
        model: the network.
        task: its name, for the message.
    """
    name = model.name
    # Of our own networks, only those that write sentences or find boxes are built on another.
    if ":" not in name and "backbone" in (introspection.keywords(lookup.MODELS.path(name)) or ()):
        what = "class" if task == "classification" else "value"
        raise ConfigError(
            f"{task} requires a network that returns a number for each {what}, which {name} does not",
            hint="set model.name to the name of its backbone",
        )
