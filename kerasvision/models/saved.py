"""A trained network from its file."""

from pathlib import Path

import keras

from kerasvision.errors import ExportError
from kerasvision.ops.normalization import fused


def load_network(file: Path) -> keras.Model:
    """A trained network, for prediction only. Code hidden in the file (a Lambda layer) is refused, not run.

    Raises:
        ExportError: the file is missing, damaged or hostile.
    """
    if not file.is_file():
        raise ExportError(f"there is no model file {file}")
    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except (ValueError, OSError, KeyError, TypeError) as error:
        # Keras says "File not found" of a .keras file that is cut short.
        raise ExportError(f"{file} is damaged or no Keras model: {str(error).splitlines()[0]}") from error
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            fused(layer)
    return model
