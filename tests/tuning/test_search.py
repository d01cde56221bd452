"""A search tries the allowed settings, and the validation split decides."""

import json
import math

import keras_tuner
import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError, Interrupted, StageError
from kerasvision.tuning.records import save_best
from kerasvision.tuning.search import search

RATE, POOLING = "training.optimizer.learning_rate", "model.options.pooling"
OPTIMIZER, MOMENTUM = "training.optimizer", "training.optimizer.momentum"


@pytest.fixture
def settings(tuning):
    return tuning.settings


@pytest.fixture
def here(tuning):
    return tuning.Here


def closest(rates):
    return min(rates, key=lambda rate: abs(math.log10(rate) + 2))


def fails_where(condition, formula):
    def tried(settings, epoch):
        if condition(settings.training.optimizer.learning_rate):
            raise StageError(f"the training loss became nan at {settings.training.optimizer.learning_rate}")
        return formula(settings, epoch)

    return tried


# Both have the same best trial: the highest accuracy and the lowest log loss are at the rate closest to 0.01.
@pytest.mark.parametrize("objective", ["accuracy", "log_loss"])
@pytest.mark.parametrize("algorithm", ["random", "hyperband", "halving"])
def test_the_best_is_chosen_by_the_validation_metric(settings, here, algorithm, objective, tmp_path):
    workers = here()
    plan = settings(algorithm=algorithm, trials=6, epochs=3, objective=objective)
    result = search(plan, workers=workers, folder=tmp_path / "search")
    assert result.best == {RATE: closest(workers.rates)}
    ranked = result.ranked()
    assert ranked[0].values == result.best
    scores = [trial.score for trial in ranked]
    assert scores == sorted(scores, reverse=objective == "accuracy")
    assert len(set(workers.rates)) > 3
    assert all(1e-4 <= rate <= 1.0 for rate in workers.rates)


def test_random_search_makes_as_many_trials_as_asked_for(settings, here, tmp_path):
    workers = here()
    result = search(settings(trials=4), workers=workers, folder=tmp_path / "search")
    assert (len(workers.jobs), len(result.trials)) == (4, 4)
    assert {trial.status for trial in result.trials} == {"COMPLETED"}


@pytest.mark.parametrize("parallel", [1, 3])
def test_grid_search_tries_every_choice_once(settings, here, parallel, tmp_path):
    workers = here(count=parallel)
    space = {RATE: c.Choice(0.001, 0.01, 0.1), POOLING: c.Choice("max", "average")}
    plan = settings(space, algorithm="grid", trials=20, parallel_trials=parallel)
    result = search(plan, workers=workers, folder=tmp_path / "search")
    tried = [(t.training.optimizer.learning_rate, t.model.options["pooling"]) for t in workers.tried]
    assert sorted(tried) == [(rate, pooling) for rate in (0.001, 0.01, 0.1) for pooling in ("average", "max")]
    assert result.best[RATE] == 0.01


def test_a_trial_changes_what_is_searched_and_nothing_else(settings, here, tmp_path):
    space = {RATE: c.Float(0.1, 0.2), "training.batch_size": c.Choice(8, 32), "augment.0.pad": c.Int(1, 3)}
    plan = settings(space, augment=(c.PadCrop(pad=2),), trials=5, epochs=7)
    workers = here()
    search(plan, workers=workers, folder=tmp_path / "search")
    for tried in workers.tried:
        assert 0.1 <= tried.training.optimizer.learning_rate <= 0.2
        assert tried.training.batch_size in (8, 32)
        assert tried.augment[0].pad in (1, 2, 3)
        assert tried.training.epochs == 7
        assert (tried.model, tried.task, tried.training.seed) == (plan.model, plan.task, plan.training.seed)
        assert tried.training.optimizer.momentum == 0.9
    assert len({tried.training.batch_size for tried in workers.tried}) == 2


@pytest.mark.parametrize("algorithm", ["random", "grid", "bayesian", "hyperband"])
def test_a_setting_is_varied_only_where_its_condition_is_met(settings, here, algorithm, tmp_path):
    space = {
        MOMENTUM: c.Float(0.1, 0.2, when={OPTIMIZER: "sgd", POOLING: ("max", "average")}),
        OPTIMIZER: c.Choice("sgd", "adam"),
        POOLING: c.Choice("max", "average"),
    }
    # KerasTuner's grid has about ten numbers of a range, and ends after them.
    trials = 40 if algorithm == "grid" else 7
    workers = here(lambda tried, epoch: {"val_accuracy": 0.5 if tried.training.optimizer.kind == "sgd" else 0.9})
    result = search(settings(space, algorithm=algorithm, trials=trials), workers=workers, folder=tmp_path / "search")
    assert {tried.training.optimizer.kind for tried in workers.tried} == {"sgd", "adam"}
    for trial, tried in zip(result.trials, workers.tried, strict=True):
        assert (MOMENTUM in trial.values) == (tried.training.optimizer.kind == "sgd")
        if MOMENTUM in trial.values:
            assert 0.1 <= trial.values[MOMENTUM] == tried.training.optimizer.momentum <= 0.2
    assert set(result.best) == {OPTIMIZER, POOLING}


