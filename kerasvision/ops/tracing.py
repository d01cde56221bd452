"""How functions of tensors become part of a graph: without AutoGraph, and inlined or not.

These functions use `if` for values that are known during tracing and `tf.cond` for all other values, so they do not need
AutoGraph. It would read and rewrite the source of each function in every process: 1.5 s of processor time for decoding and
resizing, on 2 cores with other work.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

Function = TypeVar("Function", bound=Callable[..., Any])


def without_autograph(function: Function) -> Function:
    """The same function, which AutoGraph does not convert. The functions that it calls are not converted either.

    >>> @without_autograph
    ... def twice(x):
    ...     return x + x
    >>> [int(value) for value in tf.data.Dataset.range(3).map(twice)]
    [0, 2, 4]
    """
    unconverted: Function = tf.autograph.experimental.do_not_convert(function)
    return unconverted


def not_inlined(function: Function) -> Function:
    """A function of one scalar string, as a graph function that TensorFlow does not inline.

    If a branch skips the call, the runtime skips all its operations at once. Inlined, it would step through each of them.

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
