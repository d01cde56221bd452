"""The linear classifier and the perceptron against a few lines of NumPy."""

import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.linear import linear
from kerasvision.models.mlp import mlp

SHAPE = (3, 2, 3)
IMAGES = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype("float32")
FLAT = IMAGES.reshape(4, -1)


def with_weights(model, seed=0):
    random = np.random.default_rng(seed)
    weights = [random.normal(0.0, 0.3, weight.shape) for weight in model.weights]
    model.set_weights(weights)
    return weights


@pytest.mark.parametrize("bias", [True, False])
def test_logits_of_the_linear_classifier_are_products_with_the_templates(bias):
    model = linear(image_shape=SHAPE, num_classes=5, bias=bias)
    kernel, *offset = with_weights(model)
    np.testing.assert_allclose(model(IMAGES), FLAT @ kernel + (offset[0] if bias else 0), rtol=1e-5, atol=1e-5)


# Each as its paper writes it.
FUNCTIONS = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, np.exp(z) - 1),
}


@pytest.mark.parametrize("activation", FUNCTIONS)
def test_each_hidden_layer_is_its_sums_and_the_activation(activation):
    model = mlp(image_shape=SHAPE, num_classes=5, hidden=(6, 4), activation=activation)
    w1, b1, w2, b2, w3, b3 = with_weights(model)
    hidden = FUNCTIONS[activation](FUNCTIONS[activation](FLAT @ w1 + b1) @ w2 + b2)
    np.testing.assert_allclose(model(IMAGES), hidden @ w3 + b3, rtol=1e-4, atol=1e-5)


def test_a_maxout_unit_is_the_larger_of_two_sums():
    model = mlp(image_shape=SHAPE, num_classes=5, hidden=6, activation="maxout")
    w1, b1, w2, b2, w3, b3 = with_weights(model)
    hidden = np.maximum(FLAT @ w1 + b1, FLAT @ w2 + b2)
    np.testing.assert_allclose(model(IMAGES), hidden @ w3 + b3, rtol=1e-4, atol=1e-5)


def test_dropout_follows_every_hidden_layer():
    model = mlp(image_shape=SHAPE, num_classes=5, hidden=(6, 4), dropout=0.5)
    assert [layer.rate for layer in model.layers if layer.name.endswith("dropout")] == [0.5, 0.5]
    assert [layer.name for layer in model.layers][2:5] == ["hidden1", "hidden1_relu", "hidden1_dropout"]


@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_as_a_backbone_it_is_the_image(name):
    backbone = build(name, image_shape=SHAPE, num_classes=None)
    np.testing.assert_array_equal(backbone(IMAGES)["c0"], IMAGES)
    assert not backbone.weights


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": ()}, "hidden must be a positive integer, or one for each hidden layer"),
        ({"hidden": 2.5}, "hidden must be a positive integer.*received 2.5"),
        ({"hidden": (8, 0)}, r"received \(8, 0\)"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\)"),
        ({"activation": "rellu"}, "mlp has no activation 'rellu'; did you mean 'relu'"),
        ({"initialization": "xaver"}, "mlp has no initialization 'xaver'; did you mean 'xavier'"),
    ],
)
def test_what_cannot_be_built_is_said_with_the_way_out(options, message):
    with pytest.raises(ConfigError, match=message):
        build("mlp", image_shape=SHAPE, num_classes=5, **options)
