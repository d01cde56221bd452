"""Compares a training step of our loop with Keras' `fit`: one device, LeNet-5, 28 x 28, where overhead matters most.

    python tests/benchmarks/training_step.py
    python tests/benchmarks/training_step.py --network resnet20 --side 32 --batch 64 --steps 20

All run in one process, with the same data, network, loss, metrics and optimizer settings, and take turns, so that a
disturbance affects all. Keras runs with its defaults, without XLA, and with 20 steps per execution. `the gradient alone` is
only the forward and backward pass in a loop: no training loop can be faster. Printed: milliseconds per step on the clock and
of processor time ("work"), medians over the rounds, and the median of the ratios of ours to theirs within a round.

Measured with --rounds 9 --steps 200 (two CPU cores, AMD EPYC, which other processes used at times):

                             on the clock   of work
    Keras' fit                    0.70       0.89     ours / theirs
    Keras' fit, no XLA            0.74       0.87
    Keras' fit, 20 steps          0.82       0.99
    the gradient alone            0.86       1.04
"""

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision import models
from kerasvision.tasks.base import make_task
from kerasvision.training.loop import train_loop
from kerasvision.training.optimizing.optimizers import make_optimizer
from kerasvision.training.step import TrainStep

CLASSES = tuple("0123456789")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="lenet5")
    parser.add_argument("--side", type=int, default=28)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=200, help="steps in a round")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    data = batches(arguments.side, arguments.batch)
    contenders = {
        "Keras' fit": theirs(network(arguments), data, xla="auto"),
        "Keras' fit, no XLA": theirs(network(arguments), data, xla=False),
        "Keras' fit, 20 steps": theirs(network(arguments), data, xla=False, steps_per_call=20),
        "the gradient alone": gradients_alone(network(arguments), data),
        "kerasvision, 20 steps": ours(network(arguments), data, steps_per_call=20),
        "kerasvision": ours(network(arguments), data),
    }
    clock: dict[str, list[float]] = {label: [] for label in contenders}
    work: dict[str, list[float]] = {label: [] for label in contenders}
    for number in range(arguments.rounds + 1):
        for label, epoch in contenders.items():
            began = time.perf_counter(), time.process_time()
            epoch(arguments.steps)
            if number:  # the first run builds the graphs
                clock[label].append(1e3 * (time.perf_counter() - began[0]) / arguments.steps)
                work[label].append(1e3 * (time.process_time() - began[1]) / arguments.steps)
    for label in contenders:
        ratios = (np.median(np.divide(times["kerasvision"], times[label])) for times in (clock, work))
        print(
            f"{label:22} {np.median(clock[label]):7.3f} ms per step, work {np.median(work[label]):7.3f} ms, "
            "ours / theirs {:.2f}, work {:.2f}".format(*ratios)
        )


def network(arguments: argparse.Namespace) -> keras.Model:
    """A network with the same weights every time."""
    keras.utils.set_random_seed(0)
    return models.build(arguments.network, image_shape=(arguments.side, arguments.side, 1), num_classes=len(CLASSES))


def batches(side: int, batch: int) -> tf.data.Dataset:
    """The same batch every time, so that the input takes no time on either side."""
    generator = np.random.default_rng(0)
    images = generator.normal(size=(batch, side, side, 1)).astype("float32")
    labels = np.eye(len(CLASSES), dtype="float32")[generator.integers(len(CLASSES), size=batch)]
    return tf.data.Dataset.from_tensors((images, labels)).repeat()


def theirs(
    network: keras.Model, data: tf.data.Dataset, *, xla: str | bool, steps_per_call: int = 1
) -> Callable[[int], object]:
    """An epoch of `fit`, as is usual with Keras."""
    network.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=task().objective().metrics,
        jit_compile=xla,
        steps_per_execution=steps_per_call,
    )
    return lambda steps: network.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False)


def ours(network: keras.Model, data: tf.data.Dataset, *, steps_per_call: int | str = "auto") -> Callable[[int], object]:
    """An epoch as kerasvision.training.fit trains it."""
    step = TrainStep(
        network,
        objective=task().objective(),
        optimizer=make_optimizer(c.Training(optimizer=c.Sgd(learning_rate=0.01, momentum=0.9)), steps_per_epoch=1),
        strategy=tf.distribute.get_strategy(),
    )
    return lambda steps: train_loop(step, data, epochs=1, steps_per_epoch=steps, steps_per_call=steps_per_call)


def gradients_alone(network: keras.Model, data: tf.data.Dataset) -> Callable[[int], object]:
    """Computes the gradient of the loss several times, and keeps only a sum."""
    iterator = iter(data)

    def add(number: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, targets = next(iterator)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, network(images, training=True)))
        gradients = tape.gradient(loss, network.trainable_variables)
        return number + 1, total + tf.add_n([tf.reduce_sum(gradient) for gradient in gradients])

    @tf.function(autograph=False)
    def run(steps: tf.Tensor) -> tf.Tensor:
        start = (tf.constant(0), tf.constant(0.0))
        return tf.while_loop(lambda number, _: number < steps, add, start, parallel_iterations=1)[1]

    return lambda steps: run(tf.constant(steps))


def task():
    """Ten classes."""
    return make_task(c.Classification(), CLASSES)


if __name__ == "__main__":
    main()
