"""One training from folder to folder: what the trainer stage runs, here or in a process of its own."""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kerasvision.config.overrides import with_value
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.schema import DataSchema
from kerasvision.data.transform import ImageTransform
from kerasvision.training.fit import fit
from kerasvision.training.strategy import make_logical_devices, needs_logical_devices


@dataclass(frozen=True)
class TrainingFiles:
    """Where a training finds its data and leaves its network.

    Attributes:
        examples: a prepared data set.
        schema: `schema.json`.
        transform: `transform.json`.
        model: the `.keras` file to write.
        history: the CSV file to write.
    """

    examples: Path
    schema: Path
    transform: Path
    model: Path
    history: Path


def train(settings: TrainerSettings, files: TrainingFiles) -> None:
    """Trains and saves. Logical CPU devices need a TensorFlow that has not started yet, and so a new process."""
    if needs_logical_devices(settings.training):
        # spawn: a forked child would share the state of a TensorFlow that is at work.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            pool.submit(_train_on_logical_devices, json.dumps(settings.to_data()), files).result()
    else:
        _train_here(settings, files)


def with_hyperparameters(settings: TrainerSettings, best: Path | None) -> TrainerSettings:
    """The settings with the tuner's values in place of their own."""
    if best is None:
        return settings
    for path, value in json.loads(best.read_text(encoding="utf-8")).items():
        settings = with_value(settings, path, value)
    return settings


def _train_here(settings: TrainerSettings, files: TrainingFiles) -> None:
    fitted = fit(
        settings,
        examples=ExampleSet(files.examples),
        classes=DataSchema.load(files.schema).classes,
        transform=ImageTransform.load(files.transform),
    )
    files.model.parent.mkdir(parents=True, exist_ok=True)
    fitted.model.save(files.model)
    fitted.history.to_csv(files.history, index=False)


def _train_on_logical_devices(settings: str, files: TrainingFiles) -> None:
    parsed = TrainerSettings.parse(json.loads(settings))
    make_logical_devices(parsed.training.replicas or 1)
    _train_here(parsed, files)
