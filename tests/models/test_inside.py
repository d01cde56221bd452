"""The layers inside a network: their outputs, the last maps, and the filters of the first layer."""

import keras
import numpy as np
import pytest
from keras import layers

from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.inside import first_filters, inside, last_maps


def linear(*before):
    """Templates of 4 x 5 pixels with three channels, for two classes."""
    return keras.Sequential([keras.Input((4, 5, 3)), *before, layers.Flatten(), layers.Dense(2, name="logits")])


def test_the_outputs_of_a_layer_are_those_that_the_network_computes():
    model = build("lenet5", image_shape=(28, 28, 1), num_classes=10)
    images = np.random.default_rng(0).normal(size=(2, 28, 28, 1)).astype(np.float32)
    maps, logits = inside(model, "conv1")(images)
    np.testing.assert_allclose(logits, model(images), rtol=1e-6)
    np.testing.assert_allclose(maps, model.get_layer("conv1")(images), rtol=1e-6)


def test_the_last_maps_of_a_network_lie_before_its_pooling():
    model = build("resnet9", image_shape=(32, 32, 3), num_classes=10)
    assert inside(model, last_maps(model)).outputs[0].shape == (None, 4, 4, 512)


def test_a_layer_in_a_network_in_a_network_is_reached_by_the_name_of_the_inner_network():
    part = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3)], name="part")
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalMaxPooling2D()(part(image))))
    assert last_maps(model) == "part"
    assert inside(model, "part").outputs[0].shape == (None, 6, 6, 4)


@pytest.mark.parametrize("before", [(), (layers.Rescaling(1 / 255),)])
def test_a_linear_network_has_no_maps(before):
    """Its image, scaled or not, is not a map of it."""
    with pytest.raises(ConfigError, match="Grad-CAM requires a network with maps.*Use --method occlusion"):
        last_maps(linear(*before))


def test_an_unknown_layer_is_named_with_its_neighbour():
    with pytest.raises(ConfigError, match=r"the network has no layer 'conv_1' with one output; did you mean 'conv1'\?"):
        inside(build("lenet5", image_shape=(28, 28, 1), num_classes=10), "conv_1")


def test_a_network_that_is_not_made_of_connected_layers_is_refused():
    class Own(keras.Model):
        def call(self, images):
            return images

    with pytest.raises(ConfigError, match="requires a network made of connected Keras layers; received 'Own'"):
        inside(Own(), "any")


def test_the_templates_of_a_linear_network_give_its_numbers():
    """The number of a class is the sum over all pixels of image times template (cs231n, linear classification)."""
    model = linear()
    image = np.random.default_rng(0).normal(size=(1, 4, 5, 3)).astype(np.float32)
    found = first_filters(model)
    assert (found.layer, found.weights.shape, found.are_templates) == ("logits", (2, 4, 5, 3), True)
    np.testing.assert_allclose((image * found.weights).sum(axis=(1, 2, 3)), model(image)[0], rtol=1e-4, atol=1e-5)


def test_the_filters_of_a_convolution_give_its_maps():
    model = keras.Sequential([keras.Input((3, 3, 2)), layers.Conv2D(5, 3, name="conv")])
    image = np.random.default_rng(0).normal(size=(1, 3, 3, 2)).astype(np.float32)
    found = first_filters(model)
    assert (found.weights.shape, found.are_templates) == ((5, 3, 3, 2), False)
    np.testing.assert_allclose((image * found.weights).sum(axis=(1, 2, 3)), model(image)[0, 0, 0], rtol=1e-4, atol=1e-5)


def test_another_first_layer_has_no_filters_to_show():
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.GlobalAveragePooling2D(), layers.Dense(2, name="logits")])
    with pytest.raises(
        ConfigError, match="the first layer is a convolution, or a dense layer of the flattened image; received"
    ):
        first_filters(model)
