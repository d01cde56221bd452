"""Writes everything that the exporter stage makes: the SavedModel, the other formats, and a record of both."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasvision.config.export import SAVED_MODEL_FOLDER, Format
from kerasvision.config.stages import ExporterSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.names import class_names
from kerasvision.data.splits import VALIDATION
from kerasvision.data.transform import ImageTransform
from kerasvision.data.validating.schema import DataSchema
from kerasvision.errors import ConfigError
from kerasvision.export.writing.fast_network import fast_network
from kerasvision.export.writing.formats.writing import write_formats
from kerasvision.export.writing.parts import AfterNetwork
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.export.writing.shared_network import SharedNetwork
from kerasvision.export.writing.viewed import over_views
from kerasvision.lookup import ENGINES
from kerasvision.models.saved import load_network
from kerasvision.ops.processor import BFLOAT16_FLAGS, fast_bfloat16
from kerasvision.progress import say
from kerasvision.tasks.base import Predictions, Task, Temperature, make_task

BATCH_SIZE = 32


@dataclass(frozen=True)
class TrainedFiles:
    """The input files of an export.

    Attributes:
        model: the trained `.keras` file.
        examples: the prepared data set.
        schema: `schema.json`.
        transform: `transform.json`.
    """

    model: Path
    examples: Path
    schema: Path
    transform: Path


def export(files: TrainedFiles, *, settings: ExporterSettings, folder: Path, fitted: Path | None = None) -> None:
    """Writes `Format-Serving`, the other formats of the settings, and `export.json`.

    `export.json` contains the `signatures` (inputs and outputs: type, shape, meaning), the `temperature` (its value, and its
    effect on the validation images; null if the scores are not calibrated), the names of the views in `test_time`, the
    `precision` of a fast network (null if the network computes as it was trained), the `decisions` of the task (null if it
    serves none), and the `formats`, each with the result of `write_formats`.

    Args:
        files: the trained network, and the data to calibrate with.
        settings: the task, and what to export.
        folder: of the SavedModel artifact; must exist.
        fitted: `export.json` of the model whose temperature and decisions are used; None: both are made on the validation
            images.
    """
    asked = settings.export
    network, transform = load_network(files.model), ImageTransform.load(files.transform)
    examples = ExampleSet(files.examples)
    names = class_names(files.transform, labels=DataSchema.load(files.schema).classes)
    task = make_task(settings.task, names).seeing(transform)
    answering, seen = over_views(network, task=task, transform=transform, test_time=asked.test_time)
    known = _read_record(fitted) if fitted else {}
    found = None
    if asked.temperature:
        found = Temperature(**known["temperature"]) if known else _fit_temperature(answering, task, examples, seen)
    temperature, saved_model = found.value if found else 1.0, folder / SAVED_MODEL_FOLDER
    if task.serves_decisions:
        predict = task.predictor(answering, temperature=temperature)
        decisions = known.get("decisions")
        task = task.with_decisions(decisions) if decisions else _decided(task, predict, examples, seen)
    shared, after_network = _for_engines(answering, task, seen, asked.formats, temperature=temperature)
    precision = _precision(asked.precision)
    signatures = export_saved_model(
        network,
        task=task,
        transform=transform,
        folder=saved_model,
        temperature=temperature,
        max_pixels=asked.max_pixels,
        test_time=asked.test_time,
        category_ids=examples.category_ids,
        after_network=after_network,
        fast=fast_network(network, precision=precision) if precision else None,
    )
    formats = {}
    if asked.formats:
        predict = task.predictor(answering, temperature=temperature)
        formats = write_formats(
            asked.formats,
            predict=lambda images: task.in_frame(predict(images)),
            sets=task.sets(),
            maps=task.maps(),
            units=task.units(network),
            also_right=task.also_right,
            transform=seen,
            examples=examples,
            saved_model=saved_model,
            folder=folder,
            network=shared if after_network else None,
        )
    record = {
        "signatures": signatures,
        "temperature": asdict(found) if found else None,
        "test_time": asked.test_time,
        "precision": precision,
        "decisions": task.decisions() or None,
        "formats": formats,
    }
    (folder / "export.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _for_engines(
    network: keras.Model, task: Task, transform: ImageTransform, formats: Sequence[Format], *, temperature: float
) -> tuple[SharedNetwork, AfterNetwork | None]:
    """The network as one function, and what makes answers of its outputs; None if no format is an engine for it."""
    shared = SharedNetwork(network, shape=transform.settings.image_shape)
    engines = [one.kind for one in formats if one.kind in ENGINES]
    after = shared.answers_of(task, temperature=temperature) if engines else None
    if engines and after is None:
        reason = "its answers need more than one call of the network with the images"
        say(f"`kerasvision serve --engine` cannot run this model: {reason}")
    return shared, after


def _precision(asked: str | None) -> str | None:
    """The precision that the settings choose; "auto" depends on this machine's processor."""
    if asked != "auto":
        return asked
    found = fast_bfloat16()
    if found:
        say(f"serving in bfloat16, which this processor multiplies fast ({', '.join(found)})")
    else:
        say(f"serving in float32: this processor has none of {', '.join(BFLOAT16_FLAGS)}")
    return "bfloat16" if found else "float32"


def _read_record(file: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return record


def _decided(
    task: Task, predict: Callable[[tf.Tensor], Predictions], examples: ExampleSet, transform: ImageTransform
) -> Task:
    """The task with what it decides on the answers for the validation images; unchanged if there are none."""
    truth, answers = [], []
    for images, true in _validation_batches(task, examples, transform):
        kept, measured = task.measured(true, {name: value.numpy() for name, value in predict(images).items()})
        truth.append(kept)
        answers.append(measured)
    if not truth:
        say("there is no validation split, so the exported model decides by the defaults of its task")
        return task
    predictions = {name: np.concatenate([one[name] for one in answers]) for name in answers[0]}
    return task.decided_on(truth=np.concatenate(truth), predictions=predictions)


def _fit_temperature(network: keras.Model, task: Task, examples: ExampleSet, transform: ImageTransform) -> Temperature:
    if not examples.count(VALIDATION):
        raise ConfigError(
            "export.temperature is fitted on the validation split, which is empty",
            hint="raise splits.validation, or remove export.temperature",
        )
    return task.fit_temperature(network, _validation_batches(task, examples, transform))


def _validation_batches(
    task: Task, examples: ExampleSet, transform: ImageTransform
) -> Iterator[tuple[tf.Tensor, np.ndarray]]:
    """Scaled images of the validation split, float32 (N, H, W, C), with their truth; no batch if it is empty."""
    if examples.count(VALIDATION):
        for batch in examples.dataset(VALIDATION).ragged_batch(BATCH_SIZE):
            yield tf.map_fn(transform, batch["image"], fn_output_signature=tf.float32), task.truth(batch)
