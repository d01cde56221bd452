"""Whether a network returns what a task learns from."""

from collections.abc import Sequence

import keras

from kerasvision.errors import ConfigError


def check_outputs(network: keras.Model, *, name: str, count: int) -> keras.Model:
    """The same network, which returns `count` numbers for an image, float32 (N, count).

    Several outputs (auxiliary heads) are not checked, nor those of a model that is not made of Keras layers.

    Raises:
        ConfigError: its output has another shape.

    >>> image = keras.Input((8, 8, 1))
    >>> check_outputs(keras.Model(image, keras.layers.Dense(10)(image)), name="mine:net", count=10)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: mine:net must return float32 (N, 10); received (N, 8, 8, 10). End it with ...
    """
    outputs: Sequence[keras.KerasTensor] = getattr(network, "outputs", None) or ()
    if len(outputs) == 1 and tuple(outputs[0].shape) != (None, count):
        received = ", ".join("N" if side is None else str(side) for side in outputs[0].shape)
        raise ConfigError(
            f"{name} must return float32 (N, {count}); received ({received})",
            hint="end it with GlobalAveragePooling2D or Flatten, and a Dense layer of num_classes units",
        )
    return network
