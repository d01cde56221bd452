"""Functions of tensors that TensorFlow runs as they stand: not read by AutoGraph first, or not inlined."""

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


def not_inlined(function: F) -> F:
    """A function of one scalar string, as a graph that is called as a whole.

    Where a branch skips it, none of its operations is stepped through; inlined, all of them would be.

    >>> not_inlined(tf.strings.length)(tf.constant("three")).numpy().item()
    5
    """
    graph: F = tf.function(
        function,
        input_signature=[tf.TensorSpec([], tf.string)],
        autograph=False,
        experimental_attributes={"_noinline": True},
    )
    return graph
