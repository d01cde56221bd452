"""Tests of the difference between two models, against numbers by hand and published ones."""

from math import comb

import numpy as np
import pytest
from scipy import stats

from kerasvision.evaluation.exact import change_interval
from kerasvision.evaluation.significance import bootstrap_change, mcnemar_change


def answers(*, both, won, lost, neither):
    """(right now, right before)"""
    return np.repeat([1, 1, 0, 0], [both, won, lost, neither]), np.repeat([1, 0, 1, 0], [both, won, lost, neither])


def exact_p(won, lost):
    """Twice the smaller tail of a fair coin, by enumeration."""
    return min(1.0, 2 * sum(comb(won + lost, k) for k in range(min(won, lost) + 1)) / 2 ** (won + lost))


def test_mcnemar_gives_the_published_p_value():
    # Ratings of a prime minister, Agresti, Categorical Data Analysis, 1990, page 350: 794, 150, 86, 570; the exact p of R's
    # exact2x2 package, 3.716e-05.
    change = mcnemar_change(*answers(both=794, won=86, lost=150, neither=570), confidence=0.95)
    assert change.p_value == pytest.approx(3.716e-05, rel=1e-3)
    assert change.change == pytest.approx((86 - 150) / 1600)


@pytest.mark.parametrize(("won", "lost"), [(0, 1), (1, 1), (3, 9), (12, 4), (30, 7)])
def test_mcnemar_counts_coin_tosses(won, lost):
    change = mcnemar_change(*answers(both=5, won=won, lost=lost, neither=3), confidence=0.95)
    assert change.p_value == pytest.approx(exact_p(won, lost))


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_mcnemars_interval_leaves_zero_out_exactly_where_its_p_is_small(confidence):
    for won in range(9):
        for lost in range(9):
            change = mcnemar_change(*answers(both=5, won=won, lost=lost, neither=3), confidence=confidence)
            assert change.low - 1e-12 <= change.change <= change.high + 1e-12
            is_surely_different = change.low > 0 or change.high < 0
            assert is_surely_different == (exact_p(won, lost) < 1 - confidence)


def test_where_all_changes_go_one_way_the_interval_is_that_of_clopper_and_pearson():
    change = mcnemar_change(*answers(both=60, won=0, lost=10, neither=30), confidence=0.95)
    assert change.low == pytest.approx(-stats.binomtest(10, 100).proportion_ci(0.95, method="exact").high)


def test_the_interval_is_of_shares_with_a_dirichlet_distribution():
    change = mcnemar_change(*answers(both=900, won=40, lost=10, neither=50), confidence=0.95)
    shares = np.random.default_rng(0).dirichlet([40, 11, 950], 500_000)
    assert change.low == pytest.approx(np.quantile(shares[:, 0] - shares[:, 1], 0.025), abs=2e-4)
    shares = np.random.default_rng(0).dirichlet([41, 10, 950], 500_000)
    assert change.high == pytest.approx(np.quantile(shares[:, 0] - shares[:, 1], 0.975), abs=2e-4)


@pytest.mark.parametrize(
    ("count", "won", "lost"), [(100, 0.01, 0.03), (200, 0.0, 0.015), pytest.param(400, 0.05, 0.05, marks=pytest.mark.slow)]
)
def test_the_interval_of_a_change_holds_the_truth_as_often_as_it_says(count, won, lost):
    drawn = np.random.default_rng(0).multinomial(count, [won, lost, 1 - won - lost], 1000)[:, :2]
    ends = {pair: change_interval(*pair, count, confidence=0.95) for pair in {tuple(map(int, pair)) for pair in drawn}}
    held = [ends[tuple(pair)][0] <= won - lost <= ends[tuple(pair)][1] for pair in drawn.tolist()]
    assert np.mean(held) >= 0.94


@pytest.mark.parametrize(("won", "p_value"), [(5, 0.0625), (6, 0.03125)])
def test_six_images_are_the_least_that_tell_a_change(won, p_value):
    change = mcnemar_change(*answers(both=100, won=won, lost=0, neither=0), confidence=0.95)
    assert change.p_value == p_value
    assert (change.low > 0) == (won == 6)


def test_models_that_answered_alike_may_still_differ():
    # None of 42 images: the exact upper end of the share is 1 - 0.025 ** (1 / 42).
    change = mcnemar_change(*answers(both=40, won=0, lost=0, neither=2), confidence=0.95)
    assert (change.change, change.p_value) == (0, 1)
    assert (change.low, change.high) == (pytest.approx(0.025 ** (1 / 42) - 1), pytest.approx(1 - 0.025 ** (1 / 42)))


def test_bootstrap_interval_lies_between_quantiles():
    change = bootstrap_change(0.0, np.linspace(-1, 1, 2001), confidence=0.9)
    assert (change.low, change.high) == pytest.approx((-0.9, 0.9))


def test_a_score_that_most_resamples_do_not_have_has_no_interval():
    change = bootstrap_change(0.0, np.array([np.nan, np.nan, 0.1, 0.2]), confidence=0.9)
    assert np.isnan([change.low, change.high]).all()
