"""How the workers of a training exchange values, so that all of them do the same.

Time, signals and files differ between machines. The decisions when to save, how many steps to run and where to resume must
not differ: otherwise the workers would wait for each other forever. Values travel as sums of integers, like gradients.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from kerasvision import errors
from kerasvision.config.base import canonical_json
from kerasvision.dotted import changes
from kerasvision.errors import ConfigError, KerasvisionError, StageError
from kerasvision.training.devices.cluster import Cluster, who_is_gone

# Bytes per piece of a message, eight per integer. A short message uses the small size.
PIECES = (2**12, 2**23)


class WorkerGroup:
    """The only worker of a training: its values are those of all workers.

    >>> alone = WorkerGroup()
    >>> alone.is_chief, alone.any(False), alone.largest(2.5), alone.said_by(0, b"text"), alone.chiefs(lambda: {"step": 3})
    (True, False, 2.5, b'text', {'step': 3})
    """

    count, number = 1, 0

    @property
    def is_chief(self) -> bool:
        """Whether this worker writes the files."""
        return self.number == 0

    def any(self, flag: bool) -> bool:
        """Whether the flag is true on any worker. Waits for all workers."""
        return flag

    def largest(self, value: float) -> float:
        """The largest value of all workers, rounded to a millionth, and at least 0. Waits for all workers."""
        return value

    def said_by(self, number: int, message: bytes) -> bytes:
        """The message of worker `number`; the messages of the others are ignored. Waits for all workers."""
        return message

    def all_said(self, message: bytes) -> list[bytes]:
        """The messages of all workers, in the order of their numbers. Waits for all workers."""
        return [self.said_by(number, message) for number in range(self.count)]

    def chiefs(self, ask: Callable[[], Any]) -> Any:
        """The JSON-able result of `ask` on the chief; only the chief calls it. Waits for all workers.

        Raises:
            KerasvisionError: the error that `ask` raised on the chief, on all workers.
        """
        outcome = self._outcome(ask) if self.is_chief else {}
        outcome = json.loads(self.said_by(0, json.dumps(outcome).encode()))
        if "error" in outcome:
            name, text = outcome["error"]
            raise _error(name, text)
        return outcome["found"]

    @contextmanager
    def noticing_deaths(self) -> Iterator[None]:
        """Within it, TensorFlow's error for a worker that died becomes a StageError that names the worker."""
        yield

    def check_same(self, what: Mapping[str, Any]) -> None:
        """Checks that all workers train the same. Waits for all workers.

        Args:
            what: JSON-able; must be equal on all workers.

        Raises:
            ConfigError: it differs; raised on all workers.
        """

    def _outcome(self, ask: Callable[[], Any]) -> dict[str, Any]:
        try:
            return {"found": ask()}
        except KerasvisionError as error:
            if self.count == 1:
                raise
            return {"error": [type(error).__name__, str(error)]}


class SeveralWorkers(WorkerGroup):
    """The workers of a cluster.

    Args:
        cluster: their addresses.
        strategy: a MultiWorkerMirroredStrategy over them.
    """

    def __init__(self, cluster: Cluster, strategy: tf.distribute.Strategy) -> None:
        self.cluster, self.count, self.number = cluster, len(cluster.addresses), cluster.number
        self._strategy = strategy
        self._replicas = strategy.num_replicas_in_sync // self.count
        self._summed = tf.function(self._summed_now, autograph=False)

    def any(self, flag: bool) -> bool:
        return bool(self._sum(np.array([flag]))[0])

    def largest(self, value: float) -> float:
        said = np.zeros(self.count)
        said[self.number] = value
        return float(self._sum(np.round(said * 1e6)).max()) / 1e6

    def said_by(self, number: int, message: bytes) -> bytes:
        mine = self.number == number
        length = int(self._sum(np.array([len(message) if mine else 0]))[0])
        piece = PIECES[0] if length <= PIECES[0] else PIECES[1]
        heard = bytearray()
        for start in range(0, length, piece):
            part = message[start : start + piece] if mine else b""
            heard += self._sum(np.frombuffer(part.ljust(piece, b"\0"), np.int64)).tobytes()
        return bytes(heard[:length])

    def check_same(self, what: Mapping[str, Any]) -> None:
        mine = json.loads(canonical_json(what))
        lines = changes(json.loads(self.said_by(0, json.dumps(mine).encode())), mine)
        if self.any(bool(lines)):
            what_differs = f"; from the chief to {self.cluster} these differ: {'; '.join(lines)}" if lines else ""
            raise ConfigError(
                f"all workers must train the same{what_differs or ', but another worker trains something else'}",
                hint="start the same command everywhere, from the same files",
            )

    @contextmanager
    def noticing_deaths(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError as error:
            gone = who_is_gone(self.cluster)
            if not gone and not isinstance(error, tf.errors.UnavailableError):
                raise
            raise StageError(
                f"the training of {self.cluster} cannot continue: "
                + (f"no answer comes from {gone}" if gone else "another worker did not answer for a while"),
                hint="start the same command on all workers again; they resume from the chief's last checkpoint",
            ) from error

    def _sum(self, values: np.ndarray) -> np.ndarray:
        summed: np.ndarray = self._summed(tf.constant(values, tf.int64)).numpy()
        return summed

    def _summed_now(self, values: tf.Tensor) -> tf.Tensor:
        def own(values: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            # Only the first replica of a worker contributes its values.
            speaks = context.replica_id_in_sync_group % self._replicas == 0
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(speaks, values, tf.zeros_like(values)))

        return self._strategy.experimental_local_results(self._strategy.run(own, args=(values,)))[0]


def _error(name: str, text: str) -> KerasvisionError:
    """The error of another worker, with the same class and text."""
    error = getattr(errors, name, KerasvisionError)("")
    error.args = (text,)
    return error
