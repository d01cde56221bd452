"""Weights of which a step updates only the rows that its examples used, such as one row per node of a large tree.

The gradient of such a weight is a `tf.IndexedSlices`: the rows' numbers and their slopes. A dense gradient of 100,000 rows
would take more time than everything else in a step.
"""

import keras
import tensorflow as tf

_MARK = "kerasvision_rows_only"


def update_rows_only(weight: keras.Variable) -> None:
    """Marks a weight: optimizers update only the rows that a step used, and neither penalties nor weight decay apply."""
    setattr(weight, _MARK, True)


def has_rows_only(weight: keras.Variable) -> bool:
    """Whether the weight is marked.

    >>> weight = keras.Variable([[1.0], [2.0]])
    >>> update_rows_only(weight)
    >>> has_rows_only(weight)
    True
    """
    return getattr(weight, _MARK, False)


def each_row_once(slices: tf.IndexedSlices) -> tf.IndexedSlices:
    """The same gradient, in which the slopes of a row that occurs several times are summed.

    >>> once = each_row_once(tf.IndexedSlices(tf.constant([[1.0], [2.0], [4.0]]), tf.constant([7, 3, 7])))
    >>> once.indices.numpy().tolist(), once.values.numpy().tolist()
    ([7, 3], [[5.0], [2.0]])
    """
    rows, places = tf.unique(slices.indices)
    values = tf.math.unsorted_segment_sum(slices.values, places, tf.size(rows))
    return tf.IndexedSlices(values, rows, slices.dense_shape)
