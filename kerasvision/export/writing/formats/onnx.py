"""ONNX models, for runtimes other than TensorFlow's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import tensorflow as tf
import tf2onnx

OPSET = 18


def write_onnx(function: tf.types.experimental.GenericFunction, file: Path) -> None:
    """Writes a tf.function of `image` float32 (None, H, W, C), with its named outputs."""
    tf2onnx.convert.from_function(function, input_signature=function.input_signature, opset=OPSET, output_path=str(file))


def ask_onnx(file: Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """The file as a function: images float32 (N, H, W, C) to named outputs."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def ask(images: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, {"image": images}), strict=True))

    return ask
