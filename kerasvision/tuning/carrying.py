"""Trials on their way from settings to a record: begun, waited for, noted on disk."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings, TunerSettings
from kerasvision.errors import ConfigError, Interrupted, StageError
from kerasvision.training.devices.strategy import logical_devices
from kerasvision.tuning.folder import SearchFolder
from kerasvision.tuning.records import Scalar, TrialRecord
from kerasvision.tuning.trials import Carriers, Job, Outcome, TunedMetric, score_of, trial_settings

# So often at least it is looked whether to stop.
SECONDS_PER_LOOK = 0.5


@dataclass
class Trial:
    """A trial that was begun.

    Attributes:
        id: its name.
        folder: its own.
        values: path -> value.
        until_epoch: after so many it is done.
        epochs: `training.epochs`, where `values` do not say it.
        parent: the trial that it goes on from; "" where there is none.
        first_epoch: epochs that the parent did.
        bracket, round: see `TrialRecord`.
        thresholds: see `Job`.
        of_oracle: KerasTuner's trial, where there is one.
        training: how it is trained; None where it has not begun, or its values do not fit together.
        record: what came of it; None until it has ended.
    """

    id: str
    folder: Path
    values: dict[str, Scalar]
    until_epoch: int
    epochs: int
    parent: str = ""
    first_epoch: int = 0
    bracket: int | None = None
    round: int | None = None
    thresholds: tuple[float | None, ...] = ()
    of_oracle: Any = None
    training: c.Training | None = None
    record: TrialRecord | None = None


@dataclass
class Carrying:
    """Gives trials to who carries them out, and makes records of what comes of them.

    Args:
        settings: of the tuner.
        objective: what is compared.
        workers: who carries out trials.
        folder: where results are noted.
        is_asked_to_stop: whether the process is to end.
    """

    settings: TunerSettings
    objective: TunedMetric
    workers: Carriers
    folder: SearchFolder
    is_asked_to_stop: Callable[[], bool] = lambda: False
    _at_work: dict[str, Trial] = field(default_factory=dict)

    @property
    def has_room(self) -> bool:
        """Whether one more trial can begin now."""
        return self.workers.free > 0

    def begin(self, trial: Trial) -> None:
        """Begins a trial, unless it has ended before."""
        trial.record = self.folder.result(trial.folder)
        if trial.record is not None:
            if dict(trial.record.values) != trial.values:
                raise StageError(
                    f"the result in {trial.folder} is of other values than the trial has now",
                    hint=f"remove {self.folder.path} and search anew",
                )
            return
        self._at_work[trial.id] = trial
        try:
            settings = trial_settings(self.settings, trial.values, epochs=trial.epochs)
        except ConfigError as error:
            self._note(Outcome(trial.id, attempts=0, error=str(error)))
            return
        trial.training = settings.training
        self.workers.begin(self._job(trial, settings), devices=logical_devices(settings.training))

    def wait(self) -> None:
        """Waits a moment for trials to end, and notes those that did.

        Raises:
            Interrupted: the process is to end.
        """
        if self.is_asked_to_stop():
            for outcome in self.workers.interrupt():
                self._note(outcome)
            raise Interrupted(
                f"the search was asked to stop; its trials are saved in {self.folder.path}",
                hint="run the same command again to go on",
            )
        for outcome in self.workers.wait(SECONDS_PER_LOOK):
            self._note(outcome)

    def _job(self, trial: Trial, settings: TrainerSettings) -> Job:
        return Job(
            id=trial.id,
            settings=settings.to_data(),
            folder=trial.folder,
            until_epoch=trial.until_epoch,
            objective=self.objective,
            parent=self.folder.trial(trial.parent) if trial.parent else None,
            thresholds=trial.thresholds,
        )

    def _note(self, outcome: Outcome) -> None:
        trial = self._at_work.pop(outcome.id)
        score, error = None, outcome.error
        if not error and trial.training is not None:
            score = self._score(trial.training, outcome)
            if not math.isfinite(score):
                # KerasTuner fails a trial whose score is NaN too, but does not say why; an infinite score could win.
                score, error = None, f"{self.objective.name} is {score}"
        trial.record = TrialRecord(
            id=trial.id,
            status="FAILED" if score is None else "STOPPED" if outcome.stopped else "COMPLETED",
            score=score,
            seconds=round(outcome.seconds, 3),
            epochs=max(0, len(outcome.rows) - trial.first_epoch),
            attempts=outcome.attempts,
            values=trial.values,
            history=outcome.rows,
            error=error or outcome.stopped,
            parent=trial.parent,
            bracket=trial.bracket,
            round=trial.round,
        )
        self.folder.save(trial.folder, trial.record)

    def _score(self, training: c.Training, outcome: Outcome) -> float:
        rows, task = outcome.rows, self.settings.task
        if self.objective.name not in rows[-1]:
            measured = [name.removeprefix("val_") for name in rows[-1] if name.startswith("val_")]
            raise ConfigError(
                f"trials measure {', '.join(measured) or 'nothing'} on the validation split",
                received=self.settings.search.objective,
                hint="set search.objective to one of them",
            )
        best_by = TunedMetric(f"val_{training.best_by}", task.best_is(training.best_by))
        return float(score_of(rows, objective=self.objective, training=training, best_by=best_by))
