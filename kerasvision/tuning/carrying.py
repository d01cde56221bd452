"""Runs trials from settings to a record: starts them, waits for them, and saves their records."""

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

# The longest time between two checks whether to stop.
SECONDS_PER_LOOK = 0.5


@dataclass
class Trial:
    """A trial that was started.

    Attributes:
        id: its name.
        folder: of its checkpoints and logs.
        values: path -> value.
        until_epoch: the trial ends after this epoch.
        epochs: `training.epochs`, unless `values` set it.
        parent: the trial whose training it continues; "" if it starts from nothing.
        first_epoch: number of epochs that the parent trained.
        bracket, round: see `TrialRecord`.
        thresholds: see `Job`.
        of_oracle: KerasTuner's trial, if there is one.
        training: its settings; None if it has not started, or its values are not compatible.
        record: its result; None until it has ended.
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
    """Gives trials to the workers, and turns their outcomes into records.

    Args:
        settings: of the tuner.
        objective: by which trials are compared.
        workers: runs the trials.
        folder: where results are saved.
        is_asked_to_stop: returns whether the process must end.
    """

    settings: TunerSettings
    objective: TunedMetric
    workers: Carriers
    folder: SearchFolder
    is_asked_to_stop: Callable[[], bool] = lambda: False
    _at_work: dict[str, Trial] = field(default_factory=dict)

    @property
    def has_room(self) -> bool:
        """Whether one more trial can start now."""
        return self.workers.free > 0

    def begin(self, trial: Trial) -> None:
        """Starts a trial, unless an earlier run of the search has its result."""
        trial.record = self.folder.result(trial.folder)
        if trial.record is not None:
            if dict(trial.record.values) != trial.values:
                raise StageError(
                    f"the values of the result in {trial.folder} differ from the values of the trial now",
                    hint=f"remove {self.folder.path} and search again",
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
        """Waits a moment for trials to end, and saves the records of those that did.

        Raises:
            Interrupted: the process must end.
        """
        if self.is_asked_to_stop():
            for outcome in self.workers.interrupt():
                self._note(outcome)
            raise Interrupted(
                f"the search was asked to stop; its trials are saved in {self.folder.path}",
                hint="run the same command again to resume it",
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
                # KerasTuner also fails a trial with the score NaN, but without a reason; an infinite score could win.
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
                received=self.objective.name.removeprefix("val_"),
                hint="set search.objective to one of them",
            )
        best_by = TunedMetric(f"val_{training.best_by}", task.best_is(training.best_by))
        return float(score_of(rows, objective=self.objective, training=training, best_by=best_by))
