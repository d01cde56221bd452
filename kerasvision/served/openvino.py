"""A network in OpenVINO's format, compiled for this processor.

Source: https://docs.openvino.ai/2026/openvino-workflow/running-inference/optimize-inference/precision-control.html: the file
does not say in which type the network is computed; the hint does, where the processor multiplies that type fast.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import openvino

from kerasvision.errors import ExportError

# Images float32 (N, H, W, C) -> output name -> (N, ...).
Ask = Callable[[np.ndarray], dict[str, np.ndarray]]


def compiled(file: Path, *, precision: str, engine: str) -> Ask:
    """The file as a function of the one input of its network. Only one thread at a time may call it.

    Args:
        file: the `.xml` file, next to the `.bin` file with its weights.
        precision: "f32" or "bf16".
        engine: its name, for errors.

    Raises:
        ExportError: OpenVINO cannot read the file, or cannot compute its network on this processor.
    """
    core = openvino.Core()
    # One request at a time gets all cores.
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    try:
        model = core.compile_model(core.read_model(file), "CPU", hints)
    except RuntimeError as error:
        raise not_supported(error, engine=engine) from error

    def ask(images: np.ndarray) -> dict[str, np.ndarray]:
        found = model(images, share_inputs=True)
        # Two outputs that are the same tensor have one port with both names.
        return {name: values for port, values in found.to_dict().items() for name in port.names}

    return ask


in_float32 = partial(compiled, precision="f32", engine="openvino")
in_bfloat16 = partial(compiled, precision="bf16", engine="openvino_bfloat16")


def not_supported(error: RuntimeError, *, engine: str) -> ExportError:
    """An error of OpenVINO about a network, translated.

    >>> print(not_supported(RuntimeError("No conversion rule found for operations: Svd, Zeta\\n"), engine="openvino"))
    OpenVINO lacks operations of the network: Svd, Zeta. Remove openvino from export.formats, and serve without it.
    """
    return ExportError(_complaint(str(error)), hint=f"remove {engine} from export.formats, and serve without it")


def _complaint(text: str) -> str:
    """What OpenVINO's error means.

    >>> _complaint("Summary:\\n-- No conversion rule found for operations: Svd, Zeta\\nTo facilitate")
    'OpenVINO lacks operations of the network: Svd, Zeta'
    >>> _complaint("Exception from core.cpp:84:\\n-- Where with a message:\\nrank must be static\\n\\n")
    'OpenVINO cannot use the network: Where: rank must be static'
    """
    if found := re.search(r"No conversion rule found for operations: (.+)", text):
        return f"OpenVINO lacks operations of the network: {found[1].strip()}"
    failed = re.search(r"-- (\w+) with a message:\n((?:.+\n)+)", text)
    lines = text.strip().splitlines() or ["no reason given"]
    return f"OpenVINO cannot use the network: {f'{failed[1]}: {failed[2].splitlines()[-1]}' if failed else lines[-1]}"
