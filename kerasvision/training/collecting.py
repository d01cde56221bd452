"""Scores of a whole split: the answers and the truth of all its images, gathered from batches, replicas and workers."""

import io
import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.tasks.base import Collected
from kerasvision.training.devices.workers import WorkerGroup

# name -> array of one row per example, see `ExampleLosses.rows`.
Rows = dict[str, npt.NDArray[np.generic]]


class CollectedRows:
    """The rows of an evaluation, batch by batch.

    Args:
        collected: computes the scores.
        workers: those that evaluate. Each one adds its part of every batch, with equally many rows.

    >>> right = Collected(
    ...     answers=lambda outputs: {"class": outputs},
    ...     truth=lambda targets: {"class": targets},
    ...     scores=lambda truth, answers: {"right": np.mean(truth["class"] == answers["class"])},
    ... )
    >>> rows = CollectedRows(right)
    >>> for truth, answers, present in ([1, 2], [1, 1], [True, True]), ([3, 3], [3, 0], [True, False]):
    ...     batch = {"truth/class": truth, "answers/class": answers, "present": present}
    ...     rows.add({name: tf.constant(part) for name, part in batch.items()})
    >>> round(rows.scores()["right"], 3)  # the last row does not count
    0.667
    """

    def __init__(self, collected: Collected, workers: WorkerGroup | None = None) -> None:
        self._collected, self._workers = collected, workers or WorkerGroup()
        self._batches: list[Mapping[str, tf.Tensor]] = []

    def add(self, rows: Mapping[str, tf.Tensor]) -> None:
        """Adds this worker's rows of a batch, for all its replicas in their order.

        Args:
            rows: the result of `ExampleLosses.rows`: name -> (N, ...) of any dtype, and "present" bool (N,).
        """
        self._batches.append(rows)

    def scores(self) -> dict[str, float]:
        """The scores of all rows that count, the same on all workers. The chief computes them. Waits for all workers.

        Raises:
            ConfigError: a part is not an array of numbers with a row per example, or a score is not a finite number.
        """
        own = {name: np.concatenate([batch[name].numpy() for batch in self._batches]) for name in self._batches[0]}
        _check_rows(own)
        rows = own if self._workers.count == 1 else self._of_all_workers(own)
        present = rows.pop("present").astype(bool)
        truth, answers = (
            {name.removeprefix(f"{of}/"): part[present] for name, part in rows.items() if name.startswith(f"{of}/")}
            for of in ("truth", "answers")
        )
        # Another machine may compute other last digits, and all workers must decide the same.
        scores: dict[str, float] = self._workers.chiefs(lambda: _finite(self._collected.scores(truth, answers)))
        return scores

    def _of_all_workers(self, own: Rows) -> Rows:
        """The rows in the order of the split: of each batch first those of worker 0, then those of worker 1, and so on."""
        batches = len(self._batches)
        parts = [_unpacked(message) for message in self._workers.all_said(_packed(own))]

        def joined(name: str) -> npt.NDArray[np.generic]:
            by_batch = [part[name].reshape(batches, -1, *part[name].shape[1:]) for part in parts]
            return np.stack(by_batch, axis=1).reshape(-1, *own[name].shape[1:])

        return {name: joined(name) for name in own}


def filled(measured: Mapping[str, float], history: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """What an epoch measured, with exactly the names of the earlier epochs, so that the history is a table without gaps.

    A name without a value gets its last one. A new name is left out, with a warning.

    Args:
        measured: name -> value of this epoch.
        history: name -> one value per earlier epoch; empty before the first.

    >>> filled({"loss": 0.5}, {"loss": [0.9, 0.7], "val_recall": [0.1, 0.2]})
    {'loss': 0.5, 'val_recall': 0.2}
    """
    if not history:
        return dict(measured)
    if new := sorted(measured.keys() - history.keys()):
        warnings.warn(
            f"the history leaves out {', '.join(new)}, which had no value after the first epoch; a score that depends on "
            "the answers must return its worst value as long as it has none",
            stacklevel=2,
        )
    known = {name: value for name, value in measured.items() if name in history}
    return {**known, **{name: values[-1] for name, values in history.items() if name not in measured}}


def _check_rows(rows: Rows) -> None:
    count = len(rows["present"])
    for name, part in rows.items():
        if part.dtype.kind not in "biuf" or len(part) != count:
            raise ConfigError(
                f"Collected: {name} must have numbers or booleans, and {count} rows, one for each image",
                received=f"{part.dtype} {part.shape}",
                hint="cast bfloat16 to float32, and keep the axis of the images first",
            )


def _finite(scores: Mapping[str, float]) -> dict[str, float]:
    found = {name: float(value) for name, value in scores.items()}
    if lost := {name: value for name, value in found.items() if not math.isfinite(value)}:
        raise ConfigError(
            "Collected.scores must return finite numbers", received=lost, hint="leave out a name that has no value"
        )
    return found


def _packed(rows: Rows) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **rows)
    return stream.getvalue()


def _unpacked(message: bytes) -> Rows:
    with np.load(io.BytesIO(message), allow_pickle=False) as arrays:
        return dict(arrays)
