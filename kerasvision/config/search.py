"""What the tuner varies and how it searches: KerasTuner's spaces and oracles for paths of the experiment."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import Field, field_validator, model_validator

from kerasvision import lookup
from kerasvision.config.base import Component, Config
from kerasvision.errors import ConfigError

Scalar = bool | int | float | str
Conditions = Mapping[str, Scalar | tuple[Scalar, ...]]


class Space(Component):
    """Base class of the sets of values that a search tries for one setting.

    Attributes:
        when: path of a `Choice` of the same search -> the choices with which this setting is varied. With other choices it
            keeps the experiment's own value, or the default of the chosen component.
    """

    # The tuner reads a space directly; the only code behind it is KerasTuner's.
    implementation: ClassVar[str] = "keras_tuner:HyperParameters"

    when: dict[str, tuple[Scalar, ...]] = Field(
        default_factory=dict,
        description="path of a Choice of this search -> the values of it with which this setting is varied",
    )

    @field_validator("when", mode="before")
    @classmethod
    def _one_or_several(cls, when: object) -> object:
        if not isinstance(when, Mapping):
            return when
        return {path: tuple(values) if isinstance(values, tuple | list) else (values,) for path, values in when.items()}

    def examples(self) -> tuple[Scalar, ...]:
        """Values that the field must accept: the ends of a range and a value between them, or all choices."""
        raise TypeError(f"{type(self).__name__} does not list its values")


class _Range(Space):
    low: float = Field(description="smallest value")
    high: float = Field(description="largest value")

    @model_validator(mode="after")
    def _not_empty(self) -> "_Range":
        if not self.low < self.high:
            raise ValueError(f"low must be less than high; received low={self.low}, high={self.high}")
        return self

    def examples(self) -> tuple[Scalar, ...]:
        """Both ends, and a fraction between them, which an integer field rejects."""
        return (self.low, self.low + (self.high - self.low) / math.pi, self.high)


class Float(_Range):
    """Any number in [low, high], uniformly."""

    def __init__(self, low: float, high: float, *, when: Conditions | None = None, **fields: Any) -> None:
        fields.update(low=low, high=high, when=when or {})
        super().__init__(**fields)


class LogUniform(_Range):
    """Any number in [low, high], uniformly in its logarithm."""

    low: float = Field(gt=0, description="smallest value")

    def __init__(self, low: float, high: float, *, when: Conditions | None = None, **fields: Any) -> None:
        fields.update(low=low, high=high, when=when or {})
        super().__init__(**fields)


class Int(_Range):
    """One of the integers low, low + step, ... up to high."""

    low: int = Field(description="smallest value")
    high: int = Field(description="largest value")
    step: int = Field(default=1, ge=1, description="distance between neighbouring values")

    def __init__(self, low: int, high: int, *, step: int = 1, when: Conditions | None = None, **fields: Any) -> None:
        fields.update(low=low, high=high, step=step, when=when or {})
        super().__init__(**fields)

    def examples(self) -> tuple[Scalar, ...]:
        """The first and the last of them."""
        return (self.low, self.high - (self.high - self.low) % self.step)


class Choice(Space):
    """One of the values: `Choice("adam", "sgd")`."""

    values: tuple[Scalar, ...] = Field(min_length=1, description="the values to choose from, all of one type")

    def __init__(
        self, *options: Scalar, values: tuple[Scalar, ...] = (), when: Conditions | None = None, **fields: Any
    ) -> None:
        fields.update(values=(*options, *values), when=when or {})
        super().__init__(**fields)

    @field_validator("values", mode="before")
    @classmethod
    def _no_lists(cls, values: object) -> object:
        for value in values if isinstance(values, tuple | list) else ():
            if isinstance(value, tuple | list):
                raise ConfigError(
                    "a choice must be true or false, a number or a text",
                    received=value,
                    hint="if the setting accepts several numbers as a text, write '14-28-48'",
                )
        return values

    @model_validator(mode="after")
    def _of_one_kind(self) -> "Choice":
        # KerasTuner's rule, checked before a search begins. True and 1 are different types here, although Python's sets
        # treat them as equal.
        kinds = sorted({type(value).__name__ for value in self.values})
        if len(kinds) > 1:
            raise ValueError(f"choices must all be of one type; received {', '.join(kinds)}")
        if len(set(self.values)) < len(self.values):
            raise ValueError(f"choices must differ; received {self.values}")
        return self

    def examples(self) -> tuple[Scalar, ...]:
        """All of them."""
        return self.values


class Measured(Protocol):
    """The part of a task that a search asks. Tasks import this module, so it cannot import them."""

    def training_headline_metric(self) -> str | None:
        """The metric that the line of an epoch shows; None for the loss alone."""


class Search(Config):
    """A search for better settings: `space` maps paths of the experiment to the values to try.

    Only the settings that the trainer receives can be searched: paths that begin with `model.`, `training.` or
    `augment.`. Trials are scored on the validation split; the test split is not used.

    >>> Search(space={
    ...     "training.optimizer": Choice("sgd", "adam"),
    ...     "training.optimizer.momentum": Float(0.5, 0.99, when={"training.optimizer": "sgd"}),
    ... }).active({"training.optimizer": "adam"})
    ('training.optimizer',)
    """

    space: dict[str, Annotated[Space, Field()]] = Field(
        min_length=1, description="path into the experiment -> the values to try there"
    )
    algorithm: Literal["random", "grid", "bayesian", "hyperband", "halving"] = Field(
        default="random",
        description="hyperband: Li et al., 2017; halving: only its most aggressive bracket, which `trials` trials begin",
    )
    trials: int = Field(default=10, ge=1, description="largest number of trials; Hyperband chooses its own number")
    epochs: int = Field(default=3, ge=1, description="epochs of a trial; for Hyperband and halving, of the longest trial")
    factor: int = Field(
        default=3,
        ge=2,
        description="Hyperband and halving: one in `factor` trials continues, for `factor` times as many epochs",
    )
    minutes: float | None = Field(default=None, gt=0, description="no trial starts after this many minutes")
    total_epochs: int | None = Field(default=None, ge=1, description="no trial starts that would exceed this total")
    trial_minutes: float | None = Field(default=None, gt=0, description="a trial that takes longer counts as failed")
    objective: str | None = Field(
        default=None,
        description="a metric of the task, on the validation split; by default the one that the line of an epoch shows, or "
        "the loss if it shows no other",
    )
    stop_hopeless: bool = Field(
        default=False,
        description="end a trial whose best score is below the median of the earlier trials' mean scores up to that epoch "
        "(Golovin et al., 2017, Google Vizier, section 3.2.2)",
    )
    parallel_trials: int = Field(default=1, ge=1, description="trials that run at the same time, each in its own process")
    retries: int = Field(default=1, ge=0, description="how often to repeat a trial whose process died")
    seeds: int = Field(
        default=0, ge=0, description="train the best settings in full with this many seeds; report mean and deviation"
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="of the random numbers that choose the settings to try")

    @model_validator(mode="after")
    def _conditions_can_be_met(self) -> "Search":
        for path, space in self.space.items():
            for parent, wanted in space.when.items():
                self._check_condition(path, parent, wanted)
            if path in self._ancestors(path):
                raise ConfigError(f"the conditions of {path!r} depend on {path!r} itself")
        return self

    @model_validator(mode="after")
    def _rounds_need_epochs(self) -> "Search":
        if self.algorithm in ("hyperband", "halving") and self.epochs < self.factor:
            raise ValueError(
                f"{self.algorithm} requires epochs of at least factor, or it could not compare trials early; "
                f"received epochs={self.epochs}, factor={self.factor}"
            )
        return self

    def metric(self, task: Measured) -> str:
        """The metric by which trials are compared.

        >>> from kerasvision.config import Classification
        >>> plan = Search(space={"training.l2": Float(0.0, 0.1)})
        >>> plan.metric(Classification()), plan.model_copy(update={"objective": "log_loss"}).metric(Classification())
        ('accuracy', 'log_loss')
        """
        return self.objective or task.training_headline_metric() or "loss"

    def _check_condition(self, path: str, parent: str, wanted: tuple[Scalar, ...]) -> None:
        if parent not in self.space:
            hint = lookup.did_you_mean(parent, set(self.space) - {path})
            raise ConfigError(f"{path!r} depends on {parent!r}, which is not searched; {hint}")
        choices = self.space[parent]
        if not isinstance(choices, Choice):
            raise ConfigError(f"{path!r} depends on {parent!r}, which must be a Choice", received=choices)
        for value in wanted:
            if value not in choices.values:
                shown = ", ".join(map(repr, choices.values))
                raise ConfigError(f"{path!r} depends on a value that {parent!r} never has: {value!r}; it has {shown}")

    def _ancestors(self, path: str) -> set[str]:
        """The paths on which a path depends, directly or indirectly; it is one of them only if there is a cycle."""
        found: set[str] = set()
        waiting = list(self.space[path].when)
        while waiting:
            parent = waiting.pop()
            if parent not in found and parent in self.space:
                found.add(parent)
                waiting += self.space[parent].when
        return found

    def in_order(self) -> Iterator[tuple[str, Space]]:
        """(path, space), every path after those that it depends on."""
        yield from sorted(self.space.items(), key=lambda item: len(self._ancestors(item[0])))

    def active(self, values: Mapping[str, Scalar]) -> tuple[str, ...]:
        """The paths that are varied if the choices have these values."""
        found: list[str] = []
        for path, space in self.in_order():
            if all(parent in found and values.get(parent) in wanted for parent, wanted in space.when.items()):
                found.append(path)
        return tuple(found)

    def trials_to_check(self) -> Iterator[tuple[str, dict[str, Scalar]]]:
        """(path, values by path) for every end of a range and every choice, with the choices that activate the path."""
        for path, space in self.space.items():
            for value in space.examples():
                yield path, {**self._met(path), path: value}

    def _met(self, path: str) -> dict[str, Scalar]:
        """Choices that activate a path."""
        met: dict[str, Scalar] = {}
        for parent, wanted in self.space[path].when.items():
            met |= {**self._met(parent), parent: wanted[0]}
        return met
