"""Gradients of the kernels of convolutions: as TensorFlow computes them, and as products of matrices.

    python tests/benchmarks/kernel_gradients.py
    python tests/benchmarks/kernel_gradients.py --dtype float32 --batch 64

The layers are those of ResNet-50 and VGG-16 on images of 224 x 224, and smaller ones; see
`kerasvision.ops.kernel_gradients`. Both ways are measured in turn. Printed are the medians of the milliseconds over the
rounds and the median of the ratios within a round. "used" are the layers for which a training uses the product.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from keras import layers

from kerasvision.ops.kernel_gradients import kernel_gradient, pays

# (side of the outputs, channels in, channels out, side of the kernel, stride)
LAYERS = (
    (56, 64, 256, 1, 1),
    (28, 512, 128, 1, 1),
    (14, 256, 1024, 1, 1),
    (7, 2048, 512, 1, 1),
    (28, 256, 512, 1, 2),
    (7, 1024, 2048, 1, 2),
    (56, 64, 64, 3, 1),
    (28, 128, 128, 3, 1),
    (14, 256, 256, 3, 1),
    (14, 512, 512, 3, 1),
    (7, 512, 512, 3, 1),
    (7, 512, 512, 3, 2),
    (7, 128, 32, 3, 1),
    (8, 64, 64, 3, 1),
    (4, 256, 256, 3, 1),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    for layer in LAYERS:
        print(line(layer, arguments), flush=True)


def line(layer: tuple[int, ...], arguments: argparse.Namespace) -> str:
    """The table's line about a layer."""
    side, channels, filters, kernel, stride = layer
    read = stride * (side - 1) + kernel
    inputs = tf.cast(tf.random.normal((arguments.batch, read, read, channels)), arguments.dtype)
    upstream = tf.cast(tf.random.normal((arguments.batch, side, side, filters)), arguments.dtype)

    def usual(inputs: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.Conv2DBackpropFilter(
            input=inputs,
            filter_sizes=[kernel, kernel, channels, filters],
            out_backprop=upstream,
            strides=[1, stride, stride, 1],
            padding="VALID",
        )

    def product(inputs: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
        return kernel_gradient(inputs, upstream, size=(kernel, kernel), stride=stride, padding="VALID")

    ways = [tf.function(way, autograph=False) for way in (usual, product)]
    rounds = [[milliseconds(way, inputs, upstream) for way in ways] for _ in range(arguments.rounds + 1)][1:]
    first, second = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(ours / theirs for theirs, ours in rounds)
    used = "used" if pays(layers.Conv2D(filters, kernel, stride), inputs) else ""
    shape = f"{kernel} x {kernel}, stride {stride}, {channels} to {filters} channels of {side} x {side} pixels"
    return f"{shape:60} {first:7.2f} ms, as a product {second:7.2f} ms ({ratio:.2f}x) {used}"


def milliseconds(way: tf.types.experimental.PolymorphicFunction, inputs: tf.Tensor, upstream: tf.Tensor) -> float:
    """On the clock, for one call: the mean of four."""
    began = time.perf_counter()
    for _ in range(4):
        way(inputs, upstream)
    return 1000 * (time.perf_counter() - began) / 4


if __name__ == "__main__":
    main()
