"""A training step in float32, in bfloat16, and with XLA: the basis of `precision="auto"` and `xla="auto"`.

    python tests/benchmarks/precision.py --network lenet5 --side 28 --batch 128 --steps 100
    python tests/benchmarks/precision.py --network resnet18 --side 112 --batch 16 --steps 2 --channels 3

All run in one process and take turns, so that a disturbance affects all. Printed: milliseconds per step of processor time
and on the clock, medians over the rounds; and float32's time divided by these, medians of the ratios within a round: above 1
is faster than float32.
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
from kerasvision.training.optimizing.optimizers import make_optimizer
from kerasvision.training.step import TrainStep

CLASSES = tuple("0123456789")
# Name -> dtype policy, and whether with XLA.
CONTENDERS = {
    "float32": ("float32", False),
    "bfloat16": ("mixed_bfloat16", False),
    "float32, XLA": ("float32", True),
    "bfloat16, XLA": ("mixed_bfloat16", True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="lenet5")
    parser.add_argument("--side", type=int, default=28)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=100, help="steps in a round")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    data = batches(arguments)
    contenders = {name: stepper(arguments, data, *how) for name, how in CONTENDERS.items()}
    work: dict[str, list[float]] = {name: [] for name in contenders}
    clock: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(arguments.rounds + 1):
        for name, run in contenders.items():
            began = time.process_time(), time.perf_counter()
            run()
            if number:  # the first run builds the graphs
                work[name].append(1e3 * (time.process_time() - began[0]) / arguments.steps)
                clock[name].append(1e3 * (time.perf_counter() - began[1]) / arguments.steps)
    for name in contenders:
        ratios = [np.median(np.divide(times["float32"], times[name])) for times in (work, clock)]
        print(
            f"{name:14} {np.median(work[name]):9.2f} ms of work, {np.median(clock[name]):9.2f} ms, "
            f"float32 / it {ratios[0]:.2f}, by the clock {ratios[1]:.2f}"
        )


def batches(arguments: argparse.Namespace) -> tf.data.Dataset:
    """The same batch every time, so that the input takes no time."""
    generator = np.random.default_rng(0)
    images = generator.normal(size=(arguments.batch, arguments.side, arguments.side, arguments.channels))
    labels = np.eye(len(CLASSES), dtype="float32")[generator.integers(len(CLASSES), size=arguments.batch)]
    return tf.data.Dataset.from_tensors((images.astype("float32"), labels)).repeat()


def stepper(arguments: argparse.Namespace, data: tf.data.Dataset, policy: str, xla: bool) -> Callable[[], object]:
    """Runs a round of steps."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    shape = (arguments.side, arguments.side, arguments.channels)
    network = models.build(arguments.network, image_shape=shape, num_classes=len(CLASSES))
    keras.config.set_dtype_policy("float32")
    step = TrainStep(
        network,
        objective=make_task(c.Classification(), CLASSES).objective(),
        optimizer=make_optimizer(c.Training(optimizer=c.Sgd(learning_rate=0.01, momentum=0.9)), steps_per_epoch=1),
        strategy=tf.distribute.get_strategy(),
        xla=xla,
    )
    iterator = iter(step.share_out(data))
    return lambda: step.run(iterator, arguments.steps)


if __name__ == "__main__":
    main()
