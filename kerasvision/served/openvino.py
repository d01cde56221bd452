"""A network in OpenVINO's format, compiled for this processor.

Source: https://docs.openvino.ai/2026/openvino-workflow/running-inference/optimize-inference/precision-control.html: the file
does not say in which type the network is computed; the hint does, where the processor multiplies that type fast.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import openvino

# Images float32 (N, H, W, C) -> output name -> (N, ...).
Ask = Callable[[np.ndarray], dict[str, np.ndarray]]


def compiled(file: Path, *, precision: str) -> Ask:
    """The file as a function of the one input of its network. Only one thread at a time may call it.

    Args:
        file: the `.xml` file, next to the `.bin` file with its weights.
        precision: "f32" or "bf16".
    """
    core = openvino.Core()
    # One request at a time gets all cores.
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    model = core.compile_model(core.read_model(file), "CPU", hints)

    def ask(images: np.ndarray) -> dict[str, np.ndarray]:
        found = model(images, share_inputs=True)
        # Two outputs that are the same tensor have one port with both names.
        return {name: values for port, values in found.to_dict().items() for name in port.names}

    return ask


in_float32 = partial(compiled, precision="f32")
in_bfloat16 = partial(compiled, precision="bf16")
