"""All formats that are asked for, written and proven: the same images, asked through each format's own runtime."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TEST, TRAIN
from kerasvision.data.transform import ImageTransform
from kerasvision.export.writing.saved_model import TENSOR_INPUT
from kerasvision.tasks.base import Predictions

BATCH_SIZE = 32
PARITY_EXAMPLES = 512
CALIBRATION_EXAMPLES = 128
FILES = {
    "litert": "Format-LiteRT/model.tflite",
    "litert_int8": "Format-LiteRT/model_int8.tflite",
    "onnx": "Format-ONNX/model.onnx",
}
# The largest difference of a number. Whole numbers of 8 bits round: LeNet-5's scores moved by 0.003.
ALLOWED = {"litert": 1e-4, "litert_int8": 0.15, "onnx": 1e-4}


def write_formats(
    formats: Sequence[str],
    *,
    predict: Callable[[tf.Tensor], Predictions],
    transform: ImageTransform,
    examples: ExampleSet,
    folder: Path,
) -> dict[str, dict[str, object]]:
    """Writes each format, asks it about images of the test split, and compares.

    What is written takes `image`, decoded images of the network's size, float32 (N, H, W, C) in [0, 255] (LiteRT: one at a
    time), and gives the numbers of the predictor: these formats know no texts, or not all of them do.

    Args:
        formats: names in `FILES`.
        predict: scaled images to named outputs.
        transform: what the network was trained behind.
        examples: the test split proves, the training split calibrates.
        folder: of the SavedModel artifact.

    Returns:
        format -> `file`, what `compare_numbers` found, `allowed_difference`, and whether it `passed`.
    """

    def numbers(image: tf.Tensor) -> Predictions:
        return {name: value for name, value in predict(transform.scaled(image)).items() if value.dtype.is_floating}

    images = np.stack(list(_pixels(examples, TEST, transform, PARITY_EXAMPLES)))
    batches = [images[start : start + BATCH_SIZE] for start in range(0, len(images), BATCH_SIZE)]
    wanted = _joined([{name: value.numpy() for name, value in numbers(tf.constant(batch)).items()} for batch in batches])
    written = {}
    for name in formats:
        file = folder / FILES[name]
        file.parent.mkdir(exist_ok=True)
        ask = _write(name, numbers, file, shape=images.shape[1:], examples=examples, transform=transform)
        found = compare_numbers(_joined([ask(batch) for batch in batches]), wanted)
        bounds = {"allowed_difference": ALLOWED[name], "passed": found["max_difference"] <= ALLOWED[name]}
        written[name] = {"file": FILES[name], **found, **bounds}
    return written


def format_complaints(formats: Mapping[str, Mapping]) -> list[str]:
    """A complaint for each format that did not pass, as `write_formats` left them.

    >>> format_complaints({"onnx": {"passed": False, "max_difference": 0.5, "allowed_difference": 0.0001}})
    ['onnx: numbers differ by up to 0.5 (allowed: 0.0001)']
    """
    return [
        f"{name}: numbers differ by up to {one['max_difference']:.3g} (allowed: {one['allowed_difference']:g})"
        for name, one in formats.items()
        if not one["passed"]
    ]


def compare_numbers(received: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Rows, the largest and the mean difference, and the share of rows whose largest number stands at the same place.

    >>> compare_numbers({"scores": np.array([[.5, .5]])}, {"scores": np.array([[.25, .75]])})
    {'examples': 1, 'max_difference': 0.25, 'mean_difference': 0.25, 'same_answers': 0.0}
    """
    # NaN differs from everything by infinity.
    gaps = {name: np.nan_to_num(np.abs(received[name] - rows), nan=np.inf, posinf=np.inf) for name, rows in wanted.items()}
    places = [(received[name].argmax(axis=-1), rows.argmax(axis=-1)) for name, rows in wanted.items() if rows.ndim > 1]
    return {
        "examples": len(next(iter(wanted.values()))),
        "max_difference": float(max(gap.max() for gap in gaps.values())),
        "mean_difference": float(max(gap.mean() for gap in gaps.values())),
        "same_answers": float(min((np.mean(here == there) for here, there in places), default=1.0)),
    }


def _write(
    name: str,
    numbers: Callable[[tf.Tensor], Predictions],
    file: Path,
    *,
    shape: tuple[int, ...],
    examples: ExampleSet,
    transform: ImageTransform,
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Writes one format; returns what asks it."""
    spec = tf.TensorSpec([None if name == "onnx" else 1, *shape], tf.float32, name=TENSOR_INPUT)
    function = tf.function(numbers, autograph=False, input_signature=[spec])
    # Each format's packages are imported where it is asked for, and only there.
    if name == "onnx":
        from kerasvision.export.writing.formats.onnx import ask_onnx, write_onnx

        write_onnx(function, file)
        return ask_onnx(file)
    from kerasvision.export.writing.formats.litert import ask_litert, write_litert

    images = (image[np.newaxis] for image in _pixels(examples, TRAIN, transform, CALIBRATION_EXAMPLES))
    write_litert(function, file, calibration=images if name == "litert_int8" else None)
    return ask_litert(file)


def _pixels(examples: ExampleSet, split: str, transform: ImageTransform, count: int) -> Iterator[np.ndarray]:
    for example in examples.dataset(split).take(count):
        yield transform.pixels(example["image"]).numpy()


def _joined(batches: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
