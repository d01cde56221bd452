"""ONNX models, for runtimes other than TensorFlow's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import tf2onnx

from kerasvision.config.export import Onnx
from kerasvision.export.writing.formats.converter import Exported
from kerasvision.served.signatures import TENSOR_INPUT


class OnnxConverter:
    """Writes and runs models that take batches of any size."""

    def __init__(self, settings: Onnx) -> None:
        self._opset = settings.opset

    def write(self, exported: Exported, file: Path) -> None:
        """Writes a model with the input `image`, float32 (N, H, W, C), and named outputs."""
        function = exported.function(None)
        tf2onnx.convert.from_function(
            function, input_signature=function.input_signature, opset=self._opset, output_path=str(file)
        )

    def load(self, file: Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        """The file as a function: images float32 (N, H, W, C) in [0, 255] to named outputs (N, ...)."""
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]

        def ask(images: np.ndarray) -> dict[str, np.ndarray]:
            return dict(zip(names, session.run(names, {TENSOR_INPUT: images}), strict=True))

        return ask
