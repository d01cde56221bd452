"""Chooses the settings to try next: KerasTuner's oracles, over the space of a search.

They are changed in three cases: when trials fail, when a space is small, and when several trials run at once.
"""

import math
import sys
from typing import Any

import keras_tuner
from keras_tuner.engine import hyperparameters as kinds

# KerasTuner's public way to set conditions, `conditional_scope`, does not support several independent parents.
from keras_tuner.src.engine import conditions

from kerasvision import config as c
from kerasvision.tuning.records import Scalar

RUNNING, IDLE, STOPPED = "RUNNING", "IDLE", "STOPPED"


def make_oracle(plan: c.Search, objective: keras_tuner.Objective) -> keras_tuner.Oracle:
    """The oracle of a search. The same seed and the same results in the same order give the same trials."""
    shared = {
        "objective": objective,
        "hyperparameters": hyperparameters(plan),
        "allow_new_entries": False,
        "seed": _seed(plan.seed),
        # Learning rates that are too high make trials fail in a row: that is a result, not a reason to end the search.
        "max_consecutive_failed_trials": sys.maxsize,
    }
    rounds = {"max_epochs": plan.epochs, "factor": plan.factor}
    match plan.algorithm:
        case "random":
            oracle = keras_tuner.oracles.RandomSearchOracle(max_trials=plan.trials, **shared)
        case "grid":
            oracle = _Grid(max_trials=plan.trials, **shared)
        case "bayesian":
            oracle = keras_tuner.oracles.BayesianOptimizationOracle(max_trials=plan.trials, **shared)
        case "hyperband":
            oracle = _Hyperband(**rounds, **shared)
        case "halving":
            oracle = _Halving(begin=plan.trials, **rounds, **shared)
    oracle.verbose = 0
    return oracle


def _seed(seed: int) -> int:
    """A seed for KerasTuner, which takes 0 as no seed, and adds 1 for every draw, so that nearby seeds would share trials.

    >>> [_seed(seed) for seed in (0, 1, 2)]
    [1, 1000004, 2000007]
    """
    return 1 + 1_000_003 * seed % (2**31 - 1)


def hyperparameters(plan: c.Search) -> keras_tuner.HyperParameters:
    """The space of a search in KerasTuner's form.

    >>> space = {"training.optimizer": c.Choice("sgd", "adam")}
    >>> space["training.optimizer.momentum"] = c.Float(0.5, 0.9, when={"training.optimizer": "sgd"})
    >>> [(entry.name, len(entry.conditions)) for entry in hyperparameters(c.Search(space=space)).space]
    [('training.optimizer', 0), ('training.optimizer.momentum', 1)]
    """
    made = keras_tuner.HyperParameters()
    for path, space in plan.in_order():
        when = [conditions.Parent(parent, list(values)) for parent, values in space.when.items()]
        match space:
            case c.Choice():
                entry = kinds.Choice(path, list(space.values), conditions=when)
            case c.Int():
                entry = kinds.Int(path, space.low, space.high, step=space.step, conditions=when)
            case c.LogUniform():
                entry = kinds.Float(path, space.low, space.high, sampling="log", conditions=when)
            case c.Float():
                entry = kinds.Float(path, space.low, space.high, conditions=when)
        made.merge([entry])
    return made


def values_of(trial: keras_tuner.engine.trial.Trial, plan: c.Search) -> dict[str, Scalar]:
    """Path -> value of a trial, with Python's own numbers, without settings whose condition is not met."""
    values = trial.hyperparameters.values
    return {path: _plain(values[path]) for path in plan.space if path in values}


def _plain(value: Any) -> Scalar:
    plain: Scalar = value.item() if hasattr(value, "item") else value
    return plain


class _Grid(keras_tuner.oracles.GridSearchOracle):
    """Does not wait for a trial's result before it proposes the next: no result changes a grid."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        found: dict[str, Any] = super().populate_space(trial_id)
        if found["status"] == RUNNING and trial_id not in self._populate_next:
            self._populate_next.append(trial_id)
        return found


class _Rounds(keras_tuner.oracles.HyperbandOracle):
    """Continues if trials fail, or if the space has too few values to fill a round.

    KerasTuner compares numbers of trials. If fewer trials of a round are left than it would discard, because many failed, or
    if the first round never fills, no trial continues. Here, failed trials are discarded first.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        found: dict[str, Any] = super().populate_space(trial_id)
        parent = (found.get("values") or {}).get("tuner/trial_id")
        if parent is not None:  # KerasTuner would set the newest bracket here
            found["values"]["tuner/bracket"] = self.trials[parent].hyperparameters.values["tuner/bracket"]
        return found

    def _get_size(self, bracket_num: int, round_num: int) -> int:
        """The number of trials of a round; once it is full, the number of those that have not failed."""
        bracket = next((found for found in self._brackets if found["bracket_num"] == bracket_num), None)
        if bracket is None:
            return self._planned_size(bracket_num, round_num)
        members, size = bracket["rounds"][round_num], self._full_size(bracket, round_num)
        return self._survivors(members) if len(members) >= size else size

    def _full_size(self, bracket: dict[str, Any], round_num: int) -> int:
        """The number of trials that fill a round: at most as many as are left of the round before."""
        planned = self._planned_size(bracket["bracket_num"], round_num)
        if round_num == 0:
            return len(bracket["rounds"][0]) if bracket.get("is_full") else planned
        before = bracket["rounds"][round_num - 1]
        is_full = len(before) >= self._full_size(bracket, round_num - 1)
        return min(planned, self._survivors(before)) if is_full else planned

    def _planned_size(self, bracket_num: int, round_num: int) -> int:
        size: int = super()._get_size(bracket_num, round_num)
        return size

    def _survivors(self, members: list[dict[str, str]]) -> int:
        return sum(self.trials[member["id"]].status != "FAILED" for member in members if member["id"] in self.trials)

    def _random_trial(self, trial_id: str, bracket: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = super()._random_trial(trial_id, bracket)
        if found["status"] == RUNNING or bracket.get("is_full"):
            return found
        bracket["is_full"] = True
        return self.populate_space(trial_id)


class _Hyperband(_Rounds):
    """Hyperband (Li et al., 2018, https://arxiv.org/abs/1603.06560)."""


class _Halving(_Rounds):
    """Successive halving: only Hyperband's most aggressive bracket, with a given number of trials at the start.

    Source: Jamieson and Talwalkar, 2016, https://arxiv.org/abs/1502.07943.
    """

    def __init__(self, *, begin: int, **keywords: object) -> None:
        self._begin = begin
        super().__init__(**keywords)

    def _planned_size(self, bracket_num: int, round_num: int) -> int:
        size: float = self._begin / self.factor**round_num
        return math.ceil(size)

    def _get_epochs(self, bracket_num: int, round_num: int) -> int:
        epochs: float = self.max_epochs / self.factor ** (self._get_num_rounds(0) - 1 - round_num)
        return math.ceil(epochs)

    def _get_num_rounds(self, bracket_num: int) -> int:
        count: int = super()._get_num_brackets()
        return count

    def _get_num_brackets(self) -> int:
        return 1
