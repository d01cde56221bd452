"""Losses of one label per image: by hand, by loops in NumPy, by Keras and scikit-learn."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

from kerasvision import config as c
from kerasvision.config import training as t
from kerasvision.errors import ConfigError
from kerasvision.tasks.base import make_task
from kerasvision.tasks.classification.losses import MOST_LABELS, answer_logits, example_losses
from kerasvision.training.optimizing.optimizers import make_optimizer

NAMES = ("cross_entropy", "focal", "hinge", "squared_hinge", "binary_cross_entropy", "binary_focal")
# cs231n, lecture 3: a cat, a car and a frog, each with its scores for cat, car and frog.
SCORES = np.array([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]])
RANDOM = np.random.default_rng(0)


def losses(name, targets, logits, **fields):
    function = example_losses(c.Classification(loss=name, **fields))
    return function(tf.constant(targets, tf.float32), tf.constant(logits, tf.float32)).numpy()


def by_loops(name, label, scores):
    """The loss of one example by the sums of the definition, in float64."""
    others = [j for j in range(len(scores)) if j != label]
    if name == "cross_entropy":
        return np.log(np.exp(scores).sum()) - scores[label]
    if name == "focal":
        p = np.exp(scores[label]) / np.exp(scores).sum()
        return -((1 - p) ** 2) * np.log(p)
    if name == "binary_focal":
        right = 1 / (1 + np.exp(-np.where(np.arange(len(scores)) == label, scores, -scores)))
        return -((1 - right) ** 2 * np.log(right)).sum()
    if name == "binary_cross_entropy":
        return np.log1p(np.exp(-scores[label])) + sum(np.log1p(np.exp(scores[j])) for j in others)
    return sum(max(0.0, scores[j] - scores[label] + 1) ** (2 if "squared" in name else 1) for j in others)


# --- One label


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # The lecture: max(0, 5.1 - 3.2 + 1) + max(0, -1.7 - 3.2 + 1) = 2.9; 0; 6.3 + 6.6 = 12.9.
        ("hinge", [2.9, 0.0, 12.9]),
        ("squared_hinge", [2.9**2, 0.0, 6.3**2 + 6.6**2]),
        # For the cat, the lecture has 0.13 = e^3.2 / (24.5 + 164.0 + 0.18), and so 2.04.
        ("cross_entropy", [2.0404, 0.0791, 6.1565]),
    ],
)
def test_losses_are_those_of_the_lecture(name, expected):
    np.testing.assert_allclose(losses(name, np.eye(3), SCORES), expected, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_loss_is_the_sum_of_its_definition(name):
    logits, labels = RANDOM.normal(size=(20, 30), scale=2.0), RANDOM.integers(0, 30, 20)
    expected = [by_loops(name, *row) for row in zip(labels, logits, strict=True)]
    np.testing.assert_allclose(losses(name, np.eye(30)[labels], logits), expected, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_is_the_slope_of_the_definition(name):
    logits = tf.constant(RANDOM.normal(size=(1, 6)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = example_losses(c.Classification(loss=name))(tf.one_hot([2], 6), logits)
    scores, step = logits.numpy()[0].astype(float), 1e-5
    slopes = [(by_loops(name, 2, scores + d) - by_loops(name, 2, scores - d)) / (2 * step) for d in step * np.eye(6)]
    np.testing.assert_allclose(tape.gradient(loss, logits)[0], slopes, rtol=1e-4, atol=1e-5)


def test_focal_losses_are_those_of_keras():
    logits, labels = RANDOM.normal(size=(20, 5), scale=2.0), RANDOM.integers(0, 5, 20)
    targets = np.eye(5)[labels]
    softmax = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=1.5, from_logits=True, reduction=None)
    np.testing.assert_allclose(losses("focal", targets, logits, gamma=1.5), softmax(targets, logits), rtol=1e-4, atol=1e-6)
    sigmoid = keras.losses.BinaryFocalCrossentropy(gamma=1.5, from_logits=True, reduction=None)
    # Keras takes the mean over the classes, here it is the sum.
    found = losses("binary_focal", targets, logits, gamma=1.5)
    np.testing.assert_allclose(found, 5 * sigmoid(targets, logits), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("focal", "plain"), [("focal", "cross_entropy"), ("binary_focal", "binary_cross_entropy")])
def test_focal_loss_with_gamma_0_is_the_plain_loss(focal, plain):
    logits, targets = RANDOM.normal(size=(20, 5), scale=3.0), np.eye(5)[RANDOM.integers(0, 5, 20)]
    np.testing.assert_allclose(losses(focal, targets, logits, gamma=0), losses(plain, targets, logits), rtol=1e-5)


@pytest.mark.parametrize("name", ["focal", "binary_focal"])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_slopes_of_a_focal_loss_are_finite_for_an_answer_that_is_surely_right_or_wrong(name, gamma):
    logits = tf.constant([[1e4, -1e4], [-1e4, 1e4]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = example_losses(c.Classification(loss=name, gamma=gamma))(tf.one_hot([0, 0], 2), logits)
    slopes = tape.gradient(loss, logits).numpy()
    assert np.isfinite(slopes).all()
    assert (slopes[0] == 0).all()
    assert slopes[1, 0] < 0 < slopes[1, 1]


def test_gamma_may_differ_by_class():
    logits, targets = RANDOM.normal(size=(4, 2)), np.eye(2)[[0, 1, 0, 1]]
    function = example_losses(c.Classification(loss="focal", gamma={"dog": 0.0}), ("cat", "dog"))
    found = function(tf.constant(targets, tf.float32), tf.constant(logits, tf.float32)).numpy()
    cats, dogs = losses("focal", targets, logits), losses("cross_entropy", targets, logits)
    np.testing.assert_allclose(found, [cats[0], dogs[1], cats[2], dogs[3]], rtol=1e-5)
    with pytest.raises(ConfigError, match=r"task.gamma: no class is named 'dgo'; did you mean 'dog'\?"):
        example_losses(c.Classification(loss="focal", gamma={"dgo": 0.0}), ("cat", "dog"))


def test_delta_is_the_margin_of_a_hinge():
    # The lecture's frog: 2.2 - -3.1 + delta and 2.5 - -3.1 + delta; and the cat, of which only the car is too near.
    np.testing.assert_allclose(losses("hinge", np.eye(3), SCORES, delta=0.5), [2.4, 0.0, 5.8 + 6.1], rtol=1e-5)
    np.testing.assert_allclose(
        losses("squared_hinge", np.eye(3), SCORES, delta=4.0), [5.9**2, 0.4**2 + 1.1**2, 9.3**2 + 9.6**2], rtol=1e-5
    )


# --- Mixed images and smoothed labels


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20)
@given(share=st.floats(0, 1), labels=st.lists(st.integers(0, 4), min_size=2, max_size=2), seed=st.integers(0, 100))
def test_mixed_image_costs_the_mean_over_its_labels(name, share, labels, seed):
    logits = np.random.default_rng(seed).normal(size=5)
    mixed = share * np.eye(5)[labels[0]] + (1 - share) * np.eye(5)[labels[1]]
    expected = share * by_loops(name, labels[0], logits) + (1 - share) * by_loops(name, labels[1], logits)
    np.testing.assert_allclose(losses(name, [mixed], [logits]), [expected], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["hinge", "squared_hinge"])
def test_hinge_takes_as_many_labels_as_it_says(name):
    shares = np.zeros(40)
    shares[5 : 5 + MOST_LABELS] = 1 / MOST_LABELS
    logits = RANDOM.normal(size=40)
    expected = np.mean([by_loops(name, label, logits) for label in range(5, 5 + MOST_LABELS)])
    np.testing.assert_allclose(losses(name, [shares], [logits]), [expected], rtol=1e-5)


def test_smoothing_shares_a_part_of_the_label_out_over_all_classes():
    logits, targets = RANDOM.normal(size=(6, 4)), np.eye(4)[[0, 1, 2, 3, 3, 3]]
    smooth = targets * 0.8 + 0.05
    kerass = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2, reduction=None)
    ours = losses("cross_entropy", targets, logits, label_smoothing=0.2)
    np.testing.assert_allclose(ours, kerass(targets, logits), rtol=1e-5)
    for name in ("cross_entropy", "binary_cross_entropy", "focal", "binary_focal"):
        expected = losses(name, smooth, logits)
        np.testing.assert_allclose(losses(name, targets, logits, label_smoothing=0.2), expected, rtol=1e-5)


def test_binary_cross_entropy_is_kerass_times_the_number_of_classes():
    logits, targets = RANDOM.normal(size=(6, 4)), np.eye(4)[[0, 1, 2, 3, 3, 3]]
    kerass = keras.losses.BinaryCrossentropy(from_logits=True, reduction=None)
    np.testing.assert_allclose(losses("binary_cross_entropy", targets, logits), 4 * kerass(targets, logits), rtol=1e-5)


def test_binary_cross_entropy_takes_several_labels_or_none():
    logits, targets = RANDOM.normal(size=(5, 3)), np.array([[1, 1, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 1]])
    columns = [metrics.log_loss(targets[:, j], 1 / (1 + np.exp(-logits[:, j])), labels=[0, 1]) for j in range(3)]
    assert losses("binary_cross_entropy", targets, logits).mean() == pytest.approx(sum(columns), rel=1e-6)


# --- Numbers of all sizes


@pytest.mark.parametrize("name", NAMES)
def test_huge_logits_give_finite_losses(name):
    found = losses(name, np.eye(3), np.array([[1e4, -1e4, 0], [1e4, -1e4, 0], [0, 0, 0]]))
    assert np.isfinite(found).all()
    # Of two sure and right answers, and one of 0: of a binary loss log 2, which the focal loss multiplies by (1/2)^2.
    assert found[0] == pytest.approx({"binary_cross_entropy": np.log(2), "binary_focal": np.log(2) / 4}.get(name, 0.0))


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_float32_whatever_the_network_puts_out(name):
    function = example_losses(c.Classification(loss=name))
    for dtype in (tf.bfloat16, tf.float16, tf.float32):
        assert function(tf.one_hot([0, 1], 3), tf.zeros((2, 3), dtype)).dtype == tf.float32


# --- Answers


@pytest.mark.parametrize("name", NAMES)
def test_scores_of_an_answer_sum_to_one_and_are_in_the_order_of_the_logits(name):
    logits = RANDOM.normal(size=(50, 6), scale=3.0)
    scores = tf.nn.softmax(answer_logits(tf.constant(logits, tf.float32), loss=name)).numpy()
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-5)
    assert (scores.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_scores_of_one_against_all_are_scikit_learns():
    class Given(LinearSVC):
        """Gives the probability of each class separately."""

        def predict_proba(self, x):
            positive = 1 / (1 + np.exp(-self.decision_function(x)))
            return np.stack([1 - positive, positive], axis=1)

    x, y = RANDOM.normal(size=(60, 4)), RANDOM.integers(0, 3, 60)
    trained = OneVsRestClassifier(Given()).fit(x, y)
    logits = np.stack([single.decision_function(x) for single in trained.estimators_], axis=1)
    ours = tf.nn.softmax(answer_logits(tf.constant(logits, tf.float32), loss="binary_cross_entropy"))
    np.testing.assert_allclose(ours, trained.predict_proba(x), rtol=1e-4)


def test_impossible_everywhere_is_still_an_answer():
    scores = tf.nn.softmax(answer_logits(tf.constant([[-1e4, -1e4 + 1]]), loss="binary_cross_entropy")).numpy()
    np.testing.assert_allclose(scores, [[1 / (1 + np.e), np.e / (1 + np.e)]], rtol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_a_linear_classifier_learns_with_every_loss(name):
    centres = 3 * np.eye(4)[:3]
    labels = RANDOM.integers(0, 3, 90)
    points = tf.constant(centres[labels] + RANDOM.normal(size=(90, 4), scale=0.5), tf.float32)
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="logits")])
    objective = make_task(c.Classification(loss=name), ("a", "b", "c")).objective()
    optimizer = make_optimizer(t.Training(optimizer=t.Sgd(learning_rate=0.1, momentum=0.9)), steps_per_epoch=1)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(objective.losses(tf.one_hot(labels, 3), network(points), training=True))
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
        return loss

    optimizer.build(network.trainable_variables)
    path = [float(step()) for _ in range(40)]
    assert path[-1] < 0.3 * path[0]
    assert (network(points).numpy().argmax(axis=1) == labels).mean() > 0.98
