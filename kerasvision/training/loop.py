"""Epochs of steps, validation and callbacks, as in Keras' `fit`, but a training can be saved and resumed at any step."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import tensorflow as tf

from kerasvision.errors import StageError
from kerasvision.training.collecting import filled
from kerasvision.training.logs.step_clock import StepClock
from kerasvision.training.step import LostError, TrainStep

# Python runs at least this often: to show the progress, and to notice a request to stop.
SECONDS_PER_CALL = 0.25

_STEP_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


@dataclass(frozen=True)
class Progress:
    """How far a training has come.

    Attributes:
        step: steps done, over all epochs.
        history: name -> one value per complete epoch.
        stopped: whether a callback has ended the training.
    """

    step: int = 0
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    stopped: bool = False


class Unsaved:
    """For a training that is neither saved nor resumed. The class that saves is in `training.checkpointing.resume`.

    Args:
        start: where the training starts: after an earlier phase, or at the first step.
        take_over: restores what the earlier phase left to the callbacks.

    Attributes:
        start: where the training starts or resumes.
        last: the newest checkpoint, for messages.
    """

    def __init__(self, start: Progress | None = None, take_over: Callable[[], None] = lambda: None) -> None:
        self.start, self.last = start or Progress(), "none"
        self._take_over = take_over

    def restore(self) -> None:
        """Restores the variables and callbacks as they were at `start`. Called after the callbacks' `on_train_begin`."""
        self._take_over()

    def is_due(self) -> bool:
        """Whether to save now; called between two calls of the step."""
        return False

    def save(self, progress: Progress) -> None:
        """Saves; also called after each epoch. It may raise an error to end the training."""


@dataclass
class CallLength:
    """How many steps run without a return to Python: the wanted number, or as many as take about a quarter of a second.

    >>> length = CallLength("auto")
    >>> for seconds in (9.0, 0.01, 0.02, 0.5):  # the first call builds the graph
    ...     length.note(seconds)
    ...     length.steps
    1
    2
    4
    2
    """

    wanted: int | Literal["auto"]
    steps: int = field(default=1, init=False)

    def __post_init__(self) -> None:
        self.steps = 1 if self.wanted == "auto" else self.wanted

    def note(self, seconds: float) -> None:
        """Adapts to how long the last call took."""
        if self.wanted == "auto":
            self.steps = max(1, min(2 * self.steps, int(SECONDS_PER_CALL * self.steps / seconds)))


def train_loop(
    step: TrainStep,
    batches: tf.data.Dataset,
    *,
    epochs: int,
    steps_per_epoch: int,
    until_epoch: int | None = None,
    validation: tf.data.Dataset | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    steps_per_call: int | Literal["auto"] = "auto",
    saving: Unsaved | None = None,
    explain: Callable[[int], str] = lambda step: "",
    agree: Callable[[float], float] = float,
    ends: Callable[[Mapping[str, Sequence[float]]], bool] = lambda history: False,
) -> keras.callbacks.History:
    """Trains to the end of the last epoch, or until a callback sets `stop_training`.

    Callbacks are called as in Keras: if one call runs several steps, the step hooks are called around all of them. If there
    are averages of the weights, the network has them during validation and `on_epoch_end`, and keeps them at the end. The
    network has the optimizer only during the loop: what is saved of it later is the weights.

    Args:
        step: trains on a batch.
        batches: those after the start, one per remaining step.
        epochs: in total.
        steps_per_epoch: batches of one epoch.
        until_epoch: ends after this epoch; a later call continues. None: ends after the last epoch.
        validation: measured after each epoch under names that begin with `val_`; `Collected` says when its scores are.
        callbacks: Keras'.
        steps_per_call: "auto": as many as take about a quarter of a second, or one if a callback looks at each step.
        saving: where to resume, and when to save.
        explain: returns a sentence for the error at a step (from 0, over all epochs) whose loss or gradient is not finite.
        agree: turns the seconds of this worker into the seconds that all workers use.
        ends: called between two epochs and when a training resumes there; True ends this call.

    Returns:
        Keras' history: name -> one value per epoch.

    Raises:
        StageError: a loss or a gradient became infinite or not a number.
    """
    saving = saving or Unsaved()
    loop = _Loop(step, callbacks, epochs=epochs, steps_per_epoch=steps_per_epoch, steps_per_call=steps_per_call, agree=agree)
    last = epochs if until_epoch is None else min(epochs, until_epoch)
    loop.begin(saving)
    iterator = iter(step.share_out(batches))
    logs = None
    while loop.goes_on(last, ends):
        for progress in loop.epoch(iterator, explain=explain):
            if saving.is_due():
                saving.save(progress)
        logs = loop.end_epoch(validation)
        saving.save(loop.progress)
    if step.averages is not None:
        step.averages.keep()
    loop.end(logs)
    return loop.history


