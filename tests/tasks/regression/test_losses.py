"""Losses and training metrics of numbers: the formulas, missing values, and units."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import DataError
from kerasvision.tasks.regression.losses import MeanError, value_losses
from kerasvision.tasks.regression.scaling import Scaling, units_of

NAN = float("nan")
SCALING = Scaling((10.0, -1.0), (2.0, 0.5))


def test_scaling_is_that_of_scikit_learn(random, examples_of):
    from sklearn.preprocessing import StandardScaler

    values = random.normal(5.0, 3.0, (50, 3)).astype(np.float32)
    values[random.random(values.shape) < 0.3] = np.nan
    found = Scaling.of_examples(examples_of(values), names="abc")
    expected = StandardScaler().fit(values.astype(np.float64))  # it ignores NaN too
    np.testing.assert_allclose(found.mean, expected.mean_, rtol=1e-12)
    np.testing.assert_allclose(found.deviation, expected.scale_, rtol=1e-12)


@pytest.mark.parametrize("value", [0.0, 7.0, 0.1, -1e6, 1e20])
def test_a_constant_value_is_divided_by_one(value):
    assert Scaling.of(np.full((3, 1), np.float32(value), np.float64), names="a").deviation == (1.0,)


def test_a_small_deviation_of_a_large_number_is_a_deviation():
    scaling = Scaling.of(np.array([[2000.0], [2001.0]]), names="a")
    assert scaling == Scaling((2000.5,), (0.5,))


def test_a_value_that_no_training_image_has_is_named(examples_of):
    with pytest.raises(DataError, match="no training image has a number for height"):
        Scaling.of_examples(examples_of([[1.0, NAN], [2.0, NAN]]), names=("age", "height"))


def test_a_network_in_units_multiplies_and_adds_and_says_so(brightness_network):
    image = tf.constant([[[[0.5], [1.5]], [[1.0], [1.0]]]])
    saved = SCALING.in_units(brightness_network)
    np.testing.assert_allclose(saved(image).numpy(), [[12.0, 0.0]], rtol=1e-6)  # 1 * 2 + 10, 2 * 0.5 - 1
    assert units_of(saved).tolist() == [2.0, 0.5]
    assert units_of(brightness_network) is None


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # Residuals of the first image: (16 - 10) / 2 - 1 = 2, negated, and (0 + 1) / 0.5 - 2.5 = -0.5, negated.
        ({"loss": "l2"}, [(4 + 0.25) / 2, 9 / 2, 0.0]),
        ({"loss": "l1"}, [(2 + 0.5) / 2, 3 / 2, 0.0]),
        ({"loss": "huber"}, [(1.5 + 0.125) / 2, 2.5 / 2, 0.0]),
        ({"loss": "huber", "huber_delta": 2.5}, [(2 + 0.125) / 2, 2.5 * (3 - 1.25) / 2, 0.0]),
    ],
)
def test_losses_are_the_formulas_of_scaled_residuals_and_ignore_what_is_missing(settings, expected):
    truth = tf.constant([[16.0, 0.0], [NAN, -1.0], [NAN, NAN]])
    outputs = tf.constant([[1.0, 2.5], [5.0, -3.0], [1.0, 1.0]])
    losses = value_losses(c.Regression(**settings), SCALING)(truth, outputs)
    np.testing.assert_allclose(losses.numpy(), expected, rtol=1e-6)


def test_huber_is_that_of_keras(random):
    truth, outputs = random.normal(size=(2, 30, 1)).astype(np.float32) * 3
    ours = value_losses(c.Regression(loss="huber", huber_delta=1.5), Scaling((0.0,), (1.0,)))
    theirs = keras.losses.Huber(delta=1.5, reduction=None)(truth, outputs)
    np.testing.assert_allclose(ours(tf.constant(truth), tf.constant(outputs)), theirs, rtol=1e-5)


def test_a_missing_value_gives_no_gradient_and_no_nan():
    outputs = tf.Variable([[1.0, 2.0]])
    for loss in ("l2", "l1", "huber"):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(value_losses(c.Regression(loss=loss), SCALING)(tf.constant([[NAN, 3.0]]), outputs))
        gradient = tape.gradient(total, outputs).numpy()
        assert gradient[0, 0] == 0.0
        assert np.isfinite(gradient).all()
        assert gradient[0, 1] < 0


def test_losses_of_bfloat16_outputs_are_float32():
    losses = value_losses(c.Regression(), SCALING)(tf.constant([[10.0, 0.0]]), tf.constant([[1.0, 2.0]], tf.bfloat16))
    assert losses.dtype == tf.float32


@pytest.mark.parametrize("power", [1, 2])
def test_metrics_are_means_over_values_in_their_units_in_any_batches(random, power):
    truth = random.normal(10.0, 4.0, (20, 2)).astype(np.float32)
    truth[random.random(truth.shape) < 0.3] = np.nan
    outputs, weights = random.normal(size=(20, 2)).astype(np.float32), np.ones(20, np.float32)
    weights[[3, 7]] = 0.0
    metric = MeanError(power=power, mean=SCALING.mean, deviation=SCALING.deviation)
    for rows in (slice(0, 12), slice(12, 20)):
        metric.update_state(*(tf.constant(one[rows]) for one in (truth, outputs, weights)))
    apart = np.abs(outputs * SCALING.deviation + SCALING.mean - truth)[weights > 0]
    expected = (np.nanmean(apart**power, axis=0) ** (1 / power)).mean()
    assert metric.name == {1: "mae", 2: "rmse"}[power]
    np.testing.assert_allclose(float(metric.result()), expected, rtol=1e-5)
    copy = MeanError.from_config(metric.get_config())
    copy.update_state(tf.constant(truth), tf.constant(outputs), tf.constant(weights))
    np.testing.assert_allclose(float(copy.result()), expected, rtol=1e-5)


def test_metrics_leave_out_a_value_without_a_number():
    metric = MeanError(power=1, mean=(0.0, 0.0), deviation=(1.0, 1.0))
    metric.update_state(tf.constant([[1.0, NAN]]), tf.constant([[4.0, 9.0]]))
    assert float(metric.result()) == 3.0
    metric.reset_state()
    assert float(metric.result()) == 0.0
