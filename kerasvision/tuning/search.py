"""A search over settings: KerasTuner proposes, our own training tries, the validation split decides."""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import keras_tuner
import pandas as pd

from kerasvision import config as c
from kerasvision.config.overrides import with_value
from kerasvision.config.stages import TrainerSettings, TunerSettings
from kerasvision.errors import ConfigError, StageError
from kerasvision.progress import bar

# A trial: settings in, the history of its epochs out.
Try = Callable[[TrainerSettings], pd.DataFrame]


def search(settings: TunerSettings, *, try_settings: Try, folder: Path) -> tuple[dict[str, c.search.Scalar], pd.DataFrame]:
    """Runs the search that the settings describe.

    Args:
        settings: the trainer's settings, and what to vary in them.
        try_settings: trains with given settings and returns the history.
        folder: KerasTuner's project folder.

    Returns:
        The best values by path, and a table of all trials, best first.

    Raises:
        ConfigError: a trial does not measure the objective.
        StageError: every trial failed.
    """
    plan = settings.search
    objective = keras_tuner.Objective(f"val_{plan.objective}", settings.task.best_is(plan.objective))
    tuner = _Tuner(settings, try_settings, _oracle(plan, objective), folder)
    with bar("trials", total=None if plan.algorithm == "hyperband" else plan.trials) as advance:
        tuner.advance = advance
        tuner.search(verbose=0)
    trials = _table(tuner.oracle, objective)
    if trials.empty or trials["score"].isna().all():
        raise StageError(f"every trial of the search failed, {_why(tuner.oracle)}", hint=f"the trials are in {folder}")
    best = {path: trials.iloc[0][path] for path in plan.space}
    return {path: value.item() if hasattr(value, "item") else value for path, value in best.items()}, trials


def save_best(best: dict[str, c.search.Scalar], file: Path) -> None:
    """Writes the best values as JSON, path -> value."""
    file.write_text(json.dumps(best, indent=2) + "\n", encoding="utf-8")


class _Tuner(keras_tuner.Tuner):
    """A tuner whose trial is a training of ours. No hypermodel: a trial is a set of settings, not a Keras model."""

    def __init__(self, settings: TunerSettings, try_settings: Try, oracle: keras_tuner.Oracle, folder: Path) -> None:
        self._settings, self._try = settings, try_settings
        self.advance: Callable[..., None] = lambda *_: None
        super().__init__(
            oracle=oracle, hypermodel=_unused_hypermodel, directory=str(folder.parent), project_name=folder.name
        )

    def run_trial(self, trial: keras_tuner.engine.trial.Trial, *args: object, **kwargs: object) -> dict[str, list[float]]:
        history = self._try(_trial_settings(self._settings, trial.hyperparameters))
        # Settings of the next trial must not build on what this one left in Keras' global state.
        keras.backend.clear_session()
        self.advance(1)
        name = self.oracle.objective.name
        if name not in history:
            measured = [column.removeprefix("val_") for column in history if column.startswith("val_")]
            message = f"trials measure {', '.join(measured) or 'nothing'} on the validation split"
            raise ObjectiveError(message, received=name.removeprefix("val_"), hint="set search.objective to one of them")
        score = float(history[name].iloc[-1])
        if not math.isfinite(score):
            # KerasTuner fails a trial whose score is NaN too, but does not say why; an infinite score could win.
            raise keras_tuner.errors.FailedTrialError(f"{name} is {score}")
        return {name: score}


class ObjectiveError(keras_tuner.errors.FatalError, ConfigError):
    """Trials do not measure the objective. Ends a search at once; other errors are failures of single trials."""


def _unused_hypermodel(hyperparameters: keras_tuner.HyperParameters) -> keras.Model:
    """KerasTuner builds one model to see which hyperparameters exist; ours are declared already."""
    inputs = keras.Input((1,))
    return keras.Model(inputs, inputs)


def _trial_settings(settings: TunerSettings, hyperparameters: keras_tuner.HyperParameters) -> TrainerSettings:
    tried = TrainerSettings(task=settings.task, model=settings.model, training=settings.training, augment=settings.augment)
    if tried.training.strategy == "multi_worker":
        # Several machines train one model together; a trial is small, and whoever runs the tuner runs it alone.
        tried = with_value(tried, "training.strategy", "auto")
    for path in settings.search.space:
        tried = with_value(tried, path, hyperparameters.get(path))
    epochs = hyperparameters.values.get("tuner/epochs", settings.search.epochs)
    return with_value(tried, "training.epochs", epochs)


def _oracle(plan: c.Search, objective: keras_tuner.Objective) -> keras_tuner.Oracle:
    hyperparameters = keras_tuner.HyperParameters()
    for path, space in plan.space.items():
        _declare(hyperparameters, path, space)
    shared = {
        "objective": objective,
        "hyperparameters": hyperparameters,
        "allow_new_entries": False,
        "seed": plan.seed + 1,  # KerasTuner takes 0 for none
        # Rates that are too high fail in a row: that is a result, not a reason to give up.
        "max_consecutive_failed_trials": sys.maxsize,
    }
    if plan.algorithm == "hyperband":
        return keras_tuner.oracles.HyperbandOracle(max_epochs=plan.epochs, **shared)
    oracle = {
        "random": keras_tuner.oracles.RandomSearchOracle,
        "grid": keras_tuner.oracles.GridSearchOracle,
        "bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
    }[plan.algorithm]
    return oracle(max_trials=plan.trials, **shared)


def _declare(hyperparameters: keras_tuner.HyperParameters, path: str, space: c.Space) -> None:
    match space:
        case c.Choice():
            hyperparameters.Choice(path, list(space.values))
        case c.Int():
            hyperparameters.Int(path, space.low, space.high)
        case c.LogUniform():
            hyperparameters.Float(path, space.low, space.high, sampling="log")
        case c.Float():
            hyperparameters.Float(path, space.low, space.high)


def _why(oracle: keras_tuner.Oracle) -> str:
    """What the last failed trial said."""
    messages = [trial.message for trial in oracle.trials.values() if trial.message]
    return f"the last with {messages[-1].strip().splitlines()[-1]}" if messages else "and none says why"


def _table(oracle: keras_tuner.Oracle, objective: keras_tuner.Objective) -> pd.DataFrame:
    rows = [
        {"trial": trial.trial_id, "status": trial.status, "score": trial.score, **trial.hyperparameters.values}
        for trial in oracle.trials.values()
    ]
    table = pd.DataFrame(rows, columns=None if rows else ["trial", "status", "score"])
    return table.sort_values("score", ascending=objective.direction == "min", na_position="last", ignore_index=True)
