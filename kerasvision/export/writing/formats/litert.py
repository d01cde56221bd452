"""LiteRT models (formerly TensorFlow Lite), for phones and small computers: in float32, or in 8-bit whole numbers.

Source: https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/post_training_integer_quant: weights and
activations become int8, by scales that calibration images give; inputs and outputs stay float32.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

SIGNATURE = "serving_default"  # so the converter names it


def write_litert(
    function: tf.types.experimental.GenericFunction, file: Path, *, calibration: Iterable[np.ndarray] | None
) -> None:
    """Writes a model that takes one image.

    Args:
        function: of `image` float32 (1, H, W, C), with named outputs.
        file: where to.
        calibration: images, float32 (1, H, W, C), by which the scales of int8 are chosen; None leaves it in float32.
    """
    module, concrete = tf.Module(), function.get_concrete_function()
    # Without an owner of function and weights the converter leaves the signature out.
    module.serve, module.weights = function, list(concrete.variables)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    if calibration is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image] for image in calibration)
    file.write_bytes(converter.convert())


def ask_litert(file: Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """The file as a function: images float32 (N, H, W, C) to named outputs."""
    runner = Interpreter(model_path=str(file)).get_signature_runner(SIGNATURE)

    def ask(images: np.ndarray) -> dict[str, np.ndarray]:
        # The runner's arrays are views of memory that the next call writes over.
        rows = [{name: np.array(value) for name, value in runner(image=image[np.newaxis]).items()} for image in images]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    return ask
