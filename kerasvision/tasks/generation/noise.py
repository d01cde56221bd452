"""The normal noise that images are made of: that of a training example, and that of a sample, which a seed decides."""

import tensorflow as tf

from kerasvision.data.augmentation.draws import normal
from kerasvision.ops.random import uniform_rows


def noise_of(numbers: tf.Tensor) -> tf.Tensor:
    """Standard normal noise, float32 (N, Z), of uniform numbers, float32 (N, Z) in [0, 1)."""
    return normal(numbers)


def noise_of_samples(seed: tf.Tensor, number: tf.Tensor, *, size: int) -> tf.Tensor:
    """The noise of samples: a seed and a number alone decide that of a sample, in every batch, process and machine.

    Args:
        seed: int64 (N,).
        number: int64 (N,), at least 0: which of the samples of this seed.
        size: how many random numbers a sample is made of.

    Returns:
        float32 (N, size), standard normal.

    >>> alone = noise_of_samples(tf.constant([7], tf.int64), tf.constant([3], tf.int64), size=5)
    >>> both = noise_of_samples(tf.constant([0, 7], tf.int64), tf.constant([3, 3], tf.int64), size=5)
    >>> alone.shape, bool(tf.reduce_all(both[1:] == alone)), bool(tf.reduce_any(both[:1] == alone))
    (TensorShape([1, 5]), True, False)
    """

    def one(row: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        return uniform_rows(row[0], row[1], rows=1, columns=size)[0]

    # A row at a time, because the generator has one seed. As a graph this is fast, eagerly it is not.
    rows = tf.function(
        lambda *rows: tf.map_fn(one, rows, fn_output_signature=tf.TensorSpec([size], tf.float32)), autograph=False
    )
    return noise_of(rows(seed, number))
