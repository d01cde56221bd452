"""Important settings are found, others are not, and with too little evidence there is no importance."""

import numpy as np
import pytest

from kerasvision.tuning.importance import EPOCHS, FEWEST_TRIALS, setting_importance
from kerasvision.tuning.records import SearchResult, TrialRecord

RATE, DEPTH, KIND, NOISE = "training.optimizer.learning_rate", "model.options.depth", "model.options.kind", "training.l2"


def searched(count, score, *, direction="max", seed=0, **fields):
    """Trials with random settings and a score that a formula gives."""
    random = np.random.default_rng(seed)
    trials = []
    for number in range(count):
        values = {
            RATE: float(random.uniform()),
            DEPTH: int(random.integers(1, 9)),
            KIND: str(random.choice(["a", "b", "c"])),
            NOISE: float(random.uniform()),
        }
        result = score(values, random)
        trials.append(TrialRecord(f"{number:04d}", "COMPLETED", result, 1.0, 1, 1, values, **fields))
    return SearchResult({}, tuple(trials), "val_accuracy", direction)


@pytest.mark.parametrize("direction", ["max", pytest.param("min", marks=pytest.mark.slow)])
def test_the_setting_that_decides_comes_first_and_one_that_does_nothing_has_hardly_any(direction):
    found = setting_importance(searched(60, lambda v, r: 3 * v[RATE] + (v[KIND] == "b"), direction=direction))
    assert list(found.settings)[:2] == [RATE, KIND]
    assert found.settings[NOISE] < 0.05 * found.settings[RATE]
    assert found.explained > 0.7


def test_a_setting_with_twice_the_effect_has_four_times_the_importance():
    # Permuting an input of a sum adds twice its variance, which is proportional to the square of the effect. Ranks and
    # the forest distort this a little.
    found = setting_importance(searched(300, lambda v, r: 2 * v[RATE] + v[NOISE]))
    assert found.settings[RATE] / found.settings[NOISE] == pytest.approx(4, rel=0.35)


def test_one_loss_that_blew_up_changes_little():
    def score(values, random):
        return 1e9 if values[RATE] > 0.99 else values[RATE]

    found = setting_importance(searched(100, score, direction="min", seed=3))
    assert next(iter(found.settings)) == RATE
    assert found.explained > 0.9


def test_scores_that_are_noise_are_explained_by_nothing():
    found = setting_importance(searched(30, lambda v, r: float(r.uniform())))
    assert found.explained <= 0
    assert not found.settings
    assert "do not predict the rank of a held-out trial" in found.reason


@pytest.mark.parametrize("scored", [0, FEWEST_TRIALS - 1])
def test_too_few_trials_are_told(scored):
    trials = searched(20, lambda v, r: v[RATE]).trials
    failed = [TrialRecord(t.id, "FAILED", None, 1.0, 1, 2, t.values) for t in trials[scored:]]
    found = setting_importance(SearchResult({}, (*trials[:scored], *failed), "val_accuracy", "max"))
    assert found.reason == f"too few trials: {scored} different settings have a score, but at least 8 are required"


def test_trials_that_go_on_from_others_do_not_make_noise_look_explained():
    # Each of 30 random scores occurs three times: a forest that has seen one of the three knows the other two.
    noise = searched(30, lambda v, r: float(r.uniform())).trials
    again = [TrialRecord(f"1{t.id}{n}", "COMPLETED", t.score + 1e-6 * n, 1.0, 1, 1, t.values) for t in noise for n in (1, 2)]
    assert setting_importance(SearchResult({}, (*noise, *again), "val_accuracy", "max")).explained < 0.1


def test_equal_scores_and_equal_settings_are_told():
    assert setting_importance(searched(9, lambda v, r: 0.1)).reason == "all trials have the same score"
    same = [TrialRecord(f"{n:04d}", "COMPLETED", n / 9, 1.0, 1, 1, {RATE: 0.1}) for n in range(9)]
    found = setting_importance(SearchResult({}, tuple(same), "val_accuracy", "max"))
    assert found.reason == "all trials have the same settings"


def test_settings_that_were_not_always_varied_count_where_they_were():
    def conditional(trial):
        left_out = () if trial.values[KIND] == "a" else (RATE,)
        values = {path: value for path, value in trial.values.items() if path not in left_out}
        return TrialRecord(trial.id, "COMPLETED", values.get(RATE, 0.5) + values[NOISE] / 10, 1.0, 1, 1, values)

    trials = tuple(map(conditional, searched(150, lambda v, r: 0.0).trials))
    found = setting_importance(SearchResult({}, trials, "val_accuracy", "max"))
    assert next(iter(found.settings)) == RATE


def test_epochs_count_where_an_algorithm_gives_trials_different_ones():
    def later(trial, number):
        epochs = (1, 3, 9)[number % 3]
        history = tuple({"epoch": epoch + 1} for epoch in range(epochs))
        score = trial.values[RATE] / 10 + epochs
        return TrialRecord(trial.id, "COMPLETED", score, 1.0, 1, 1, trial.values, history, bracket=0)

    trials = tuple(later(trial, number) for number, trial in enumerate(searched(60, lambda v, r: 0.0).trials))
    found = setting_importance(SearchResult({}, trials, "val_accuracy", "max"))
    assert list(found.settings)[:2] == [EPOCHS, RATE]
    without = setting_importance(searched(60, lambda v, r: v[RATE]))
    assert EPOCHS not in without.settings


def test_the_same_trials_have_the_same_importance():
    result = searched(20, lambda v, r: v[RATE] + 0.1 * r.uniform())
    assert setting_importance(result) == setting_importance(result)
