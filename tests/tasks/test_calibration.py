"""The expected calibration error of Guo et al., by hand; and the table and the plot behind it."""

import numpy as np
import pytest

from kerasvision.tasks.classification.calibration import (
    bins_of,
    calibration_error,
    calibration_table,
    reliability_plot,
)

# Ten answers by hand. Bin (0.5333, 0.6]: 0.55, 0.58, 0.6, of which one is right: mean confidence 1.73 / 3, accuracy 1 / 3.
# Bin (0.8667, 0.9333]: 0.9 four times, all right: 0.9 and 1. Bin (0.9333, 1]: 0.95, 1, 1, two right: 2.95 / 3 and 2 / 3.
CONFIDENCE = np.array([0.55, 0.58, 0.6, 0.9, 0.9, 0.9, 0.9, 0.95, 1.0, 1.0])
CORRECT = np.array([True, False, False, True, True, True, True, True, True, False])
BY_HAND = (3 / 10) * abs(1 / 3 - 1.73 / 3) + (4 / 10) * abs(1 - 0.9) + (3 / 10) * abs(2 / 3 - 2.95 / 3)


def test_the_error_is_that_of_a_hand_worked_example():
    assert pytest.approx(0.208) == BY_HAND
    assert calibration_error(CONFIDENCE, CORRECT, np.ones((10, 1)))[0] == pytest.approx(0.208)


def test_an_answer_that_counts_twice_is_as_two_answers():
    counts = np.array([[2, 0, 1, 0, 3, 0, 1, 0, 2, 1]], float).T
    rows = np.repeat(np.arange(10), counts.ravel().astype(int))
    expected = calibration_error(CONFIDENCE[rows], CORRECT[rows], np.ones((len(rows), 1)))
    np.testing.assert_allclose(calibration_error(CONFIDENCE, CORRECT, counts), expected)


@pytest.mark.parametrize(("confidence", "number"), [(0.0, 0), (1 / 15, 0), (0.0667, 1), (0.5, 7), (14 / 15, 13), (1.0, 14)])
def test_a_bin_holds_its_upper_end(confidence, number):
    assert bins_of(np.array([confidence])) == number


def test_certain_and_right_is_perfect_certain_and_wrong_the_worst():
    ones = np.ones((4, 1))
    assert calibration_error(np.ones(4), np.ones(4, bool), ones) == 0.0
    assert calibration_error(np.ones(4), np.zeros(4, bool), ones) == 1.0


def test_the_table_has_a_row_per_bin_that_holds_an_answer():
    table = calibration_table(CONFIDENCE, CORRECT)
    assert table.index.tolist() == [8, 13, 14]
    assert table["count"].tolist() == [3, 4, 3]
    np.testing.assert_allclose(table["confidence"], [1.73 / 3, 0.9, 2.95 / 3])
    np.testing.assert_allclose(table["accuracy"], [1 / 3, 1.0, 2 / 3])
    np.testing.assert_allclose(table["at_most"], [0.6, 14 / 15, 1.0])
    error = (table["count"] / 10 * (table["accuracy"] - table["confidence"]).abs()).sum()
    assert error == pytest.approx(0.208)


def test_the_plot_has_a_bar_per_bin_as_high_as_its_accuracy():
    upper, lower = reliability_plot(calibration_table(CONFIDENCE, CORRECT)).axes
    np.testing.assert_allclose([bar.get_height() for bar in upper.patches], [1 / 3, 1.0, 2 / 3])
    assert [bar.get_height() for bar in lower.patches] == [3, 4, 3]
