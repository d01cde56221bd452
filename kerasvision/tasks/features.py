"""What a trained network knows about an image: the numbers that its last layer makes the answer from."""

import keras
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.served.signatures import FEATURES_SIGNATURE
from kerasvision.tasks.extra import ExtraSignature, Predictions


def features_signature(model: keras.Model) -> dict[str, ExtraSignature]:
    """The signature `features`, with one output of that name, see `before_last_layer`."""
    network = before_last_layer(model)

    def answer(images: tf.Tensor) -> Predictions:
        return {FEATURES_SIGNATURE: tf.cast(network(images, training=False), tf.float32)}

    said = "what the last layer of the network receives; similar images have similar numbers"
    return {FEATURES_SIGNATURE: ExtraSignature({}, answer, {FEATURES_SIGNATURE: said})}


def before_last_layer(model: keras.Model) -> keras.Model:
    """The same network up to its last layer with weights: (N, D). If that layer receives maps, their means over all places.

    Raises:
        ConfigError: no layer has weights, or the layers are not connected as Keras' functional interface does it.

    >>> image = keras.Input((4, 4, 1))
    >>> hidden = keras.layers.Dense(3, name="hidden")(keras.layers.Flatten()(image))
    >>> before_last_layer(keras.Model(image, keras.layers.Dense(2, name="logits")(hidden))).output_shape
    (None, 3)
    """
    try:
        received = next(layer for layer in reversed(model.layers) if layer.weights).input
        rank = len(received.shape)
    except (StopIteration, AttributeError, ValueError) as error:
        raise ConfigError(
            "task.features requires a network of Keras' functional interface, whose last layer has weights",
            received=model.name,
            hint="leave task.features out",
        ) from error
    pooled = keras.layers.GlobalAveragePooling2D()(received) if rank == 4 else received
    return keras.Model(model.input, pooled)
