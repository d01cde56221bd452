"""What the workers of a training tell each other, so that all of them do the same.

Time, signals and files differ between machines. Whether to save, how many steps to make and where to go on must not: the
workers would wait for each other for ever. What is said goes the way of the gradients, as sums of whole numbers.
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

# Bytes are sent so many at a time, eight to a number. A short message takes the small one.
PIECES = (2**12, 2**23)


class WorkerGroup:
    """Those of a training that has one: what it says is what all say.

    >>> alone = WorkerGroup()
    >>> alone.is_chief, alone.any(False), alone.largest(2.5), alone.said_by(0, b"text"), alone.chiefs(lambda: {"step": 3})
    (True, False, 2.5, b'text', {'step': 3})
    """

    count, number = 1, 0

    @property
    def is_chief(self) -> bool:
        """Whether this is the one that writes."""
        return self.number == 0

    def any(self, flag: bool) -> bool:
        """Whether it is true of any worker. Waits for all."""
        return flag

    def largest(self, value: float) -> float:
        """The largest that a worker says, to a millionth; not below 0. Waits for all."""
        return value

    def said_by(self, number: int, message: bytes) -> bytes:
        """The message of one worker, what the others say being left out. Waits for all."""
        return message

    def chiefs(self, ask: Callable[[], Any]) -> Any:
        """What the chief finds, JSON-able; only the chief looks. Waits for all.

        Raises:
            KerasvisionError: what it raised there is raised everywhere.
        """
        outcome = self._outcome(ask) if self.is_chief else {}
        outcome = json.loads(self.said_by(0, json.dumps(outcome).encode()))
        if "error" in outcome:
            name, text = outcome["error"]
            raise _error(name, text)
        return outcome["found"]

    @contextmanager
    def noticing_deaths(self) -> Iterator[None]:
        """Within it, TensorFlow's error for a worker that is gone becomes a StageError that names it."""
        yield

    def check_same(self, what: Mapping[str, Any]) -> None:
        """Refuses to train other things on other workers. Waits for all.

        Args:
            what: JSON-able; what must be equal.

        Raises:
            ConfigError: on all workers.
        """

    def _outcome(self, ask: Callable[[], Any]) -> dict[str, Any]:
        try:
            return {"found": ask()}
        except KerasvisionError as error:
            if self.count == 1:
                raise
            return {"error": [type(error).__name__, str(error)]}


class SeveralWorkers(WorkerGroup):
    """Those of a cluster.

    Args:
        cluster: the workers.
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
            what_differs = f", and from the chief to {self.cluster} there is {'; '.join(lines)}" if lines else ""
            raise ConfigError(
                f"all workers must train the same{what_differs or ', and another worker trains something else'}",
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
                f"the training of {self.cluster} cannot go on: "
                + (f"no answer comes from {gone}" if gone else "another one was gone for a while"),
                hint="start the same command on all workers again; they go on from the chief's last checkpoint",
            ) from error

    def _sum(self, values: np.ndarray) -> np.ndarray:
        summed: np.ndarray = self._summed(tf.constant(values, tf.int64)).numpy()
        return summed

    def _summed_now(self, values: tf.Tensor) -> tf.Tensor:
        def own(values: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            # Of the replicas of a worker only the first speaks.
            speaks = context.replica_id_in_sync_group % self._replicas == 0
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(speaks, values, tf.zeros_like(values)))

        return self._strategy.experimental_local_results(self._strategy.run(own, args=(values,)))[0]


def _error(name: str, text: str) -> KerasvisionError:
    """An error of another worker: of the same class, with the same text."""
    error = getattr(errors, name, KerasvisionError)("")
    error.args = (text,)
    return error
