"""Intervals of resampled scores are those of known distributions, are the same every time, and are missing without data."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kerasvision import config as c
from kerasvision.errors import DataError
from kerasvision.evaluation.bootstrap import (
    difference_evidence,
    interval,
    intervals,
    paired_differences,
    resample_counts,
    score_interval,
)
from kerasvision.tasks.base import Bounded, Counted, Judgement, make_task
from kerasvision.tasks.classification.answers import Answers
from kerasvision.tasks.classification.evidence import evidence
from kerasvision.tasks.classification.scores import scores_of_rows


def judgement(values, *, ids=None):
    """A judgement whose metric `mean` is the mean of values, and whose `spread` is NaN on every resample."""
    values = np.asarray(values, float)

    def resampled(rows, counts):
        mean = values[rows] @ counts / counts.sum(axis=0)
        return {"mean": mean, "never": np.full(len(mean), np.nan)}

    rows = pd.DataFrame({"id": list(map(str, range(len(values)) if ids is None else ids)), "loss": values})
    return Judgement({"mean": values.mean()}, rows, weighted_scores=resampled)


def test_every_resample_draws_as_many_rows_as_there_are():
    counts = np.hstack(list(resample_counts(7, resamples=50)))
    assert counts.shape == (7, 50)
    assert (counts.sum(axis=0) == 7).all()
    # Each row is drawn once on average: 350 draws of 7 rows.
    np.testing.assert_allclose(counts.mean(axis=1), 1.0, atol=0.5)


def test_resamples_do_not_depend_on_how_they_are_chunked(monkeypatch):
    whole = np.hstack(list(resample_counts(5, resamples=20)))
    monkeypatch.setattr("kerasvision.evaluation.bootstrap.CHUNK_VALUES", 15)
    chunks = list(resample_counts(5, resamples=20))
    assert [chunk.shape[1] for chunk in chunks] == [3, 3, 3, 3, 3, 3, 2]
    np.testing.assert_array_equal(np.hstack(chunks), whole)


def test_the_interval_of_a_share_is_that_of_the_binomial_distribution():
    # 300 of 1,000 right: resampled accuracies are binomial, n = 1,000, p = 0.3.
    (low, high) = intervals(judgement(np.arange(1000) < 300), resamples=4000, confidence=0.9)["mean"]
    expected = stats.binom(1000, 0.3).ppf([0.05, 0.95]) / 1000
    np.testing.assert_allclose((low, high), expected, atol=0.002)


def test_the_interval_is_that_of_scipy():
    values = np.random.default_rng(1).exponential(size=400)
    ours = intervals(judgement(values), resamples=2000, confidence=0.95)["mean"]
    theirs = stats.bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=0).confidence_interval
    np.testing.assert_allclose(ours, tuple(theirs), rtol=0.02)


def test_the_same_answers_have_the_same_interval():
    values = np.random.default_rng(2).normal(size=50)
    assert intervals(judgement(values), resamples=100, confidence=0.95) == intervals(
        judgement(values), resamples=100, confidence=0.95
    )


def test_a_metric_that_no_resample_has_has_no_interval():
    assert set(intervals(judgement(np.arange(20)), resamples=100, confidence=0.95)) == {"mean"}


@pytest.mark.parametrize(("missing", "is_there"), [(0, True), (10, True), (11, False)])
def test_up_to_a_tenth_of_the_resamples_may_lack_a_metric(missing, is_there):
    values = np.where(np.arange(100) < missing, np.nan, 1.0)
    assert interval(values, confidence=0.95) == ((1.0, 1.0) if is_there else None)


def test_few_rows_have_no_interval():
    assert intervals(judgement(np.arange(9)), resamples=100, confidence=0.95) == {}
    assert set(intervals(judgement(np.arange(10)), resamples=100, confidence=0.95)) == {"mean"}


def test_where_nothing_differs_and_no_bound_is_known_there_is_no_interval():
    assert intervals(judgement([1.0] * 20), resamples=100, confidence=0.95) == {}


def test_the_interval_of_a_slice_is_of_its_rows_alone():
    values = np.r_[np.zeros(20), np.linspace(5, 6, 20)]
    low, high = intervals(judgement(values), rows=np.arange(20, 40), resamples=100, confidence=0.95)["mean"]
    assert 5 < low < 5.5 < high < 6


def test_an_interval_holds_its_score_even_where_resampling_moves_it():
    def resampled(rows, counts):
        # Like a calibration error: 0.1 without resampling, more on every resample.
        return {"error": np.array([0.1]) if counts.shape[1] == 1 else 0.2 + 0.01 * np.arange(counts.shape[1])}

    rows = pd.DataFrame({"id": list("abcdefghijkl")})
    (low, high) = intervals(Judgement({"error": 0.1}, rows, weighted_scores=resampled), resamples=100, confidence=0.9)[
        "error"
    ]
    assert (low, high) == (0.1, pytest.approx(0.2 + 0.01 * 94.05))


def test_paired_differences_are_of_the_same_resamples():
    # The second is better by 1 on every image, and so on every resample.
    values = np.random.default_rng(3).normal(size=30)
    differences = paired_differences(judgement(values), judgement(values + 1), resamples=200)
    np.testing.assert_allclose(differences["mean"], -1.0)


def test_models_that_were_asked_about_other_examples_are_not_compared():
    with pytest.raises(DataError, match="compared on the same examples"):
        paired_differences(judgement([1.0, 2.0]), judgement([1.0, 2.0], ids="ba"), resamples=100)


# --- Unseen examples


def classifier(labels, answers, *, surest=0.9):
    """A judgement of a classifier of three classes with these answers, each with the score `surest`."""
    labels, answers = np.asarray(labels), np.asarray(answers)
    scores = np.where(answers[:, None] == np.arange(3), surest, (1 - surest) / 2)
    names = np.array([b"a", b"b", b"c"], object)
    ids = [str(number) for number in range(len(labels))]
    return make_task(c.Classification(top_k=2), "abc").judge(
        ids=ids, truth=labels, predictions={"scores": scores, "classes": names[answers]}
    )


def beta_ends(right, of):
    """Clopper and Pearson's 95 % interval, by scipy."""
    ends = stats.binomtest(right, of).proportion_ci(0.95, method="exact")
    return pytest.approx((ends.low, ends.high))


