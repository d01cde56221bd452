"""The function of a frozen network answers as the network does, with the normalisations that it can fold folded."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from kerasvision.ops.folding import inference
from kerasvision.ops.normalization import fused
from kerasvision.training.devices.precision import building_in

IMAGES = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype("float32")


def network(make, policy="float32"):
    """The network that `make` builds on an image, with weights and statistics that are neither 0 nor 1."""
    with building_in(policy):
        image = keras.Input(IMAGES.shape[1:])
        made = keras.Model(image, make(image))
    random = np.random.default_rng(1)
    made.set_weights([random.uniform(0.5, 1.5, size=weight.shape) for weight in made.weights])
    return made


def norm(**options):
    return fused(layers.BatchNormalization(**options))


def block(image):
    """A convolution with a bias, a depthwise one with two filters a channel and without a bias, and a shortcut."""
    x = layers.ReLU()(norm()(layers.Conv2D(4, 3, strides=2, padding="same")(image)))
    y = norm(scale=False)(layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, use_bias=False)(x))
    y = norm(center=False)(layers.Conv2D(4, 3, padding="same", dilation_rate=2, use_bias=False)(y))
    return layers.Add()([x, y])


def normalisations(function):
    """How many normalisations a function of a network computes by themselves."""
    return sum(operation.type == "FusedBatchNormV3" for operation in function.graph.get_operations())


def plain(made):
    return tf.function(lambda images: made(images, training=False)).get_concrete_function(IMAGES)


def test_the_function_has_no_normalisation_left_and_answers_as_the_network():
    made = network(block)
    before = made(IMAGES).numpy()
    function = inference(made)
    assert (normalisations(plain(made)), normalisations(function)) == (3, 0)
    np.testing.assert_allclose(function(IMAGES), before, rtol=1e-5)
    # Any number of rows, and the network is as it was.
    np.testing.assert_allclose(function(IMAGES[:1]), before[:1], rtol=1e-5)
    np.testing.assert_array_equal(made(IMAGES), before)
    assert normalisations(plain(made)) == 3


def twice_read(image):
    """Another layer also reads the convolution's map."""
    x = layers.Conv2D(4, 3)(image)
    return layers.Add()([norm()(x), x])


def activated(image):
    return norm()(layers.Conv2D(4, 3, activation="relu")(image))


def of_the_image(image):
    return norm()(image)


def called_twice(image):
    """The same convolution has a normalisation after its first call, and none after its second."""
    shared = layers.Conv2D(3, 3, padding="same")
    return shared(norm()(shared(image)))


class Doubled(layers.Conv2D):
    def call(self, inputs):
        return 2.0 * super().call(inputs)


def subclass(image):
    return norm()(Doubled(4, 3)(image))


def over_rows(image):
    return norm(axis=1)(layers.Conv2D(4, 3)(image))


def of_another_precision(image):
    return norm(dtype="float32")(layers.Conv2D(4, 3, dtype="mixed_bfloat16")(image))


@pytest.mark.parametrize(
    "make", [twice_read, activated, of_the_image, called_twice, subclass, over_rows, of_another_precision]
)
def test_a_normalisation_that_its_convolution_cannot_do_stays(make):
    made = network(make)
    # The same operations, so the same bits.
    np.testing.assert_array_equal(inference(made)(IMAGES), plain(made)(IMAGES))


def test_the_function_computes_in_the_networks_precision():
    made = network(block, "mixed_bfloat16")
    answer, exact = inference(made)(IMAGES), network(block)(IMAGES).numpy()
    assert answer.dtype == tf.bfloat16
    # bfloat16 keeps 8 bits, so each of three layers is right to 1/256, of the largest value.
    assert np.abs(tf.cast(answer, tf.float32) - exact).max() / np.abs(exact).max() < 3 / 256


def test_the_network_is_as_it_was_also_if_its_function_cannot_be_made(monkeypatch):
    made = network(block)
    before = made(IMAGES).numpy()
    with monkeypatch.context() as patch:
        patch.setattr(tf, "TensorSpec", lambda *_: pytest.fail("no function"))
        with pytest.raises(pytest.fail.Exception):
            inference(made)
    np.testing.assert_array_equal(made(IMAGES), before)
