"""Looks up the numbers of strings in the graph, without a table that must be initialised when a saved model is loaded."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from kerasvision.errors import DataError

# The most that TensorFlow's hash can have; two names with the same bucket are rejected.
BUCKETS = 2**63 - 1


class Numbered:
    """The numbers of strings: finds their fingerprints in a sorted list, and then compares the strings themselves.

    Args:
        names: in the order of their numbers.

    Raises:
        DataError: two names are equal, or have the same fingerprint.

    >>> Numbered(["a", "dog"])(tf.constant(["dog", "cat"])).numpy().tolist()
    [1, -1]
    """

    def __init__(self, names: Sequence[str]) -> None:
        fingerprints = tf.strings.to_hash_bucket_fast(tf.constant(names), BUCKETS).numpy()
        self._numbers = np.argsort(fingerprints).astype(np.int32)
        self._fingerprints = fingerprints[self._numbers]
        self._names = np.array([name.encode() for name in names], object)[self._numbers]
        same = np.flatnonzero(np.diff(self._fingerprints) == 0)
        if len(same):
            pair = [self._names[same[0] + more].decode() for more in (0, 1)]
            raise DataError("each token of a vocabulary must have a different fingerprint", received=pair)

    def __call__(self, strings: tf.Tensor) -> tf.Tensor:
        """int32 of the same shape: the number of each string, and -1 if it is not one of the names."""
        flat = tf.reshape(strings, [-1])
        # The constants are inside the call: converters treat captured tensors as inputs.
        places = tf.searchsorted(tf.constant(self._fingerprints), tf.strings.to_hash_bucket_fast(flat, BUCKETS))
        places = tf.minimum(places, len(self._names) - 1)
        known = tf.gather(tf.constant(self._names), places) == flat
        numbers = tf.where(known, tf.gather(tf.constant(self._numbers), places), -1)
        return tf.reshape(numbers, tf.shape(strings))
