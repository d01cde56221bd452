"""LeNet-5 against a second implementation of a few lines of NumPy, and against the figures of the paper and of d2l."""

import keras
import numpy as np
import pytest

from kerasvision.models.lenet import lenet5


def convolve(x, kernel, bias):
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
    return np.einsum("nhwcij,ijco->nhwo", windows, kernel) + bias


def pool(x, reduce):
    n, height, width, channels = x.shape
    return reduce(x.reshape(n, height // 2, 2, width // 2, 2, channels), axis=(2, 4))


def lenet5_in_numpy(x, weights, activation, reduce):
    conv1, bias1, conv2, bias2, dense1, bias3, dense2, bias4, logits, bias5 = weights
    x = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0))) if x.shape[1] == 28 else x
    x = pool(activation(convolve(x, conv1, bias1)), reduce)
    x = pool(activation(convolve(x, conv2, bias2)), reduce)
    x = activation(x.reshape(len(x), -1) @ dense1 + bias3)
    x = activation(x @ dense2 + bias4)
    return x @ logits + bias5


ACTIVATIONS = {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "tanh": np.tanh, "relu": lambda x: np.maximum(x, 0)}
REDUCTIONS = {"average": np.mean, "max": np.max}


@pytest.mark.parametrize("side", [28, 32])
@pytest.mark.parametrize("pooling", REDUCTIONS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_logits_equal_numpys(activation, pooling, side):
    generator = np.random.default_rng(0)
    model = lenet5(image_shape=(side, side, 3), num_classes=10, activation=activation, pooling=pooling)
    weights = [generator.normal(0.0, 0.1, weight.shape) for weight in model.weights]
    images = generator.normal(size=(2, side, side, 3))
    model.set_weights(weights)
    expected = lenet5_in_numpy(images, weights, ACTIVATIONS[activation], REDUCTIONS[pooling])
    np.testing.assert_allclose(model(images.astype("float32")), expected, rtol=1e-4, atol=1e-5)


# Inputs x outputs + outputs, as d2l prints them layer by layer.
@pytest.mark.parametrize(
    ("layer", "output_shape", "weights"),
    [
        ("conv1", (28, 28, 6), 5 * 5 * 1 * 6 + 6),
        ("pool1", (14, 14, 6), 0),
        ("conv2", (10, 10, 16), 5 * 5 * 6 * 16 + 16),
        ("pool2", (5, 5, 16), 0),
        ("flatten", (400,), 0),
        ("dense1", (120,), 400 * 120 + 120),
        ("dense2", (84,), 120 * 84 + 84),
        ("logits", (10,), 84 * 10 + 10),
    ],
)
@pytest.mark.parametrize("side", [28, 32])
def test_each_layer_has_the_shape_and_the_weights_of_d2l(side, layer, output_shape, weights):
    layer = lenet5(image_shape=(side, side, 1), num_classes=10).get_layer(layer)
    assert layer.output.shape[1:] == output_shape
    assert layer.count_params() == weights


def test_first_convolution_pads_images_under_32_pixels_only():
    for side, padding in [(31, "same"), (32, "valid")]:
        assert lenet5(image_shape=(side, 40, 1), num_classes=None).get_layer("conv1").padding == padding


@pytest.mark.parametrize(
    ("activation", "bound"),
    [("sigmoid", (6 / (400 + 120)) ** 0.5), ("tanh", (6 / (400 + 120)) ** 0.5), ("relu", (6 / 400) ** 0.5)],
)
def test_weights_start_uniform_within_glorots_bound_or_for_relu_hes(activation, bound):
    keras.utils.set_random_seed(0)
    kernel = lenet5(image_shape=(28, 28, 1), num_classes=10, activation=activation).get_layer("dense1").kernel.numpy()
    assert 0.99 * bound < np.abs(kernel).max() <= bound
    np.testing.assert_allclose(kernel.std(), bound / 3**0.5, rtol=0.01)