def test_counts_of_right_answers_have_exact_intervals():
    labels = np.repeat([0, 1, 2], [10, 12, 14])
    answers = labels.copy()
    answers[:3] = 1
    found = intervals(classifier(labels, answers), resamples=100, confidence=0.95)
    assert found["accuracy"] == beta_ends(33, 36)
    assert found["recall[a]"] == beta_ends(7, 10)
    assert found["precision[b]"] == beta_ends(12, 15)
    assert found["recall[c]"] == beta_ends(14, 14)
    low, high = stats.binomtest(12, 15).proportion_ci(0.95, method="exact")
    assert found["f1[b]"] == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))


def test_three_examples_have_the_exact_interval_of_three_examples():
    found = intervals(classifier([0, 1, 2], [0, 1, 2]), resamples=100, confidence=0.95)
    assert found["accuracy"] == (pytest.approx(0.025 ** (1 / 3)), 1.0)
    assert "log_loss" not in found


def test_no_metric_has_an_interval_without_width_where_nothing_went_wrong():
    judged = classifier(np.arange(30) % 3, np.arange(30) % 3, surest=1.0)
    found = intervals(judged, resamples=200, confidence=0.95)
    assert set(found) == set(judged.scores)
    assert [name for name, (low, high) in found.items() if not high - low > 0.01] == []
    # Three classes of ten images: the mean area counts as 20 images (a mistake spoils two classes), that of one class as 10.
    assert found["roc_auc"][0] == pytest.approx(0.025 ** (1 / 20), abs=0.01)
    assert found["roc_auc[a]"][0] == pytest.approx(0.025 ** (1 / 10), abs=0.01)


def test_an_unseen_example_makes_the_bootstrap_of_a_share_that_of_clopper_and_pearson():
    right = np.arange(50) < 48
    values = np.hstack([right @ counts / 50 for counts in resample_counts(50, resamples=5000)])
    found = score_interval(values, score=0.96, evidence=Bounded(0.0, 1.0, 50), confidence=0.95)
    assert found == pytest.approx(stats.binomtest(48, 50).proportion_ci(0.95, method="exact"), abs=0.02)


@pytest.mark.parametrize("count", [20, 50, 100])
def test_intervals_hold_the_truth_of_a_good_model_as_often_as_they_say(count):
    # 97 of 100 right in the long run, always with the same score: the true values of these metrics can be computed.
    surest, rate, trials = 0.97, 0.97, 200
    truth = {
        "accuracy": rate,
        "log_loss": -rate * np.log(surest) - (1 - rate) * np.log((1 - surest) / 2),
        "expected_calibration_error": 0.0,
        "recall[a]": rate,
    }
    random, held = np.random.default_rng(count), dict.fromkeys(truth, 0)
    for _ in range(trials):
        labels = random.permutation(np.arange(count) % 3)
        answers = (labels + (random.random(count) > rate)) % 3
        scores = np.where(answers[:, None] == np.arange(3), surest, (1 - surest) / 2)
        asked = Answers(labels, scores, "abc", top_k=2)
        rows = pd.DataFrame({"id": range(count)})
        measured = partial(scores_of_rows, asked, within_label=True)
        judged = Judgement({}, rows, weighted_scores=measured, evidence=partial(evidence, asked))
        found = intervals(judged, resamples=100, confidence=0.95)
        for name, value in truth.items():
            held[name] += found[name][0] - 1e-9 <= value <= found[name][1]
    assert {name: hits / trials for name, hits in held.items() if hits < 0.93 * trials} == {}


def test_models_that_never_differed_may_differ_on_an_image_that_was_not_seen():
    known = difference_evidence(Counted(30, 30), Counted(30, 30))
    low, high = score_interval(np.zeros(1000), score=0.0, evidence=known, confidence=0.95)
    # 0 of 30: the exact upper end is 1 - 0.025 ** (1 / 30) = 0.1157.
    assert (low, high) == (pytest.approx(-0.1157, abs=0.001), pytest.approx(0.1157, abs=0.001))
