"""Writes and proves all formats of the settings: the same images, through each format's own runtime.

A format that is also an engine of `kerasvision.lookup.ENGINES` gets two models: one that answers by itself, and the network
alone, for servers of the SavedModel. Engines of the same package share the network.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypedDict

import numpy as np
import tensorflow as tf

from kerasvision.config.export import Format
from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TEST, TRAIN
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ExportError
from kerasvision.export.writing.class_maps import Maps, without_other_pixels
from kerasvision.export.writing.differences import (
    AlsoRight,
    Sets,
    aligned,
    allowed_images,
    differing_rows,
    excused_rows,
    gaps,
    without_excused,
)
from kerasvision.export.writing.formats.converter import Exported, make_converter
from kerasvision.export.writing.shared_network import SharedNetwork
from kerasvision.lookup import ENGINES
from kerasvision.served.engine import exported_mark, network_file
from kerasvision.served.model import ServedModel
from kerasvision.served.signatures import TENSOR_SIGNATURE
from kerasvision.tasks.base import Predictions

BATCH_SIZE = 32
PARITY_EXAMPLES = 512

Numbers = Mapping[str, np.ndarray]


class Differences(TypedDict):
    """How far the numbers of two models differ.

    Attributes:
        examples: the number of images compared.
        max_difference, mean_difference: absolute, of a number that is not whole; for the output where they are largest.
        other_decisions: the number of images with other whole numbers, or with other rows in a set.
        same_answers: the share of images whose largest number is at the same place, and whose sets have the same rows.
    """

    examples: int
    max_difference: float
    mean_difference: float
    other_decisions: int
    same_answers: float


class FormatProof(Differences):
    """What `export.json` says about a format.

    Attributes:
        file: its path in the artifact.
        allowed_difference: the bound of `max_difference`.
        allowed_decisions: the bound of `other_decisions`, see `allowed_images`.
        passed: whether both are within their bounds.
    """

    file: str
    allowed_difference: float
    allowed_decisions: int
    passed: bool


class Kinds(NamedTuple):
    """How outputs are compared: as in `Task.sets`, `Task.maps`, `Task.units` and `Task.also_right`."""

    sets: Sets
    maps: Maps
    units: Numbers
    also_right: AlsoRight


def write_formats(
    formats: Sequence[Format],
    *,
    predict: Callable[[tf.Tensor], Predictions],
    sets: Sets,
    transform: ImageTransform,
    examples: ExampleSet,
    saved_model: Path,
    folder: Path,
    maps: Maps = MappingProxyType({}),
    units: Numbers = MappingProxyType({}),
    also_right: AlsoRight = lambda received, expected, closeness: {},
    network: SharedNetwork | None = None,
) -> dict[str, FormatProof]:
    """Writes each format, runs it on images of the test split, and compares it with the trained network.

    A file takes `image`, decoded images of the network's size, float32 (N, H, W, C) in [0, 255] (LiteRT: one at a time), and
    returns the numbers of the predictor, because not all of these formats support texts. Positions are those in `image`.

    Args:
        formats: the formats to write.
        predict: scaled images float32 (N, H, W, C) to named outputs of N rows.
        sets: which of these outputs are sets, as in `Task.sets`.
        transform: the transform that the network was trained with.
        examples: the test split is for the proof, the training split for calibration.
        saved_model: the SavedModel of the same network.
        folder: of the SavedModel artifact.
        maps: which outputs are maps of classes, as in `Task.maps`.
        units: what differences of numbers are divided by, as in `Task.units`.
        also_right: in which rows another decision is also right, as `Task.also_right`.
        network: the network alone, if the SavedModel has its `parts`: it is written for the formats that are also engines,
            and the answers of the SavedModel with each of these engines are proven too.

    Returns:
        kind of the format -> its proof; `serve --engine <kind>` -> the proof of the SavedModel with that engine.

    Raises:
        ExportError: a converter writes no file, or its file answers with other outputs than the network.
    """

    def numbers(image: tf.Tensor) -> Predictions:
        return {name: value for name, value in predict(transform.scaled(image)).items() if value.dtype != tf.string}

    images = np.stack(list(_pixels(examples, TEST, transform, PARITY_EXAMPLES)))
    batches = [images[start : start + BATCH_SIZE] for start in range(0, len(images), BATCH_SIZE)]
    wanted = _joined([{name: value.numpy() for name, value in numbers(tf.constant(batch)).items()} for batch in batches])
    exported = Exported(
        numbers, transform.settings.image_shape, saved_model, lambda count: _pixels(examples, TRAIN, transform, count)
    )
    kinds = Kinds(sets, maps, units, also_right)
    proofs, written = {}, set[Path]()
    for one in formats:
        received = _written_and_asked(one, exported, folder / one.file, batches)
        proofs[one.kind] = _judged(one, one.file, received, wanted, kinds)
        if network is not None and one.kind in ENGINES:
            file = network_file(saved_model, one.kind)
            if file not in written:
                file.parent.mkdir(parents=True, exist_ok=True)
                make_converter(one).write(replace(exported, numbers=network.numbered), file)
                written.add(file)
            received = _asked_engine(one, saved_model, batches)
            proofs[f"serve --engine {one.kind}"] = _judged(one, str(file.relative_to(folder)), received, wanted, kinds)
    return proofs


def format_complaints(formats: Mapping[str, FormatProof]) -> list[str]:
    """Complaints about the formats that did not pass, from the result of `write_formats`.

    >>> proof = {"passed": False, "max_difference": 0.5, "allowed_difference": 0.0001}
    >>> format_complaints({"onnx": {**proof, "other_decisions": 0, "allowed_decisions": 0, "examples": 9}})
    ['onnx: numbers differ by up to 0.5 (allowed: 0.0001)']
    """
    complaints = []
    for name, one in formats.items():
        if one["max_difference"] > one["allowed_difference"]:
            apart, most = one["max_difference"], one["allowed_difference"]
            complaints.append(f"{name}: numbers differ by up to {apart:.3g} (allowed: {most:g})")
        if one["other_decisions"] > one["allowed_decisions"]:
            complaints.append(f"{name}: other whole numbers or rows in {one['other_decisions']} of {one['examples']} images")
    return complaints


def compare_numbers(
    received: Numbers,
    wanted: Numbers,
    *,
    sets: Sets = MappingProxyType({}),
    maps: Maps = MappingProxyType({}),
    units: Numbers = MappingProxyType({}),
    also_right: AlsoRight = lambda received, expected, closeness: {},
    closeness: float = 0.0,
) -> Differences:
    """How far the numbers of two models differ, after the rows of sets were matched.

    The share of pixels with another class in a map counts as a difference of a number.

    Args:
        received, wanted: the same outputs, numbers (N, ...), of equal shapes.
        sets, closeness: see `kerasvision.export.writing.differences.aligned`.
        maps: see `kerasvision.export.writing.class_maps`.
        units, also_right: see `write_formats`.

    >>> compare_numbers({"scores": np.array([[.5, .5]])}, {"scores": np.array([[.25, .75]])})
    {'examples': 1, 'max_difference': 0.25, 'mean_difference': 0.25, 'other_decisions': 0, 'same_answers': 0.0}
    """
    compared = without_other_pixels(received, wanted, maps)
    pixels = list(compared.other_pixels.values())
    made = aligned(compared.received, compared.wanted, sets, closeness=closeness)
    pairs = {name: (made.received[name], rows) for name, rows in made.wanted.items()}
    excused = excused_rows(also_right, received, wanted, closeness=closeness)
    apart = [
        without_excused(gaps(*pair, unit=units.get(name)), excused.get(name), allowed=closeness)
        for name, pair in pairs.items()
        if pair[1].dtype.kind == "f"
    ]
    whole = [
        differing_rows(*pair) & ~(made.unmatched | excused.get(name, False))
        for name, pair in pairs.items()
        if pair[1].dtype.kind != "f"
    ]
    in_sets = {name for corners, others in sets.items() for name in (corners, *others)}
    lists = [pair for name, pair in pairs.items() if name not in in_sets and pair[1].ndim > 1]
    same = [np.mean(one.argmax(axis=-1) == other.argmax(axis=-1)) for one, other in lists]
    return {
        "examples": len(made.unmatched),
        "max_difference": float(max([*pixels, *(gap.max(initial=0.0) for gap in apart)], default=0.0)),
        "mean_difference": float(max([*pixels, *(gap.mean() for gap in apart)], default=0.0)),
        "other_decisions": int(np.logical_or.reduce([made.unmatched, *whole]).sum()),
        "same_answers": float(min([*same, 1.0 - made.unmatched.mean()])),
    }


def _judged(settings: Format, file: str, received: Numbers, wanted: Numbers, kinds: Kinds) -> FormatProof:
    """Compares the answers of a file."""
    _check_outputs(settings, received, wanted)
    allowed = settings.max_difference
    found = compare_numbers(received, wanted, **kinds._asdict(), closeness=allowed)
    most = allowed_images(found["examples"], sets=kinds.sets)
    passed = found["max_difference"] <= allowed and found["other_decisions"] <= most
    return {
        "file": file,
        **found,
        "allowed_difference": allowed,
        "allowed_decisions": most,
        "passed": passed,
    }


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


def _asked_engine(settings: Format, saved_model: Path, batches: Sequence[np.ndarray]) -> Numbers:
    """Asks the SavedModel about decoded images through an engine that has its network."""
    exported_mark(saved_model, settings.kind).touch()
    served = ServedModel(saved_model, engine=settings.kind)
    answers = [served(TENSOR_SIGNATURE, image=tf.constant(batch)) for batch in batches]
    return _joined([{name: value.numpy() for name, value in one.items()} for one in answers])


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
