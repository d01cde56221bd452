"""The numbers of strings in the graph, without a table that must be initialised when a saved model is loaded."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from kerasvision.errors import DataError

# As many as TensorFlow's hash can have; two names in one are refused.
BUCKETS = 2**63 - 1


class Numbered:
    """The numbers of strings: their fingerprints are searched in a sorted list, and the strings themselves compared.

    Args:
        names: in the order of their numbers.

    Raises:
        DataError: two names are equal, or have one fingerprint.

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
            raise DataError("each token of a vocabulary must have a fingerprint of its own", received=pair)

    def __call__(self, strings: tf.Tensor) -> tf.Tensor:
        """int32 of the same shape: the number of each string, and -1 where it is not one of the names."""
        flat = tf.reshape(strings, [-1])
        # Constants inside of what is called: what is captured from outside is an input to converters.
        places = tf.searchsorted(tf.constant(self._fingerprints), tf.strings.to_hash_bucket_fast(flat, BUCKETS))
        places = tf.minimum(places, len(self._names) - 1)
        known = tf.gather(tf.constant(self._names), places) == flat
        numbers = tf.where(known, tf.gather(tf.constant(self._numbers), places), -1)
        return tf.reshape(numbers, tf.shape(strings))
