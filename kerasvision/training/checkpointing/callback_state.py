"""The state of Keras callbacks, so that they continue after a resume as if the training had not stopped.

Keras' own resume loses it: EarlyStopping starts to wait again, and ModelCheckpoint takes the first score as the best. (Both
reset themselves at `on_train_begin`, and a new process starts without state.) A callback's state is in its attributes: those
that changed since the callback was made, and are plain data.
"""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from types import FunctionType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasvision.errors import StageError

# Attributes that the loop itself sets on a callback.
_GIVEN = frozenset({"model", "_model", "params"})
_ABSENT = object()


class CallbackStates:
    """The states of a list of callbacks. Make it before `on_train_begin`, and call `restore` after that.

    Plain data are None, numbers, strings, arrays, tensors, functions of Keras, and lists, tuples and dicts of these. A
    callback must restore everything else (files, models, variables) itself. If a callback has an attribute `remembers`, a
    tuple of names, only these attributes are its state.

    Args:
        callbacks: in the same order in every process.

    >>> def stopping():
    ...     return keras.callbacks.EarlyStopping("loss", mode="min", patience=3)
    >>> before, after = stopping(), stopping()
    >>> states = CallbackStates([before])
    >>> before.on_train_begin()
    >>> for epoch, loss in enumerate([2.0, 1.0, 1.5]):
    ...     before.on_epoch_end(epoch, {"loss": loss})
    >>> resumed = CallbackStates([after])
    >>> after.on_train_begin()
    >>> resumed.restore(*states.save())
    >>> after.wait, after.best, after.best_epoch
    (1, 1.0, 1)
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        self._callbacks = list(callbacks)
        self._made = [_plain_attributes(callback) for callback in callbacks]

    def save(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Returns the states, and the arrays that they refer to by name.

        The states are JSON-able, and include whether a callback has stopped the training. The arrays have any shape and
        dtype; their names begin with "callbacks/".
        """
        states, arrays = [], dict[str, np.ndarray]()
        for number, (callback, made) in enumerate(zip(self._callbacks, self._made, strict=True)):
            changed = {
                name: value
                for name, value in _plain_attributes(callback).items()
                if not _equal(value, made.get(name, _ABSENT))
            }
            place = f"callbacks/{number}"
            attributes = {name: _encode(value, f"{place}/{name}", arrays) for name, value in changed.items()}
            states.append({"class": _name(callback), "attributes": attributes})
        return {"callbacks": states, "stop_training": any(model.stop_training for model in self._models())}, arrays

    def restore(self, states: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Restores the saved attributes of every callback; its other attributes become as they were when it was made.

        Args:
            states: the first result of `save`.
            arrays: the second result of `save`, of any shape and dtype; others among them are ignored.

        Raises:
            StageError: the states belong to other callbacks.
        """
        saved = states["callbacks"]
        here, there = [_name(callback) for callback in self._callbacks], [state["class"] for state in saved]
        if here != there:
            raise StageError(
                f"a training must resume with the callbacks that it began with: {', '.join(there) or 'none'}", received=here
            )
        for callback, made, state in zip(self._callbacks, self._made, saved, strict=True):
            remembered = {name: _decode(value, arrays) for name, value in state["attributes"].items()}
            for name, value in {**made, **remembered}.items():
                # Equal values are skipped: a property without a setter follows from other attributes.
                if not _equal(value, getattr(callback, name, _ABSENT)):
                    setattr(callback, name, value)
        for model in self._models():
            model.stop_training = states["stop_training"]

    def _models(self) -> list[keras.Model]:
        return [callback.model for callback in self._callbacks if callback.model is not None]


def _name(callback: keras.callbacks.Callback) -> str:
    return f"{type(callback).__module__}:{type(callback).__qualname__}"


def _plain_attributes(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """Copies of the attributes, because callbacks append to their lists."""
    names = getattr(callback, "remembers", vars(callback).keys() - _GIVEN)
    return {name: _copy(value) for name, value in vars(callback).items() if name in names and _is_plain(value)}


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return type(value) in (list, tuple) and all(map(_is_plain, value))
    if isinstance(value, dict):
        return type(value) is dict and all(map(_is_plain, [*value.keys(), *value.values()]))
    if isinstance(value, np.ndarray):
        return bool(value.dtype != object)
    if isinstance(value, FunctionType):
        return value.__module__.split(".")[0] == "keras" and "<" not in value.__qualname__
    return value is None or isinstance(value, bool | int | float | str | np.generic) or _is_tensor(value)


def _is_tensor(value: object) -> bool:
    return bool(isinstance(value, tf.Tensor) and hasattr(value, "numpy") and value.dtype.is_numpy_compatible)


def _copy(value: Any) -> Any:
    """Copies lists and dicts, and turns tensors into arrays. Arrays are shared: callbacks replace them, and do not change
    them."""
    if isinstance(value, list | tuple):
        return type(value)(map(_copy, value))
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return value.numpy() if _is_tensor(value) else value


def _equal(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray | np.generic) and isinstance(other, np.ndarray | np.generic):
        same_kind = type(one) is type(other) and (one.dtype, one.shape) == (other.dtype, other.shape)
        return same_kind and one.tobytes() == other.tobytes()
    if isinstance(one, np.ndarray | np.generic) or isinstance(other, np.ndarray | np.generic):
        return False
    if isinstance(one, list | tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_equal(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


def _encode(value: Any, place: str, arrays: dict[str, np.ndarray]) -> Any:
    """JSON that `_decode` decodes; arrays go to `arrays` under names that begin with `place`."""
    match value:
        case list() | tuple():
            items = [_encode(item, f"{place}/{number}", arrays) for number, item in enumerate(value)]
            return items if isinstance(value, list) else {"tuple": items}
        case dict():
            return {"dict": _encode([list(pair) for pair in value.items()], place, arrays)}
        case np.ndarray() | np.generic():
            arrays[place] = np.asarray(value)
            return {"number" if isinstance(value, np.generic) else "array": place}
        case FunctionType():
            return {"function": f"{value.__module__}:{value.__qualname__}"}
        case _:
            return value


def _decode(data: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    match data:
        case list():
            return _decode_all(data, arrays)
        case {"tuple": items}:
            return tuple(_decode_all(items, arrays))
        case {"dict": pairs}:
            return dict(_decode_all(pairs, arrays))
        case {"array": place}:
            return np.array(arrays[place])
        case {"number": place}:
            return arrays[place][()]
        case {"function": path}:
            return _function(path)
        case _:
            return data


def _decode_all(items: Iterable[Any], arrays: Mapping[str, np.ndarray]) -> list[Any]:
    return [_decode(item, arrays) for item in items]


def _function(path: str) -> FunctionType:
    module, _, name = path.partition(":")
    # A file may have been manipulated, so only functions of Keras are allowed.
    if module.split(".")[0] != "keras":
        raise StageError("a callback's state may only name functions of Keras", received=path)
    function: FunctionType = getattr(importlib.import_module(module), name)
    return function
