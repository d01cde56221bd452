"""Whether two models differ, against numbers worked out by hand and published ones."""

from math import comb

import numpy as np
import pytest

from kerasvision.evaluation.significance import bootstrap_change, mcnemar_change


def answers(*, both, won, lost, neither):
    """(right now, right before)"""
    return np.repeat([1, 1, 0, 0], [both, won, lost, neither]), np.repeat([1, 0, 1, 0], [both, won, lost, neither])


def exact_p(won, lost):
    """Twice the smaller tail of a fair coin, by counting."""
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


def test_mcnemars_interval_is_that_of_clopper_and_pearson():
    # 0 of 10: the upper end of the share is 1 - 0.025**(1/10) = 0.30850; a tenth of 100 images differs.
    change = mcnemar_change(*answers(both=60, won=0, lost=10, neither=30), confidence=0.95)
    assert change.low == pytest.approx(-0.1)
    assert change.high == pytest.approx((2 * (1 - 0.025**0.1) - 1) * 0.1)


@pytest.mark.parametrize(("won", "p_value"), [(5, 0.0625), (6, 0.03125)])
def test_six_images_are_the_least_that_tell_a_change(won, p_value):
    change = mcnemar_change(*answers(both=100, won=won, lost=0, neither=0), confidence=0.95)
    assert change.p_value == p_value
    assert (change.low > 0) == (won == 6)


def test_models_that_answer_alike_have_not_changed():
    change = mcnemar_change(*answers(both=40, won=0, lost=0, neither=2), confidence=0.95)
    assert (change.change, change.low, change.high, change.p_value) == (0, 0, 0, 1)


def test_bootstrap_interval_lies_between_quantiles():
    change = bootstrap_change(0.0, np.linspace(-1, 1, 2001), confidence=0.9)
    assert (change.low, change.high) == pytest.approx((-0.9, 0.9))


def test_a_score_that_most_resamples_do_not_have_has_no_interval():
    change = bootstrap_change(0.0, np.array([np.nan, np.nan, 0.1, 0.2]), confidence=0.9)
    assert np.isnan([change.low, change.high]).all()
