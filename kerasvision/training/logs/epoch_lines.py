"""The lines of a training that stay: where it goes on after a stop, each epoch, and what it kept at its end."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kerasvision.training.logs.step_clock import StepClock

History = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Shown:
    """The metrics that the line of an epoch shows.

    Attributes:
        metric: the task's headline metric of a training, without `val_`; None: the loss alone.
        best_by: the metric whose best value so far is shown, without `val_`.
        best_is: whether the smallest or the largest value is the best.
    """

    metric: str | None
    best_by: str
    best_is: Literal["min", "max"]

    def judged(self, measured: Mapping[str, object]) -> str:
        """The name in the history of the metric whose best value is shown: on the validation split if there is one."""
        return f"val_{self.best_by}" if f"val_{self.best_by}" in measured else self.best_by

    def names(self, measured: Mapping[str, object]) -> list[str]:
        """The names in the history of all metrics that are shown, in order; the last is the one whose best is shown.

        >>> Shown("accuracy", "loss", "min").names({"loss": 0.1, "accuracy": 1, "val_loss": 0.2, "val_accuracy": 0.9})
        ['loss', 'accuracy', 'val_accuracy', 'val_loss']
        """
        wanted = ["loss", self.metric or "loss", f"val_{self.metric or 'loss'}"]
        judged = self.judged(measured)
        return [*dict.fromkeys(name for name in wanted if name in measured and name != judged), judged]


class EpochLines(StepClock):
    """Says a line after each epoch.

    It has the epoch; the seconds since the line before, with the validation and the checkpoint; the images per second of the
    steps alone; the loss, the metric, the metric of the validation split; and the best value so far with its epoch.

    Args:
        say: receives each line.
        shown: which metrics.
        batch_size: images per step.
        epochs: the total number.
        history: name -> one value per epoch before a resumed training.
        clock: returns the time in seconds.

    >>> lines = EpochLines(print, shown=Shown("accuracy", "accuracy", "max"), batch_size=8, epochs=10)
    >>> for epoch, accuracy in enumerate([0.5, 0.75, 0.7]):
    ...     lines.on_epoch_begin(epoch)
    ...     lines.on_epoch_end(epoch, {"loss": 0.25, "accuracy": 1.0, "val_accuracy": accuracy})
    epoch  1/10    0.0 s  loss 0.2500  accuracy 1.0000  val_accuracy 0.5000  best 0.5000 (epoch 1)
    epoch  2/10    0.0 s  loss 0.2500  accuracy 1.0000  val_accuracy 0.7500  best 0.7500 (epoch 2)
    epoch  3/10    0.0 s  loss 0.2500  accuracy 1.0000  val_accuracy 0.7000  best 0.7500 (epoch 2)
    """

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        shown: Shown,
        batch_size: int,
        epochs: int,
        history: History | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(clock)
        self._say, self._shown, self._batch_size, self._epochs = say, shown, batch_size, epochs
        self._earlier = {name: list(values) for name, values in (history or {}).items()}
        self._said_at: float | None = None
        self._steps, self._seconds = 0, 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts to measure an epoch, or the rest of an epoch in which a training is resumed."""
        super().on_epoch_begin(epoch, logs)
        self._steps, self._seconds = 0, 0.0
        if self._said_at is None:
            self._said_at = self.clock()

    def measured(self, steps: int, seconds: float | None, loss: float | None) -> None:
        """Adds a call."""
        if seconds is not None:
            self._steps, self._seconds = self._steps + steps, self._seconds + seconds

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Says the line of the epoch."""
        measured = {name: float(value) for name, value in (logs or {}).items()}
        for name, value in measured.items():
            self._earlier.setdefault(name, []).append(value)
        now = self.clock()
        since, self._said_at = now if self._said_at is None else self._said_at, now
        parts = [f"epoch {epoch + 1:>{len(str(self._epochs))}}/{self._epochs}", f"{now - since:5.1f} s"]
        if self._seconds:
            parts.append(f"{self._steps * self._batch_size / self._seconds:5,.0f} images/s")
        parts += [f"{name} {number(measured[name])}" for name in self._shown.names(measured) if name in measured]
        if best := best_of(self._earlier.get(self._shown.judged(measured), ()), self._shown.best_is):
            parts.append(f"best {number(best[0])} (epoch {best[1]})")
        self._say("  ".join(parts))


def best_of(values: Sequence[float], best_is: Literal["min", "max"]) -> tuple[float, int] | None:
    """(the best value, its epoch from 1); the first if several are equal, None if no value is a number.

    >>> best_of([0.5, math.nan, 0.75, 0.75], "max"), best_of([math.nan], "max")
    ((0.75, 3), None)
    """
    known = [(value, epoch) for epoch, value in enumerate(values, start=1) if not math.isnan(value)]
    if not known:
        return None
    return (min if best_is == "min" else max)(known, key=lambda one: one[0])


def where_it_goes_on(step: int, *, steps_per_epoch: int, epochs: int, stopped: bool = False) -> str:
    """Where a training goes on from a checkpoint, in a sentence.

    Args:
        step: how many steps were done, over all epochs.
        steps_per_epoch: batches of one epoch.
        epochs: in total.
        stopped: whether a callback, such as early stopping, has ended the training.

    >>> where_it_goes_on(1919, steps_per_epoch=300, epochs=10)
    'goes on at epoch 7, step 120 of 300'
    >>> where_it_goes_on(3000, steps_per_epoch=300, epochs=10)
    'nothing is left to train: epoch 10 of 10 was done'
    """
    done, within = divmod(step, steps_per_epoch)
    if stopped or done >= epochs:
        return f"nothing is left to train: epoch {done} of {epochs} was done" + (", and the training had stopped" * stopped)
    return f"goes on at epoch {done + 1}, step {within + 1} of {steps_per_epoch}"


def number(value: float) -> str:
    """A value with four decimals, or with four digits if it is very small or large.

    >>> number(0.98333), number(1e-6), number(123456.0), number(0.0)
    ('0.9833', '1.000e-06', '1.235e+05', '0.0000')
    """
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 or not math.isfinite(value) else f"{value:.3e}"
