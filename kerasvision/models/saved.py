"""Saves a trained network to a file, and loads it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import keras
import numpy as np

from kerasvision.config.keras_files import Fault, add_names, file_fault, loading_fault
from kerasvision.errors import ExportError
from kerasvision.ops.normalization import fused


def save_network(model: keras.Model, file: Path, *, names: Sequence[str]) -> None:
    """Writes a `.keras` file that also names the classes of the head. Keras alone can load it.

    Args:
        model: the network.
        file: its path; the folder is created.
        names: the classes in the order of their numbers.

    Raises:
        ExportError: a weight is not a finite number.
    """
    where = not_finite(model.layers)
    if where:
        raise ExportError(
            f"a trained network must have finite weights: {where}",
            hint="lower training.optimizer.learning_rate, or set training.clip_norm",
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    model.save(file)
    add_names(file, names)


def load_network(file: Path) -> keras.Model:
    """A trained network, for prediction only. A file that contains code (a Lambda layer) is rejected; the code is not run.

    Raises:
        ExportError: the file is missing, damaged or hostile, or has weights that are not finite; the message says which.
    """
    fault = file_fault(file)
    if fault is not None:
        raise _unusable(file, fault)
    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    # Anybody may have written this file, and Keras raises exceptions of any type for a bad one.
    except Exception as error:
        raise _unusable(file, loading_fault(file, error)) from error
    where = not_finite(model.layers)
    if where:
        raise _unusable(file, Fault(f"has weights that are not finite: {where}", "use the file of another training"))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            fused(layer)
    return model


def not_finite(layers: Iterable[keras.Layer]) -> str:
    """A description of the first weight that contains NaN or infinity; "" if all numbers are finite.

    >>> dense = keras.layers.Dense(2, name="dense")
    >>> dense.build((None, 3))
    >>> dense.kernel.assign([[1.0, np.inf], [0.0, np.nan], [0.0, 0.0]]) is None, not_finite([dense])
    (False, '2 of the 6 numbers in kernel of layer dense are NaN or infinite')
    """
    for layer in layers:
        for weight in layer.weights:
            numbers = keras.ops.convert_to_numpy(weight)
            bad = 0 if numbers.dtype.kind not in "fV" else int((~np.isfinite(numbers.astype(np.float32))).sum())
            if bad:
                return f"{bad} of the {numbers.size} numbers in {weight.name} of layer {layer.name} are NaN or infinite"
    return ""


def _unusable(file: Path, fault: Fault) -> ExportError:
    return ExportError(f"the model file {file} {fault.reason}", hint=fault.hint)
