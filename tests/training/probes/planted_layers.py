"""Networks with and without a mistake that shows on several replicas: for test_agreement.py."""

import keras
from keras import layers, ops


class OwnNormalisation(layers.Layer):
    """As a user writes it: mean and variance of the rows that it sees, which on a replica are not the whole batch."""

    def call(self, inputs):
        mean = ops.mean(inputs, axis=0, keepdims=True)
        return (inputs - mean) / ops.sqrt(ops.var(inputs, axis=0, keepdims=True) + 1e-3)


def with_own_normalisation(*, image_shape, num_classes):
    image = keras.Input(image_shape)
    x = layers.Conv2D(4, 5, strides=4, activation="relu")(image)
    x = layers.Dropout(0.5)(OwnNormalisation(name="own")(layers.Flatten()(x)))
    return keras.Model(image, layers.Dense(num_classes)(x))


def with_statistics_of_each_replica(*, image_shape, num_classes):
    """Keras' own layer without `synchronized`, which the builder does not offer."""
    image = keras.Input(image_shape)
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 5, strides=4, use_bias=False)(image))
    return keras.Model(image, layers.Dense(num_classes)(layers.Flatten()(layers.ReLU()(x))))


def as_it_should_be(*, image_shape, num_classes, synchronized=False):
    """Statistics over all replicas, which a builder is asked for where there are several."""
    image = keras.Input(image_shape)
    x = layers.BatchNormalization(synchronized=synchronized)(layers.Conv2D(4, 5, strides=4, use_bias=False)(image))
    x = layers.Dropout(0.5)(layers.Flatten()(layers.ReLU()(x)))
    return keras.Model(image, layers.Dense(num_classes)(x))


def that_enlarges_rounding(*, image_shape, num_classes):
    """Its loss is steep, and each step goes far: what float32 rounds grows."""
    image = keras.Input(image_shape)
    x = layers.Flatten()(image)
    for _ in range(6):
        x = layers.Dense(64, activation="relu", kernel_initializer=keras.initializers.HeNormal())(x) * 2.0
    return keras.Model(image, layers.Dense(num_classes)(x))
