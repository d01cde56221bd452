#!/usr/bin/env bash
# Keras adds one number per column of a square image to its rows, without an error: keras 3.15.1 on TensorFlow.
#
# NumPy, JAX and TensorFlow itself line up shapes from the right: (2, 8, 8, 3) + (1, 1, 8, 1) adds number w to column w. On
# TensorFlow, `keras.ops.add`, and `+` between the tensors of a Keras model, treat a second operand with a single axis longer
# than 1 as the bias of a convolution if that axis is as long as the last axis of the first operand, or as its axis 1. Then they
# squeeze it and call tf.nn.bias_add, which adds it along that axis, wherever it stood. So in a square image the numbers of the
# columns go to the rows; with other sides they go to the columns, and a test with an oblong image passes. A sum of one number
# per row and one per column, (1, 8, 1, 1) + (1, 1, 8, 1), is not even of the shape that Keras infers for it: (1, 8, 8, 1).
#
# Observed with keras 3.15.1 and tensorflow 2.21.0:
#     (2, 8, 6, 3) + (1, 1, 6, 1): as NumPy
#     (2, 8, 8, 3) + (1, 1, 8, 1): numbers of columns are added to rows
#     (1, 8, 1, 1) + (1, 1, 8, 1): shape (1, 8, 1, 1), and Keras infers (1, 8, 8, 1)
#     (4, 3, 5) + (3, 1): as NumPy; (4, 3, 3) + (3, 1): numbers of axis 1 are added to the last axis
# The order matters: (1, 1, 8, 1) + (2, 8, 8, 3) is as in NumPy. `keras.ops.subtract` and `multiply` are always so.
#
# Exits with 0 if they still do so, and with 1 if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tensorflow==2.21.0 keras==3.15.1
KERAS_BACKEND=tensorflow CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - 2>"$folder/errors" <<'PYTHON' || { cat "$folder/errors" >&2; exit 1; }
import sys
from importlib.metadata import version

import keras
import numpy as np

generator = np.random.default_rng(0)


def drawn(*shape):
    return generator.random(shape, dtype=np.float32)


def compared(first, second, operation=keras.ops.add, numpys=np.add):
    """Whether Keras' result is NumPy's, and its shape."""
    found, expected = np.asarray(operation(first, second)), numpys(first, second)
    return found.shape == expected.shape and bool(np.allclose(found, expected)), found.shape


print(*(f"{name} {version(name)}" for name in ("keras", "tensorflow")))
square, oblong = drawn(2, 8, 8, 3), drawn(2, 8, 6, 3)
of_columns = drawn(1, 1, 8, 1)
results = {
    "oblong image and columns": compared(oblong, drawn(1, 1, 6, 1)),
    "square image and columns": compared(square, of_columns),
    "columns and square image": compared(of_columns, square),
    "square image and columns, subtracted": compared(square, of_columns, keras.ops.subtract, np.subtract),
    "square image and columns, multiplied": compared(square, of_columns, keras.ops.multiply, np.multiply),
    "rows and columns": compared(drawn(1, 8, 1, 1), of_columns),
    "(4, 3, 5) and (3, 1)": compared(drawn(4, 3, 5), drawn(3, 1)),
    "(4, 3, 3) and (3, 1)": compared(drawn(4, 3, 3), drawn(3, 1)),
}
for name, (equal, shape) in results.items():
    print(f"{name}: {'as NumPy' if equal else 'differs'}, shape {shape}")
wrong = {name for name, (equal, _) in results.items() if not equal}
to_rows = np.allclose(keras.ops.add(square, of_columns), square + of_columns.reshape(1, 8, 1, 1))
inferred = keras.ops.add(keras.Input((8, 1, 1)), keras.Input(batch_shape=(1, 1, 8, 1))).shape
expected = {"square image and columns", "rows and columns", "(4, 3, 3) and (3, 1)"}
if wrong != expected or not to_rows or inferred != (None, 8, 8, 1) or results["rows and columns"][1] != (1, 8, 1, 1):
    sys.exit("changed: keras.ops.add no longer takes numbers of columns for a bias as described above")
PYTHON
