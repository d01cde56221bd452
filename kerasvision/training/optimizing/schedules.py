"""The learning rate of every step, as a function of the step alone, so that a resumed training has the same rates.

In the warm-up the rate rises linearly from 0 to the schedule's first value; the schedule covers the steps after it.
"""

import math
from typing import Any

import numpy.typing as npt
import tensorflow as tf
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from kerasvision.config import schedules as settings


class Schedule(LearningRateSchedule):
    """Base of all schedules: peak * `factor`, and the warm-up.

    Args:
        peak: the largest rate.
        steps: of the whole training, including the warm-up. After them the rate is constant.
        steps_per_epoch: number of steps in an epoch.
        warmup_steps: number of steps in which the rate rises from 0.
        options: the fields of the settings.

    >>> rate = Constant(0.5, steps=10, steps_per_epoch=5, warmup_steps=2)
    >>> rate([0, 1, 2, 9]).numpy().tolist()
    [0.0, 0.25, 0.5, 0.5]
    """

    def __init__(self, peak: float, *, steps: int, steps_per_epoch: int, warmup_steps: int = 0, **options: Any) -> None:
        self.peak, self.steps, self.steps_per_epoch, self.warmup_steps = peak, steps, steps_per_epoch, warmup_steps
        self.options = options

    def __call__(self, step: npt.ArrayLike | tf.Tensor) -> tf.Tensor:
        """The learning rate of a step, or of several.

        Args:
            step: its number from 0; integers of any shape.

        Returns:
            float32 of that shape.
        """
        # float32 represents every whole number up to 16.7 million exactly.
        step = ops.minimum(ops.cast(step, "float32"), float(self.steps))
        rate = self.peak * self.factor(ops.maximum(step - self.warmup_steps, 0.0))
        if not self.warmup_steps:
            return rate
        first = self.peak * self.factor(ops.zeros((), "float32"))
        return ops.where(step < self.warmup_steps, first * step / self.warmup_steps, rate)

    def factor(self, step: tf.Tensor) -> tf.Tensor:
        """The rate as a share of the peak.

        Args:
            step: float32 of any shape, steps since the end of the warm-up.

        Returns:
            float32 of that shape, in [0, 1].
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        lengths = {"steps": self.steps, "steps_per_epoch": self.steps_per_epoch, "warmup_steps": self.warmup_steps}
        return {"peak": self.peak, **lengths, **self.options}

    def _share(self, step: tf.Tensor) -> tf.Tensor:
        """In [0, 1], the share of the steps after the warm-up that are done."""
        return step / max(1, self.steps - self.warmup_steps)

    def _epochs(self, step: tf.Tensor) -> tf.Tensor:
        return step / self.steps_per_epoch


class Constant(Schedule):
    """See `kerasvision.config.Constant`."""

    def factor(self, step: tf.Tensor) -> tf.Tensor:
        """1 at every step; float32 of any shape."""
        return ops.ones_like(step)


class Step(Schedule):
    """See `kerasvision.config.Step`."""

    def factor(self, step: tf.Tensor) -> tf.Tensor:
        """factor ^ (number of falls so far); float32 of any shape."""
        epochs = settings.Step(**self.options).epochs_of_steps(math.ceil(self.steps / self.steps_per_epoch))
        falls = ops.convert_to_tensor([round(epoch * self.steps_per_epoch) for epoch in epochs], "float32")
        now = ops.expand_dims(step + self.warmup_steps, -1)
        fallen = ops.sum(ops.cast(now >= falls, "float32"), axis=-1)
        return ops.power(self.options["factor"], fallen)


class Exponential(Schedule):
    """See `kerasvision.config.Exponential`."""

    def factor(self, step: tf.Tensor) -> tf.Tensor:
        """exp(-decay t), t in epochs; float32 of any shape."""
        return ops.exp(-self.options["decay"] * self._epochs(step))


class InverseTime(Schedule):
    """See `kerasvision.config.InverseTime`."""

    def factor(self, step: tf.Tensor) -> tf.Tensor:
        """(1 + decay t) ^ -power, t in epochs; float32 of any shape."""
        return ops.power(1.0 + self.options["decay"] * self._epochs(step), -self.options["power"])


class Polynomial(Schedule):
    """See `kerasvision.config.Polynomial`."""

    def factor(self, step: tf.Tensor) -> tf.Tensor:
        """end + (1 - end) (1 - t / T) ^ power; float32 of any shape."""
        end = self.options["end"]
        return end + (1.0 - end) * ops.power(1.0 - self._share(step), self.options["power"])


class Cosine(Schedule):
    """See `kerasvision.config.Cosine`."""

    def factor(self, step: tf.Tensor) -> tf.Tensor:
        """end + (1 - end) (1 + cos(pi t / T)) / 2, with t and T of the current period; float32 of any shape."""
        end, periods = self.options["end"], self.options["periods"]
        time = self._share(step * periods)
        # The last step ends the last period and does not begin another one.
        within = time - ops.minimum(ops.floor(time), periods - 1.0)
        return end + (1.0 - end) * 0.5 * (1.0 + ops.cos(math.pi * within))


class OneCycle(Schedule):
    """See `kerasvision.config.OneCycle`."""

    def factor(self, step: tf.Tensor) -> tf.Tensor:
        """Piecewise linear: it rises, falls back, then falls to the end; float32 of any shape."""
        rise, start, end = (self.options[name] for name in ("rise", "start", "end"))
        time = self._share(step)
        cycle = 1.0 - (1.0 - start) * ops.abs(time - rise) / rise
        tail = start + (end - start) * (time - 2 * rise) / (1.0 - 2 * rise)
        return ops.where(time < 2 * rise, cycle, tail)
