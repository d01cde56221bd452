"""Gradients of the kernels of convolutions as products of matrices, where a processor computes these faster.

A 1 x 1 convolution is a product of matrices: outputs (M, K) = inputs (M, C) @ kernel (C, K), a row for each pixel. The
gradient of its kernel is then inputs^T @ gradient of the outputs. For a larger kernel the same holds if the row of a pixel
has the h * w * C inputs that the kernel reads there (im2col; Chellapilla et al., 2006, https://hal.science/inria-00112631).

oneDNN 3.7, the library in TensorFlow 2.21, has code of its own for such a gradient, and needs 1.5 to 6 times as long for
it as for the product where a map has few pixels and many channels: on a processor with AMX, in bfloat16, 16 maps of 7 x 7
x 2,048 take 11.1 ms for the gradient of a 1 x 1 convolution to 512 channels, and 3.2 ms as a product. Outputs and the
gradients of the inputs are computed as before. `python tests/benchmarks/kernel_gradients.py` measures the two.
"""

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import keras
import tensorflow as tf
from keras import layers

# A larger kernel pays in bfloat16, from this many channels on both sides, and this many for each pixel of the outputs.
LEAST_CHANNELS, CHANNELS_PER_PIXEL = 128, 2


@contextmanager
def as_products(network: keras.Model) -> Iterator[None]:
    """Within this context, the convolutions of a network have these gradients of their kernels.

    It concerns each `keras.layers.Conv2D` of the network that has neither groups nor dilation: those with a 1 x 1 kernel,
    and others where the product pays. The context matters while a step is traced; a step that was traced in it keeps the
    gradients. Outside, the layers are what they were, so a saved or exported network does not know of it. Where TensorFlow
    has a GPU, nothing changes.

    >>> network = keras.Sequential([keras.Input((2, 2, 1)), layers.Conv2D(1, 1, use_bias=False)])
    >>> images = tf.reshape([1.0, 2.0, 3.0, 4.0], (1, 2, 2, 1))
    >>> with as_products(network), tf.GradientTape() as tape:
    ...     total = tf.reduce_sum(network(images))
    >>> tape.gradient(total, network.trainable_variables[0]).numpy().item()
    10.0
    """
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    changed = [] if on_gpu else [layer for layer in network._flatten_layers() if _is_plain(layer)]
    for layer in changed:
        layer.convolution_op = partial(_convolved, layer)
    try:
        yield
    finally:
        for layer in changed:
            del layer.convolution_op


def _is_plain(layer: layers.Layer) -> bool:
    return bool(
        type(layer) is layers.Conv2D
        and layer.groups == 1
        and layer.dilation_rate == (1, 1)
        and layer.data_format == "channels_last"
        and layer.padding in ("valid", "same")
        and layer.strides[0] == layer.strides[1]
    )


def _convolved(layer: layers.Conv2D, inputs: tf.Tensor, kernel: Any) -> tf.Tensor:
    usual = partial(type(layer).convolution_op, layer)
    inputs, kernel = tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel)
    if not pays(layer, inputs):
        return usual(inputs, kernel)
    stride, padding = layer.strides[0], layer.padding.upper()

    def with_gradients(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # Neither waits for the other, so TensorFlow computes only what is needed: nothing for a frozen kernel.
            of_inputs = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(inputs),
                filter=kernel,
                out_backprop=upstream,
                strides=[1, stride, stride, 1],
                padding=padding,
            )
            return of_inputs, kernel_gradient(inputs, upstream, size=layer.kernel_size, stride=stride, padding=padding)

        return usual(inputs, kernel), gradients

    outputs: tf.Tensor = tf.custom_gradient(with_gradients)(inputs, kernel)
    return outputs


def pays(layer: layers.Conv2D, inputs: tf.Tensor) -> bool:
    """Whether the product is faster for this layer and its inputs (N, H, W, C)."""
    if layer.kernel_size == (1, 1):
        return True
    _, height, width, filters = layer.compute_output_shape(inputs.shape)
    if None in (height, width) or inputs.dtype != tf.bfloat16:
        return False
    return bool(min(inputs.shape[-1], filters) >= max(LEAST_CHANNELS, CHANNELS_PER_PIXEL * height * width))


def kernel_gradient(
    inputs: tf.Tensor, upstream: tf.Tensor, *, size: tuple[int, int], stride: int, padding: Literal["SAME", "VALID"]
) -> tf.Tensor:
    """The gradient of the kernel of a convolution, as one product of matrices.

    Args:
        inputs: (N, H, W, C); a kernel above 1 x 1 requires known H and W.
        upstream: (N, H', W', K), the gradient of the outputs.
        size: (height, width) of the kernel.
        stride: along both axes.
        padding: TensorFlow's.

    Returns:
        (height, width, C, K), of the dtype of the inputs.

    >>> inputs, upstream = tf.reshape(tf.range(9.0), (1, 3, 3, 1)), tf.ones((1, 2, 2, 1))
    >>> kernel_gradient(inputs, upstream, size=(2, 2), stride=1, padding="VALID")[..., 0, 0].numpy()
    array([[ 8., 12.],
           [20., 24.]], dtype=float32)
    """
    channels, filters = inputs.shape[-1], upstream.shape[-1]
    rows = tf.reshape(_read(inputs, upstream, size=size, stride=stride, padding=padding), (-1, math.prod(size) * channels))
    product = tf.matmul(rows, tf.reshape(upstream, (-1, filters)), transpose_a=True)
    return tf.reshape(product, (*size, channels, filters))


def _read(
    inputs: tf.Tensor, upstream: tf.Tensor, *, size: tuple[int, int], stride: int, padding: Literal["SAME", "VALID"]
) -> tf.Tensor:
    """(N, H', W', height * width * C): what the kernel reads for each pixel of the outputs."""
    if size == (1, 1):
        return _every(inputs, stride)
    spans = [stride * (length - 1) for length in upstream.shape[1:3]]
    if padding == "SAME":
        missing = [max(span + side - length, 0) for span, side, length in zip(spans, size, inputs.shape[1:3], strict=True)]
        inputs = tf.pad(inputs, [(0, 0), *((count // 2, count - count // 2) for count in missing), (0, 0)])
    places = itertools.product(*map(range, size))
    parts = [_every(inputs[:, y : y + spans[0] + 1, x : x + spans[1] + 1], stride) for y, x in places]
    return tf.concat(parts, axis=-1)


def _every(inputs: tf.Tensor, stride: int) -> tf.Tensor:
    """The pixels 0, stride, 2 * stride and so on, along both axes, by pooling: TensorFlow's slices with a step are slow."""
    return tf.nn.avg_pool2d(inputs, 1, stride, "VALID") if stride > 1 else inputs
