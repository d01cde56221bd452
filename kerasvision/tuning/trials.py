"""What a trial is: whole settings of a trainer, for so many epochs; and what came of it."""

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
        name: the column of a history, "val_accuracy" say.
        direction: whether the least or the most of it is best.

    >>> TunedMetric("val_loss", "min").better(1.0, 2.0)
    True
    """

    name: str
    direction: Direction

    def better(self, one: float, other: float) -> bool:
        """Whether the first is really better."""
        return one < other if self.direction == "min" else one > other

    def best(self, values: Sequence[float]) -> float:
        """The best of finite numbers."""
        return min(values) if self.direction == "min" else max(values)

    def measured(self, rows: Rows) -> list[float]:
        """The finite values of a history."""
        return [row[self.name] for row in rows if math.isfinite(row.get(self.name, math.nan))]


@dataclass(frozen=True)
class Job:
    """A trial to be carried out, in whatever process.

    Attributes:
        id: of the trial.
        settings: the trainer's, as plain data.
        folder: where its checkpoints and logs go; a trial that was begun there goes on.
        until_epoch: after so many epochs it is done; `training.epochs` may be more.
        parent: the folder of the trial that it goes on from, if any.
        objective: what is compared.
        thresholds: what the best value must not be worse than after epoch 1, 2, ...; None: any will do. See `hopeless`.
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
    """What came of a job.

    Attributes:
        id: of the trial.
        rows: a dict per epoch, from the first.
        seconds: that its processes spent on it.
        attempts: how many processes tried it.
        stopped: why it ended before its last epoch; "" where it did not.
        error: why it failed; "" where it did not.
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
        """Begins a trial."""

    def wait(self, seconds: float) -> list[Outcome]:
        """Trials that ended within this time."""

    def stop(self) -> None:
        """Trials are to end after their epoch."""

    def interrupt(self) -> list[Outcome]:
        """Trials save themselves and end; gives those that ended by themselves just then."""


def trial_settings(settings: TunerSettings, values: Mapping[str, Scalar], *, epochs: int) -> TrainerSettings:
    """The trainer's settings with the values of a trial in place of their own.

    Raises:
        ConfigError: values that do not fit together.
    """
    base = TrainerSettings(task=settings.task, model=settings.model, training=settings.training, augment=settings.augment)
    # Several machines train one model together; a trial is small, and whoever carries it out does so alone.
    alone = {"training.strategy": "auto"} if settings.training.strategy == "multi_worker" else {}
    return with_values(base, {**alone, "training.epochs": epochs, **values})


def score_of(rows: Rows, *, objective: TunedMetric, training: c.Training, best_by: TunedMetric) -> float:
    """The objective of the network that a training leaves: that of its last epoch, or of its best where that is kept.

    Args:
        rows: the history.
        objective: what is compared.
        training: how it was trained.
        best_by: what `training.keep="best"` goes by.

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
