"""OpenVINO models, in float32 or in bfloat16."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
import tensorflow as tf

from kerasvision.config.export import OpenVino, OpenVinoBfloat16
from kerasvision.export.writing.formats.converter import Exported
from kerasvision.served.openvino import in_bfloat16, in_float32, not_supported


class OpenVinoConverter:
    """Writes and runs models that take batches of any size, in float32."""

    ask = staticmethod(in_float32)

    def __init__(self, settings: OpenVino | OpenVinoBfloat16) -> None:
        self._kind = settings.kind

    def write(self, exported: Exported, file: Path) -> None:
        """Writes a model with the input `image`, float32 (N, H, W, C), and named outputs; its weights are in a `.bin` file.

        Raises:
            ExportError: OpenVINO has no such operation.
        """
        write_openvino(exported, file, kind=self._kind)

    def load(self, file: Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        """The file as a function: images float32 (N, H, W, C) in [0, 255] to named outputs (N, ...)."""
        return self.ask(file)


class OpenVinoBfloat16Converter(OpenVinoConverter):
    """Writes the same models, and runs them in bfloat16. Inputs, outputs and the file are float32."""

    ask = staticmethod(in_bfloat16)


def write_openvino(exported: Exported, file: Path, *, kind: str) -> None:
    """Writes the `.xml` file, and the `.bin` file with the weights next to it.

    OpenVINO reads a SavedModel of the function, and not the function itself: its converter in Python for that reports its
    use to a server.

    Args:
        exported: the network.
        file: the path of the `.xml` file.
        kind: the name of the format, for errors.

    Raises:
        ExportError: OpenVINO has no such operation, or cannot write the file.
    """
    function = exported.function(None)
    module, concrete = tf.Module(), function.get_concrete_function()
    module.serve, module.weights = function, list(concrete.variables)
    with tempfile.TemporaryDirectory() as scratch:
        tf.saved_model.save(module, scratch, signatures=concrete)
        try:
            openvino.save_model(openvino.Core().read_model(scratch), file, compress_to_fp16=False)
        except RuntimeError as error:
            raise not_supported(error, engine=kind) from error
