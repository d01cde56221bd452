"""Writes and proves all formats of the settings: the same images, through each format's own runtime."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import tensorflow as tf

from kerasvision.config.export import Format
from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TEST, TRAIN
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ExportError
from kerasvision.export.writing.formats.converter import Exported, make_converter
from kerasvision.tasks.base import Predictions

BATCH_SIZE = 32
PARITY_EXAMPLES = 512

Numbers = Mapping[str, np.ndarray]


class Differences(TypedDict):
    """How far the numbers of two models differ.

    Attributes:
        examples: the number of rows compared.
        max_difference, mean_difference: absolute, of a number; for the output where they are largest.
        same_answers: the share of rows whose largest number is at the same place.
    """

    examples: int
    max_difference: float
    mean_difference: float
    same_answers: float


class FormatProof(Differences):
    """What `export.json` says about a format.

    Attributes:
        file: its path in the artifact.
        allowed_difference: the bound of `max_difference`.
        passed: whether `max_difference` is within the bound.
    """

    file: str
    allowed_difference: float
    passed: bool


def write_formats(
    formats: Sequence[Format],
    *,
    predict: Callable[[tf.Tensor], Predictions],
    transform: ImageTransform,
    examples: ExampleSet,
    saved_model: Path,
    folder: Path,
) -> dict[str, FormatProof]:
    """Writes each format, runs it on images of the test split, and compares it with the trained network.

    A file takes `image`, decoded images of the network's size, float32 (N, H, W, C) in [0, 255] (LiteRT: one at a time), and
    returns the numbers of the predictor, because not all of these formats support texts.

    Args:
        formats: the formats to write.
        predict: scaled images float32 (N, H, W, C) to named outputs of N rows.
        transform: the transform that the network was trained with.
        examples: the test split is for the proof, the training split for calibration.
        saved_model: the SavedModel of the same network.
        folder: of the SavedModel artifact.

    Returns:
        kind of the format -> its proof.

    Raises:
        ExportError: a converter writes no file, or its file answers with other outputs than the network.
    """

    def numbers(image: tf.Tensor) -> Predictions:
        return {name: value for name, value in predict(transform.scaled(image)).items() if value.dtype.is_floating}

    images = np.stack(list(_pixels(examples, TEST, transform, PARITY_EXAMPLES)))
    batches = [images[start : start + BATCH_SIZE] for start in range(0, len(images), BATCH_SIZE)]
    wanted = _joined([{name: value.numpy() for name, value in numbers(tf.constant(batch)).items()} for batch in batches])
    exported = Exported(
        numbers, transform.settings.image_shape, saved_model, lambda count: _pixels(examples, TRAIN, transform, count)
    )
    return {one.kind: _prove(one, exported, folder, batches, wanted) for one in formats}


def format_complaints(formats: Mapping[str, FormatProof]) -> list[str]:
    """A complaint for each format that did not pass, from the result of `write_formats`.

    >>> proof = {"passed": False, "max_difference": 0.5, "allowed_difference": 0.0001}
    >>> format_complaints({"onnx": proof})
    ['onnx: numbers differ by up to 0.5 (allowed: 0.0001)']
    """
    return [
        f"{name}: numbers differ by up to {one['max_difference']:.3g} (allowed: {one['allowed_difference']:g})"
        for name, one in formats.items()
        if not one["passed"]
    ]


def compare_numbers(received: Numbers, wanted: Numbers) -> Differences:
    """How far the numbers of two models differ. Both have the same outputs, float32 or float64 (N, ...), of equal shapes.

    >>> compare_numbers({"scores": np.array([[.5, .5]])}, {"scores": np.array([[.25, .75]])})
    {'examples': 1, 'max_difference': 0.25, 'mean_difference': 0.25, 'same_answers': 0.0}
    """
    # NaN differs from every number by infinity.
    gaps = {name: np.nan_to_num(np.abs(received[name] - rows), nan=np.inf, posinf=np.inf) for name, rows in wanted.items()}
    places = [(received[name].argmax(axis=-1), rows.argmax(axis=-1)) for name, rows in wanted.items() if rows.ndim > 1]
    return {
        "examples": len(next(iter(wanted.values()))),
        "max_difference": float(max(gap.max() for gap in gaps.values())),
        "mean_difference": float(max(gap.mean() for gap in gaps.values())),
        "same_answers": float(min((np.mean(here == there) for here, there in places), default=1.0)),
    }


def _prove(
    settings: Format, exported: Exported, folder: Path, batches: Sequence[np.ndarray], wanted: Numbers
) -> FormatProof:
    """Writes one format, runs its file, and compares."""
    received = _written_and_asked(settings, exported, folder / settings.file, batches)
    _check_outputs(settings, received, wanted)
    found, allowed = compare_numbers(received, wanted), settings.max_difference
    passed = found["max_difference"] <= allowed
    return {"file": settings.file, **found, "allowed_difference": allowed, "passed": passed}


def _written_and_asked(settings: Format, exported: Exported, file: Path, batches: Sequence[np.ndarray]) -> Numbers:
    converter = make_converter(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    converter.write(exported, file)
    if not file.exists():
        raise ExportError(
            f"the format {settings.kind} must write {settings.file}; there is no such file after `write`",
            hint=f"correct {settings.implementation}",
        )
    ask = converter.load(file)
    return _joined([ask(batch) for batch in batches])


def _check_outputs(settings: Format, received: Numbers, wanted: Numbers) -> None:
    for name, rows in wanted.items():
        if name not in received or received[name].shape != rows.shape:
            raise ExportError(
                f"a file of the format {settings.kind} must answer with an output {name} of shape {rows.shape}",
                received={output: values.shape for output, values in received.items()},
                hint=f"correct {settings.implementation}",
            )


def _pixels(examples: ExampleSet, split: str, transform: ImageTransform, count: int) -> Iterator[np.ndarray]:
    for example in examples.dataset(split).take(count):
        yield transform.pixels(example["image"]).numpy()


def _joined(batches: Sequence[Numbers]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
