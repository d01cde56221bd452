"""LiteRT models (formerly TensorFlow Lite), for phones and small computers: in float32, or in 8-bit integers.

Source: https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/post_training_integer_quant: weights and
activations become int8, with scales from calibration images; inputs and outputs stay float32.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from kerasvision.config.export import LiteRt, LiteRtInt8
from kerasvision.export.writing.formats.converter import Exported

SIGNATURE = "serving_default"  # the name that the converter gives


class LiteRtConverter:
    """Writes and runs models that take one image at a time."""

    def __init__(self, settings: LiteRt) -> None:
        pass  # this format has no settings of its own

    def write(self, exported: Exported, file: Path) -> None:
        """Writes a model in float32."""
        file.write_bytes(converter_of(exported).convert())

    def load(self, file: Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        """The file as a function: images float32 (N, H, W, C) in [0, 255] to named outputs (N, ...)."""
        return ask_litert(file)


class LiteRtInt8Converter:
    """Writes and runs such models in 8-bit integers."""

    def __init__(self, settings: LiteRtInt8) -> None:
        self._count = settings.calibration_images

    def write(self, exported: Exported, file: Path) -> None:
        """Writes a model in int8, with scales from images of the train split."""
        converter = converter_of(exported)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in exported.calibration(self._count))
        file.write_bytes(converter.convert())

    def load(self, file: Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        """The file as a function: images float32 (N, H, W, C) in [0, 255] to named outputs (N, ...)."""
        return ask_litert(file)


def converter_of(exported: Exported) -> "tf.lite.TFLiteConverter":
    """TensorFlow's converter for a network that takes one image."""
    function = exported.function(1)
    module, concrete = tf.Module(), function.get_concrete_function()
    # Without an object that owns the function and the weights, the converter leaves out the signature.
    module.serve, module.weights = function, list(concrete.variables)
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)


def ask_litert(file: Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """The file as a function: images float32 (N, H, W, C) in [0, 255] to named outputs (N, ...)."""
    runner = Interpreter(model_path=str(file)).get_signature_runner(SIGNATURE)

    def ask(images: np.ndarray) -> dict[str, np.ndarray]:
        # The runner's arrays are views of memory that the next call overwrites.
        rows = [{name: np.array(value) for name, value in runner(image=image[np.newaxis]).items()} for image in images]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    return ask
