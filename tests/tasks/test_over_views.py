"""The answer over views of an image is the mean of the probabilities, whatever the loss."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.ops.views import views
from kerasvision.tasks.base import Task, make_task
from kerasvision.tasks.classification.losses import answer_logits, network_logits

CLASSES = ("ant", "bee", "cow", "doe")
# Images of 1 x 4 pixels. The pixels are the logits, so the mirror image has them in reverse order.
LOGITS = np.array([[0, 9, 1, 0], [3, 1, 2, 0], [-5, -5, -5, 0]], np.float32)


def task(**settings):
    return make_task(c.Classification(**settings), CLASSES)


@pytest.fixture(scope="module")
def network():
    image = keras.Input((1, 4, 1))
    return keras.Model(image, keras.layers.Flatten()(image))


def images(logits):
    return tf.reshape(tf.constant(logits, tf.float32), (-1, 1, 4, 1))


def normalized(values):
    return values / values.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("loss", "probabilities"),
    [
        ("cross_entropy", lambda logits: normalized(np.exp(logits))),
        ("hinge", lambda logits: normalized(np.exp(logits))),
        ("binary_cross_entropy", lambda logits: normalized(1 / (1 + np.exp(-logits)))),
    ],
)
def test_scores_are_the_mean_over_the_image_and_its_mirror_image(loss, probabilities, network):
    over = task(loss=loss).over_views(network, views("flip"))
    answers = task(loss=loss).predictor(over)(images(LOGITS))
    expected = (probabilities(LOGITS) + probabilities(LOGITS[:, ::-1])) / 2
    np.testing.assert_allclose(answers["scores"], expected, atol=1e-6)
    np.testing.assert_array_equal(answers["classes"].numpy(), np.array(CLASSES, "S")[expected.argmax(axis=1)])


def test_four_moved_views_and_the_image_weigh_the_same(network):
    over = task().over_views(network, views("shift"))
    moved = [LOGITS, LOGITS, LOGITS, LOGITS[:, [0, 0, 1, 2]], LOGITS[:, [1, 2, 3, 3]]]  # one row has nowhere to move
    expected = np.mean([normalized(np.exp(one)) for one in moved], axis=0)
    np.testing.assert_allclose(task().predictor(over)(images(LOGITS))["scores"], expected, atol=1e-6)


def test_no_image_gives_no_answer(network):
    over = task().over_views(network, views("flip"))
    assert task().predictor(over)(images(LOGITS[:0]))["scores"].shape == (0, 4)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_a_network_that_is_certain_still_gives_finite_logits(loss, network):
    over = task(loss=loss).over_views(network, views("flip"))
    certain = [[200.0, -200.0, -200.0, 200.0]], [[200.0, -200.0, -200.0, -200.0]]
    found = over(images(np.concatenate(certain))).numpy()
    assert np.isfinite(found).all()
    scores = task(loss=loss).predictor(over)(images(np.concatenate(certain)))["scores"]
    np.testing.assert_allclose(scores, [[0.5, 0, 0, 0.5], [0.5, 0, 0, 0.5]], atol=1e-6)


def test_a_probability_of_one_has_a_finite_logit():
    certain = tf.constant([[0.0, -200.0, -200.0]])
    logits = network_logits(certain, loss="binary_cross_entropy")
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(tf.nn.softmax(answer_logits(logits, loss="binary_cross_entropy")), [[1, 0, 0]], atol=1e-6)


def test_the_temperature_is_fitted_on_the_means(network):
    """Over its mirror image the network always says one half, and is right half of the time: nothing to correct."""
    over, sure = task().over_views(network, views("flip")), images([[8.0, 0, 0, -8]] * 8)
    batches = [(sure, np.array([0, 3] * 4))]
    assert task().fit_temperature(over, batches).before["log_loss"] == pytest.approx(np.log(2), abs=1e-3)
    assert task().fit_temperature(network, batches).before["log_loss"] == pytest.approx(8, abs=1e-2)


def test_a_task_without_means_is_refused_with_the_setting_to_remove(network):
    with pytest.raises(ConfigError, match=r"answers of ClassificationTask have no average. Remove export.test_time"):
        Task.over_views(task(), network, views("flip"))