def test_the_best_values_have_the_types_of_the_settings(settings, here, tmp_path):
    space = {RATE: c.LogUniform(1e-4, 1.0), "training.batch_size": c.Choice(8, 32), POOLING: c.Choice("max", "average")}
    best = search(settings(space, trials=3), workers=here(), folder=tmp_path / "search").best
    assert {path: type(value) for path, value in best.items()} == {RATE: float, "training.batch_size": int, POOLING: str}
    save_best(best, tmp_path / "best.json")
    assert json.loads((tmp_path / "best.json").read_text()) == best


def test_a_network_of_its_best_epoch_has_that_epochs_score(settings, here, tmp_path):
    accuracies, losses = [0.5, 0.8, 0.6], [3.0, 1.0, 2.0]
    workers = here(lambda tried, epoch: {"val_accuracy": accuracies[epoch - 1], "val_loss": losses[epoch - 1]})
    training = c.Training(batch_size=16, keep="best")
    kept = search(settings(training=training, trials=1, epochs=3), workers=workers, folder=tmp_path / "best")
    last = search(settings(trials=1, epochs=3), workers=workers, folder=tmp_path / "last")
    assert (kept.trials[0].score, last.trials[0].score) == (0.8, 0.6)


# KerasTuner treats 0 as "any seed". Its Bayesian oracle takes a second of processor time for each trial.
@pytest.mark.parametrize("algorithm", ["random", "hyperband", "halving"])
@pytest.mark.parametrize("seed", [0, 7])
def test_the_same_seed_makes_the_same_trials(settings, here, seed, algorithm, tmp_path):
    def rates(name, seed):
        workers = here()
        plan = settings(seed=seed, algorithm=algorithm, trials=5, epochs=3)
        search(plan, workers=workers, folder=tmp_path / name)
        return workers.rates

    first = rates("1", seed)
    assert rates("2", seed) == first
    # With KerasTuner alone, neighbouring seeds share most of their trials.
    assert not set(rates("3", seed + 1)) & set(first)


# --- Several at a time


