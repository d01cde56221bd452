"""Keras' Muon, for convolutions too (Jordan, 2024, https://kellerjordan.github.io/posts/muon/)."""

import re
from typing import Any

import keras
import tensorflow as tf
from keras import ops


class Muon(keras.optimizers.Muon):
    """Muon for kernels of two and of four dimensions, Adam for all other weights and for the named layers.

    Keras 3.15 updates only matrices with Muon, and so almost no weight of a ResNet. Here the kernel of a convolution,
    (height, width, channels in, channels out), is a matrix of (height x width x channels in) rows. The author's code
    flattens the transpose; the result is the same, since the orthogonal factor of a transpose is the factor's transpose.

    Args:
        adam_layers: a variable whose path contains one of these is updated by Adam.
        options: of keras.optimizers.Muon.

    >>> muon = Muon(learning_rate=0.1)
    >>> update = muon.zeropower_via_newtonschulz5(keras.random.normal((3, 3, 2, 8), seed=0), 20)
    >>> singular = ops.svd(ops.reshape(update, (18, 8)), compute_uv=False)
    >>> bool(ops.all((singular > 0.6) & (singular < 1.3)))  # near 1, as the polynomial leaves them
    True
    """

    def __init__(self, *args: Any, adam_layers: tuple[str, ...] = (), **options: Any) -> None:
        # Keras searches the paths of variables for the regular expressions in exclude_layers.
        super().__init__(*args, exclude_layers=[re.escape(part) for part in adam_layers], **options)
        self._adam_layers = tuple(adam_layers)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        config = super().get_config()
        del config["exclude_layers"]
        return {**config, "adam_layers": list(self._adam_layers)}

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        """As in Keras, and also for weights in float64.

        Args:
            gradient: float32 or float64, of the variable's shape and dtype.
            variable: the weight to update.
            learning_rate: float32 scalar.
        """
        super().update_step(gradient, variable, ops.cast(learning_rate, variable.dtype))

    def zeropower_via_newtonschulz5(self, x: tf.Tensor, steps: int) -> tf.Tensor:
        """The nearly orthogonal matrix of a kernel.

        Args:
            x: float32 or float64, (A, B) or (height, width, channels in, channels out).
            steps: iterations.

        Returns:
            The shape and dtype of `x`.
        """
        return ops.reshape(super().zeropower_via_newtonschulz5(_matrix(x), steps), x.shape)

    def lr_adjust(self, x: tf.Tensor) -> tf.Tensor:
        """`x` times 0.2 sqrt(larger side of the matrix), so that an update is as large as Adam's.

        Args:
            x: float32 or float64, (A, B) or (height, width, channels in, channels out).

        Returns:
            The shape and dtype of `x`.
        """
        return ops.reshape(super().lr_adjust(_matrix(x)), x.shape)

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        if len(variable.shape) == 4 and variable.shape[-1] > 1:
            return any(part in variable.path for part in self._adam_layers)
        return bool(super()._should_use_adamw(variable))


def _matrix(kernel: tf.Tensor) -> tf.Tensor:
    return ops.reshape(kernel, (-1, kernel.shape[-1]))
