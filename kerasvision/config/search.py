"""What the tuner may vary, and how it searches: KerasTuner's spaces and oracles over paths into the experiment."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from kerasvision.config.base import Component, Config

Scalar = bool | int | float | str


class Space(Component):
    """Base of the values that one setting may take."""

    # A space is read by the tuner itself: there is no code behind it but KerasTuner's.
    implementation: ClassVar[str] = "keras_tuner:HyperParameters"

    def examples(self) -> tuple[Scalar, ...]:
        """The ends of the range, or all choices: each must be a value that the field accepts."""
        raise TypeError(f"{type(self).__name__} does not say its values")


class _Range(Space):
    low: float
    high: float

    @model_validator(mode="after")
    def _not_empty(self) -> "_Range":
        if not self.low < self.high:
            raise ValueError(f"low must be less than high; received low={self.low}, high={self.high}")
        return self

    def examples(self) -> tuple[Scalar, ...]:
        """Both ends."""
        return (self.low, self.high)


class Float(_Range):
    """Any number in [low, high], each as likely."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__(low=low, high=high)


class LogUniform(_Range):
    """Any number in [low, high], each order of magnitude as likely."""

    low: float = Field(gt=0)

    def __init__(self, low: float, high: float) -> None:
        super().__init__(low=low, high=high)


class Int(_Range):
    """Any whole number in [low, high]."""

    low: int
    high: int

    def __init__(self, low: int, high: int) -> None:
        super().__init__(low=low, high=high)


class Choice(Space):
    """One of the values: `Choice("adam", "sgd")`."""

    values: tuple[Scalar, ...] = Field(min_length=1)

    def __init__(self, *options: Scalar, values: tuple[Scalar, ...] = ()) -> None:
        super().__init__(values=(*options, *values))

    def examples(self) -> tuple[Scalar, ...]:
        """All of them."""
        return self.values


class Search(Config):
    """A search for better settings: `space` maps a path into the experiment to the values it may take.

    Only the settings that the trainer receives can be searched: paths that begin with `model.`, `training.` or
    `augment.`. Trials are scored on the validation split.
    """

    space: dict[str, Annotated[Space, Field()]] = Field(min_length=1)
    algorithm: Literal["random", "grid", "bayesian", "hyperband"] = "random"
    trials: int = Field(default=10, ge=1, description="most trials; Hyperband decides for itself how many it needs")
    epochs: int = Field(default=3, ge=1, description="epochs of one trial; the longest ones, for Hyperband")
    objective: str = Field(default="accuracy", description="a metric of the task, on the validation split")
    seed: int = Field(default=0, ge=0, lt=2**31)
