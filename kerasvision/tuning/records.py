"""The result of a search: a record of each trial, and the best values."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Scalar = bool | int | float | str
Status = Literal["COMPLETED", "STOPPED", "FAILED"]
# Whether the smallest or the largest value is best.
Direction = Literal["min", "max"]


@dataclass(frozen=True)
class TrialRecord:
    """One trial and its result.

    Attributes:
        id: KerasTuner's name of the trial, in the order in which they were started: "00", "01" ..., with as many digits as
            needed.
        status: COMPLETED; STOPPED before its last epoch, because it was hopeless or the time was up (it has a score if it
            completed an epoch); FAILED.
        score: the objective on the validation split after the last epoch; None if there is no score.
        seconds: time that its processes spent on it, over all attempts since the search was last started or resumed.
        epochs: number of epochs that it trained, without those of its parent.
        attempts: number of processes that tried it.
        values: path -> value, for the settings that were varied, without those whose condition was not met.
        history: a dict per epoch from the first, with `epoch` from 1 and the measured values; includes the epochs of its
            parent.
        error: why it failed, or what stopped it; "" otherwise.
        parent: the trial whose training it continues (Hyperband, halving); "" if it started from the beginning.
        bracket, round: its position in Hyperband and halving; None with other algorithms.
    """

    id: str
    status: Status
    score: float | None
    seconds: float
    epochs: int
    attempts: int
    values: Mapping[str, Scalar]
    history: tuple[Mapping[str, float], ...] = ()
    error: str = ""
    parent: str = ""
    bracket: int | None = None
    round: int | None = None

    def to_data(self) -> dict[str, object]:
        """The record as plain data, for JSON."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "TrialRecord":
        """The record from the result of `to_data`."""
        return cls(**{**data, "history": tuple(data["history"])})


@dataclass(frozen=True)
class SeedScore:
    """The score of the best settings, fully trained with another seed.

    Attributes:
        seed: `training.seed`.
        score: the objective on the validation split.
        seconds: duration of the training.
    """

    seed: int
    score: float
    seconds: float


@dataclass(frozen=True)
class SearchResult:
    """A finished search.

    Attributes:
        best: path -> value of the best trial, without settings whose condition was not met.
        trials: all of them, in the order in which they were started.
        objective: the compared column of a history, such as "val_accuracy".
        direction: whether the smallest or the largest value is best.
        seeds: scores of the best settings with several seeds; empty if the search has `seeds=0`.
        ended: why the search ended early; "" if it ran all trials.
    """

    best: Mapping[str, Scalar]
    trials: tuple[TrialRecord, ...]
    objective: str
    direction: Direction
    seeds: tuple[SeedScore, ...] = field(default=())
    ended: str = ""

    def ranked(self) -> tuple[TrialRecord, ...]:
        """The trials, best first; equal scores in the order in which they were started; those without a score last.

        >>> scores = {"0000": 0.5, "0001": None, "0002": 0.9}
        >>> trials = tuple(TrialRecord(id, "COMPLETED", score, 1.0, 1, 1, {}) for id, score in scores.items())
        >>> [trial.id for trial in SearchResult({}, trials, "val_accuracy", "max").ranked()]
        ['0002', '0000', '0001']
        """
        sign = 1 if self.direction == "min" else -1
        return tuple(sorted(self.trials, key=lambda trial: math.inf if trial.score is None else sign * trial.score))

    def scored(self) -> list[tuple[TrialRecord, float]]:
        """(trial, score) of the trials that have one, best first."""
        return [(trial, trial.score) for trial in self.ranked() if trial.score is not None]

    def summary(self) -> dict[str, int | float | str]:
        """The most important results: the number of trials, the best score, and the mean score over several seeds."""
        found: dict[str, int | float | str] = {"objective": self.objective, "trials": len(self.trials)}
        if scored := self.scored():
            found["score"] = scored[0][1]
        if self.seeds:
            found["seeds_mean"], found["seeds_deviation"] = mean_and_deviation(self.seeds)
        return found


def mean_and_deviation(seeds: Sequence[SeedScore]) -> tuple[float, float]:
    """Mean and sample standard deviation (divided by n - 1) of the scores; for a single score the deviation is 0.

    >>> mean_and_deviation([SeedScore(0, 0.5, 1.0), SeedScore(1, 0.75, 1.0), SeedScore(2, 1.0, 1.0)])
    (0.75, 0.25)
    """
    scores = [one.score for one in seeds]
    mean = math.fsum(scores) / len(scores)
    squares = math.fsum((score - mean) ** 2 for score in scores)
    return mean, math.sqrt(squares / max(1, len(scores) - 1))


def save_best(best: Mapping[str, Scalar], file: Path) -> None:
    """Writes the best values as JSON, path -> value."""
    file.write_text(json.dumps(best, indent=2) + "\n", encoding="utf-8")
