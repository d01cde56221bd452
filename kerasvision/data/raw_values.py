"""One raw value of a table or a data set, before it is read as a text or a number."""

import numpy as np


class UnusableValue(Exception):
    """One unusable value in a column of the right kind: a fault of its image."""


def plain(value: object) -> object:
    """NumPy's values as Python's.

    >>> plain(np.float32(0.5)), plain(np.array([1, 2])), plain("a")
    (0.5, [1, 2], 'a')
    """
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
