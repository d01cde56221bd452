"""A search tries what the settings allow, and the validation split decides."""

import json
import math
from types import SimpleNamespace

import pandas as pd
import pytest

from kerasvision import config as c
from kerasvision.config.stages import TunerSettings
from kerasvision.errors import ConfigError, StageError
from kerasvision.pipeline.stages.tuner import tuner
from kerasvision.tuning.search import save_best, search

RATE, POOLING = "training.optimizer.learning_rate", "model.options.pooling"


def settings(space=None, *, augment=(), **plan):
    return TunerSettings(
        task=c.Classification(),
        model=c.Model(name="lenet5", options={"activation": "relu", "pooling": "max"}),
        training=c.Training(epochs=50, batch_size=16, optimizer=c.Sgd(momentum=0.9)),
        augment=augment,
        search=c.Search(space=space or {RATE: c.LogUniform(1e-4, 1.0)}, **plan),
    )


def history(**last):
    """Two epochs, of which the last has these values and the first is better in everything."""
    return pd.DataFrame([{**dict.fromkeys(last, math.nan)}, last])


@pytest.fixture(autouse=True)
def nothing_to_clear(request, monkeypatch):
    """Trials that are only a formula leave nothing in Keras' global state, and clearing it takes most of the time."""
    if "stripes" not in request.fixturenames:
        monkeypatch.setattr("keras.backend.clear_session", lambda: None)


class Trials:
    """A training that is only a formula: best at a learning rate of 0.01. Keeps the settings that it was given."""

    def __init__(self, fails=lambda rate: False):
        self.tried, self.fails = [], fails

    def __call__(self, tried):
        self.tried.append(tried)
        rate = tried.training.optimizer.learning_rate
        if self.fails(rate):
            raise StageError(f"the training loss became nan at {rate}")
        distance = abs(math.log10(rate) + 2)
        return history(val_accuracy=1 - distance / 10, val_log_loss=distance)

    @property
    def rates(self):
        return [tried.training.optimizer.learning_rate for tried in self.tried]


def closest(rates):
    return min(rates, key=lambda rate: abs(math.log10(rate) + 2))


# Both mean the same here: the most accuracy and the least log loss are at the rate closest to 0.01.
@pytest.mark.parametrize("objective", ["accuracy", "log_loss"])
@pytest.mark.parametrize("algorithm", ["random", "bayesian", "hyperband"])
def test_the_best_is_chosen_by_the_validation_metric(algorithm, objective, tmp_path):
    trials = Trials()
    plan = settings(algorithm=algorithm, trials=6, epochs=3, objective=objective)
    best, table = search(plan, try_settings=trials, folder=tmp_path / "search")
    assert best == {RATE: closest(trials.rates)}
    assert table[RATE].iloc[0] == best[RATE]
    assert table["score"].is_monotonic_increasing if objective == "log_loss" else table["score"].is_monotonic_decreasing
    assert len(set(trials.rates)) > 3
    assert all(1e-4 <= rate <= 1.0 for rate in trials.rates)


def test_random_search_makes_as_many_trials_as_asked_for(tmp_path):
    trials = Trials()
    _, table = search(settings(trials=4), try_settings=trials, folder=tmp_path / "search")
    assert (len(trials.tried), len(table)) == (4, 4)
    assert set(table["status"]) == {"COMPLETED"}


def test_grid_search_tries_every_choice_once(tmp_path):
    trials = Trials()
    space = {RATE: c.Choice(0.001, 0.01, 0.1), POOLING: c.Choice("max", "average")}
    best, _ = search(settings(space, algorithm="grid", trials=20), try_settings=trials, folder=tmp_path / "search")
    tried = [(t.training.optimizer.learning_rate, t.model.options["pooling"]) for t in trials.tried]
    assert sorted(tried) == [(rate, pooling) for rate in (0.001, 0.01, 0.1) for pooling in ("average", "max")]
    assert best[RATE] == 0.01


def test_a_trial_changes_what_is_searched_and_nothing_else(tmp_path):
    space = {RATE: c.Float(0.1, 0.2), "training.batch_size": c.Choice(8, 32), "augment.0.pad": c.Int(1, 3)}
    plan = settings(space, augment=(c.PadCrop(pad=2),), trials=5, epochs=7)
    trials = Trials()
    search(plan, try_settings=trials, folder=tmp_path / "search")
    for tried in trials.tried:
        assert 0.1 <= tried.training.optimizer.learning_rate <= 0.2
        assert tried.training.batch_size in (8, 32)
        assert tried.augment[0].pad in (1, 2, 3)
        assert tried.training.epochs == 7
        assert (tried.model, tried.task, tried.training.seed) == (plan.model, plan.task, plan.training.seed)
        assert tried.training.optimizer.momentum == 0.9
    assert len({tried.training.batch_size for tried in trials.tried}) == 2


