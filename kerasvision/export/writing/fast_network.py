"""A network as a function for serving alone: its weights are constants, and it may compute in bfloat16.

- A batch normalisation is folded into the convolution before it (`kerasvision.ops.folding`).
- Weights are constants of the graph, so a later change of the network does not reach it.
- In bfloat16, every layer rounds its inputs, its weights and its outputs to 8 bits of precision, and sums in float32. The
  last layers with weights, and all layers after them, compute in float32: rounded logits would have two or three digits. A
  batch normalisation does not count as the last one: it belongs to the convolution before it.
- All other layers compute in float32, whatever their own precision is, and so do the layers of models inside the network.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from kerasvision.errors import ConfigError
from kerasvision.ops.folding import called_as, convolved, folded_pairs, folded_weights, unchanged
from kerasvision.ops.normalization import fused

# A graph with its constants is one protobuf message, which has at most 2 GB.
MOST_BYTES = 1_800_000_000
# These get their weights as constants of the dtype that they compute in.
WEIGHTED = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)

Calls = Mapping[keras.Layer, Callable[..., tf.Tensor]]


def fast_network(network: keras.Model, *, precision: str) -> "tf.types.experimental.ConcreteFunction":
    """The network in inference mode, with its present weights. The network itself does not change.

    Args:
        network: functional, with one input.
        precision: "float32" or "bfloat16".

    Returns:
        Function of images float32 (N, ...), with any number of rows; it returns what the network returns, in float32.

    Raises:
        ConfigError: the network has several inputs, is not a graph of layers, or has too many weights.

    >>> image = keras.Input((2,))
    >>> network = keras.Model(image, layers.Dense(1)(layers.Dense(1)(image)))
    >>> network.set_weights([np.float32([[1], [2**-8]]), np.zeros(1), np.float32([[1 + 2**-8]]), np.zeros(1)])
    >>> row = tf.constant([[1.0, 1.0]])
    >>> [fast_network(network, precision=precision)(row).numpy().item() for precision in ("float32", "bfloat16")]
    [1.0078277587890625, 1.00390625]
    """
    _check(network)
    computed = _rounded(network, _before_weights(network) if precision == "bfloat16" else set())
    image = network.inputs[0]
    weights = {layer.name: layer.get_weights() for layer in network.layers}
    folds = {norm.name: folded_weights(convolution, norm) for convolution, norm in folded_pairs(network)}

    def answer(images: tf.Tensor) -> Any:
        # Made inside the graph: TensorFlow would store a constant from outside as an input of the function.
        values = [(one, np.asarray(value)) for layer in computed.layers for one, value in _valued(layer, weights)]
        with keras.StatelessScope(state_mapping=values), called_as(_calls(computed, weights, folds)):
            found = computed(images, training=False)
        return tf.nest.map_structure(lambda output: tf.cast(output, tf.float32), found)

    spec = tf.TensorSpec((None, *image.shape[1:]), tf.float32, name="images")
    return tf.function(answer, autograph=False).get_concrete_function(spec)


def _check(network: keras.Model) -> None:
    hint = "remove export.precision"
    if not hasattr(network, "operations") or len(network.inputs) != 1:
        raise ConfigError(
            "export.precision requires a network that is a graph of layers with one input",
            received=f"{type(network).__name__} {network.name}",
            hint=hint,
        )
    size = sum(int(np.prod(weight.shape)) * 4 for weight in network.weights)
    if size > MOST_BYTES:
        raise ConfigError(
            f"export.precision requires weights of at most {MOST_BYTES:,} bytes, which become part of the graph",
            received=f"{size:,} bytes",
            hint=hint,
        )


def _rounded(network: keras.Model, names: set[str]) -> keras.Model:
    """The same layers, with initial weights. Those with one of the names compute in bfloat16, and all others in float32."""

    def cloned(operation: Any) -> Any:
        settings = operation.get_config()
        is_layer = isinstance(operation, keras.Layer)
        if is_layer and operation.name in names:
            settings["dtype"] = "mixed_bfloat16"
        # An operation that is not a layer has no precision, unless it is a cast.
        elif is_layer or settings.get("dtype") in ("bfloat16", "float16"):
            settings["dtype"] = "float32"
        made = type(operation).from_config(settings)
        return fused(made) if isinstance(made, layers.BatchNormalization) else made

    return keras.models.clone_model(network, clone_function=cloned, recursive=True)


def _before_weights(network: keras.Model) -> set[str]:
    """The names of the operations whose outputs a layer with weights reads, directly or not."""
    before: set[str] = set()
    pending = [one for one in network.layers if one.weights and not isinstance(one, layers.BatchNormalization)]
    while pending:
        for node in pending.pop()._inbound_nodes:
            for one in (tensor._keras_history.operation for tensor in node.input_tensors):
                if one.name not in before:
                    before.add(one.name)
                    pending.append(one)
    return before


def _is_weighted(layer: keras.Layer) -> bool:
    # A subclass may compute something else.
    return type(layer) in WEIGHTED and getattr(layer, "data_format", "channels_last") == "channels_last"


def _valued(layer: keras.Layer, weights: Mapping[str, list[np.ndarray]]) -> list[tuple[Any, np.ndarray]]:
    """The variables of a layer whose `call` stays its own, with their values."""
    is_needed = layer.weights and not _is_weighted(layer)
    return list(zip(layer.weights, weights[layer.name], strict=True)) if is_needed else []


def _calls(
    network: keras.Model, weights: Mapping[str, list[np.ndarray]], folds: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> Calls:
    """Layer -> what it computes with constants of its dtype."""
    calls: dict[keras.Layer, Callable[..., tf.Tensor]] = {}
    folding = {convolution.name: norm.name for convolution, norm in folded_pairs(network) if norm.name in folds}
    for layer in network.layers:
        if layer.name in folds:
            calls[layer] = unchanged
        elif _is_weighted(layer):
            kernel, *bias = folds[folding[layer.name]] if layer.name in folding else weights[layer.name]
            constants = {
                "kernel": tf.constant(kernel, layer.compute_dtype),
                "bias": tf.constant(bias[0], layer.compute_dtype) if bias else None,
            }
            calls[layer] = partial(_dense if isinstance(layer, layers.Dense) else _activated, **constants)
    return calls


def _activated(layer: keras.Layer, inputs: tf.Tensor, *, kernel: tf.Tensor, bias: tf.Tensor | None) -> tf.Tensor:
    return layer.activation(convolved(layer, inputs, kernel=kernel, bias=bias))


def _dense(layer: layers.Dense, inputs: tf.Tensor, training: bool = False, *, kernel: Any, bias: Any) -> tf.Tensor:
    product = tf.matmul(inputs, kernel) if inputs.shape.rank == 2 else tf.tensordot(inputs, kernel, 1)
    return layer.activation(product if bias is None else tf.nn.bias_add(product, bias))
