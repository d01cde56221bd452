"""Uniform random numbers become what an augmentation draws: a value in a range, an integer, a normal value, a share.

Each result depends on its number alone. Functions with more than a sum and a product compute in float64: TensorFlow may
give slightly different results for one number and for many, and in float64 this difference is too small for float32.
"""

import tensorflow as tf

# The spacing of float32 numbers just below 1.
_STEP = 2.0**-24
_BISECTIONS = 32


def uniform(numbers: tf.Tensor, lowest: float, highest: float) -> tf.Tensor:
    """Uniformly distributed in [lowest, highest].

    Args:
        numbers: float32 in [0, 1), any shape.
        lowest: the value for 0.
        highest: the value for 1.

    Returns:
        float32 of that shape.

    >>> uniform(tf.constant([0.0, 0.5]), -2, 4).numpy().tolist()
    [-2.0, 1.0]
    """
    return lowest + numbers * (highest - lowest)


def integers(numbers: tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
    """Each of 0 to count - 1 with the same probability.

    Args:
        numbers: float32 in [0, 1), any shape.
        count: at least 1; an int, or int32 of that shape.

    Returns:
        int32 of that shape.

    >>> integers(tf.constant([0.0, 0.34, 0.99999994]), 3).numpy().tolist()
    [0, 1, 2]
    """
    # The product may round up to `count` itself.
    return tf.minimum(tf.cast(numbers * tf.cast(count, tf.float32), tf.int32), count - 1)


def sign(numbers: tf.Tensor) -> tf.Tensor:
    """-1 or 1, with the same probability: float32 of the shape of `numbers`, float32 in [0, 1).

    >>> sign(tf.constant([0.3, 0.7])).numpy().tolist()
    [-1.0, 1.0]
    """
    return tf.where(numbers < 0.5, -1.0, 1.0)


def normal(numbers: tf.Tensor) -> tf.Tensor:
    """Normally distributed, mean 0 and deviation 1.

    Args:
        numbers: float32 in [0, 1), any shape.

    Returns:
        float32 of that shape, within +-5.5: the inverse of the cumulative distribution, at the middle of the number's step
        of 2**-24.

    >>> normal(tf.constant([0.5, 0.8413447])).numpy().round(4).tolist()
    [0.0, 1.0]
    """
    inside = tf.cast(numbers, tf.float64) + _STEP / 2
    return tf.cast(tf.math.ndtri(inside), tf.float32)


def exponential(numbers: tf.Tensor) -> tf.Tensor:
    """Exponentially distributed, mean 1. Several of them, divided by their sum, are distributed as Dirichlet(1, ..., 1).

    Args:
        numbers: float32 in [0, 1), any shape.

    Returns:
        float32 of that shape, above 0 and below 18.

    >>> exponential(tf.constant([0.63212056])).numpy().round(4).tolist()  # 1 - 1/e
    [1.0]
    """
    inside = tf.cast(numbers, tf.float64) + _STEP / 2
    return tf.cast(-tf.math.log1p(-inside), tf.float32)


def beta(numbers: tf.Tensor, alpha: float) -> tf.Tensor:
    """Distributed as Beta(alpha, alpha).

    Args:
        numbers: float32 in [0, 1), any shape.
        alpha: above 0; below 1 most values are near 0 and 1, and at 1 they are uniform.

    Returns:
        float32 of that shape in [0, 1], precise to 2**-32: the inverse of the cumulative distribution. Bisection finds it,
        because TensorFlow only has the distribution itself.

    >>> beta(tf.constant([0.25, 0.5]), 1.0).numpy().round(6).tolist()
    [0.25, 0.5]
    """
    target = tf.cast(numbers, tf.float64)
    parameter = tf.constant(alpha, tf.float64)
    low = tf.zeros_like(target)
    for power in range(1, _BISECTIONS + 1):
        middle = low + 2.0**-power
        low = tf.where(tf.math.betainc(parameter, parameter, middle) <= target, middle, low)
    return tf.cast(low, tf.float32)
