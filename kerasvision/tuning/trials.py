"""A trial: complete settings of a trainer and a number of epochs; and its outcome."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kerasvision import config as c
from kerasvision.config.overrides import with_values
from kerasvision.config.stages import TrainerSettings, TunerSettings
from kerasvision.tuning.records import Direction, Scalar

Rows = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class TunedMetric:
    """The metric by which a search compares trials.

    Attributes:
        name: the column of a history, such as "val_accuracy".
        direction: whether the smallest or the largest value is best.

    >>> TunedMetric("val_loss", "min").better(1.0, 2.0)
    True
    """

    name: str
    direction: Direction

    def better(self, one: float, other: float) -> bool:
        """Whether the first value is strictly better."""
        return one < other if self.direction == "min" else one > other

    def best(self, values: Sequence[float]) -> float:
        """The best of some finite values."""
        return min(values) if self.direction == "min" else max(values)

    def measured(self, rows: Rows) -> list[float]:
        """The finite values of a history."""
        return [row[self.name] for row in rows if math.isfinite(row.get(self.name, math.nan))]


@dataclass(frozen=True)
class Job:
    """A trial that a process can run.

    Attributes:
        id: of the trial.
        settings: the trainer's, as plain data.
        folder: of its checkpoints and logs; if it has checkpoints, the trial resumes.
        until_epoch: the trial ends after this epoch; `training.epochs` may be more.
        parent: the folder of the trial whose training it continues, if any.
        objective: by which trials are compared.
        thresholds: the worst allowed best value after epoch 1, 2, ...; None: no limit. See `hopeless`.
    """

    id: str
    settings: Mapping[str, object]
    folder: Path
    until_epoch: int
    objective: TunedMetric
    parent: Path | None = None
    thresholds: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job.

    Attributes:
        id: of the trial.
        rows: a dict per epoch, from the first.
        seconds: time that its processes spent on it.
        attempts: number of processes that tried it.
        stopped: why it ended before its last epoch; "" otherwise.
        error: why it failed; "" otherwise.
    """

    id: str
    rows: tuple[Mapping[str, float], ...] = ()
    seconds: float = 0.0
    attempts: int = 1
    stopped: str = ""
    error: str = ""


class Carriers(Protocol):
    """Runs trials: `TrialProcesses` on this machine, `Chief` on others."""

    @property
    def free(self) -> int:
        """How many more trials can begin."""

    def begin(self, job: Job, *, devices: int = 1) -> None:
        """Starts a trial."""

    def wait(self, seconds: float) -> list[Outcome]:
        """The trials that end within this time."""

    def stop(self) -> None:
        """Asks all trials to end after their epoch."""

    def interrupt(self) -> list[Outcome]:
        """Makes all trials save themselves and end; returns those that ended by themselves meanwhile."""


def trial_settings(settings: TunerSettings, values: Mapping[str, Scalar], *, epochs: int) -> TrainerSettings:
    """The trainer's settings, with the values of a trial.

    Raises:
        ConfigError: the values are not compatible.
    """
    base = TrainerSettings(task=settings.task, model=settings.model, training=settings.training, augment=settings.augment)
    # With multi_worker, several machines train one model together; a trial is small and runs on one machine.
    alone = {"training.strategy": "auto"} if settings.training.strategy == "multi_worker" else {}
    return with_values(base, {**alone, "training.epochs": epochs, **values})


def score_of(rows: Rows, *, objective: TunedMetric, training: c.Training, best_by: TunedMetric) -> float:
    """The objective of the trained network: of its last epoch, or of its best epoch if that one is kept.

    Args:
        rows: the history.
        objective: the metric to return.
        training: the settings of the training.
        best_by: the metric of `training.keep="best"`.

    >>> rows = [{"val_loss": 0.3, "val_accuracy": 0.9}, {"val_loss": 0.5, "val_accuracy": 0.8}]
    >>> accuracy, loss = TunedMetric("val_accuracy", "max"), TunedMetric("val_loss", "min")
    >>> [score_of(rows, objective=accuracy, training=c.Training(keep=keep), best_by=loss) for keep in ("last", "best")]
    [0.8, 0.9]
    """
    finite = best_by.measured(rows)
    if training.keep == "best" and finite:
        best = best_by.best(finite)
        return next(row[objective.name] for row in rows if row.get(best_by.name) == best)
    return rows[-1][objective.name]
