"""A frozen network as one function, whose convolutions also do the work of the batch normalisations after them.

In inference, batch normalisation (Ioffe & Szegedy, 2015, https://arxiv.org/abs/1502.03167) multiplies each channel by a
constant and adds another. A convolution with other weights gives the same result in one pass over the map:

    norm(conv(x, kernel) + bias) = conv(x, scale * kernel) + scale * (bias - mean) + beta
    scale = gamma / sqrt(variance + epsilon)

TensorFlow then computes the convolution, the sum and a ReLU in one kernel.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import MethodType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers


def inference(network: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """The network as a function, in inference mode, with its present weights. The network itself does not change.

    A batch normalisation is computed by the convolution before it if nothing else reads that convolution's map. In float32
    the outputs differ from the network's by rounding only. In bfloat16 each map is rounded once, not twice.

    Args:
        network: functional, with one input and one output.

    Returns:
        Function of a tensor of the input's shape and dtype, with any number of rows; it returns the output.

    >>> image = keras.Input((1, 1, 1))
    >>> norm = layers.BatchNormalization(epsilon=0.0)
    >>> network = keras.Model(image, norm(layers.Conv2D(1, 1)(image)))
    >>> gamma, beta, mean, variance = map(np.atleast_1d, (2.0, 5.0, 4.0, 16.0))
    >>> network.set_weights([np.full((1, 1, 1, 1), 3.0), np.ones(1), gamma, beta, mean, variance])
    >>> inference(network)(tf.fill((1, 1, 1, 1), 7.0)).numpy().item()  # (3 * 7 + 1 - 4) / sqrt(16) * 2 + 5
    14.0
    """
    image = network.inputs[0]
    with folded(network):
        traced = tf.function(partial(network, training=False))
        called: Callable[[tf.Tensor], tf.Tensor] = traced.get_concrete_function(
            tf.TensorSpec((None, *image.shape[1:]), image.dtype)
        )
    return called


@contextmanager
def folded(network: keras.Model) -> Iterator[None]:
    """Within it, calls of the network in inference mode use the folded weights and skip the folded normalisations."""
    calls: dict[keras.Layer, Callable[..., tf.Tensor]] = {}
    for convolution, norm in folded_pairs(network):
        kernel, bias = (tf.constant(part, convolution.compute_dtype) for part in folded_weights(convolution, norm))
        calls[convolution] = partial(convolved, kernel=kernel, bias=bias)
        calls[norm] = unchanged
    with called_as(calls):
        yield


@contextmanager
def called_as(calls: Mapping[keras.Layer, Callable[..., Any]]) -> Iterator[None]:
    """Within it, each of these layers computes a function of itself and its inputs.

    >>> layer = keras.layers.ReLU()
    >>> with called_as({layer: lambda layer, inputs: inputs * 2}):
    ...     layer(tf.constant(-1.0)).numpy().item()
    -2.0
    >>> layer(tf.constant(-1.0)).numpy().item()
    0.0
    """
    # A layer may have a `call` of its own, as that of `kerasvision.ops.normalization.fused`.
    own = {layer: vars(layer).get("call") for layer in calls}
    try:
        for layer, function in calls.items():
            layer.call = MethodType(function, layer)
        yield
    finally:
        for layer, call in own.items():
            vars(layer).pop("call", None)
            if call is not None:
                layer.call = call


def folded_weights(convolution: keras.Layer, norm: layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias with which the convolution alone gives the output of both.

    Returns:
        float64, of the kernel's shape, and float64 (channels,).
    """
    kernel, *biases = (np.asarray(weight, np.float64) for weight in convolution.get_weights())
    mean, variance = (np.asarray(moving, np.float64) for moving in (norm.moving_mean, norm.moving_variance))
    gamma = np.asarray(norm.gamma, np.float64) if norm.scale else np.ones_like(mean)
    beta = np.asarray(norm.beta, np.float64) if norm.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + norm.epsilon)
    # The kernel's output channels: its last axis, and of a depthwise convolution its last two.
    outputs = kernel.shape[2:] if isinstance(convolution, layers.DepthwiseConv2D) else kernel.shape[3:]
    return kernel * scale.reshape(outputs), scale * (sum(biases) - mean) + beta


def folded_pairs(network: keras.Model) -> list[tuple[keras.Layer, layers.BatchNormalization]]:
    """Each convolution whose map only a batch normalisation reads, with that normalisation."""
    nodes = [node for operation in network.operations for node in operation._inbound_nodes]
    readers = Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
    readers.update(map(id, network.outputs))
    pairs = []
    for norm in network.operations:
        if type(norm) is layers.BatchNormalization and len(norm._inbound_nodes) == 1:
            convolution = norm.input._keras_history.operation
            if _can_fold(convolution, norm) and readers[id(norm.input)] == 1:
                pairs.append((convolution, norm))
    return pairs


def _can_fold(convolution: keras.Operation, norm: layers.BatchNormalization) -> bool:
    """Whether the formula at the top of this file is all that these two compute."""
    return (
        # A subclass may compute something else.
        type(convolution) in (layers.Conv2D, layers.DepthwiseConv2D)
        and len(convolution._inbound_nodes) == 1
        and convolution.activation is keras.activations.linear
        and convolution.data_format == "channels_last"
        and norm.axis in (-1, 3)
        and not norm.renorm
        and norm.compute_dtype == convolution.compute_dtype
    )


def convolved(layer: keras.Layer, inputs: tf.Tensor, *, kernel: tf.Tensor, bias: tf.Tensor | None) -> tf.Tensor:
    """The layer's convolution with another kernel and bias, without its activation: (N, H, W, C) of any dtype."""
    settings = {name: getattr(layer, name) for name in ("strides", "padding", "dilation_rate", "data_format")}
    convolve = keras.ops.depthwise_conv if isinstance(layer, layers.DepthwiseConv2D) else keras.ops.conv
    found = convolve(inputs, kernel, **settings)
    return found if bias is None else tf.nn.bias_add(found, bias)


def unchanged(layer: keras.Layer, inputs: tf.Tensor, training: bool = False, mask: Any = None) -> tf.Tensor:
    """The inputs of a normalisation that is folded, of the same shape and dtype."""
    return inputs
