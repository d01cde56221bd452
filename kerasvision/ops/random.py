"""Random numbers that belong to a row: a row gets the same numbers alone and within a batch."""

import tensorflow as tf

# Philox gives four 32-bit numbers for each value of its counter.
_GROUP = 4
_PHILOX = 1


def uniform_rows(seed: tf.Tensor, first_row: tf.Tensor, *, rows: tf.Tensor | int, columns: int) -> tf.Tensor:
    """Consecutive rows of an endless table of uniform random numbers. The seed alone decides the table.

    Args:
        seed: int64 scalar.
        first_row: int64 scalar, from 0.
        rows: how many rows, an integer scalar.
        columns: how many numbers a row has.

    Returns:
        float32 (rows, columns) in [0, 1).

    Source: a counter-based generator, Salmon et al., 2011, "Parallel Random Numbers: As Easy as 1, 2, 3" (Philox 4x32-10).

    >>> table = uniform_rows(7, 0, rows=5, columns=3)
    >>> bool(tf.reduce_all(uniform_rows(7, 3, rows=1, columns=3) == table[3:4]))
    True
    """
    groups = -(-columns // _GROUP)
    key = tf.cast(tf.reshape(seed, [1]), tf.uint64)
    counter = tf.stack([tf.cast(first_row, tf.uint64) * groups, tf.constant(0, tf.uint64)])
    numbers = tf.raw_ops.StatelessRandomUniformV2(
        shape=tf.stack([rows, groups * _GROUP]), key=key, counter=counter, alg=_PHILOX, dtype=tf.float32
    )
    return tf.ensure_shape(numbers, [None, groups * _GROUP])[:, :columns]
