"""Functions of tensors that run as they stand, without TensorFlow's AutoGraph reading them first."""

from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

F = TypeVar("F", bound=Callable[..., Any])


def without_autograph(function: F) -> F:
    """The function, called in a graph as it is: its `if` and `for` are Python's. AutoGraph's reading takes long.

    >>> without_autograph(abs)(-2)
    2
    """
    plain: F = tf.autograph.experimental.do_not_convert(function)
    return plain
