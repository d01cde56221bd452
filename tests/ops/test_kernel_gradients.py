"""The gradients are those of TensorFlow, and outside of the context nothing is changed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from kerasvision.ops.kernel_gradients import as_products, kernel_gradient, pays


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 5)], ids=str)
@pytest.mark.parametrize("sides", [(6, 9), (7, 8)], ids=str)
def test_a_product_is_what_tensorflow_computes(sides, size, stride, padding):
    inputs = random(2, *sides, 3)
    outputs = tf.nn.conv2d(inputs, random(*size, 3, 4), stride, padding)
    upstream = tf.constant(random(*outputs.shape, seed=1))
    expected = tf.raw_ops.Conv2DBackpropFilter(
        input=inputs, filter_sizes=[*size, 3, 4], out_backprop=upstream, strides=[1, stride, stride, 1], padding=padding
    )
    found = kernel_gradient(tf.constant(inputs), upstream, size=size, stride=stride, padding=padding)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def a_network():
    """Each kind of convolution, with a branch that is used twice."""
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 4))
    x = layers.Conv2D(8, 1, strides=2, activation="relu")(image)
    inner = keras.Sequential([layers.Conv2D(8, 1, use_bias=False), layers.Conv2D(8, 3, padding="same")])
    x = inner(inner(x))
    x = layers.Conv2D(8, 1, groups=2)(x)
    x = layers.Conv2D(8, 3, dilation_rate=2, padding="same")(x)
    return keras.Model(image, layers.Conv2D(2, 1, dtype="float64")(x))


def loss_and_gradients(network, images):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(network(images, training=True)))
    return loss.numpy(), [gradient.numpy() for gradient in tape.gradient(loss, network.trainable_variables)]


def test_a_network_has_the_same_losses_and_gradients():
    network, images = a_network(), random(2, 7, 6, 4)
    loss, gradients = loss_and_gradients(network, images)
    with as_products(network):
        found, theirs = loss_and_gradients(network, images)
    assert found == loss
    for one, other in zip(gradients, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * abs(one).max())


def operations(network, images):
    step = tf.function(lambda images: loss_and_traced(network, images), autograph=False)
    return [operation.type for operation in step.get_concrete_function(images).graph.get_operations()]


def loss_and_traced(network, images):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network(images, training=True))
    return tape.gradient(loss, network.trainable_variables)


def test_only_a_step_traced_within_the_context_has_products():
    network, images = a_network(), random(2, 6, 6, 4)
    before = operations(network, images)
    with pytest.raises(ValueError, match="an error"), as_products(network):
        within = operations(network, images)
        raise ValueError("an error")
    # Of the 1 x 1 convolutions, one runs twice. The others keep TensorFlow's gradient.
    assert within.count("MatMul") - before.count("MatMul") == 4
    assert before.count("Conv2DBackpropFilter") - within.count("Conv2DBackpropFilter") == 4
    assert operations(network, images) == before
    assert all("convolution_op" not in vars(layer) for layer in network._flatten_layers())


def test_the_gradient_of_a_frozen_kernel_is_not_computed():
    """Otherwise a layer below it would wait for a gradient that nobody needs."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((4, 4, 2)), layers.Conv2D(2, 1), layers.Conv2D(2, 1)])
    network.layers[1].trainable = False
    with as_products(network):
        step = tf.function(lambda images: loss_and_traced(network, images), autograph=False)
        graph = step.get_concrete_function(random(2, 4, 4, 2)).graph
    needed, seen = [graph.outputs[0].op], set()
    while needed:
        operation = needed.pop()
        if operation.name not in seen:
            seen.add(operation.name)
            needed += [*(one.op for one in operation.inputs), *operation.control_inputs]
    products = [one.name for one in graph.get_operations() if one.type == "MatMul"]
    assert len(products) == 2
    assert len(seen.intersection(products)) == 1


def test_nothing_changes_where_there_is_a_gpu(monkeypatch):
    network, images = a_network(), random(2, 6, 6, 4)
    before = operations(network, images)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    with as_products(network):
        assert operations(network, images) == before


@pytest.mark.parametrize(
    ("side", "channels", "filters", "kernel", "dtype", "expected"),
    [
        (56, 64, 64, 1, "float32", True),
        (None, 8, 8, 1, "bfloat16", True),
        (7, 512, 512, 3, "bfloat16", True),
        (7, 512, 512, 3, "float32", False),
        (None, 512, 512, 3, "bfloat16", False),
        (14, 256, 256, 3, "bfloat16", False),
        (7, 512, 32, 3, "bfloat16", False),
    ],
)
def test_a_product_is_used_where_it_is_faster(side, channels, filters, kernel, dtype, expected):
    layer = layers.Conv2D(filters, kernel, padding="same")
    assert pays(layer, tf.keras.Input((side, side, channels), dtype=dtype)) is expected


def test_in_bfloat16_a_large_kernel_has_the_same_gradient_but_for_rounding():
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((3, 3, 128)), layers.Conv2D(128, 3, padding="same", dtype="mixed_bfloat16")])
    images = random(4, 3, 3, 128)
    _, (kernel, bias) = loss_and_gradients(network, images)
    with as_products(network):
        _, (other_kernel, other_bias) = loss_and_gradients(network, images)
    np.testing.assert_allclose(other_kernel, kernel, rtol=0, atol=0.01 * abs(kernel).max())
    np.testing.assert_array_equal(other_bias, bias)