@pytest.mark.parametrize("algorithm", ["random", "grid", "hyperband", "halving"])
def test_the_order_in_which_trials_end_changes_nothing(settings, here, algorithm, tmp_path):
    space = {RATE: c.LogUniform(1e-4, 1.0)}
    plan = settings(space, algorithm=algorithm, trials=8, epochs=4, factor=2, parallel_trials=3, stop_hopeless=True)
    orders = {"first": lambda ready: 0, "last": lambda ready: ready - 1, "mixed": lambda ready: ready // 2}
    results, jobs = [], []
    for name, pick in orders.items():
        workers = here(count=3, pick=pick)
        results.append(search(plan, workers=workers, folder=tmp_path / name / "search"))
        jobs.append([(job.id, job.settings, job.thresholds, job.until_epoch) for job in workers.jobs])
    assert jobs[0] == jobs[1] == jobs[2]
    assert results[0] == results[1] == results[2]


def test_no_process_waits_for_results_that_change_nothing(settings, here, tmp_path):
    # The first trial is always the last to end, and the others continue.
    workers = here(count=2, pick=lambda ready: ready - 1)
    search(settings(trials=6, parallel_trials=2), workers=workers, folder=tmp_path / "search")
    assert len(workers.jobs) == 6
    assert workers.most_begun_while_first_ran == 6


# --- Trials that fail


@pytest.mark.parametrize("algorithm", ["random", "hyperband", "halving"])
def test_failed_trials_do_not_stop_a_search_and_never_win(settings, tuning, algorithm, tmp_path):
    # About half of the range fails, so among these trials several in a row fail.
    workers = tuning.Here(fails_where(lambda rate: rate > 0.005, tuning.formula))
    plan = settings(algorithm=algorithm, trials=12, epochs=9, seed=3)
    result = search(plan, workers=workers, folder=tmp_path / "search")
    failed = [rate > 0.005 for rate in workers.rates]
    assert any(failed[i : i + 3] == [True] * 3 for i in range(len(failed)))
    assert result.best == {RATE: closest([rate for rate in workers.rates if rate <= 0.005])}
    assert [trial.status == "FAILED" for trial in result.trials] == failed
    assert algorithm in ("hyperband", "halving") or len(workers.jobs) == 12
    # Rounds continue with the trials that are left.
    assert algorithm == "random" or {job.until_epoch for job in workers.jobs} == {1, 3, 9}


def test_a_search_of_which_every_trial_fails_is_refused_with_the_first_reason(settings, tuning, tmp_path):
    workers = tuning.Here(fails_where(lambda rate: True, tuning.formula))
    with pytest.raises(StageError, match="every trial .* failed; the error of the first .*: .*loss became nan at 0") as told:
        search(settings(trials=5), workers=workers, folder=tmp_path / "search")
    assert len(workers.jobs) == 5
    assert str(workers.rates[0]) in str(told.value)


@pytest.mark.parametrize("algorithm", ["random", "hyperband"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_a_finite_number_never_wins(settings, here, bad, algorithm, tmp_path):
    workers = here(lambda tried, epoch: {"val_accuracy": bad if tried.training.optimizer.learning_rate > 0.01 else 0.5})
    plan = settings(algorithm=algorithm, trials=8, epochs=9)
    result = search(plan, workers=workers, folder=tmp_path / "search")
    assert result.best[RATE] <= 0.01
    assert [trial.score for trial in result.trials] == [None if rate > 0.01 else 0.5 for rate in workers.rates]
    assert None in [trial.score for trial in result.trials]


def test_scores_that_are_all_not_numbers_are_refused(settings, here, tmp_path):
    with pytest.raises(StageError, match="every trial of the search failed; the error of the first .*: val_accuracy is nan"):
        workers = here(lambda tried, epoch: {"val_accuracy": math.nan})
        search(settings(trials=2), workers=workers, folder=tmp_path / "search")


def test_an_objective_that_trials_do_not_measure_is_told_at_once(settings, here, tmp_path):
    workers = here()
    with pytest.raises(ConfigError, match=r"trials measure accuracy, log_loss .*; received 'recall\[cat\]'"):
        search(settings(objective="recall[cat]", trials=5), workers=workers, folder=tmp_path / "search")
    assert len(workers.jobs) == 1


def test_values_that_do_not_fit_together_are_a_failed_trial(settings, here, tmp_path):
    # Each value alone fits the file's settings, but 20 epochs of warm-up do not fit into 10 epochs.
    training = c.Training(epochs=50, batch_size=16, warmup_epochs=5)
    space = {"training.warmup_epochs": c.Choice(5.0, 20.0), "training.epochs": c.Choice(10, 30)}
    workers = here(lambda tried, epoch: {"val_accuracy": 0.5})
    plan = settings(space, training=training, algorithm="grid", trials=4)
    result = search(plan, workers=workers, folder=tmp_path / "search")
    failed = [trial for trial in result.trials if trial.status == "FAILED"]
    assert [trial.values for trial in failed] == [{"training.warmup_epochs": 20.0, "training.epochs": 10}]
    assert "warmup_epochs must lie in [0, epochs]" in failed[0].error
    assert (len(workers.jobs), failed[0].attempts) == (3, 0)


# --- Resuming


def stopped_after(count):
    """Asks a search to stop after this number of checks."""
    looks = iter(range(count))
    return lambda: next(looks, None) is None


@pytest.mark.parametrize("algorithm", ["random", "grid", "bayesian", "hyperband"])
def test_a_search_that_was_stopped_again_and_again_is_the_undisturbed_one(settings, here, algorithm, tmp_path):
    space = {RATE: c.LogUniform(1e-4, 1.0)}
    trials = 5 if algorithm == "bayesian" else 8
    plan = settings(space, algorithm=algorithm, trials=trials, epochs=4, factor=2, parallel_trials=2, stop_hopeless=True)
    whole = search(plan, workers=here(count=2), folder=tmp_path / "whole" / "search")
    jobs = []
    for _ in range(100):
        workers = here(count=2, pick=lambda ready: ready - 1)
        try:
            result = search(plan, workers=workers, folder=tmp_path / "parts" / "search", is_asked_to_stop=stopped_after(4))
            break
        except Interrupted as told:
            assert "run the same command again" in str(told).lower()
        finally:
            jobs += workers.jobs
    assert result == whole
    # Trials that had ended were not tried again.
    assert len(jobs) < 2 * len(whole.trials)
    again = here()
    assert search(plan, workers=again, folder=tmp_path / "parts" / "search") == whole
    assert again.jobs == []


def test_the_folder_of_another_search_is_refused_by_the_name_of_the_difference(settings, here, tmp_path):
    search(settings(trials=1), workers=here(), folder=tmp_path / "search", inputs={"examples": "one"})
    with pytest.raises(ConfigError, match=r"belong to another search: settings\.search\.trials: 1 -> 2"):
        search(settings(trials=2), workers=here(), folder=tmp_path / "search", inputs={"examples": "one"})
    with pytest.raises(ConfigError, match=r'belong to another search: inputs\.examples: "one" -> "other"'):
        search(settings(trials=1), workers=here(), folder=tmp_path / "search", inputs={"examples": "other"})
    (tmp_path / "search" / "search.json").unlink()
    with pytest.raises(ConfigError, match=r"has trials, but no search.json of their search"):
        search(settings(trials=1), workers=here(), folder=tmp_path / "search")


def test_keras_tuner_reads_the_folder(settings, here, tmp_path):
    result = search(settings(trials=3), workers=here(), folder=tmp_path / "search")
    theirs = keras_tuner.RandomSearch(
        lambda hp: None, objective=keras_tuner.Objective("val_accuracy", "max"), directory=tmp_path, project_name="search"
    )
    best = theirs.oracle.get_best_trials(3)
    assert [trial.trial_id for trial in best] == [trial.id for trial in result.ranked()]
    assert best[0].hyperparameters.values == result.best
    assert best[0].score == result.ranked()[0].score
