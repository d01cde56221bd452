"""A network for serving alone answers as the network does: exactly but for rounding in float32, and nearly in bfloat16."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from kerasvision.errors import ConfigError
from kerasvision.export.writing.fast_network import fast_network
from kerasvision.ops.normalization import fused

IMAGES = np.random.default_rng(0).normal(size=(5, 12, 12, 3)).astype("float32")


def with_weights(network):
    """The network with weights, gammas and statistics that are neither 0 nor 1, and maps that stay near 1."""
    random = np.random.default_rng(1)
    network.set_weights(
        [
            random.uniform(0.5, 1.5, weight.shape)
            if weight.ndim == 1
            else random.normal(0, weight[..., 0].size ** -0.5, weight.shape)
            for weight in network.get_weights()
        ]
    )
    return network


@pytest.fixture(scope="module")
def network():
    """A residual network with convolutions with and without normalisation, and two outputs."""
    image = keras.Input(IMAGES.shape[1:])
    x = layers.ReLU()(fused(layers.BatchNormalization())(layers.Conv2D(8, 3, strides=2, padding="same")(image)))
    y = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    y = fused(layers.BatchNormalization())(layers.Conv2D(8, 1, use_bias=False)(y))
    x = fused(layers.BatchNormalization(name="after_a_sum"))(layers.Add()([x, y]))
    pooled = layers.GlobalAveragePooling2D()(layers.Dense(8, activation="relu")(x))
    return with_weights(keras.Model(image, {"logits": layers.Dense(4)(pooled), "size": layers.Dense(1)(pooled)}))


def test_in_float32_only_rounding_differs(network):
    wanted = network(IMAGES, training=False)
    found = fast_network(network, precision="float32")(tf.constant(IMAGES))
    assert found.keys() == wanted.keys()
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5, atol=1e-5)


def test_in_bfloat16_answers_are_near_and_float32(network):
    wanted = network(IMAGES, training=False)
    found = fast_network(network, precision="bfloat16")(tf.constant(IMAGES))
    for name in wanted:
        assert found[name].dtype == tf.float32
        apart = np.abs(found[name] - wanted[name]).max() / np.abs(wanted[name]).max()
        assert 1e-5 < apart < 0.03  # a rounding is at most 2**-9 of a number, and here are about ten


def kinds(function, kind):
    """The types of the first input of every operation of a kind."""
    return [one.inputs[0].dtype.name for one in function.graph.get_operations() if one.type == kind]


def test_weights_are_constants_and_normalisations_are_part_of_convolutions(network):
    function = fast_network(network, precision="float32")
    assert not function.variables
    # The one after a sum has no convolution of its own.
    assert kinds(function, "FusedBatchNormV3") == ["float32"]
    assert "ReadVariableOp" not in {one.type for one in function.graph.get_operations()}


def test_the_last_layers_compute_in_float32(network):
    function = fast_network(network, precision="bfloat16")
    assert set(kinds(function, "Conv2D")) == {"bfloat16"}
    assert kinds(function, "MatMul").count("float32") == 2


def test_a_later_change_of_the_network_does_not_reach_the_function(network):
    other = keras.models.clone_model(network)
    other.set_weights(network.get_weights())
    function = fast_network(other, precision="float32")
    before = function(tf.constant(IMAGES))["logits"].numpy()
    other.set_weights([2 * weight for weight in other.get_weights()])
    np.testing.assert_array_equal(function(tf.constant(IMAGES))["logits"], before)


def test_the_network_stays_as_it_is(network):
    before = network(IMAGES, training=False)["logits"].numpy()
    for precision in ("float32", "bfloat16"):
        fast_network(network, precision=precision)
    np.testing.assert_array_equal(network(IMAGES, training=False)["logits"], before)
    assert {layer.compute_dtype for layer in network.layers} == {"float32"}


def test_several_inputs_are_refused():
    one, other = keras.Input((2,)), keras.Input((2,))
    network = keras.Model([one, other], layers.Add()([one, other]))
    with pytest.raises(ConfigError, match="a graph of layers with one input; received .*Remove export.precision"):
        fast_network(network, precision="float32")


def test_more_weights_than_a_graph_can_hold_are_refused(network, monkeypatch):
    monkeypatch.setattr("kerasvision.export.writing.fast_network.MOST_BYTES", 1000)
    with pytest.raises(ConfigError, match="weights of at most 1,000 bytes, which become part of the graph"):
        fast_network(network, precision="float32")
