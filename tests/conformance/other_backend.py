"""Builds networks of the catalogue: `<row>.shapes.json` lists the weights, `<row>.<how>.npy` answers `<row>.npz`.

    python other_backend.py <folder> eager|compiled <row>...

It builds the network of each given row, with the weights of `<row>.keras`.

Compiled, a network runs as one program. Eager, it runs operation by operation: JAX compiles each kind once for all networks,
which takes less than half the time.

A process of its own, because Keras chooses its backend when it is imported: `KERAS_BACKEND=jax`.
"""

import json
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


def answers(model, folder, network, how):
    """The logits of the network with its saved weights for its saved inputs."""
    model.load_weights(folder / f"{network}.keras")
    inputs = list(np.load(folder / f"{network}.npz").values())
    inputs = inputs if len(inputs) > 1 else inputs[0]
    return network.as_rows(model.predict_on_batch(inputs) if how == "compiled" else model(inputs, training=False))


if __name__ == "__main__":
    begin_with_zeros()
    assert keras.backend.backend() != "tensorflow"
    folder, how, *rows = sys.argv[1:]
    folder = Path(folder)
    for network in NETWORKS:
        if str(network) in rows:
            model = network.build()
            shapes = [[weight.path, weight.shape] for weight in model.weights]
            (folder / f"{network}.shapes.json").write_text(json.dumps(shapes))
            np.save(folder / f"{network}.{how}.npy", answers(model, folder, network, how))