class _Loop:
    """The state of `train_loop`."""

    def __init__(
        self,
        step: TrainStep,
        callbacks: Sequence[keras.callbacks.Callback],
        *,
        epochs: int,
        steps_per_epoch: int,
        steps_per_call: int | Literal["auto"],
        agree: Callable[[float], float],
    ) -> None:
        self._agree = agree
        self._step, self._steps_per_epoch, self._epochs = step, steps_per_epoch, epochs
        each = steps_per_call == "auto" and any(map(_sees_steps, callbacks))
        self._length = CallLength(1 if each else steps_per_call)
        self.history = keras.callbacks.History()
        self.hooks = keras.callbacks.CallbackList(
            [*callbacks, self.history], model=step.network, epochs=epochs, steps=steps_per_epoch, verbose=0
        )
        self._done = 0
        self._stopped = False

    @property
    def progress(self) -> Progress:
        history = {name: list(values) for name, values in self.history.history.items()}
        return Progress(self._done, history, self._stopped)

    def goes_on(self, last: int, ends: Callable[[Mapping[str, Sequence[float]]], bool]) -> bool:
        if self._stopped or self._done >= last * self._steps_per_epoch:
            return False
        return self._steps_into_epoch > 0 or self._done == 0 or not ends(self.progress.history)

    def begin(self, saving: Unsaved) -> None:
        start, network = saving.start, self._step.network
        self._networks_own = getattr(network, "optimizer", None)
        network.optimizer, network.stop_training = self._step.optimizer, False
        self.hooks.on_train_begin()
        self._done, self._stopped = start.step, start.stopped
        if self._steps_into_epoch:
            self.hooks.on_epoch_begin(self._epoch)
        # In `on_train_begin` callbacks clear their state, and some change variables.
        saving.restore()
        self.history.history = {name: list(values) for name, values in start.history.items()}
        self.history.epoch = list(range(max(map(len, start.history.values()), default=0)))

    def epoch(self, iterator: Any, *, explain: Callable[[int], str]) -> Iterator[Progress]:
        """Runs to the end of an epoch, or until a callback stops it. Yields between two calls, where it can be saved."""
        if not self._steps_into_epoch:
            self._step.reset()
            self.hooks.on_epoch_begin(self._epoch)
        self._end = (self._epoch + 1) * self._steps_per_epoch
        while self._done < self._end and not self._stopped:
            self.hooks.on_train_batch_begin(self._steps_into_epoch)
            try:
                self._call(iterator)
            except LostError as lost:
                raise self._error(lost, explain) from lost
            self._stopped = self._step.network.stop_training
            if self._done < self._end and not self._stopped:
                yield self.progress

    def end_epoch(self, validation: tf.data.Dataset | None) -> dict[str, float]:
        """Validates and calls the callbacks; returns what the epoch measured."""
        logs = self._step.results()
        averages = self._step.averages
        with nullcontext() if averages is None else averages.in_place():
            if validation is not None:
                logs |= {f"val_{name}": value for name, value in self._validated(validation).items()}
            logs = filled(logs, self.history.history)
            self.hooks.on_epoch_end(self._end // self._steps_per_epoch - 1, logs)
        self._stopped = self._step.network.stop_training
        return logs

    def end(self, logs: dict[str, float] | None) -> None:
        self.hooks.on_train_end(logs)
        network = self._step.network
        # Only callbacks need the optimizer there, and Keras would save its state with the network.
        del network.optimizer
        if self._networks_own is not None:
            network.optimizer = self._networks_own

    @property
    def _epoch(self) -> int:
        return self._done // self._steps_per_epoch

    @property
    def _steps_into_epoch(self) -> int:
        return self._done % self._steps_per_epoch

    def _call(self, iterator: Any) -> None:
        steps = min(self._length.steps, self._end - self._done)
        began = time.monotonic()
        self._step.run(iterator, steps)
        self._length.note(self._agree(time.monotonic() - began))
        self._done += steps
        self.hooks.on_train_batch_end((self._done - 1) % self._steps_per_epoch, self._step.results())

    def _validated(self, validation: tf.data.Dataset) -> dict[str, float]:
        self.hooks.on_test_begin()
        self.hooks.on_test_batch_begin(0)
        results = self._step.evaluate(validation, collects=self._is_scored())
        self.hooks.on_test_batch_end(int(validation.cardinality()) - 1, results)
        self.hooks.on_test_end(results)
        return results

    def _is_scored(self) -> bool:
        """Whether the scores of the whole validation split are computed after this epoch; see `Collected.every`."""
        epoch, every = self._end // self._steps_per_epoch, self._step.collects_every
        return every is not None and (epoch % every == 0 or epoch == self._epochs or not self.history.history)

    def _error(self, lost: LostError, explain: Callable[[int], str]) -> StageError:
        step = self._done + lost.position
        epoch, number = divmod(step, self._steps_per_epoch)
        what = "the gradient" if math.isfinite(lost.loss) else "the training loss"
        became = "infinite or not a number" if math.isfinite(lost.loss) else lost.loss
        return StageError(
            f"{what} became {became} at step {number + 1} of epoch {epoch + 1}. {explain(step)}".strip(),
            hint="lower training.optimizer.learning_rate, or set training.warmup_epochs or training.clip_norm",
        )


def _sees_steps(callback: keras.callbacks.Callback) -> bool:
    """Whether the callback acts at each step, so that calls of several steps would change what it does."""
    if isinstance(callback, StepClock):
        return False
    theirs = (getattr(getattr(callback, hook), "__func__", None) for hook in _STEP_HOOKS)
    return any(own is not getattr(keras.callbacks.Callback, hook) for own, hook in zip(theirs, _STEP_HOOKS, strict=True))
