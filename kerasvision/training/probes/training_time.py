"""How long a training will take on this machine, measured before its images are prepared.

It trains twice for a short time, on a few images, with the experiment's own network, decoding, augmentation and steps.
The difference between the two gives what an image costs, and the rest is the cost of starting.
"""

import math
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import pandas as pd

from kerasvision import config as c
from kerasvision import lookup
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.ingesting.ingest import ingest
from kerasvision.data.splits import TEST, TRAIN
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.progress import without_lines
from kerasvision.training.fit import fit
from kerasvision.training.probes.first_images import FirstImages

# The first epoch builds the graph; the others are timed.
TIMED_EPOCHS = 2
# Batches of the two trainings.
SHORT, LONG = 1, 4


@dataclass(frozen=True)
class TrainingTime:
    """What a training takes, in seconds on the clock.

    Attributes:
        start: to build the network and its graph.
        image: once for each image, to decode it or to compute the maps of a frozen part.
        step_image: each time that an image is trained on.
        images: how many images were measured.
    """

    start: float
    image: float
    step_image: float
    images: int

    def seconds(self, *, images: Sequence[int], epochs: int) -> float:
        """One training after the other.

        Args:
            images: on how many images each of them trains.
            epochs: of each of them.

        >>> time = TrainingTime(start=10, image=0.01, step_image=0.02, images=64)
        >>> time.seconds(images=[100], epochs=5), time.seconds(images=[100, 200], epochs=5)
        (21.0, 53.0)
        """
        return len(images) * self.start + sum(images) * (self.image + epochs * self.step_image)

    def epochs_in(self, seconds: float, *, images: Sequence[int]) -> int:
        """How many epochs of each of these trainings take that long together: at least 1.

        >>> time = TrainingTime(start=10, image=0.01, step_image=0.02, images=64)
        >>> time.epochs_in(21.5, images=[100]), time.epochs_in(53.5, images=[100, 200])
        (5, 5)
        """
        rest = seconds - len(images) * self.start - sum(images) * self.image
        return max(1, math.floor(rest / max(sum(images) * self.step_image, 1e-9)))


def training_time(experiment: c.Experiment, files: Mapping[str, Sequence[Path]] | None = None) -> TrainingTime:
    """Trains twice on a few images, and measures both.

    Args:
        experiment: what will be trained; its splits are not used.
        files: class -> image files, instead of the source. Up to four batches of images are read, and one image more.

    Raises:
        ConfigError: fewer readable images than a batch.
    """
    batch = experiment.training.batch_size
    with tempfile.TemporaryDirectory(prefix="kerasvision-time-") as folder:
        short = _trained(experiment, files, count=SHORT * batch, folder=Path(folder) / "short")
        long = _trained(experiment, files, count=LONG * batch, folder=Path(folder) / "long")
    more = long.images - short.images
    image = max(0.0, (long.first - short.first) / more - long.step_image) if more else 0.0
    start = max(0.0, long.first - long.images * (image + long.step_image))
    return TrainingTime(start=start, image=image, step_image=long.step_image, images=long.images)


@dataclass(frozen=True)
class _Trained:
    """A short training: its images, the seconds until its first epoch ended, and those of a step for each image."""

    images: int
    first: float
    step_image: float


def _trained(experiment: c.Experiment, files: Mapping[str, Sequence[Path]] | None, *, count: int, folder: Path) -> _Trained:
    ingest(
        _source(experiment, files, count=count, folder=folder / "images"),
        splits=c.Splits(validation=0.0),
        policy=c.Ingest(policy="report"),
        data=folder / "examples",
        manifest=folder / "manifest.parquet",
        span=folder / "span.json",
    )
    examples = ExampleSet(folder / "examples")
    images = examples.count(TRAIN) // experiment.training.batch_size * experiment.training.batch_size
    if not images:
        raise ConfigError("measuring a training requires a batch of readable images", received=examples.count(TRAIN))
    transform = ImageTransform.fit(experiment.transform, examples.dataset(TRAIN).map(lambda example: example["image"]))
    ends = [time.perf_counter()]

    def note_the_time(_: pd.DataFrame) -> None:
        ends.append(time.perf_counter())

    with without_lines():  # the epochs of a measurement say nothing about the training to come
        fit(
            _settings(experiment),
            examples=examples,
            classes=_names(experiment, examples),
            transform=transform,
            should_stop=note_the_time,
        )
    _, *epochs = ends
    return _Trained(images, ends[1] - ends[0], (epochs[-1] - epochs[0]) / (TIMED_EPOCHS * images))


def _source(experiment: c.Experiment, files: Mapping[str, Sequence[Path]] | None, *, count: int, folder: Path) -> c.Source:
    """The first images of the experiment's source, or copies of the files."""
    if files is None:
        return FirstImages(source=experiment.source, count=count)
    _copy(files, count=count, folder=folder)
    return c.ImageFolder(path=folder)


def _names(experiment: c.Experiment, examples: ExampleSet) -> Sequence[str]:
    """What the network distinguishes among these images."""
    names = experiment.task.names_to_fit()
    return examples.classes if names is None else lookup.load(names.implementation)(names, examples)


def _settings(experiment: c.Experiment) -> TrainerSettings:
    """Those of the trainer, for a few epochs without validation, which change nothing that takes time in a step."""
    short = {
        # `fit` asks whether to stop after each epoch but the last.
        "epochs": TIMED_EPOCHS + 2,
        "plain_epochs": 0,
        "schedule": c.Constant(),
        "warmup_epochs": 0.0,
        "early_stopping": None,
        "keep": "last",
        "best_metric": None,
    }
    training = c.Training(**{**dict(experiment.training), **short})
    return TrainerSettings(
        task=experiment.task.without_added_metrics(), model=experiment.model, training=training, augment=experiment.augment
    )


def _copy(files: Mapping[str, Sequence[Path]], *, count: int, folder: Path) -> None:
    """Copies images, the first of each class, then the second of each, and so on: one to test, which no data set may lack,
    and `count` to train."""
    in_turn = chain.from_iterable(zip_longest(*([(label, file) for file in of] for label, of in files.items())))
    numbers = {label: number for number, label in enumerate(files)}
    for number, (label, file) in enumerate([one for one in in_turn if one is not None][: count + 1]):
        split = TRAIN if number else TEST
        place = folder / split / f"class{numbers[label]}" / f"{number}{file.suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
