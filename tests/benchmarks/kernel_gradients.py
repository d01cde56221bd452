"""Gradients of the kernels of convolutions: as TensorFlow computes them, and as products of matrices.

    python tests/benchmarks/kernel_gradients.py
    python tests/benchmarks/kernel_gradients.py --dtype float32 --batch 64
    python tests/benchmarks/kernel_gradients.py --step resnet50

The layers are those of ResNet-50 and VGG-16 on images of 224 x 224, and smaller ones; see
`kerasvision.ops.kernel_gradients`. Both ways are measured in turn. Printed are the medians of the milliseconds over the
rounds and the median of the ratios within a round. "used" are the layers for which a training uses the product. `--step`
measures whole training steps of a network instead, with 224 x 224 pixels.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import kerasvision.training.step as training_step
from kerasvision import models
from kerasvision.ops.kernel_gradients import kernel_gradient, pays
from kerasvision.tasks.base import Objective
from kerasvision.training.devices.precision import building_in

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
    parser.add_argument("--step", metavar="NETWORK")
    arguments = parser.parse_args()
    if arguments.step:
        print(line(arguments.step, steps(arguments), arguments.rounds, used=True))
        return
    for layer in LAYERS:
        print(of_layer(layer, arguments), flush=True)


def line(name: str, ways: Sequence[Callable[[], object]], count: int, *, used: bool) -> str:
    """The table's line about the two ways."""
    rounds = [[milliseconds(way) for way in ways] for _ in range(count + 1)][1:]
    first, second = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(product / usual for usual, product in rounds)
    return f"{name:60} {first:7.2f} ms, as a product {second:7.2f} ms ({ratio:.2f}x) {'used' if used else ''}"


def milliseconds(way: Callable[[], object]) -> float:
    """On the clock, for one call: the mean of four."""
    began = time.perf_counter()
    for _ in range(4):
        way()
    return 1000 * (time.perf_counter() - began) / 4


def steps(arguments: argparse.Namespace) -> list[Callable[[], object]]:
    """A training step without products, and one with them, both traced."""
    random = np.random.default_rng(0)
    images = random.uniform(size=(arguments.batch, 224, 224, 3)).astype(np.float32)
    pair = images, random.integers(0, 1000, arguments.batch)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
    made = []
    for products in (lambda network: nullcontext(), training_step.as_products):
        with building_in("mixed_bfloat16" if arguments.dtype == "bfloat16" else "float32"):
            network = models.build(arguments.step, image_shape=images.shape[1:], num_classes=1000)
        # With random weights the loss can be large, and the weights must stay finite.
        step = training_step.TrainStep(
            network,
            objective=Objective(lambda labels, outputs, training=True: loss(labels, outputs), metrics=[]),
            optimizer=keras.optimizers.SGD(1e-6, 0.9),
            strategy=tf.distribute.get_strategy(),
        )
        batches = iter(step.share_out(tf.data.Dataset.from_tensors(pair).repeat()))
        with mock.patch.object(training_step, "as_products", products):
            step.run(batches, 1)
        made.append(partial(step.run, batches, 1))
    return made


def of_layer(layer: tuple[int, ...], arguments: argparse.Namespace) -> str:
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

    ways = [partial(tf.function(way, autograph=False), inputs, upstream) for way in (usual, product)]
    name = f"{kernel} x {kernel}, stride {stride}, {channels} to {filters} channels of {side} x {side} pixels"
    return line(name, ways, arguments.rounds, used=pays(layers.Conv2D(filters, kernel, stride), inputs))


if __name__ == "__main__":
    main()
