"""Variables to arrays and back: of TensorFlow, of Keras, and those with a copy on each replica."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasvision.errors import StageError
from kerasvision.shortened import shortened

MOST_NAMED = 5


def read_values(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Copies of the values, of each variable's shape and dtype, by the same names.

    If the replicas have different values, as in a metric's sum or in statistics that each replica keeps separately, the
    value of replica 1 is named "... of replica 1", and so on.

    >>> read_values({"step": tf.Variable(3), "name": tf.Variable("a")})
    {'step': array(3, dtype=int32), 'name': array(b'a', dtype=object)}
    """
    arrays = {}
    for name, variable in variables.items():
        first, *others = map(_array, parts_of(variable))
        arrays[name] = first
        arrays.update({of_replica(name, n): other for n, other in enumerate(others, 1) if not _same(first, other)})
    return arrays


def assign_values(variables: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Sets every variable to the array of its name. If any of them do not match, it changes none.

    Args:
        variables: by name.
        arrays: by the names of `read_values`, of each variable's shape and dtype.

    Raises:
        StageError: a variable has no array, an array has no variable, or a shape or dtype differs.

    >>> bias = keras.Variable([0.0])
    >>> assign_values({"bias": bias}, {"bais": np.ones(1)})
    Traceback (most recent call last):
    ...
    kerasvision.errors.StageError: the checkpoint does not fit this network: it lacks bias; it also has bais. Remove ...
    """
    parts = {
        of_replica(name, number): (part, name)
        for name, variable in variables.items()
        for number, part in enumerate(parts_of(variable))
    }
    wrong = _what_differs(variables, parts, arrays)
    if wrong:
        raise StageError(
            f"the checkpoint does not fit this network: {'; '.join(wrong)}",
            hint="remove the folder of the checkpoints and train again",
        )
    for place, (part, name) in parts.items():
        part.assign(arrays[place if place in arrays else name])


def _what_differs(variables: Mapping[str, Any], parts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> list[str]:
    missing = [name for name in variables if name not in arrays]
    unknown = [name for name in arrays if name not in parts]
    wrong = [f"it lacks {shortened(missing, most=MOST_NAMED)}"] if missing else []
    wrong += [f"it also has {shortened(unknown, most=MOST_NAMED)}"] if unknown else []
    for name in parts.keys() & arrays.keys():
        here, there = _kind(parts[name][0]), _kind(arrays[name])
        if here != there:
            wrong.append(f"{name} is {there} in the checkpoint and {here} in the network")
    return wrong


def _kind(value: tf.Variable | np.ndarray) -> str:
    """Dtype and shape, such as "float32 (3, 4)"."""
    return f"{tf.as_dtype(value.dtype).name} {tuple(value.shape)}"


def of_replica(name: str, number: int) -> str:
    """The name of a replica's own value; for the first replica, it is the variable's name."""
    return f"{name} of replica {number}" if number else name


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.tolist() == other.tolist() if one.dtype == object else one.tobytes() == other.tobytes()


def parts_of(variable: Any) -> tuple[tf.Variable, ...]:
    """The copies on this process' replicas, each of the variable's shape and dtype; on one device, the variable itself."""
    variable = variable.value if isinstance(variable, keras.Variable) else variable
    strategy = getattr(variable, "distribute_strategy", None)
    return (variable,) if strategy is None else strategy.experimental_local_results(variable)


def _array(variable: tf.Variable) -> np.ndarray:
    value = tf.convert_to_tensor(variable)
    # An eager tensor may share the variable's memory, which the next step overwrites.
    return np.array(value.numpy(), dtype=object if value.dtype == tf.string else None)
