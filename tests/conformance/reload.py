"""Loads each `<row>.keras` of a folder, feeds it `<row>.npz` and writes `<row>.out.npy`, with Keras alone.

    python reload.py <folder>

A process of its own, in which kerasvision cannot be imported.
"""

import sys
from pathlib import Path

import keras
import numpy as np

sys.modules["kerasvision"] = None  # importing it is an error from here on, even if it is installed


def as_rows(outputs):
    """As `Network.as_rows` of the catalogue, which imports kerasvision."""
    if not isinstance(outputs, dict):
        return outputs
    joined = np.concatenate([np.reshape(outputs[name], (len(outputs[name]), -1)) for name in sorted(outputs)], axis=1)
    return np.pad(joined, ((0, 0), (0, -joined.shape[1] % 10))).reshape(len(joined), -1, 10)


for saved in sorted(Path(sys.argv[1]).glob("*.keras")):
    model = keras.saving.load_model(saved)
    inputs = list(np.load(saved.with_suffix(".npz")).values())
    outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    np.save(saved.with_suffix(".out.npy"), as_rows(outputs))
