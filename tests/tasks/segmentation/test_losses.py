"""The losses of maps, against NumPy, Keras and figures by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, softmax

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.tasks.base import make_task
from kerasvision.tasks.segmentation.losses import pixel_losses

LOSSES = ("cross_entropy", "class_weighted", "dice", "focal")
WEIGHTS = np.array([0.5, 2.0, 3.0], np.float32)


@pytest.fixture(scope="module")
def drawn():
    """Maps (3, 4, 5) of three classes with ignored pixels, and logits."""
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, (3, 4, 5)).astype(np.uint8)
    truth[random.random(truth.shape) < 0.3] = 255
    truth[2][truth[2] == 1] = 0  # the last image does not have the second class
    return truth, random.normal(size=(3, 4, 5, 3)).astype(np.float32)


def losses_of(loss, truth, logits, **settings):
    losses = pixel_losses(c.Segmentation(loss=loss, **settings), weights=WEIGHTS)
    return losses(tf.constant(truth), tf.constant(logits)).numpy()


def by_numpy(loss, truth, logits, *, gamma=2.0):
    """The formulas of the docstring of `Segmentation`."""
    known = truth != 255
    labels, logs, shares = truth[known], log_softmax(logits[known], axis=-1), softmax(logits[known], axis=-1)
    entropy, right = -logs[np.arange(len(labels)), labels], shares[np.arange(len(labels)), labels]
    if loss == "dice":
        each = [2 * shares[labels == k, k].sum() / (shares[:, k].sum() + (labels == k).sum()) for k in np.unique(labels)]
        return 1 - np.mean(each)
    factor = {"cross_entropy": 1.0, "class_weighted": WEIGHTS[labels], "focal": (1 - right) ** gamma}[loss]
    return np.mean(factor * entropy)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_of_an_image_is_that_of_its_formula(loss, drawn):
    expected = [by_numpy(loss, *one) for one in zip(*drawn, strict=True)]
    np.testing.assert_allclose(losses_of(loss, *drawn), expected, rtol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_logits_of_half_precision_have_losses_of_full_precision(loss, drawn):
    truth, logits = drawn
    halves = tf.cast(logits, tf.bfloat16)
    found = pixel_losses(c.Segmentation(loss=loss), weights=WEIGHTS)(tf.constant(truth), halves)
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found.numpy(), losses_of(loss, truth, tf.cast(halves, tf.float32).numpy()))


def test_cross_entropy_is_that_of_keras(drawn):
    judge = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255, reduction=None)
    for truth, logits, loss in zip(*drawn, losses_of("cross_entropy", *drawn), strict=True):
        each = np.asarray(judge(truth.astype(np.int32), logits))
        assert loss == pytest.approx(each[truth != 255].mean(), rel=1e-6)


def test_focal_loss_without_gamma_is_cross_entropy(drawn):
    np.testing.assert_allclose(losses_of("focal", *drawn, focal_gamma=0.0), losses_of("cross_entropy", *drawn), rtol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_an_image_that_says_nothing_has_no_loss_and_no_gradient(loss):
    logits = tf.Variable(np.random.default_rng(0).normal(size=(1, 2, 2, 3)).astype(np.float32))
    with tf.GradientTape() as tape:
        found = pixel_losses(c.Segmentation(loss=loss), weights=WEIGHTS)(
            tf.fill((1, 2, 2), tf.constant(255, tf.uint8)), logits
        )
    assert found.numpy().tolist() == [0.0]
    assert not tape.gradient(found, logits).numpy().any()


@pytest.mark.parametrize("loss", LOSSES)
def test_only_pixels_that_are_ignored_have_no_gradient(loss, drawn):
    truth, logits = tf.constant(drawn[0]), tf.Variable(drawn[1])
    with tf.GradientTape() as tape:
        found = pixel_losses(c.Segmentation(loss=loss), weights=WEIGHTS)(truth, logits)
    gradient = np.abs(tape.gradient(found, logits).numpy()).max(axis=-1)
    assert ((gradient > 0) == (drawn[0] != 255)).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_of_an_image_does_not_depend_on_the_others_of_its_batch(loss, drawn):
    alone = [losses_of(loss, truth[None], logits[None])[0] for truth, logits in zip(*drawn, strict=True)]
    np.testing.assert_allclose(losses_of(loss, *drawn), alone, rtol=1e-6)


def test_extreme_logits_have_finite_losses_and_gradients():
    truth = tf.constant([[[0, 1]]], tf.uint8)
    for loss in LOSSES:
        logits = tf.Variable([[[[1e4, -1e4], [1e4, -1e4]]]])
        with tf.GradientTape() as tape:
            settings = c.Segmentation(loss=loss, **({"focal_gamma": 0.5} if loss == "focal" else {}))
            found = pixel_losses(settings, weights=WEIGHTS[:2])(truth, logits)
        assert np.isfinite(found.numpy()).all()
        assert np.isfinite(tape.gradient(found, logits).numpy()).all()


def test_an_auxiliary_head_adds_half_of_its_loss_in_training_only(drawn):
    truth, logits = drawn
    objective = make_task(c.Segmentation(), ("a", "b", "c")).objective()
    outputs = {"logits": tf.constant(logits), "auxiliary_logits": tf.constant(logits[..., ::-1])}
    alone = losses_of("cross_entropy", truth, logits)
    other = losses_of("cross_entropy", truth, logits[..., ::-1])
    for training, expected in ((True, alone + 0.5 * other), (False, alone)):
        np.testing.assert_allclose(objective.losses(tf.constant(truth), outputs, training=training), expected, rtol=1e-6)


def test_class_weights_require_the_training_examples():
    with pytest.raises(ConfigError, match="depend on the training examples"):
        make_task(c.Segmentation(loss="class_weighted"), ("a", "b")).objective()


def test_class_weights_are_those_of_the_training_pixels(png):
    maps = [[[0, 0, 0, 1]], [[0, 0, 255, 255]]]
    examples = tf.data.Dataset.from_tensor_slices({"image": [b"", b""], "label_map": [png(one) for one in maps]})
    task = make_task(c.Segmentation(loss="class_weighted"), ("a", "b")).learning_from(examples)
    # 6 known pixels of 2 classes: 6 / (2 * 5) and 6 / (2 * 1). Equal logits have an entropy of ln 2 in each pixel.
    found = task.objective().losses(tf.constant([[[0, 1, 255]]], tf.uint8), tf.zeros((1, 1, 3, 2)), training=True)
    assert found.numpy()[0] == pytest.approx(np.log(2) * (0.6 + 3.0) / 2, rel=1e-6)