def test_the_best_values_have_the_types_of_the_settings(tmp_path):
    space = {RATE: c.LogUniform(1e-4, 1.0), "training.batch_size": c.Choice(8, 32), POOLING: c.Choice("max", "average")}
    best, _ = search(settings(space, trials=3), try_settings=Trials(), folder=tmp_path / "search")
    assert {path: type(value) for path, value in best.items()} == {RATE: float, "training.batch_size": int, POOLING: str}
    save_best(best, tmp_path / "best.json")
    assert json.loads((tmp_path / "best.json").read_text()) == best


def test_hyperband_gives_few_epochs_to_many_and_all_to_the_best(tmp_path):
    trials = Trials()
    best, table = search(settings(algorithm="hyperband", epochs=9), try_settings=trials, folder=tmp_path / "search")
    # Hyperband with a factor of 3: rounds of 1, 3 and 9 epochs (Li et al., 2018, table 1), of which KerasTuner gives
    # the shortest ceil(9 / 3**2) = 1.
    epochs = [tried.training.epochs for tried in trials.tried]
    assert set(epochs) == {1, 3, 9}
    assert epochs.count(1) > epochs.count(9) > 0
    assert set(table["tuner/epochs"]) == {1, 3, 9}
    assert set(best) == {RATE}


def rates(folder, *, seed, algorithm="random"):
    trials = Trials()
    plan = settings(seed=seed, algorithm=algorithm, trials=5, epochs=3)
    search(plan, try_settings=trials, folder=folder)
    return trials.rates


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "hyperband"])
@pytest.mark.parametrize("seed", [0, 7])  # KerasTuner itself takes 0 for "any seed"
def test_the_same_seed_makes_the_same_trials(seed, algorithm, tmp_path):
    first = rates(tmp_path / "1", seed=seed, algorithm=algorithm)
    assert rates(tmp_path / "2", seed=seed, algorithm=algorithm) == first
    assert rates(tmp_path / "3", seed=seed + 1, algorithm=algorithm) != first


# --- Trials that fail


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "hyperband"])
def test_failed_trials_do_not_stop_a_search_and_never_win(algorithm, tmp_path):
    # About half of the range fails, so that among so many trials several in a row do.
    trials = Trials(fails=lambda rate: rate > 0.005)
    plan = settings(algorithm=algorithm, trials=12, epochs=9, seed=3)
    best, table = search(plan, try_settings=trials, folder=tmp_path / "search")
    failed = [rate > 0.005 for rate in trials.rates]
    assert any(failed[i : i + 3] == [True] * 3 for i in range(len(failed)))
    assert best == {RATE: closest([rate for rate in trials.rates if rate <= 0.005])}
    assert (table["status"] == "FAILED").sum() == sum(failed)
    assert algorithm == "hyperband" or len(trials.tried) == 12


def test_a_search_of_which_every_trial_fails_is_refused_with_the_reason(tmp_path):
    trials = Trials(fails=lambda rate: True)
    with pytest.raises(StageError, match="every trial of the search failed, the last with .*loss became nan at 0"):
        search(settings(trials=5), try_settings=trials, folder=tmp_path / "search")
    assert len(trials.tried) == 5


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "hyperband"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_a_finite_number_never_wins(bad, algorithm, tmp_path):
    tried = []

    def try_settings(settings):
        tried.append(settings.training.optimizer.learning_rate)
        return history(val_accuracy=bad if len(tried) % 2 else len(tried) / 100)

    plan = settings(algorithm=algorithm, trials=8, epochs=9)
    best, table = search(plan, try_settings=try_settings, folder=tmp_path / "search")
    numbers = tried[1::2]
    assert best == {RATE: numbers[-1]}
    assert table["score"].notna().sum() == len(numbers)


def test_scores_that_are_all_not_numbers_are_refused(tmp_path):
    with pytest.raises(StageError, match="every trial of the search failed, the last with .*: val_accuracy is nan"):
        search(settings(trials=2), try_settings=lambda tried: history(val_accuracy=math.nan), folder=tmp_path / "search")


def test_an_objective_that_trials_do_not_measure_is_told_at_once(tmp_path):
    trials = Trials()
    with pytest.raises(ConfigError, match=r"trials measure accuracy, log_loss .*; received 'recall\[cat\]'"):
        search(settings(objective="recall[cat]", trials=5), try_settings=trials, folder=tmp_path / "search")
    assert len(trials.tried) == 1


# --- The stage


def test_the_stage_searches_with_real_trainings(stripes, tmp_path):
    out = SimpleNamespace(best=tmp_path / "best.json", trials=tmp_path / "trials.csv", search=tmp_path / "search")
    tuner(
        examples=SimpleNamespace(data=stripes.examples),
        schema=SimpleNamespace(file=stripes.schema),
        transform_graph=SimpleNamespace(file=stripes.transform),
        best_hyperparameters=out,
        settings=settings({RATE: c.Choice(1e-6, 0.02)}, algorithm="grid", trials=2, epochs=4, objective="log_loss"),
    )
    # A rate of a millionth learns nothing in four epochs.
    assert json.loads(out.best.read_text()) == {RATE: 0.02}
    table = pd.read_csv(out.trials)
    assert table[RATE].tolist() == [0.02, 1e-6]
    assert table["score"].iloc[0] < table["score"].iloc[1]
