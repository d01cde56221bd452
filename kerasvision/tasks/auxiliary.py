"""Auxiliary heads: outputs from the middle of a deep network that add gradients during training, and are then removed.

Source: Szegedy et al., 2014, https://arxiv.org/abs/1409.4842, section 5.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kerasvision import config as c
from kerasvision import introspection, lookup
from kerasvision.errors import ConfigError

MAIN = "logits"
# (targets, logits) -> float32 (N,).
Losses = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def with_auxiliary_losses(losses: Losses, *, weight: float) -> Callable[..., tf.Tensor]:
    """The losses (N,) of a network's outputs: of its logits, plus, in training, `weight` times those of each auxiliary head.

    Validation uses the main logits only, so that it measures the network that remains in the end.

    Args:
        losses: (targets, logits) -> float32 (N,).
        weight: of each auxiliary head.

    >>> summed = with_auxiliary_losses(lambda targets, logits: logits - targets, weight=0.3)
    >>> outputs = {"logits": tf.constant([1.0]), "a": tf.constant([10.0]), "b": tf.constant([100.0])}
    >>> [float(summed(0.0, outputs, training=training)[0]) for training in (True, False)]
    [34.0, 1.0]
    """

    def summed(targets: tf.Tensor, outputs: Any, *, training: bool) -> tf.Tensor:
        total = losses(targets, main_logits(outputs))
        if training and isinstance(outputs, dict):
            for name in sorted(outputs.keys() - {MAIN}):
                total += weight * losses(targets, outputs[name])
        return total

    return summed


def main_logits(outputs: Any) -> Any:
    """The part of a network's outputs that remains after training: the main logits, (N, C), or (N, H, W, C)."""
    return outputs[MAIN] if isinstance(outputs, dict) else outputs


def check_main_logits(network: keras.Model, *, name: str) -> keras.Model:
    """The same network. If it returns several outputs by name, one of them is "logits".

    Raises:
        ConfigError: it returns several outputs, and none has this name.

    >>> image = keras.Input((2,))
    >>> check_main_logits(keras.Model(image, {"box": keras.layers.Dense(4)(image)}), name="mine:net")
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: of several outputs of mine:net, one must be 'logits'; received 'box'. Choose ...
    """
    try:
        outputs = network.output
    except (AttributeError, ValueError):  # it is not made of Keras layers, or not built yet
        return network
    if isinstance(outputs, dict) and MAIN not in outputs:
        raise ConfigError(
            f"of several outputs of {name}, one must be {MAIN!r}",
            received=", ".join(outputs),
            hint="choose a network that classifies images",
        )
    return network


def training_options(model: c.Model) -> dict[str, Any]:
    """The options of a network for training: with auxiliary heads if it has them, unless `model` says no."""
    known = introspection.keywords(lookup.MODELS.path(model.name)) or ()
    return {"auxiliary_heads": True, **model.options} if "auxiliary_heads" in known else dict(model.options)


def main_head_only(network: keras.Model) -> keras.Model:
    """The network with the layers and weights from the image to the main logits, and no others.

    >>> network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> main_head_only(network) is network
    True
    """
    # A Sequential or a subclass of Model has no graph to cut, and raises AttributeError for `output`.
    outputs = getattr(network, "output", None)
    if not isinstance(outputs, dict):
        return network
    return keras.Model(network.input, outputs[MAIN], name=network.name)
