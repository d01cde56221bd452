"""How the learning rate changes after the warm-up: the schedules of cs231n, d2l and the papers named.

Each gives a factor that multiplies the optimizer's `learning_rate`, the peak. Time is in epochs, with fractions, from the
end of the warm-up. Only `Step` counts from the beginning of the training, as the papers do that give epochs of steps.
"""

from typing import ClassVar

from pydantic import Field, model_validator

from kerasvision.config.base import Component
from kerasvision.errors import ConfigError


class Schedule(Component):
    """Base class of all schedules. `implementation` is a `kerasvision.training.optimizing.schedules.Schedule`."""

    def check_length(self, *, epochs: int, warmup_epochs: float) -> None:
        """Raises ConfigError if a part of the schedule would be outside the training."""


class Constant(Schedule):
    """Stays at the peak until the end."""

    implementation: ClassVar[str] = "kerasvision.training.optimizing.schedules:Constant"


class Step(Schedule):
    """Multiplies the rate by `factor` every few epochs, or after each of the given epochs.

    cs231n (https://cs231n.github.io/neural-networks-3/#anneal): "reducing the learning rate by a half every 5 epochs, or by
    0.1 every 20 epochs". He et al., 2015, section 4.2, on CIFAR-10 (after 32,000 and 48,000 steps of 128 images):
    `Step(at_epochs=(82, 123), factor=0.1)`.

    >>> Step(every_epochs=30, at_epochs=(5,))
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Step: every_epochs and at_epochs exclude each other; received 30.0 and (5.0,).
    """

    implementation: ClassVar[str] = "kerasvision.training.optimizing.schedules:Step"

    factor: float = Field(default=0.5, gt=0, lt=1, description="what the learning rate is multiplied by at each step")
    every_epochs: float | None = Field(default=None, gt=0, description="5 by default, if at_epochs is empty")
    at_epochs: tuple[float, ...] = Field(default=(), description="in rising order, from the beginning of the training")

    @model_validator(mode="after")
    def _one_of_both(self) -> "Step":
        if self.every_epochs is not None and self.at_epochs:
            received = f"{self.every_epochs} and {self.at_epochs}"
            raise ValueError(f"every_epochs and at_epochs exclude each other; received {received}")
        if any(later <= earlier for earlier, later in zip((0.0, *self.at_epochs), self.at_epochs, strict=False)):
            raise ValueError(f"at_epochs must be above 0 and rise; received {self.at_epochs}")
        return self

    def epochs_of_steps(self, epochs: int) -> tuple[float, ...]:
        """The epochs at which the rate falls in a training of `epochs` epochs.

        >>> Step(every_epochs=30).epochs_of_steps(90), Step().epochs_of_steps(11)
        ((30.0, 60.0), (5.0, 10.0))
        """
        if self.at_epochs:
            return self.at_epochs
        every = self.every_epochs or 5.0
        return tuple(every * number for number in range(1, int(epochs / every) + 1) if every * number < epochs)

    def check_length(self, *, epochs: int, warmup_epochs: float) -> None:
        """Raises ConfigError if the rate falls within the warm-up or after the end, or never falls."""
        steps = self.epochs_of_steps(epochs) or (self.every_epochs or 5.0,)
        if steps[-1] >= epochs or steps[0] <= warmup_epochs:
            raise ConfigError(
                "the steps of schedule='step' must be after warmup_epochs and before the end of the training; they are at "
                f"{', '.join(f'{step:g}' for step in steps)}, with warmup_epochs={warmup_epochs:g}, epochs={epochs}",
                hint="set schedule.every_epochs or schedule.at_epochs, or train longer",
            )


class Exponential(Schedule):
    """exp(-decay t), with t in epochs (cs231n, https://cs231n.github.io/neural-networks-3/#anneal)."""

    implementation: ClassVar[str] = "kerasvision.training.optimizing.schedules:Exponential"

    decay: float = Field(default=0.1, gt=0, description="per epoch: one epoch multiplies the rate by exp(-decay)")


class InverseTime(Schedule):
    """(1 + decay t) ^ -power, with t in epochs: cs231n's 1/t decay; with power=0.5, d2l's polynomial decay (12.11)."""

    implementation: ClassVar[str] = "kerasvision.training.optimizing.schedules:InverseTime"

    decay: float = Field(default=1.0, gt=0, description="per epoch: with power=1, the rate is halved after 1 / decay epochs")
    power: float = Field(default=1.0, gt=0, description="exponent of the divisor 1 + decay t")


class Polynomial(Schedule):
    """(1 - t / T) ^ power over the T epochs after the warm-up, down to the share `end`; linear with power=1.

    Source: "poly" of Chen et al., 2016, https://arxiv.org/abs/1606.00915 (power 0.9).
    """

    implementation: ClassVar[str] = "kerasvision.training.optimizing.schedules:Polynomial"

    power: float = Field(default=1.0, gt=0, description="exponent; 1: a straight line")
    end: float = Field(default=0.0, ge=0, lt=1, description="share of the peak at the end")


class Cosine(Schedule):
    """Half a cosine from the peak to the share `end`. Each of several `periods` of equal length starts at the peak again.

    Source: SGDR, Loshchilov & Hutter, 2016, https://arxiv.org/abs/1608.03983, equation 5.
    """

    implementation: ClassVar[str] = "kerasvision.training.optimizing.schedules:Cosine"

    end: float = Field(default=0.0, ge=0, lt=1, description="share of the peak at the end")
    periods: int = Field(default=1, ge=1, description="number of curves, of equal length, each from the peak down")


class OneCycle(Schedule):
    """Linear from the share `start` up to the peak, in the same time down to `start` again, then down to the share `end`.

    Source: Smith, 2018, https://arxiv.org/abs/1803.09820, and Smith & Topin, 2017,
    https://arxiv.org/abs/1708.07120. They also lower the momentum while the rate rises; here it stays constant.
    """

    implementation: ClassVar[str] = "kerasvision.training.optimizing.schedules:OneCycle"

    rise: float = Field(default=0.45, gt=0, lt=0.5, description="share of the time for the rise, and for the fall after it")
    start: float = Field(default=0.1, gt=0, lt=1, description="share of the peak at the beginning")
    end: float = Field(default=1e-3, ge=0, lt=1, description="share of the peak at the end")
