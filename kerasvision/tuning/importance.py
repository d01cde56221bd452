"""Which settings mattered in a search: a random forest learns the trials' ranks, and each setting in turn is permuted.

Source of the random forest, and in section 10 of the permutation importance: Breiman, 2001,
https://doi.org/10.1023/A:1010933404324. The forest is scikit-learn's. It predicts the ranks of held-out trials.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from kerasvision.tuning.records import Scalar, SearchResult, TrialRecord
from kerasvision.tuning.table import varied_paths

FEWEST_TRIALS = 8
FOLDS = 4
TREES = 60
REPEATS = 5
# The column with the number of epochs, for algorithms that train some trials for more epochs.
EPOCHS = "epochs"


@dataclass(frozen=True)
class Importance:
    """How much each setting influenced the score.

    Attributes:
        settings: path -> increase of the squared error of predicted ranks when the setting's values are permuted among the
            trials, as a share of the ranks' variance; at least 0, largest first.
        explained: share of the variance of ranks that the forest explains for held-out trials; at most 1.
        trials: number of trials with a score.
        reason: why the importance is unknown; "" otherwise.
    """

    settings: dict[str, float] = field(default_factory=dict)
    explained: float = 0.0
    trials: int = 0
    reason: str = ""


def setting_importance(result: SearchResult) -> Importance:
    """The importance of every setting that took several values. The same trials give the same result.

    It uses ranks, because a single exploded loss would outweigh all others. If trials were compared after different numbers
    of epochs, this number counts as a setting. A setting whose condition was not met gets its most common or its median
    value.
    """
    scored = [trial for trial in result.trials if trial.score is not None]
    # A trial that continues another one has the same settings, and training and held-out trials must not share settings.
    tried = pd.factorize(np.array([repr(sorted(trial.values.items())) for trial in scored], dtype=object))[0]
    different = len(set(tried))
    if 1 < different < FEWEST_TRIALS or len(scored) < FEWEST_TRIALS:
        reason = f"too few trials: {different} different settings have a score, but at least {FEWEST_TRIALS} are required"
        return Importance(trials=len(scored), reason=reason)
    settings = _settings(scored)
    if settings.empty:
        return Importance(trials=len(scored), reason="all trials have the same settings")
    ranks = rankdata([trial.score for trial in scored])
    if not np.ptp(ranks):
        return Importance(trials=len(scored), reason="all trials have the same score")
    gains, error = _held_out(settings, ranks, tried)
    if error >= 1:
        reason = "the settings do not predict the rank of a held-out trial: there are too few trials, or they matter little"
        return Importance(explained=float(1 - error), trials=len(scored), reason=reason)
    shares = pd.Series(gains, settings.columns).clip(lower=0).sort_values(ascending=False, kind="stable")
    return Importance({str(path): float(share) for path, share in shares.items()}, float(1 - error), len(scored))


def _held_out(settings: pd.DataFrame, ranks: np.ndarray, tried: np.ndarray) -> tuple[np.ndarray, float]:
    """(increase of the squared error by column, squared error), as shares of the ranks' variance."""
    gains, error = np.zeros(settings.shape[1]), 0.0
    for seen, held in GroupKFold(FOLDS, shuffle=True, random_state=0).split(settings, groups=tried):
        forest = _forest().fit(settings.iloc[seen], ranks[seen])
        own = np.square(forest.predict(settings.iloc[held]) - ranks[held]).sum()
        error += own
        gains += _permuted_errors(forest, settings.iloc[held], ranks[held]) - own
    return gains / len(ranks) / ranks.var(), error / len(ranks) / ranks.var()


def _permuted_errors(forest: Pipeline, settings: pd.DataFrame, ranks: np.ndarray) -> np.ndarray:
    """float64 (columns,): the sum of squared errors when a column is permuted among the trials, the mean of `REPEATS`."""
    # One prediction for all tables, because a prediction takes almost as long for a few rows as for many.
    random, tables = np.random.default_rng(0), []
    for column in settings:
        values = settings[column].to_numpy()
        tables += [settings.assign(**{str(column): random.permutation(values)}) for _ in range(REPEATS)]
    predicted = forest.predict(pd.concat(tables)).reshape(-1, REPEATS, len(ranks))
    errors: np.ndarray = np.square(predicted - ranks).sum(axis=2)
    means: np.ndarray = errors.mean(axis=1)
    return means


def _forest() -> Pipeline:
    texts = make_column_selector(dtype_include=object)
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), texts), remainder="passthrough")
    return make_pipeline(columns, RandomForestRegressor(TREES, random_state=0))


def _settings(trials: list[TrialRecord]) -> pd.DataFrame:
    """A row per trial, a column per setting that varies: numbers as float64, texts as objects, without missing values."""
    columns: dict[str, list[Scalar | None]] = {
        path: [trial.values.get(path) for trial in trials] for path in varied_paths(trials)
    }
    if any(trial.bracket is not None for trial in trials):
        columns[EPOCHS] = [len(trial.history) for trial in trials]
    whole = {path: _without_gaps(values) for path, values in columns.items()}
    return pd.DataFrame({path: values for path, values in whole.items() if values.nunique() > 1})


def _without_gaps(values: Sequence[Any]) -> pd.Series:
    # Any: pandas' type stubs do not support a column of bools, numbers and texts.
    known = [value for value in values if value is not None]
    if any(isinstance(value, str) for value in known):
        return pd.Series(values, dtype=object).fillna(pd.Series(known).mode()[0])
    return pd.Series(values, dtype="float64").fillna(float(np.median([float(value) for value in known])))
