"""Measures how many images the calls of a training step process, and how long the calls take."""

import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import keras


class StepClock(keras.callbacks.Callback):
    """Calls `measured` after every call of the step, which may run several steps.

    The seconds exclude the validation. They are None for the first call in a process, in which TensorFlow builds its graph.

    Args:
        clock: returns the time in seconds.
    """

    remembers = ()

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.clock = clock
        self._first = 0
        self._since: float | None = None
        self._is_first_call = True

    @abstractmethod
    def measured(self, steps: int, seconds: float | None, loss: float | None) -> None:
        """Receives the steps of a call, its seconds, and the mean loss of the epoch so far."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Forgets the time of the last call: a validation came after it."""
        self._since = None

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes the first step of a call, and the time."""
        self._first = batch
        if self._since is None:
            self._since = self.clock()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Measures a call."""
        now = self.clock()
        seconds = None if self._since is None or self._is_first_call else now - self._since
        self._since, self._is_first_call = now, False
        self.measured(batch - self._first + 1, seconds, (logs or {}).get("loss"))
