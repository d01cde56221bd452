"""Networks with and without a mistake that shows on several replicas, for test_agreement.py."""

import keras
from keras import layers, ops


class OwnNormalisation(layers.Layer):
    """A user's normalisation: it uses mean and variance of its rows, which on a replica are only a part of the batch."""

    def call(self, inputs):
        mean = ops.mean(inputs, axis=0, keepdims=True)
        return (inputs - mean) / ops.sqrt(ops.var(inputs, axis=0, keepdims=True) + 1e-3)


def with_own_normalisation(*, image_shape, num_classes):
    image = keras.Input(image_shape)
    x = layers.Conv2D(4, 5, strides=4, activation="relu")(image)
    x = layers.Dropout(0.5)(OwnNormalisation(name="own")(layers.Flatten()(x)))
    return keras.Model(image, layers.Dense(num_classes)(x))


def with_statistics_of_each_replica(*, image_shape, num_classes):
    """Keras' own layer without `synchronized`; the builder does not have this option."""
    image = keras.Input(image_shape)
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 5, strides=4, use_bias=False)(image))
    return keras.Model(image, layers.Dense(num_classes)(layers.Flatten()(layers.ReLU()(x))))


def as_it_should_be(*, image_shape, num_classes, synchronized=False):
    """Statistics over all replicas: with several replicas, the builder gets `synchronized`."""
    image = keras.Input(image_shape)
    x = layers.BatchNormalization(synchronized=synchronized)(layers.Conv2D(4, 5, strides=4, use_bias=False)(image))
    x = layers.Dropout(0.5)(layers.Flatten()(layers.ReLU()(x)))
    return keras.Model(image, layers.Dense(num_classes)(x))


def that_enlarges_rounding(*, image_shape, num_classes):
    """Its loss is steep and its steps are large, so that float32's rounding grows."""
    image = keras.Input(image_shape)
    x = layers.Flatten()(image)
    for _ in range(6):
        x = layers.Dense(64, activation="relu", kernel_initializer=keras.initializers.HeNormal())(x) * 2.0
    return keras.Model(image, layers.Dense(num_classes)(x))
