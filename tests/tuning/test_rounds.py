"""Hyperband and halving give few epochs to many trials, and more to the best; budgets; hopeless trials."""

import math
from types import SimpleNamespace

import pytest

from kerasvision import config as c
from kerasvision.errors import StageError
from kerasvision.tuning.hopeless import thresholds, why_hopeless
from kerasvision.tuning.search import search
from kerasvision.tuning.trials import Outcome, TunedMetric

LOSS = TunedMetric("val_loss", "min")


def rounds(result):
    """(bracket, round) -> its trials."""
    found = {}
    for trial in result.trials:
        found.setdefault((trial.bracket, trial.round), []).append(trial)
    return found


def test_hyperband_gives_few_epochs_to_many_and_all_to_the_best(tuning, tmp_path):
    workers = tuning.Here()
    result = search(tuning.settings(algorithm="hyperband", epochs=9), workers=workers, folder=tmp_path / "search")
    # Hyperband with a factor of 3: rounds of 1, 3 and 9 epochs (Li et al., 2018, table 1). KerasTuner's shortest round
    # has ceil(9 / 3**2) = 1.
    until = [job.until_epoch for job in workers.jobs]
    assert set(until) == {1, 3, 9}
    assert until.count(1) > until.count(9) > 0
    # All trials have settings for nine epochs, and some end early.
    assert {tried.training.epochs for tried in workers.tried} == {9}
    assert set(result.best) == {tuning.RATE}


def test_a_trial_of_a_later_round_goes_on_from_the_best_of_the_round_before(tuning, tmp_path):
    workers = tuning.Here()
    result = search(tuning.settings(algorithm="hyperband", epochs=9), workers=workers, folder=tmp_path / "search")
    by_id = {trial.id: trial for trial in result.trials}
    jobs = {job.id: job for job in workers.jobs}
    later = [trial for trial in result.trials if trial.round]
    assert later
    for trial in later:
        parent = by_id[trial.parent]
        assert (trial.values, trial.bracket, trial.round) == (parent.values, parent.bracket, parent.round + 1)
        assert jobs[trial.id].parent == jobs[parent.id].folder
        assert trial.epochs == jobs[trial.id].until_epoch - jobs[parent.id].until_epoch
        others = [other.score for other in rounds(result)[parent.bracket, parent.round] if other.id != parent.id]
        assert sum(score > parent.score for score in others) < len(others)


def test_halving_begins_with_so_many_and_keeps_one_in_factor(tuning, tmp_path):
    workers = tuning.Here()
    plan = tuning.settings(algorithm="halving", trials=8, epochs=4, factor=2)
    result = search(plan, workers=workers, folder=tmp_path / "search")
    # By hand: 8 trials of 1 epoch; the 4 best continue to 2, and the 2 best of those to 4.
    assert [job.until_epoch for job in workers.jobs] == [1] * 8 + [2] * 4 + [4] * 2
    first = sorted(result.trials[:8], key=lambda trial: trial.score, reverse=True)
    assert {trial.parent for trial in result.trials[8:12]} == {trial.id for trial in first[:4]}
    assert sum(trial.epochs for trial in result.trials) == 8 + 4 + 4


@pytest.mark.parametrize(("failing", "sizes"), [(3, [8, 4, 2]), (6, [8, 2, 2]), (7, [8, 1, 1])])
def test_rounds_go_on_with_those_that_did_not_fail(tuning, tmp_path, failing, sizes):
    rates = []

    def fails_first(tried, epoch):
        rate = tried.training.optimizer.learning_rate
        rates.append(rate)
        if list(dict.fromkeys(rates)).index(rate) < failing:
            raise StageError("too high")
        return tuning.formula(tried, epoch)

    plan = tuning.settings(algorithm="halving", trials=8, epochs=4, factor=2)
    result = search(plan, workers=tuning.Here(fails_first), folder=tmp_path / "search")
    assert [len(trials) for trials in rounds(result).values()] == sizes
    assert [trial.status for trial in result.trials].count("FAILED") == failing


def test_a_space_with_fewer_values_than_a_round_has_trials_is_searched_all_the_same(tuning, tmp_path):
    space = {tuning.RATE: c.Choice(0.001, 0.01, 0.1)}
    plan = tuning.settings(space, algorithm="halving", trials=8, epochs=4, factor=2)
    result = search(plan, workers=tuning.Here(), folder=tmp_path / "search")
    assert [len(trials) for trials in rounds(result).values()] == [3, 3, 2]
    assert result.best == {tuning.RATE: 0.01}


# --- Budgets


