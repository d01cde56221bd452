"""Intervals of resampled scores: those of known distributions, the same every time, and none where nothing is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kerasvision.errors import DataError
from kerasvision.evaluation.bootstrap import interval, intervals, paired_differences, resample_counts
from kerasvision.tasks.base import Judgement


def judgement(values, *, ids=None):
    """A judgement whose metric `mean` is the mean of values, and whose `spread` is NaN on every resample."""
    values = np.asarray(values, float)

    def resampled(rows, counts):
        mean = values[rows] @ counts / counts.sum(axis=0)
        return {"mean": mean, "never": np.full(len(mean), np.nan)}

    rows = pd.DataFrame({"id": list(map(str, range(len(values)) if ids is None else ids)), "loss": values})
    return Judgement({"mean": values.mean()}, rows, resampled=resampled)


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
    assert intervals(judgement([1.0] * 9), resamples=100, confidence=0.95) == {}
    assert intervals(judgement([1.0] * 10), resamples=100, confidence=0.95) == {"mean": (1.0, 1.0)}


def test_the_interval_of_a_slice_is_of_its_rows_alone():
    values = np.repeat([0.0, 5.0], 20)
    assert intervals(judgement(values), rows=np.arange(20, 40), resamples=100, confidence=0.95) == {"mean": (5.0, 5.0)}


def test_an_interval_holds_its_score_even_where_resampling_moves_it():
    def resampled(rows, counts):
        # Like a calibration error: 0.1 as it is, more on every resample.
        return {"error": np.array([0.1]) if counts.shape[1] == 1 else 0.2 + 0.01 * np.arange(counts.shape[1])}

    rows = pd.DataFrame({"id": list("abcdefghijkl")})
    (low, high) = intervals(Judgement({"error": 0.1}, rows, resampled=resampled), resamples=100, confidence=0.9)["error"]
    assert (low, high) == (0.1, pytest.approx(0.2 + 0.01 * 94.05))


def test_paired_differences_are_of_the_same_resamples():
    # The second is better by 1 on every image: so is it on every resample, whatever was drawn.
    values = np.random.default_rng(3).normal(size=30)
    differences = paired_differences(judgement(values), judgement(values + 1), resamples=200)
    np.testing.assert_allclose(differences["mean"], -1.0)


def test_models_that_were_asked_about_other_examples_are_not_compared():
    with pytest.raises(DataError, match="compared on the same examples"):
        paired_differences(judgement([1.0, 2.0]), judgement([1.0, 2.0], ids="ba"), resamples=100)
