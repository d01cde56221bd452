"""What every network promises in training, checked on every row of the catalogue."""

import keras
import numpy as np
import pytest
import tensorflow as tf


def called(model, network, count=4):
    """The rows of a network's outputs in training. Most networks have one input, an image."""
    inputs = network.inputs(count)
    return network.as_rows(model(inputs if len(inputs) > 1 else inputs[0], training=True))


@pytest.fixture(scope="module")
def model(network):
    """The network of a row, built once for both tests. They do not depend on the statistics that training moves."""
    keras.utils.set_random_seed(0)
    return network.build()


def test_every_weight_gets_a_gradient(model, network):
    with tf.GradientTape() as tape:
        logits = called(model, network, 8)
        rows = tf.reshape(logits, (-1, 10))
        labels = np.arange(len(rows)) % 10
        loss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(labels, rows, from_logits=True))
    for weight, gradient in zip(model.trainable_weights, tape.gradient(loss, model.trainable_weights), strict=True):
        assert gradient is not None, weight.path
        # A bias before a normalisation gets some 1e-9 of rounding here, which is not a gradient.
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 1e-6 or network.is_idle(weight.path), weight.path


def test_eager_equals_graph_in_training(model, network):
    generator = np.random.default_rng(1)
    for weight in model.trainable_weights:  # a zero or a one can hide a mistake
        weight.assign_add(generator.normal(0.0, 0.02, weight.shape))
    start = model.get_weights()
    eager, eager_weights = called(model, network), model.get_weights()
    model.set_weights(start)
    # Without AutoGraph, as `fit` traces a network.
    graph, graph_weights = called(tf.function(model, autograph=False), network), model.get_weights()
    # The tolerance is wide, because batch normalisation over the few pixels of a small map magnifies rounding.
    np.testing.assert_allclose(graph, eager, rtol=1e-3, atol=1e-3)
    for in_graph, in_eager in zip(graph_weights, eager_weights, strict=True):
        np.testing.assert_allclose(in_graph, in_eager, rtol=1e-3, atol=1e-3)
