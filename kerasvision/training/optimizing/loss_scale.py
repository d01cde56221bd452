"""A scale for the loss, so that small gradients do not vanish in float16, whose smallest number is 6e-8.

Source: Micikevicius et al., 2017, "Mixed Precision Training", https://arxiv.org/abs/1710.03740, section 3.2.
"""

import math

import tensorflow as tf

# Keras' values, for a loss that is the mean over the examples.
INITIAL = 2.0**15
STEPS_TO_GROW = 2000
# If a gradient overflows at this scale, a smaller one would not help.
LOWEST = 2.0**-20


class LossScale:
    """Halves when a gradient overflows on any replica, and doubles after `steps_to_grow` steps without an overflow.

    Args:
        initial: the first scale; a power of two, so that scaling does not round.
        steps_to_grow: steps without an overflow after which the scale doubles.
        strategy: under which the training runs.

    >>> scale = LossScale(initial=8.0, steps_to_grow=2)
    >>> for is_finite in (False, True, True, True):
    ...     scale.update(tf.constant(is_finite))
    ...     float(scale.value)
    4.0
    4.0
    8.0
    8.0
    """

    def __init__(
        self,
        *,
        initial: float = INITIAL,
        steps_to_grow: int = STEPS_TO_GROW,
        strategy: tf.distribute.Strategy | None = None,
    ) -> None:
        self._steps_to_grow = steps_to_grow
        with (strategy or tf.distribute.get_strategy()).scope():
            self.value = tf.Variable(initial, trainable=False, dtype=tf.float32)
            self._sound_steps = tf.Variable(0, trainable=False, dtype=tf.int32)

    @classmethod
    def for_rows(cls, rows: int, *, strategy: tf.distribute.Strategy | None = None) -> "LossScale":
        """For a loss that is the sum over this number of examples.

        >>> float(LossScale.for_rows(100).value)  # 2 ** 15 / 128
        256.0
        """
        return cls(initial=INITIAL / 2.0 ** math.ceil(math.log2(rows)), strategy=strategy)

    @property
    def is_lowest(self) -> tf.Tensor:
        """Whether the scale has reached its lower limit, bool scalar."""
        return self.value <= LOWEST

    def update(self, is_finite: tf.Tensor) -> None:
        """Updates the scale after a step.

        Args:
            is_finite: bool scalar, whether the step's gradient is finite; the same on all replicas.
        """
        sound_steps = tf.where(is_finite, self._sound_steps + 1, 0)
        grows = sound_steps >= self._steps_to_grow
        factor = tf.where(is_finite, tf.where(grows, 2.0, 1.0), 0.5)
        # A scale of infinity would never come down again.
        self.value.assign(tf.clip_by_value(self.value * factor, LOWEST, 2.0**126))
        self._sound_steps.assign(tf.where(grows, 0, sound_steps))

    def variables(self) -> dict[str, tf.Variable]:
        """What a checkpoint must contain: `value`, float32 scalar, and `sound_steps`, int32 scalar."""
        return {"value": self.value, "sound_steps": self._sound_steps}
