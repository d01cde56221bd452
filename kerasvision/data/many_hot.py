"""Numbers of tags as rows of zeros and ones, as a network learns them."""

import tensorflow as tf


def many_hot(numbers: tf.RaggedTensor | tf.Tensor, count: int) -> tf.Tensor:
    """float32 (N, count): 1 for every number of a row, 0 for the others; a repeated number counts once.

    Args:
        numbers: int64 (N, K), ragged or dense in K, each in [0, count).
        count: how many columns.

    >>> many_hot(tf.ragged.constant([[2, 0], []], tf.int64), 3).numpy().tolist()
    [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """
    ragged = (
        numbers if isinstance(numbers, tf.RaggedTensor) else tf.RaggedTensor.from_tensor(numbers, row_splits_dtype=tf.int64)
    )
    places = tf.stack([ragged.value_rowids(), tf.cast(ragged.flat_values, tf.int64)], axis=1)
    shape = tf.stack([ragged.nrows(), tf.constant(count, tf.int64)])
    rows = tf.scatter_nd(places, tf.ones(tf.shape(places)[:1]), shape)
    return tf.ensure_shape(tf.minimum(rows, 1.0), [None, count])
