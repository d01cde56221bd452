"""A search over settings: KerasTuner proposes them, our own training tries them, and the validation split decides.

The oracle's proposals do not depend on timing. With N trials at a time, trial k is requested when the results of all trials
up to k - N are reported, and results are reported in the order in which the trials were started. So a search that was killed
resumes by repeating all requests, with the results that it already has.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import keras_tuner

from kerasvision import config as c
from kerasvision.config.stages import TunerSettings
from kerasvision.errors import StageError
from kerasvision.progress import bar, say
from kerasvision.tuning.carrying import Carrying, Trial
from kerasvision.tuning.folder import SearchFolder, forget_checkpoints, write_json
from kerasvision.tuning.hopeless import thresholds
from kerasvision.tuning.oracles import IDLE, STOPPED, make_oracle, values_of
from kerasvision.tuning.records import Scalar, SearchResult, SeedScore, TrialRecord
from kerasvision.tuning.trials import Carriers, TunedMetric

ROUNDS = ("hyperband", "halving")


def search(
    settings: TunerSettings,
    *,
    workers: Carriers,
    folder: Path,
    inputs: Mapping[str, str] | None = None,
    is_asked_to_stop: Callable[[], bool] = lambda: False,
) -> SearchResult:
    """Runs the search that the settings describe, or resumes the one in the folder.

    Args:
        settings: the trainer's settings, and what to vary in them.
        workers: runs the trials.
        folder: KerasTuner's project folder; see `kerasvision.tuning.folder`.
        inputs: name -> digest, of everything else that the results depend on.
        is_asked_to_stop: returns whether the process must end.

    Raises:
        ConfigError: a trial does not measure the objective, or the folder belongs to another search.
        StageError: every trial failed.
        Interrupted: it was asked to stop; its trials are saved.
    """
    identity = {"settings": settings.to_data(), "inputs": dict(inputs or {}), "keras_tuner": keras_tuner.__version__}
    kept = SearchFolder(folder, identity=identity)
    metric = settings.search.metric(settings.task)
    objective = TunedMetric(f"val_{metric}", settings.task.best_is(metric))
    run = _Search(settings, objective, kept, Carrying(settings, objective, workers, kept, is_asked_to_stop))
    run.all_trials()
    best = run.best()
    seeds = _seed_scores(settings, best.values, run.carrying, kept) if settings.search.seeds else ()
    records = tuple(_ended(run.trials))
    return SearchResult(dict(best.values), records, objective.name, objective.direction, seeds, run.ended)


@dataclass
class _Search:
    """The state of a search."""

    settings: TunerSettings
    objective: TunedMetric
    folder: SearchFolder
    carrying: Carrying
    trials: list[Trial] = field(default_factory=list)
    reported: int = 0
    is_complete: bool = False
    ended: str = ""
    # How many trials were started and reported when the oracle had none to give. It has more only after another report.
    idle_at: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        objective = keras_tuner.Objective(self.objective.name, self.objective.direction)
        self.oracle = make_oracle(self.plan, objective)
        self.oracle._set_project_dir(self.folder.path.parent, self.folder.path.name)
        write_json(self.folder.path / "tuner0.json", {})
        self._began, self._before = time.monotonic(), self.folder.seconds

    @property
    def plan(self) -> c.Search:
        """The space and the algorithm."""
        return self.settings.search

    @property
    def window(self) -> int:
        """How many trials may be started and not yet reported."""
        results_matter = self.plan.algorithm not in ("random", "grid") or self.plan.stop_hopeless or self.plan.total_epochs
        return self.plan.parallel_trials if results_matter else self.plan.trials

    def all_trials(self) -> None:
        """Runs trials until there are no more, or the budget is used up."""
        total = None if self.plan.algorithm in ROUNDS else self.plan.trials
        with bar("trials", total=total) as advance:
            self.fill()
            while self.reported < len(self.trials):
                trial = self.trials[self.reported]
                if trial.record is None:
                    self.carrying.wait()
                    self.end_in_time()
                else:
                    self.report(trial, trial.record)
                    advance(1, note=self.best_so_far())
                self.fill()

    def fill(self) -> None:
        """Starts trials while there is room for them."""
        # A finished trial that only waits for its report leaves its process free, but still counts in the window.
        while len(self.trials) - self.reported < self.window and self.carrying.has_room and not self.is_complete:
            asked = (len(self.trials), self.reported)
            if asked == self.idle_at or not self.has_time():
                return
            trial = self.oracle.create_trial(f"tuner{len(self.trials) % self.window}")
            if trial.status == IDLE:
                self.idle_at = asked
                return
            if trial.status == STOPPED:
                self.is_complete = True
                return
            self.begin(trial)

    def begin(self, trial: keras_tuner.engine.trial.Trial) -> None:
        """Starts a trial, unless it would exceed the budget of epochs."""
        begun = self.made(trial)
        limit = self.plan.total_epochs
        if limit is not None and sum(map(_epochs, self.trials)) + _epochs(begun) > limit:
            self.withdraw(trial)
            self.end(f"the budget of search.total_epochs={limit} was used up")
            return
        self.trials.append(begun)
        self.carrying.begin(begun)

    def made(self, trial: keras_tuner.engine.trial.Trial) -> Trial:
        """The trial that a trial of KerasTuner describes."""
        given = trial.hyperparameters.values
        values = values_of(trial, self.plan)
        until = given.get("tuner/epochs", values.get("training.epochs", self.plan.epochs))
        limits: tuple[float | None, ...] = ()
        if self.plan.stop_hopeless:
            earlier = [record.history for record in _ended(self.trials[: self.reported])]
            limits = thresholds(earlier, objective=self.objective, epochs=until)
        return Trial(
            id=trial.trial_id,
            folder=self.folder.trial(trial.trial_id),
            values=values,
            until_epoch=until,
            epochs=self.plan.epochs,
            parent=given.get("tuner/trial_id", ""),
            first_epoch=given.get("tuner/initial_epoch", 0),
            bracket=given.get("tuner/bracket"),
            round=given.get("tuner/round"),
            thresholds=limits,
            of_oracle=trial,
        )

    def withdraw(self, trial: keras_tuner.engine.trial.Trial) -> None:
        """Removes a trial that will not run from the oracle and the disk."""
        id = trial.trial_id
        self.oracle.trials.pop(id)
        self.oracle.start_order.remove(id)
        self.oracle.ongoing_trials = {
            tuner: other for tuner, other in self.oracle.ongoing_trials.items() if other.trial_id != id
        }
        (self.folder.trial(id) / "trial.json").unlink()
        self.folder.trial(id).rmdir()

    def report(self, begun: Trial, record: TrialRecord) -> None:
        """Reports the result of a trial to the oracle, and removes checkpoints that are no longer needed."""
        trial = begun.of_oracle
        trial.status = "FAILED" if record.score is None else "COMPLETED"
        trial.message = record.error or None
        if record.score is not None:
            self.oracle.update_trial(trial.trial_id, {self.objective.name: record.score}, step=len(record.history))
        self.oracle.end_trial(trial)
        self.reported += 1
        self.folder.seconds = self.seconds
        if self.plan.algorithm not in ROUNDS or begun.until_epoch == self.plan.epochs or record.score is None:
            forget_checkpoints(begun.folder)
        if begun.parent:
            forget_checkpoints(self.folder.trial(begun.parent))

    @property
    def seconds(self) -> float:
        """Running time of the search, over all its runs."""
        return self._before + time.monotonic() - self._began

    def has_time(self) -> bool:
        """Whether one more trial may start. A trial that already has its result always may."""
        digits = len(str(self.oracle.max_trials))
        if self.plan.minutes is None or self.seconds < 60 * self.plan.minutes:
            return True
        if self.folder.result(self.folder.trial(f"{len(self.trials):0{digits}d}")) is not None:
            return True
        self.end(f"the {self.plan.minutes:g} minutes of search.minutes were over")
        return False

    def end_in_time(self) -> None:
        """Ends the running trials when the time is up."""
        if self.plan.minutes is not None and self.seconds >= 60 * self.plan.minutes:
            self.carrying.workers.stop()

    def end(self, why: str) -> None:
        """Starts no more trials."""
        self.ended, self.is_complete = why, True

    def best(self) -> TrialRecord:
        """The record of the best trial.

        Raises:
            StageError: no trial has a score.
        """
        records = tuple(_ended(self.trials))
        scored = SearchResult({}, records, self.objective.name, self.objective.direction).scored()
        if scored:
            return scored[0][0]
        if not records:
            raise StageError("the budget of the search does not allow a single trial", hint="raise it")
        error = f"; the error of the first ({records[0].id}): {records[0].error}"
        raise StageError(f"every trial of the search failed{error}", hint=f"the trials are in {self.folder.path}")

    def best_so_far(self) -> str:
        """A note for the progress bar."""
        done = [(record.id, record.score) for record in _ended(self.trials[: self.reported]) if record.score is not None]
        if not done:
            return ""
        score = self.objective.best([score for _, score in done])
        id = next(id for id, found in done if found == score)
        return f"best {self.objective.name} {score:.4f} (trial {id})"


def _ended(trials: Iterable[Trial]) -> list[TrialRecord]:
    """The records of those trials that have ended."""
    return [trial.record for trial in trials if trial.record is not None]


def _epochs(trial: Trial) -> int:
    """Number of epochs that a trial has trained or will train."""
    return trial.until_epoch - trial.first_epoch if trial.record is None else trial.record.epochs


def _seed_scores(
    settings: TunerSettings, best: Mapping[str, Scalar], carrying: Carrying, folder: SearchFolder
) -> tuple[SeedScore, ...]:
    """Scores of the best settings, fully trained with several seeds. Failed ones are reported and left out."""
    first, epochs = settings.training.seed, settings.training.epochs
    trainings = {
        seed: Trial(
            id=f"seed_{seed}",
            folder=folder.path / f"seed_{seed}",
            values={**best, "training.seed": seed},
            until_epoch=int(best.get("training.epochs", epochs)),
            epochs=epochs,
        )
        for seed in range(first, first + settings.search.seeds)
    }
    with bar("seeds", total=len(trainings)) as advance:
        waiting = list(trainings.values())
        while len(_ended(trainings.values())) < len(trainings):
            while waiting and carrying.has_room:
                carrying.begin(waiting.pop(0))
            carrying.wait()
            advance(0)
    scores = []
    for (seed, training), record in zip(trainings.items(), _ended(trainings.values()), strict=True):
        forget_checkpoints(training.folder)
        if record.score is None:
            say(f"the best settings failed with training.seed={seed}: {record.error}")
        else:
            scores.append(SeedScore(seed, record.score, record.seconds))
    return tuple(scores)
