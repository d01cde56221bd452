"""What a person sees of a training that goes on: the epoch, the loss, images per second, the time left."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import keras

# The pace is that of so many of the last seconds: what slows a training down shows soon.
WINDOW_SECONDS = 10.0


class Pace:
    """Images per second, lately.

    >>> pace = Pace()
    >>> for images, seconds in [(100, 1.0), (100, 4.0), (100, 6.0)]:
    ...     pace.add(images, seconds)
    >>> pace.images_per_second  # of the last two: the first is more than ten seconds ago
    20.0
    """

    def __init__(self) -> None:
        self._measured: deque[tuple[int, float]] = deque()

    def add(self, images: int, seconds: float) -> None:
        """So many images took so long."""
        self._measured.append((images, seconds))
        while len(self._measured) > 1 and sum(took for _, took in self._measured) - self._measured[0][1] >= WINDOW_SECONDS:
            self._measured.popleft()

    @property
    def images_per_second(self) -> float | None:
        """None before the first."""
        seconds = sum(took for _, took in self._measured)
        return sum(images for images, _ in self._measured) / seconds if seconds else None


class TrainingBar(keras.callbacks.Callback):
    """Moves a bar on (see progress): `epoch 3/10  loss 0.1234  812 images/s`; the bar itself shows the time left.

    The first call of a process, in which TensorFlow builds its graph, and the validation do not count for the pace.

    Args:
        advance: what `bar` gives.
        batch_size: images per step.
        epochs: how many there will be.
        clock: seconds.
    """

    remembers = ()

    def __init__(
        self, advance: Callable[..., None], *, batch_size: int, epochs: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._advance, self._batch_size, self._clock = advance, batch_size, clock
        self._pace, self._epochs = Pace(), epochs
        self._epoch = self._first = 0
        self._since: float | None = None
        self._is_first_call = True

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """A new epoch."""
        self._epoch, self._since = epoch + 1, None

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """The first step of a call."""
        self._first = batch
        if self._since is None:
            self._since = self._clock()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """The last step of a call; several steps may be one call."""
        steps, now = batch - self._first + 1, self._clock()
        if self._since is not None and not self._is_first_call:
            self._pace.add(steps * self._batch_size, now - self._since)
        self._since, self._is_first_call = now, False
        self._advance(steps, self._note((logs or {}).get("loss")))

    def _note(self, loss: float | None) -> str:
        pace = self._pace.images_per_second
        parts = [f"epoch {self._epoch}/{self._epochs}"]
        parts += [] if loss is None else [f"loss {loss:.4f}"]
        parts += [] if pace is None else [f"{pace:,.0f} images/s"]
        return "  ".join(parts)
