"""A trained network to its file and back."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import keras
import numpy as np

from kerasvision.config.keras_files import Fault, add_names, file_fault, loading_fault
from kerasvision.errors import ExportError
from kerasvision.ops.normalization import fused


def save_network(model: keras.Model, file: Path, *, names: Sequence[str]) -> None:
    """Writes a `.keras` file that also says which classes the head is for; Keras alone loads it as any other.

    Args:
        model: the network.
        file: where to; its folder is made.
        names: of the classes, in the order of their numbers.

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
    """A trained network, for prediction only. Code hidden in the file (a Lambda layer) is refused, not run.

    Raises:
        ExportError: the file is missing, damaged, hostile, or has weights that are not finite; the message says which.
    """
    fault = file_fault(file)
    if fault is not None:
        raise _unusable(file, fault)
    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    # What is read here anybody may have written, and Keras raises whatever it stumbles over.
    except Exception as error:
        raise _unusable(file, loading_fault(file, error)) from error
    where = not_finite(model.layers)
    if where:
        raise _unusable(file, Fault(f"has weights that are not finite: {where}", "take the file of another training"))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            fused(layer)
    return model


def not_finite(layers: Iterable[keras.Layer]) -> str:
    """The first weight that holds NaN or infinity, in words; "" where all numbers are finite.

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
