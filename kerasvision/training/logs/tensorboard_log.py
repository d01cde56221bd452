"""The history as TensorBoard reads it, with the settings of the training for its HPARAMS page.

<folder>/events...              the settings
<folder>/train/events...        a point per epoch for each value, and the learning rate
<folder>/validation/events...   the `val_` values under the same names, so that TensorBoard draws both in one chart
"""

import time
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import Message
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.summary import session_end_pb
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from kerasvision.training.logs.history import EpochLog, Row

TRAIN, VALIDATION = "train", "validation"
_SUFFIX = ".kerasvision"

Scalar = bool | int | float | str


class TensorBoardLog(EpochLog):
    """Writes TensorBoard's event files. Other files in the folder are left alone.

    Args:
        folder: the argument of `tensorboard --logdir`, or a folder below it.
        hyperparameters: the values that the HPARAMS page compares (see `kerasvision.dotted.set_leaves`).
    """

    def __init__(self, folder: Path, *, hyperparameters: Mapping[str, Scalar]) -> None:
        super().__init__()
        self._folder, self._hyperparameters = folder, dict(hyperparameters)
        self._files: dict[str, Path] = {}

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Adds the epoch, and the learning rate of its last step if there is an optimizer."""
        optimizer = getattr(self.model, "optimizer", None)
        rate = {} if optimizer is None else {"learning_rate": float(tf.convert_to_tensor(optimizer.learning_rate))}
        super().on_epoch_end(epoch, {**(logs or {}), **rate})

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Marks this training as done on the HPARAMS page."""
        if self._files:
            _append(self._files[""], [_event(session_end_pb(api_pb2.STATUS_SUCCESS), step=0, seconds=time.time())])

    def begin(self, rows: list[Row]) -> None:
        """Writes the settings and all rows; replaces the existing log."""
        for old in [*self._folder.glob(f"*tfevents*{_SUFFIX}"), *self._folder.glob(f"*/*tfevents*{_SUFFIX}")]:
            old.unlink()
        has_validation = any(name.startswith("val_") for row in rows for name in row)
        # TensorBoard follows a file by its name, so a new log requires a new name.
        name = f"events.out.tfevents.{time.time_ns()}{_SUFFIX}"
        self._files = {part: self._folder / part / name for part in ("", TRAIN, *[VALIDATION] * has_validation)}
        began = rows[0]["time"]
        for file in self._files.values():
            file.parent.mkdir(parents=True, exist_ok=True)
            _append(file, [Event(wall_time=began, file_version="brain.Event:2")])
        _append(self._files[""], [_event(hparams_pb(self._hyperparameters, start_time_secs=began), step=0, seconds=began)])
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """Adds a point for each value."""
        events: dict[str, list[Event]] = {}
        for name, value in row.items():
            part = VALIDATION if name.startswith("val_") else TRAIN
            if name not in ("epoch", "time"):
                summary = scalar_pb(name.removeprefix("val_"), value)
                events.setdefault(part, []).append(_event(summary, step=int(row["epoch"]), seconds=row["time"]))
        if not events.keys() <= self._files.keys():
            self.begin(self.rows)
            return
        for part, found in events.items():
            _append(self._files[part], found)


def _event(summary: Message, *, step: int, seconds: float) -> Event:
    """One event; `seconds` are since 1970."""
    # Some functions of TensorBoard return its own class of summaries, some TensorFlow's; the bytes are the same.
    return Event(step=step, wall_time=seconds, summary=Summary.FromString(summary.SerializeToString()))


def _append(file: Path, events: list[Event]) -> None:
    with file.open("ab") as stream:
        for event in events:
            RecordWriter(stream).write(event.SerializeToString())
