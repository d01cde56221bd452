"""Trains each network of the catalogue on one device and on two, and prints how far apart the weights end, as JSON.

    python two_replicas.py eager|graph <row>...

A process of its own, because TensorFlow fixes its number of devices when it starts.

In float64, because float32 is too coarse for the comparison: its rounding moves some activations across the kink of a ReLU,
and then the gradients differ. This happens on *one* device too, when only the formula of the variance changes.

In graph mode, the networks have dense layers of their full width and train for two steps. In eager mode, which every run
of the tests uses, they train for one step, and their dense layers are narrow.
"""

import contextlib
import json
import sys

import keras
import numpy as np
import tensorflow as tf
from catalogue import NETWORKS

from kerasvision.introspection import keywords
from kerasvision.lookup import MODELS

BATCH = 4
STEPS = {"eager": 1, "graph": 2}


def train(network, scope, *, synchronized, mode):
    """(initial weights, final weights) of a few steps of `fit`, always from the same weights on the same images."""
    has_statistics = "synchronized" in keywords(MODELS.path(network.name))
    options = {"synchronized": synchronized} if has_statistics else {}
    with scope:
        keras.utils.set_random_seed(0)
        model = (network.build if mode == "eager" else network.build_wide)(**options)
        model = keras.Model(model.inputs, network.as_rows(model.output)) if network.rows else model
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss, run_eagerly=mode == "eager", jit_compile=False)
    generator = np.random.default_rng(0)
    inputs = network.inputs(BATCH * STEPS[mode] + 1)
    labels = generator.integers(10, size=(len(inputs[0]), *network.per_image))
    shown = tuple(inputs) if len(inputs) > 1 else inputs[0]
    batches = tf.data.Dataset.from_tensor_slices((shown, labels)).batch(BATCH, drop_remainder=True)
    weights = [weight for weight in model.weights if not network.is_idle(weight.path)]
    start = [weight.numpy() for weight in weights]
    model.fit(batches, shuffle=False, verbose=0)
    return start, [weight.numpy() for weight in weights]


def compare(network, strategy, mode):
    """The smallest change of a weight over its largest value, and the largest distance at the end over the change."""
    start, one = train(network, contextlib.nullcontext(), synchronized=False, mode=mode)
    _, two = train(network, strategy.scope(), synchronized=True, mode=mode)
    ways = [np.abs(a - b).max() for a, b in zip(start, one, strict=True)]
    return {
        "moved": min(way / np.abs(b).max() for way, b in zip(ways, one, strict=True)),
        "apart": max(np.abs(a - b).max() / way for way, a, b in zip(ways, one, two, strict=True)),
    }


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
    mode, *names = sys.argv[1:]
    rows = [network for network in NETWORKS if str(network) in names]
    print(json.dumps({str(network): compare(network, strategy, mode) for network in rows}))
