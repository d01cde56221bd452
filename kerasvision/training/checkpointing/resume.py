"""Checkpoints of the training loop: what it saves, when, and how it resumes."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import keras

from kerasvision.errors import Interrupted
from kerasvision.training.checkpointing.callback_state import CallbackStates
from kerasvision.training.checkpointing.checkpoints import Checkpoints
from kerasvision.training.checkpointing.shared_checkpoints import SharedCheckpoints
from kerasvision.training.checkpointing.variable_values import assign_values, read_values
from kerasvision.training.devices.workers import WorkerGroup
from kerasvision.training.interruption import sigterm_noticed
from kerasvision.training.loop import Progress, Unsaved

_CALLBACKS = "callbacks/"


class Saving(Unsaved):
    """Saves a checkpoint after each epoch, after a number of minutes, and before the process ends.

    Args:
        checkpoints: where to save.
        variables: all that change in training.
        callbacks: their states, made before `on_train_begin`.
        minutes: time between two checkpoints.
        is_asked_to_stop: returns whether the process must end.
        agree: turns this worker's answer into the answer that all workers use.
        start, take_over: see `Unsaved`; used without a checkpoint of the phase that begins at this start.
    """

    def __init__(
        self,
        checkpoints: Checkpoints | SharedCheckpoints,
        *,
        variables: Mapping[str, Any],
        callbacks: CallbackStates,
        minutes: float,
        is_asked_to_stop: Callable[[], bool],
        agree: Callable[[bool], bool] = bool,
        start: Progress | None = None,
        take_over: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(start, take_over)
        self._checkpoints, self._variables, self._callbacks = checkpoints, variables, callbacks
        self._seconds, self._is_asked_to_stop, self._agree = 60 * minutes, is_asked_to_stop, agree
        self._began = self.start.step
        found = checkpoints.latest()
        self._found = found if found is not None and found.state["began"] == self._began else None
        self._saved_at = time.monotonic()
        if self._found is not None:
            self.start = Progress(self._found.step, self._found.state["history"], self._found.state["stopped"])
            self.last = str(checkpoints.folder / f"step-{self._found.step:08d}")

    def restore(self) -> None:
        """Restores variables and callbacks; without a checkpoint, what an earlier phase left."""
        if self._found is None:
            super().restore()
            return
        arrays = self._found.arrays
        assign_values(self._variables, {name: array for name, array in arrays.items() if not name.startswith(_CALLBACKS)})
        self._callbacks.restore(self._found.state["callbacks"], arrays)
        self._found = None  # several times as large as the network

    def is_due(self) -> bool:
        """Whether it is time to save or to end."""
        return self._agree(self._is_asked_to_stop() or time.monotonic() - self._saved_at >= self._seconds)

    def save(self, progress: Progress) -> None:
        """Saves; warns if the disk cannot be written.

        Raises:
            Interrupted: the process must end, and the training is saved.
        """
        states, arrays = self._callbacks.save()
        state = {
            "began": self._began,
            "history": dict(progress.history),
            "stopped": progress.stopped,
            "callbacks": states,
        }
        saved = self._checkpoints.try_save({**read_values(self._variables), **arrays}, state, step=progress.step)
        self._saved_at = time.monotonic()
        if saved is not None:
            self.last = str(saved)
        if self._agree(self._is_asked_to_stop()):
            raise Interrupted(
                f"the training was asked to stop after step {progress.step}; its last checkpoint is {self.last}",
                hint="run the same command again to resume it",
            )


@contextmanager
def saved_in(
    work: Path | None,
    *,
    variables: Mapping[str, Any],
    callbacks: Sequence[keras.callbacks.Callback],
    identity: Mapping[str, Any],
    minutes: float,
    workers: WorkerGroup,
    start: Progress | None = None,
    take_over: Callable[[], None] = lambda: None,
) -> Iterator[Unsaved]:
    """Yields the object that saves a training: as checkpoints in `work`, also when SIGTERM comes.

    Args:
        work: folder of the training; None: nothing is kept, and SIGTERM ends the process.
        variables: all that change in training.
        callbacks: before their `on_train_begin`.
        identity: JSON-able; a checkpoint belongs to this training if its identity is equal.
        minutes: time between two checkpoints.
        workers: those that train. Only the chief has checkpoints.
        start, take_over: see `Unsaved`.
    """
    if work is None:
        yield Unsaved(start, take_over)
        return
    with ExitStack() as stack:
        checkpoints = Checkpoints(work / "checkpoints", identity=identity)
        chiefs = stack.enter_context(checkpoints) if workers.is_chief else None
        is_asked_to_stop = stack.enter_context(sigterm_noticed())
        yield Saving(
            SharedCheckpoints(chiefs, workers=workers, variables=variables) if workers.count > 1 else checkpoints,
            variables=variables,
            callbacks=CallbackStates(callbacks),
            minutes=minutes,
            is_asked_to_stop=is_asked_to_stop,
            agree=workers.any,
            start=start,
            take_over=take_over,
        )
