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


def test_only_the_last_layer_of_a_decoder_computes_in_float32():
    """Its enlarging convolutions have no kernel of `fast_network`'s own."""
    image = keras.Input((6, 6, 3))
    x = layers.ReLU()(layers.Conv2D(8, 3, strides=2, padding="same")(image))
    x = layers.Activation("tanh")(layers.LayerNormalization()(layers.Conv2DTranspose(8, 3, strides=2, padding="same")(x)))
    decoder = with_weights(keras.Model(image, layers.Conv2DTranspose(3, 2, strides=2)(x)))
    function = fast_network(decoder, precision="bfloat16")
    kernels = [one.inputs[1] for one in function.graph.get_operations() if one.type == "Conv2DBackpropInput"]
    assert [(one.dtype.name, one.shape[0]) for one in kernels] == [("bfloat16", 3), ("float32", 2)]
    assert (kinds(function, "Conv2D"), kinds(function, "Tanh")) == (["bfloat16"], ["bfloat16"])
    assert not function.variables
    wanted = decoder(IMAGES[:, :6, :6], training=False)
    apart = np.abs(function(tf.constant(IMAGES[:, :6, :6])) - wanted).max() / np.abs(wanted).max()
    assert 1e-5 < apart < 0.03


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_layers_in_bfloat16_compute_in_float32_if_that_is_asked_for(precision):
    """And so do those of a model inside the network, in both precisions."""
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, dtype="mixed_bfloat16"), layers.Activation("tanh")])
    row = keras.Input((4,))
    network = with_weights(keras.Model(row, layers.Dense(2)(inner(layers.Dense(4, dtype="mixed_bfloat16")(row)))))
    function = fast_network(network, precision=precision)
    assert kinds(function, "MatMul") == [precision, "float32", "float32"]
    assert kinds(function, "Tanh") == ["float32"]
    rows = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    found = function(tf.constant(rows))
    # By hand, in float64.
    (one, a), (two, b), (three, c) = zip(*[iter(map(np.float64, network.get_weights()))] * 2, strict=True)
    wanted = np.tanh((rows @ one + a) @ two + b) @ three + c
    np.testing.assert_allclose(found, wanted, atol=1e-5 if precision == "float32" else 0.05)
    assert inner.layers[0].compute_dtype == "bfloat16"


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
