"""Fixtures for tests of regression: examples with numbers, and a tiny network."""

import keras
import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture(scope="session")
def examples_of():
    """values (N, V) -> a data set of examples one by one, without a batch axis."""

    def made(values):
        return tf.data.Dataset.from_tensor_slices({"values": tf.constant(values, tf.float32)})

    return made


@pytest.fixture
def brightness_network():
    """From images (N, 2, 2, 1) to two numbers: the mean of the pixels, and twice the mean, in deviations."""
    image = keras.Input((2, 2, 1))
    mean = keras.layers.GlobalAveragePooling2D()(image)
    both = keras.layers.Dense(2, use_bias=False, kernel_initializer=keras.initializers.Constant([[1.0, 2.0]]))(mean)
    return keras.Model(image, both)


@pytest.fixture
def random():
    return np.random.default_rng(0)
