"""The time of one update of all weights of a network: Keras' optimizers, and the trainer's versions of them.

    python tests/benchmarks/optimizers.py
    python tests/benchmarks/optimizers.py --network resnet18 --optimizers adam muon --rounds 21

Both sides run in one process and take turns, a call of several updates each; the results are medians over the rounds, in
milliseconds per update. The gradients are given, so only the update is timed.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from kerasvision.config import training as t
from kerasvision.models import build
from kerasvision.training.optimizing.optimizers import make_optimizer

CASES = {
    "sgd": (lambda: keras.optimizers.SGD(0.01), t.Sgd()),
    "momentum": (lambda: keras.optimizers.SGD(0.01, momentum=0.9), t.Sgd(momentum=0.9)),
    "adagrad": (lambda: keras.optimizers.Adagrad(0.01), t.Adagrad()),
    "rmsprop": (lambda: keras.optimizers.RMSprop(1e-3), t.RmsProp()),
    "rmsprop_momentum": (lambda: keras.optimizers.RMSprop(1e-3, momentum=0.9), t.RmsProp(momentum=0.9)),
    "adam": (lambda: keras.optimizers.Adam(1e-3), t.Adam()),
    "adamw": (lambda: keras.optimizers.AdamW(1e-3), t.AdamW()),
    "lion": (lambda: keras.optimizers.Lion(1e-4), t.Lion()),
    # Keras' own Muon updates every convolution with Adam.
    "muon": (lambda: keras.optimizers.Muon(1e-3, weight_decay=None, adam_weight_decay=None), t.Muon()),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="lenet5")
    parser.add_argument("--side", type=int, default=None, help="height and width in pixels; 28 for lenet5, else 224")
    parser.add_argument("--optimizers", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--updates", type=int, default=20, help="updates in one call of TensorFlow")
    parser.add_argument("--rounds", type=int, default=21)
    arguments = parser.parse_args()
    side = arguments.side or (28 if arguments.network == "lenet5" else 224)
    network = build(arguments.network, image_shape=(side, side, 1 if side == 28 else 3), num_classes=10)
    shapes = [tuple(variable.shape) for variable in network.trainable_variables]
    print(f"{arguments.network}: {network.count_params():,} weights in {len(shapes)} variables, one update")
    for name in arguments.optimizers:
        theirs, ours = CASES[name]
        made = [theirs(), make_optimizer(t.Training(optimizer=ours), steps_per_epoch=1)]
        keras_ms, our_ms = race([updates(each, shapes, arguments.updates) for each in made], arguments.rounds)
        keras_ms, our_ms = keras_ms / arguments.updates, our_ms / arguments.updates
        print(f"  {name:18} Keras {keras_ms:8.3f} ms   kerasvision {our_ms:8.3f} ms {keras_ms / our_ms:6.2f}x", flush=True)


def updates(optimizer: keras.optimizers.Optimizer, shapes: Sequence[tuple], count: int) -> Callable[[], object]:
    """A call that updates weights of these shapes several times."""
    weights = [keras.Variable(np.ones(shape, "float32"), name="kernel") for shape in shapes]
    gradients = [tf.random.normal(shape) for shape in shapes]
    optimizer.build(weights)

    @tf.function
    def run() -> None:
        for _ in tf.range(count):
            optimizer.apply(gradients, weights)

    return run


def race(calls: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Median milliseconds of each; they take turns, and the first call does not count."""
    milliseconds: list[list[float]] = [[] for _ in calls]
    for number in range(rounds + 1):
        for call, spent in zip(calls, milliseconds, strict=True):
            began = time.perf_counter()
            call()
            if number:
                spent.append(1e3 * (time.perf_counter() - began))
    return [float(np.median(spent)) for spent in milliseconds]


if __name__ == "__main__":
    main()
