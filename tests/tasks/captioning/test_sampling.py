"""Scheduled sampling: how often a network receives its own words, which ones, and that the final network is without it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.tasks.base import make_task
from kerasvision.tasks.captioning.sampling import OwnWords
from kerasvision.tasks.captioning.tokens import SPECIAL
from kerasvision.training.devices.dropout import seed_generators
from kerasvision.training.step import TrainStep

NAMES = (*SPECIAL, "a", "dog", "red")
ROWS = 20_000
# Four standard deviations of a share of this many rows.
CLOSE = 4 * 0.5 / ROWS**0.5
CAPTIONS = tf.constant([["a dog", "red dog"], ["a red dog", ""], ["dog", "a"], ["red", "red red"]])


def inputs(logits, *, true=4):
    return [tf.fill([ROWS], true), tf.repeat(tf.constant([logits], tf.float32), ROWS, axis=0)]


def test_the_share_of_own_words_rises_in_a_line_and_stays():
    layer = OwnWords(share=0.8, calls=4, seed=0)
    certain = inputs([0.0] * 5 + [1000.0])
    shares = [np.mean(layer(certain, training=True).numpy() == 5) for _ in range(6)]
    assert shares[0] == 0
    np.testing.assert_allclose(shares, [0.0, 0.2, 0.4, 0.6, 0.8, 0.8], atol=CLOSE)


def test_own_words_are_drawn_by_their_probabilities_and_never_silent_ones():
    layer = OwnWords(share=1.0, calls=1, seed=0)
    probabilities = np.array([0.1, 0.2, 0.2, 0.1, 0.1, 0.3])
    layer(inputs(np.log(probabilities)), training=True)
    drawn = layer(inputs(np.log(probabilities)), training=True).numpy()
    expected = np.where(np.arange(6) < 3, 0.0, probabilities) / probabilities[3:].sum()
    np.testing.assert_allclose(np.bincount(drawn, minlength=6) / ROWS, expected, atol=CLOSE)


def test_outside_of_training_true_words_are_heard_and_nothing_is_counted():
    layer = OwnWords(share=1.0, calls=1, seed=0)
    for _ in range(3):
        assert (layer(inputs([0.0] * 6)).numpy() == 4).all()
    assert int(layer.variables[0]) == 0


def test_words_of_several_captions_stay_in_their_places():
    layer = OwnWords(share=1.0, calls=1, seed=0)
    own = np.random.default_rng(0).integers(3, 9, (50, 3)).astype(np.int32)
    given = [tf.zeros([50, 3], tf.int32), tf.one_hot(own, 9) * 1000]
    layer(given, training=True)
    np.testing.assert_array_equal(layer(given, training=True), own)


# --- In a training


@pytest.fixture(scope="module")
def task():
    return make_task(c.Captioning(max_length=2, scheduled_sampling=0.5, sampling_steps=4), NAMES)


def built(task, *, seed=0):
    keras.utils.set_random_seed(seed)
    options = {"backbone": "lenet5", "embedding": 8, "units": 8}
    return task.build(c.Model(name="show_and_tell", options=options), image_shape=(16, 16, 1))


def step_of(network, task):
    return TrainStep(
        network, objective=task.objective(), optimizer=keras.optimizers.Adam(0.01), strategy=tf.distribute.get_strategy()
    )


def batches(task):
    images = tf.random.stateless_normal([4, 16, 16, 1], (0, 0))
    return tf.data.Dataset.from_tensors(task.encode({"image": images, "captions": CAPTIONS})).repeat()


def test_the_trained_network_is_the_plain_one_with_the_same_weights(task):
    taught = built(task)
    plain = task.trained(taught)
    (images, tokens), _ = next(iter(batches(task)))
    np.testing.assert_allclose(plain([images, tokens]), taught([images, tokens]), rtol=1e-5, atol=1e-6)
    assert {id(weight) for weight in plain.trainable_variables} == {id(weight) for weight in taught.trainable_variables}
    assert not [layer for layer in plain.layers if isinstance(layer, OwnWords)]
    assert len(list(seed_generators(taught))) == len(list(seed_generators(plain))) + 1


@pytest.mark.slow
def test_a_training_goes_on_with_the_share_and_the_draws_that_it_had(task):
    first, data = step_of(built(task), task), iter(batches(task))
    first.run(data, 3)
    saved = {name: variable.numpy() for name, variable in first.variables().items()}
    expected = first.run(data, 3)
    second = step_of(built(task, seed=1), task)
    for name, variable in second.variables().items():
        variable.assign(saved[name])
    np.testing.assert_array_equal(second.run(data, 3), expected)
    counted = [name for name in second.variables() if name.endswith("calls_made")]
    assert [int(second.variables()[name]) for name in counted] == [6 * 2]
