"""How functions of tensors become part of a graph: as they stand, and inlined or not.

Their `if` asks for what is known while they are traced, and `tf.cond` for the rest. AutoGraph would read and rewrite the
source of each of them first, in every process: 1.5 s of processor time for decoding and resizing, on 2 cores with other
work.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

Function = TypeVar("Function", bound=Callable[..., Any])


def without_autograph(function: Function) -> Function:
    """The same function, passed over by AutoGraph, and so is all that it calls.

    >>> @without_autograph
    ... def twice(x):
    ...     return x + x
    >>> [int(value) for value in tf.data.Dataset.range(3).map(twice)]
    [0, 2, 4]
    """
    unconverted: Function = tf.autograph.experimental.do_not_convert(function)
    return unconverted


def not_inlined(function: Function) -> Function:
    """A function of one scalar string, as a graph that is called as a whole.

    Where a branch skips it, none of its operations is stepped through; inlined, all of them would be.

    >>> not_inlined(tf.strings.length)(tf.constant("three")).numpy().item()
    5
    """
    graph: Function = tf.function(
        function,
        input_signature=[tf.TensorSpec([], tf.string)],
        autograph=False,
        experimental_attributes={"_noinline": True},
    )
    return graph
