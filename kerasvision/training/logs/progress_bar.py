"""The progress of a training on the screen: the epoch, the loss, images per second, the time left."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from kerasvision.training.logs.step_clock import StepClock

# The pace is measured over this many of the last seconds, so that a slowdown is soon visible.
WINDOW_SECONDS = 10.0


class Pace:
    """Images per second over the last seconds.

    >>> pace = Pace()
    >>> for images, seconds in [(100, 1.0), (100, 4.0), (100, 6.0)]:
    ...     pace.add(images, seconds)
    >>> pace.images_per_second  # of the last two: the first is more than ten seconds ago
    20.0
    """

    def __init__(self) -> None:
        self._measured: deque[tuple[int, float]] = deque()

    def add(self, images: int, seconds: float) -> None:
        """Adds a measurement: a number of images and how long they took."""
        self._measured.append((images, seconds))
        while len(self._measured) > 1 and sum(took for _, took in self._measured) - self._measured[0][1] >= WINDOW_SECONDS:
            self._measured.popleft()

    @property
    def images_per_second(self) -> float | None:
        """None before the first measurement."""
        seconds = sum(took for _, took in self._measured)
        return sum(images for images, _ in self._measured) / seconds if seconds else None


class TrainingBar(StepClock):
    """Advances a bar (see progress): `epoch 3/10  loss 0.1234  812 images/s`; the bar itself shows the time left.

    The pace excludes the validation and the first call in a process, in which TensorFlow builds its graph.

    Args:
        advance: the function that `bar` yields.
        batch_size: images per step.
        epochs: the total number.
        clock: returns the time in seconds.
    """

    def __init__(
        self, advance: Callable[..., None], *, batch_size: int, epochs: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(clock)
        self._advance, self._batch_size = advance, batch_size
        self._pace, self._epochs, self._epoch = Pace(), epochs, 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes the number of the epoch."""
        super().on_epoch_begin(epoch, logs)
        self._epoch = epoch + 1

    def measured(self, steps: int, seconds: float | None, loss: float | None) -> None:
        """Advances the bar by all steps of a call."""
        if seconds is not None:
            self._pace.add(steps * self._batch_size, seconds)
        self._advance(steps, self._note(loss))

    def _note(self, loss: float | None) -> str:
        pace = self._pace.images_per_second
        parts = [f"epoch {self._epoch}/{self._epochs}"]
        parts += [] if loss is None else [f"loss {loss:.4f}"]
        parts += [] if pace is None else [f"{pace:,.0f} images/s"]
        return "  ".join(parts)
