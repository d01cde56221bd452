"""The process that runs trials one after the other. It starts TensorFlow and opens the examples only once.

Nothing here imports TensorFlow before `main` has set its devices and threads.
"""

import gc
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from kerasvision.disk import os_error
from kerasvision.errors import Interrupted, KerasvisionError
from kerasvision.training import child
from kerasvision.tuning.trials import Job, Outcome

if TYPE_CHECKING:
    import pandas as pd

# Messages of a worker: a trial has begun, has completed an epoch, is done, was lost with this process (out of memory), or
# was saved because the process must end.
BEGAN, EPOCH, DONE, LOST, SAVED = "began", "epoch", "done", "lost", "saved"
# Message to a worker while a trial runs: end the trial after its epoch.
STOP = "stop"


@dataclass(frozen=True)
class TrialData:
    """The data of all trials.

    Attributes:
        examples: the folder of a prepared data set; its test split is not opened.
        schema: `schema.json`.
        transform: `transform.json`.
    """

    examples: Path
    schema: Path
    transform: Path


@dataclass(frozen=True)
class Setup:
    """How a worker starts.

    Attributes:
        data: on which it trains.
        output: the file to which its output is appended.
        quietly: whether to leave out TensorFlow's startup messages.
        threads: number of threads for one TensorFlow operation; None: TensorFlow's choice.
        gpu: the only GPU that it may use; None: all.
        devices: number of logical CPU devices, for strategies that require them.
    """

    data: TrialData
    output: Path
    quietly: bool = False
    threads: int | None = None
    gpu: str | None = None
    devices: int = 1


def main(connection: Connection, setup: Setup) -> None:
    """Receives jobs from the connection and sends their outcomes, until it receives None or its parent ends."""
    # A session of its own, so that only the parent gets Ctrl-C and other signals of the terminal.
    os.setsid()
    _write_into(setup.output)
    child.begin(quietly=setup.quietly)
    if setup.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = setup.gpu
    trainer = Trainer(setup)
    while (job := connection.recv()) is not None:
        if job == STOP:
            continue  # it arrived just after the end of the trial
        connection.send((BEGAN, job.id, None))
        kind, answer = trainer.carry_out(job, connection)
        connection.send((kind, job.id, answer))
        if kind in (LOST, SAVED):
            return


class Trainer:
    """What a worker keeps open between trials."""

    def __init__(self, setup: Setup) -> None:
        import tensorflow as tf

        from kerasvision.data.examples import ExampleSet
        from kerasvision.data.names import class_names
        from kerasvision.data.reduced_copies import examples_to_train_on
        from kerasvision.data.transform import ImageTransform
        from kerasvision.data.validating.schema import DataSchema
        from kerasvision.training.devices.strategy import make_logical_devices

        if setup.threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(setup.threads)
        for gpu in tf.config.list_physical_devices("GPU"):
            # Several processes may have to share the GPU.
            tf.config.experimental.set_memory_growth(gpu, True)
        if setup.devices > 1:
            make_logical_devices(setup.devices)
        self._examples = ExampleSet(examples_to_train_on(setup.data.examples, setup.data.transform))
        self._classes = class_names(setup.data.transform, labels=DataSchema.load(setup.data.schema).classes)
        self._transform = ImageTransform.load(setup.data.transform)

    def carry_out(self, job: Job, connection: Connection) -> tuple[str, object]:
        """Runs a trial: (DONE, (outcome, resident bytes of this process)), (LOST, reason) or (SAVED, None)."""
        import keras

        try:
            outcome = self._tried(job, connection)
        except Interrupted:
            return SAVED, None
        except Exception as error:
            if not _lacks_memory(error):
                raise
            return LOST, f"it ran out of memory ({_first_line(error)})"
        # The next trial must not depend on what this one left in Keras' global state.
        keras.backend.clear_session()
        gc.collect()
        return DONE, (outcome, resident_bytes())

    def _tried(self, job: Job, connection: Connection) -> Outcome:
        began = time.monotonic()
        try:
            rows, stopped = self._fitted(job, connection)
            outcome = Outcome(job.id, rows=tuple(rows), stopped=stopped)
        except Interrupted:
            raise
        except KerasvisionError as error:
            outcome = Outcome(job.id, error=str(error))
        except Exception as error:
            if _lacks_memory(error):
                raise
            outcome = Outcome(job.id, error=f"{type(error).__name__}: {_first_line(error)}")
        return replace(outcome, seconds=time.monotonic() - began)

    def _fitted(self, job: Job, connection: Connection) -> tuple[list[dict[str, float]], str]:
        from kerasvision.config.stages import TrainerSettings
        from kerasvision.training.fit import fit
        from kerasvision.tuning.folder import begin_from

        if job.parent is not None:
            begin_from(job.parent, job.folder)
        fitted = fit(
            TrainerSettings.parse(job.settings),
            examples=self._examples,
            classes=self._classes,
            transform=self._transform,
            work=job.folder,
            until_epoch=job.until_epoch,
            should_stop=_watch(job, connection),
        )
        return _rows(fitted.history), fitted.stopped


def _watch(job: Job, connection: Connection) -> Callable[..., str | None]:
    """A `should_stop` that reports each epoch to the parent, and ends a trial that is hopeless or out of time."""
    from kerasvision.tuning.hopeless import why_hopeless

    def should_stop(history: "pd.DataFrame") -> str | None:
        rows = _rows(history)
        connection.send((EPOCH, job.id, len(rows)))
        hopeless = why_hopeless(rows, job.thresholds, objective=job.objective)
        if hopeless is not None:
            return hopeless
        return "time was up" if connection.poll() and connection.recv() == STOP else None

    return should_stop


def _rows(history: "pd.DataFrame") -> list[dict[str, float]]:
    """A dict per epoch."""
    return [{str(name): value for name, value in row.items()} for row in history.to_dict("records")]


def resident_bytes() -> int:
    """Resident memory of this process in bytes; 0 if the system does not report it."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0


def _write_into(file: Path) -> None:
    """From now on, appends the output of this process, including that of C++ code, to a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)


def _lacks_memory(error: Exception) -> bool:
    import tensorflow as tf

    # TensorFlow raises the same error for a full disk.
    return isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError)) and os_error(error) is None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "no message")
