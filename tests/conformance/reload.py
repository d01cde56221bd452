"""Loads each `<row>.keras` of a folder, feeds it `<row>.npz` and writes `<row>.out.npy`, with Keras alone.

    python reload.py <folder>

A process of its own, in which kerasvision cannot be imported.
"""

import sys
from pathlib import Path

import keras
import numpy as np

sys.modules["kerasvision"] = None  # importing it is an error from here on, even if it is installed

for saved in sorted(Path(sys.argv[1]).glob("*.keras")):
    model = keras.saving.load_model(saved)
    inputs = list(np.load(saved.with_suffix(".npz")).values())
    np.save(saved.with_suffix(".out.npy"), model(inputs if len(inputs) > 1 else inputs[0], training=False))
