"""One number makes scores say how often they are right, and changes no answer."""

import numpy as np
import pytest

from kerasvision.errors import StageError
from kerasvision.tasks.classification.temperature import HIGHEST, LOWEST, fitted_temperature


def drawn(temperature, count=20_000):
    """Logits that are `temperature` times too large, and labels that were drawn from the true ones."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (count, 5))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (chances.cumsum(axis=1) < random.uniform(size=(count, 1))).sum(axis=1)
    return logits * temperature, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_spoiled_the_logits_is_found(temperature):
    found = fitted_temperature(*drawn(temperature))
    # 20,000 draws determine it to about 1 %.
    assert found.value == pytest.approx(temperature, rel=0.03)
    assert found.after["expected_calibration_error"] < 0.015


def test_calibration_gets_better_where_the_network_was_too_sure():
    found = fitted_temperature(*drawn(3.0))
    assert found.before["expected_calibration_error"] > 0.15 > 10 * found.after["expected_calibration_error"]


@pytest.mark.parametrize(("right", "low", "high"), [(True, LOWEST, 2 * LOWEST), (False, 0.99 * HIGHEST, HIGHEST)])
def test_answers_that_are_all_right_or_all_wrong_end_near_a_bound(right, low, high):
    found = fitted_temperature(np.array([[2.0, 0.0]] * 8), np.zeros(8, int) + (not right))
    assert low <= found.value <= high


def test_answers_that_are_no_numbers_are_refused():
    with pytest.raises(StageError, match="answers of the network are not numbers"):
        fitted_temperature(np.array([[np.nan, 0.0]]), np.array([0]))