def test_no_trial_is_begun_that_would_go_over_the_epochs_in_all(tuning, tmp_path):
    plan = tuning.settings(trials=10, epochs=3, total_epochs=10, parallel_trials=2)
    result = search(plan, workers=tuning.Here(count=2), folder=tmp_path / "search")
    assert [trial.epochs for trial in result.trials] == [3, 3, 3]
    assert result.ended == "the budget of search.total_epochs=10 was used up"
    assert len(list((tmp_path / "search").glob("trial_*"))) == 3
    with pytest.raises(StageError, match="does not allow a single trial"):
        search(tuning.settings(total_epochs=2), workers=tuning.Here(), folder=tmp_path / "none")


def test_when_time_is_up_no_trial_is_begun_and_those_at_work_are_asked_to_end(tuning, tmp_path, monkeypatch):
    now = [0.0]
    # Only this module's clock: a sleeping server of another test would never wake.
    monkeypatch.setattr("kerasvision.tuning.search.time", SimpleNamespace(monotonic=lambda: now[0]))

    class Slow(tuning.Here):
        def _outcome(self, job):
            now[0] += 50.0
            stopped = "time was up" if self.stopped else ""
            return Outcome(job.id, rows=({"val_accuracy": 0.5},), stopped=stopped)

        def stop(self):
            self.stopped = True

    plan = tuning.settings(trials=10, minutes=2, parallel_trials=2)
    result = search(plan, workers=Slow(count=2), folder=tmp_path / "search")
    # At 50 s and 100 s a trial ends and another starts; at 150 s the time is up, and one is still running.
    assert [(trial.status, trial.error) for trial in result.trials] == [("COMPLETED", "")] * 3 + [("STOPPED", "time was up")]
    assert result.ended == "the 2 minutes of search.minutes were over"
    # The time counts over all runs: after a resume none is left, and the results are still there.
    now[0] = 0.0
    again = Slow(count=2)
    assert search(plan, workers=again, folder=tmp_path / "search").trials == result.trials
    assert again.jobs == []


# --- Hopeless trials


def test_a_trial_is_hopeless_below_the_median_of_the_running_means_before_it():
    # Golovin et al., 2017, section 3.2.2, by hand: after 2 epochs the means are 3, 2 and 6, their median is 3.
    earlier = [[{"val_loss": 4.0}, {"val_loss": 2.0}], [{"val_loss": 2.0}, {"val_loss": 2.0}], [{"val_loss": 6.0}]]
    limits = thresholds(earlier, objective=LOSS, epochs=2)
    assert limits == (4.0, 3.0)
    assert why_hopeless([{"val_loss": 9.0}, {"val_loss": 3.0}], limits, objective=LOSS) is None
    assert "median of earlier trials is 3" in why_hopeless([{"val_loss": 9.0}, {"val_loss": 3.1}], limits, objective=LOSS)
    assert "not a number" in why_hopeless([{"val_loss": math.nan}], limits, objective=LOSS)


def test_trials_get_the_medians_of_those_reported_before_them(tuning, tmp_path):
    accuracies = iter([0.1, 0.2, 0.6, 0.4, 0.5, 0.5])
    workers = tuning.Here(lambda tried, epoch: {"val_accuracy": next(accuracies)})
    plan = tuning.settings(trials=6, epochs=1, stop_hopeless=True)
    search(plan, workers=workers, folder=tmp_path / "search")
    assert [job.thresholds[0] for job in workers.jobs] == [None, None, None, 0.2, pytest.approx(0.3), 0.4]


def test_a_stopped_trial_has_a_score_and_may_win(tuning, tmp_path):
    class Stopping(tuning.Here):
        def _outcome(self, job):
            return Outcome(job.id, rows=({"val_accuracy": 0.7},), stopped="hopeless: it is")

    result = search(tuning.settings(trials=1, epochs=3), workers=Stopping(), folder=tmp_path / "search")
    [trial] = result.trials
    assert (trial.status, trial.score, trial.epochs, trial.error) == ("STOPPED", 0.7, 1, "hopeless: it is")


# --- Seeds


def test_the_best_settings_are_trained_in_full_with_so_many_seeds(tuning, tmp_path):
    workers = tuning.Here(lambda tried, epoch: {"val_accuracy": 0.1 * tried.training.seed + epoch / 100})
    training = c.Training(epochs=7, batch_size=16, seed=3)
    plan = tuning.settings(training=training, trials=2, epochs=2, seeds=3)
    result = search(plan, workers=workers, folder=tmp_path / "search")
    assert [(one.seed, one.score) for one in result.seeds] == [
        (seed, pytest.approx(0.1 * seed + 0.07)) for seed in (3, 4, 5)
    ]
    full = workers.tried[2:]
    assert {tried.training.epochs for tried in full} == {7}
    assert {tried.training.optimizer.learning_rate for tried in full} == {result.best[tuning.RATE]}
