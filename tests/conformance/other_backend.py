"""Builds the network of each `<row>.keras` in a folder, loads its weights, and writes `<row>.<how>.npy` for `<row>.npz`.

    python other_backend.py <folder> eager|compiled

Compiled, a network runs as one program. Eager, it runs operation by operation: JAX compiles each kind once for all networks,
which takes less than half the time.

A process of its own, because Keras chooses its backend when it is imported: `KERAS_BACKEND=jax`.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from catalogue import NETWORKS


def begin_with_zeros():
    """Every weight begins as zeros: drawing weights that are then replaced takes JAX longer than everything else here."""
    kinds = [keras.initializers.Initializer]
    for kind in kinds:
        kinds += kind.__subclasses__()
        kind.__call__ = lambda self, shape, dtype=None, **_: np.zeros(shape, dtype)


if __name__ == "__main__":
    begin_with_zeros()
    assert keras.backend.backend() != "tensorflow"
    folder, how = Path(sys.argv[1]), sys.argv[2]
    for network in NETWORKS:
        if (folder / f"{network}.keras").exists():
            model = network.build()
            model.load_weights(folder / f"{network}.keras")
            inputs = list(np.load(folder / f"{network}.npz").values())
            inputs = inputs if len(inputs) > 1 else inputs[0]
            answers = model.predict_on_batch(inputs) if how == "compiled" else model(inputs, training=False)
            np.save(folder / f"{network}.{how}.npy", answers)
