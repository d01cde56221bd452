"""The time of a network for serving alone, in float32 and in bfloat16, against the network with its weights as variables.

    python tests/benchmarks/fast_network.py [--model resnet18] [--side 64] [--batch 8] [--rounds 5]

The ways take turns; the results are medians of processor time and of wall time for each image, and ratios to the first way.
The weights are random.
"""

import argparse
import time

import numpy as np
import tensorflow as tf

from kerasvision import models
from kerasvision.export.writing.fast_network import fast_network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    shape = (arguments.side, arguments.side, 3)
    network = models.build(arguments.model, image_shape=shape, num_classes=10)
    ways = {
        "as in training": tf.function(lambda images: network(images, training=False), autograph=False),
        "float32": fast_network(network, precision="float32"),
        "bfloat16": fast_network(network, precision="bfloat16"),
    }
    images = tf.constant(np.random.default_rng(0).uniform(size=(arguments.batch, *shape)).astype(np.float32))
    times = {name: [] for name in ways}
    for _ in range(arguments.rounds + 2):
        for name, answer in ways.items():
            began = time.process_time(), time.perf_counter()
            answer(images).numpy()
            taken = time.process_time() - began[0], time.perf_counter() - began[1]
            times[name].append(1000 * np.array(taken) / arguments.batch)
    first = np.median(times["as in training"][2:], axis=0)
    for name, measured in times.items():
        (processor, wall), ratios = np.median(measured[2:], axis=0), np.median(measured[2:], axis=0) / first
        print(f"{name:16} processor {processor:7.2f} ms ({ratios[0]:.2f}x)   wall {wall:7.2f} ms ({ratios[1]:.2f}x)")


if __name__ == "__main__":
    main()
