"""Which layer's own gradient is wrong: each layer is called alone, with the inputs that it received in the network."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasvision.training.probes.lines import Function, compare_with_slope

# How many random directions are tried for a layer: the edge of a ReLU unit may spoil one of them.
TRIES = 3

# The arguments of a layer's call: args, kwargs.
Call = tuple[tuple[Any, ...], dict[str, Any]]


def wrong_layers(network: keras.Model, inputs: Any, *, random: np.random.Generator) -> dict[str, float]:
    """Layers whose gradient by their inputs or weights differs from the slope of their outputs.

    Args:
        network: float64.
        inputs: the network's inputs, float64 (N, ...) tensors.
        random: draws the directions.

    Returns:
        Layer name -> relative error.
    """
    errors = {}
    for layer, call in _calls(network, inputs):
        error = _error(layer, call, random)
        if error is not None:
            errors[layer] = error
    # A layer made of layers is to blame only if its inner layers are right.
    return {
        _name(layer, network): error
        for layer, error in errors.items()
        if not any(inner in errors for inner in layer._flatten_layers(include_self=False))
    }


def _name(layer: keras.Layer, network: keras.Model) -> str:
    path: str = layer.path or layer.name
    return path.removeprefix(f"{network.name}/")


def _error(layer: keras.Layer, call: Call, random: np.random.Generator) -> float | None:
    """The relative error; None if the gradient agrees, or if no direction could be decided."""
    values = keras.tree.flatten(call)
    received = {
        number: tf.Variable(value)
        for number, value in enumerate(values)
        if tf.is_tensor(value) and value.dtype == tf.float64
    }

    def outputs() -> Any:
        given = [received.get(number, value) for number, value in enumerate(values)]
        given = [tf.convert_to_tensor(value) if isinstance(value, tf.Variable) else value for value in given]
        args, kwargs = keras.tree.pack_sequence_as(call, given)
        return layer.call(*args, **kwargs)

    weights = [weight.value for weight in layer.trainable_variables]
    state = [variable.value for variable in layer.non_trainable_variables]
    function = Function(outputs, variables=[*received.values(), *weights], state=state)
    gradients = function.gradients()
    for _ in range(TRIES):
        directions = [random.normal(size=variable.shape) for variable in function.variables]
        found = compare_with_slope(function, gradients, directions, usual=0.0)
        if found.verdict in ("agrees", "differs"):
            return found.error if found.verdict == "differs" else None
    return None


def _calls(network: keras.Model, inputs: Any) -> list[tuple[keras.Layer, Call]]:
    """The last call of each layer that is not itself a network: (layer, (args, kwargs))."""
    seen: dict[int, tuple[keras.Layer, Call]] = {}
    layers = [layer for layer in network._flatten_layers(include_self=False) if not isinstance(layer, keras.Model)]

    def watched(layer: keras.Layer, call: Callable[..., Any]) -> Callable[..., Any]:
        def kept(*args: Any, **kwargs: Any) -> Any:
            seen[id(layer)] = layer, (args, kwargs)
            return call(*args, **kwargs)

        return kept

    with _replaced_calls(layers, watched):
        network(inputs, training=True)
    return list(seen.values())


@contextmanager
def _replaced_calls(
    layers: list[keras.Layer], replace: Callable[[keras.Layer, Callable[..., Any]], Callable[..., Any]]
) -> Iterator[None]:
    before = {id(layer): layer.__dict__.get("call") for layer in layers}
    for layer in layers:
        layer.call = replace(layer, layer.call)
    try:
        yield
    finally:
        for layer in layers:
            if before[id(layer)] is None:
                del layer.call
            else:
                layer.call = before[id(layer)]
