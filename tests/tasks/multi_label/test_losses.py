"""The losses of tags are the papers' formulas, stay finite far from zero, and weigh as the settings say."""

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.tasks.multi_label.losses import example_losses

LOGITS = np.array([[-3.0, 0.5, 2.0], [0.0, -0.2, 7.0]])
TARGETS = np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]])


def by_hand(targets, logits, *, g1=0.0, g0=0.0, margin=0.0, weights=1.0):
    """The formulas of the papers in float64."""
    p = 1 / (1 + np.exp(-logits))
    q = np.maximum(p - margin, 0)
    present, absent = -((1 - p) ** g1) * np.log(p), -(q**g0) * np.log(1 - q)
    return (targets * weights * present + (1 - targets) * absent).sum(axis=1)


def ours(settings, targets=TARGETS, logits=LOGITS, weights=None):
    return example_losses(settings, weights)(tf.constant(targets, tf.float32), tf.constant(logits, tf.float32)).numpy()


@pytest.mark.parametrize(
    ("settings", "formula"),
    [
        (c.MultiLabel(), {}),
        (c.MultiLabel(loss="focal"), {"g1": 2.0, "g0": 2.0}),
        (c.MultiLabel(loss="focal", focal_gamma=0.5), {"g1": 0.5, "g0": 0.5}),
        (c.MultiLabel(loss="asymmetric"), {"g1": 0.0, "g0": 4.0, "margin": 0.05}),
        (c.MultiLabel(loss="asymmetric", gamma_positive=1, gamma_negative=2, margin=0.2), {"g1": 1, "g0": 2, "margin": 0.2}),
        (c.MultiLabel(loss="asymmetric", gamma_negative=0, margin=0.3), {"margin": 0.3}),
    ],
)
def test_each_loss_is_its_formula(settings, formula):
    assert ours(settings) == pytest.approx(by_hand(TARGETS, LOGITS, **formula), rel=1e-5)
    weights = np.array([1.0, 2.0, 5.0], np.float32)
    assert ours(settings, weights=weights) == pytest.approx(by_hand(TARGETS, LOGITS, weights=weights, **formula), rel=1e-5)
    mixed = 0.3 * TARGETS + 0.7 * TARGETS[::-1]
    parts = 0.3 * ours(settings) + 0.7 * ours(settings, TARGETS[::-1])
    assert ours(settings, mixed) == pytest.approx(parts, rel=1e-5)


def test_smoothing_moves_both_targets_towards_a_half():
    smoothed = ours(c.MultiLabel(label_smoothing=0.2))
    assert smoothed == pytest.approx(by_hand(0.8 * TARGETS + 0.1, LOGITS), rel=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("loss", ["cross_entropy", "focal", "asymmetric"])
def test_losses_and_gradients_are_finite_where_the_sigmoid_is_saturated(loss, gamma, dtype):
    gammas = {"focal": ("focal_gamma",), "asymmetric": ("gamma_positive", "gamma_negative")}.get(loss, ())
    settings = c.MultiLabel(loss=loss, **dict.fromkeys(gammas, gamma))
    logits = tf.Variable(tf.constant([[-200.0, -20.0, -2.944, 0.0, 20.0, 200.0]], dtype))
    for targets in (tf.zeros_like(logits), tf.ones_like(logits)):
        with tf.GradientTape() as tape:
            losses = example_losses(settings)(targets, logits)
        assert np.isfinite(losses).all()
        assert np.isfinite(tf.cast(tape.gradient(losses, logits), tf.float32)).all()


def test_a_tag_that_is_surely_absent_costs_nothing_with_a_margin():
    assert ours(c.MultiLabel(loss="asymmetric"), np.zeros((1, 1)), np.array([[-3.0]])) == 0  # p is 0.047, below 0.05


@pytest.mark.parametrize("weights", [{}, {"sea": 0}, {"sea": "x"}, {"sea": float("inf")}, {"sea": True}, "Balanced", 2])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ConfigError, match="class_weights must be 'balanced'"):
        c.MultiLabel(class_weights=weights)
