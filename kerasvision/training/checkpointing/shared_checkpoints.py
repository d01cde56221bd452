"""Checkpoints of a training with several workers: the chief reads and writes them, and sends and receives their contents.

Most variables are the same on all workers. The sums of a metric differ, and so do statistics that each replica keeps
separately: those of replica 3 are named "... of replica 3" in the checkpoint, whichever worker has that replica.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerasvision.errors import StageError
from kerasvision.training.checkpointing.checkpoints import Checkpoint, Checkpoints
from kerasvision.training.checkpointing.packing import index_of, pack, unpack
from kerasvision.training.checkpointing.variable_values import of_replica, parts_of
from kerasvision.training.devices.workers import WorkerGroup


class SharedCheckpoints:
    """Does for all workers of a training what `Checkpoints` does for one process. Each method waits for all workers.

    Args:
        checkpoints: the chief's; None on the other workers.
        workers: of the training.
        variables: of this process, by name.

    Attributes:
        folder: the chief's folder.
    """

    def __init__(self, checkpoints: Checkpoints | None, *, workers: WorkerGroup, variables: Mapping[str, Any]) -> None:
        self._checkpoints, self._workers = checkpoints, workers
        self._counts = {name: len(parts_of(variable)) for name, variable in variables.items()}
        self._first = workers.number * max(self._counts.values(), default=1)
        self.folder = Path(workers.chiefs(lambda: str(self._chiefs.folder)))

    def latest(self) -> Checkpoint | None:
        """The chief's newest intact checkpoint, with this worker's own values.

        Raises:
            KerasvisionError: on all workers, the error that the chief's `latest` raised.
        """
        found: list[Checkpoint] = []

        def header() -> dict[str, Any] | None:
            found.extend(filter(None, [self._chiefs.latest()]))
            return {"step": found[0].step, "state": found[0].state} if found else None

        chiefs = self._workers.chiefs(header)
        if chiefs is None:
            return None
        arrays = self._said_by(0, found[0].arrays if found else {})
        return Checkpoint(chiefs["step"], self._own(arrays), chiefs["state"])

    def try_save(self, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any], *, step: int) -> Path | None:
        """Saves the values of all workers on the chief, which warns if its disk cannot be written.

        Args:
            arrays: this worker's, of any shape and dtype.
            state: JSON-able.
            step: steps done.

        Returns:
            The checkpoint's folder on the chief; None if it could not be saved.
        """
        everything = {**arrays, **self._others(arrays)}

        def saved() -> str:
            return str(self._chiefs.try_save(everything, state, step=step) or "")

        path = self._workers.chiefs(saved)
        return Path(path) if path else None

    @property
    def _chiefs(self) -> Checkpoints:
        if self._checkpoints is None:
            raise StageError("only the chief reads and writes checkpoints")
        return self._checkpoints

    def _own(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The arrays of a checkpoint for this worker, under the names that they have in a single process."""
        own = {name: array for name, array in arrays.items() if " of replica " not in name}
        for name, count in self._counts.items():
            values = [arrays.get(of_replica(name, self._first + n), arrays.get(name)) for n in range(count)]
            own.update({of_replica(name, n): value for n, value in enumerate(values) if value is not None})
        return own

    def _others(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The values of the other workers that differ from the chief's, by replica."""
        digests = {name: _digest(arrays[name]) for name in self._counts}
        chiefs = json.loads(self._workers.said_by(0, json.dumps(digests).encode()))
        mine = {
            of_replica(name, self._first + n): value
            for name, count in self._counts.items()
            for n, value in enumerate(arrays.get(of_replica(name, n), arrays[name]) for n in range(count))
            if _digest(value) != chiefs[name]
        }
        found: dict[str, np.ndarray] = {}
        for number in range(1, self._workers.count):
            found |= self._said_by(number, mine)
        return found

    def _said_by(self, number: int, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        index = json.loads(self._workers.said_by(number, json.dumps(index_of(arrays)).encode()))
        data = self._workers.said_by(number, b"".join(pack(arrays)) if number == self._workers.number else b"")
        return unpack(np.frombuffer(bytearray(data), np.uint8), index)


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(b"".join(pack({"": array}))).hexdigest()
