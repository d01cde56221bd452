"""OpenVINO models, in float32 or in bfloat16."""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
import tensorflow as tf

from kerasvision.config.export import OpenVino, OpenVinoBfloat16
from kerasvision.errors import ExportError
from kerasvision.export.writing.formats.converter import Exported
from kerasvision.served.openvino import in_bfloat16, in_float32


class OpenVinoConverter:
    """Writes and runs models that take batches of any size, in float32."""

    ask = staticmethod(in_float32)

    def __init__(self, settings: OpenVino | OpenVinoBfloat16) -> None:
        pass  # these formats have no settings of their own

    def write(self, exported: Exported, file: Path) -> None:
        """Writes a model with the input `image`, float32 (N, H, W, C), and named outputs; its weights are in a `.bin` file.

        Raises:
            ExportError: OpenVINO has no such operation.
        """
        write_openvino(exported, file)

    def load(self, file: Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        """The file as a function: images float32 (N, H, W, C) in [0, 255] to named outputs (N, ...)."""
        return self.ask(file)


class OpenVinoBfloat16Converter(OpenVinoConverter):
    """Writes the same models, and runs them in bfloat16. Inputs, outputs and the file are float32."""

    ask = staticmethod(in_bfloat16)


def write_openvino(exported: Exported, file: Path) -> None:
    """Writes the `.xml` file, and the `.bin` file with the weights next to it.

    OpenVINO reads a SavedModel of the function, and not the function itself: its converter in Python for that reports its
    use to a server.

    Raises:
        ExportError: OpenVINO has no such operation.
    """
    function = exported.function(None)
    module, concrete = tf.Module(), function.get_concrete_function()
    module.serve, module.weights = function, list(concrete.variables)
    with tempfile.TemporaryDirectory() as scratch:
        tf.saved_model.save(module, scratch, signatures=concrete)
        try:
            model = openvino.Core().read_model(scratch)
        except RuntimeError as error:
            raise ExportError(_complaint(str(error)), hint="remove openvino from export.formats") from error
        openvino.save_model(model, file, compress_to_fp16=False)


def _complaint(text: str) -> str:
    """What OpenVINO's error means.

    >>> _complaint("Summary:\\n-- No conversion rule found for operations: Svd, Zeta\\nTo facilitate")
    'OpenVINO lacks operations of the network: Svd, Zeta'
    >>> _complaint("Exception from core.cpp:84:\\n-- Where with a message:\\nrank must be static\\n\\n")
    'OpenVINO cannot convert the network: Where: rank must be static'
    """
    if found := re.search(r"No conversion rule found for operations: (.+)", text):
        return f"OpenVINO lacks operations of the network: {found[1].strip()}"
    failed = re.search(r"-- (\w+) with a message:\n((?:.+\n)+)", text)
    lines = text.strip().splitlines() or ["no reason given"]
    return f"OpenVINO cannot convert the network: {f'{failed[1]}: {failed[2].splitlines()[-1]}' if failed else lines[-1]}"
