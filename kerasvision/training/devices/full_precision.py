"""Converts a network that was trained in 16 bits to float32, for evaluation and serving."""

from typing import Any

import keras

from kerasvision.ops.normalization import fused


def in_float32(network: keras.Model) -> keras.Model:
    """The same network in float32, with the same weights, which are float32 in both.

    >>> image = keras.Input((3,))
    >>> network = keras.Model(image, keras.layers.Dense(2, dtype="mixed_bfloat16", name="logits")(image))
    >>> other = in_float32(network)
    >>> network.output.dtype, other.output.dtype, other.get_layer("logits").dtype_policy.name
    ('bfloat16', 'float32', 'float32')
    """
    clone = keras.models.clone_model(network, clone_function=_in_float32)
    clone.set_weights(network.get_weights())
    return clone


def _in_float32(layer: Any) -> Any:
    settings = layer.get_config()
    # An operation that is not a layer has no precision setting, unless it is a cast.
    if isinstance(layer, keras.Layer) or settings.get("dtype") in ("bfloat16", "float16"):
        settings["dtype"] = "float32"
    made = type(layer).from_config(settings)
    return fused(made) if isinstance(made, keras.layers.BatchNormalization) else made
