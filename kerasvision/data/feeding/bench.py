"""How fast the training input is, and which of its steps takes longest."""

import statistics
import time
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import tensorflow as tf

from kerasvision.config.augmentation import Augmentation
from kerasvision.config.example_parts import EVERYTHING, ExamplePart
from kerasvision.data.augmentation import make_augmentation
from kerasvision.data.examples import ExampleSet
from kerasvision.data.feeding.fitted_colours import with_fitted_colours
from kerasvision.data.feeding.in_memory import TrainingExamples
from kerasvision.data.feeding.inputs import ReducingTransform
from kerasvision.data.feeding.order import Order
from kerasvision.data.feeding.padding import largest_shapes
from kerasvision.data.feeding.reading import ReadExamples
from kerasvision.data.feeding.stream import augmented_batches, prepare_one
from kerasvision.data.splits import TRAIN
from kerasvision.data.transform import ImageTransform

READING = "reading"

# How many images are processed repeatedly. They are in memory, so that reading is measured separately.
_SAMPLE = 256
# The same for a comparison, in which large photos take long.
_FEW = 64
_ROUNDS = 3

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class TimedStep:
    """One step of the input.

    Attributes:
        name: what it does.
        milliseconds: time of one processor core for one image, in this step alone; for reading, elapsed time.
        images_per_second: with this step and all steps before it, on the whole machine.
    """

    name: str
    milliseconds: float
    images_per_second: float


def bench_input(
    examples: ExampleSet,
    *,
    transform: ImageTransform,
    augment: Sequence[Augmentation] = (),
    batch_size: int = 32,
    seconds: float = 20.0,
    reads: Collection[ExamplePart] = EVERYTHING,
) -> list[TimedStep]:
    """Measures the steps from disk to the network's input, in their order, on up to 256 training images.

    The pipelines of the first k steps run several times in turn, and their starts are not counted. The cost of a step is
    what it adds to the median of the steps before it, at least 0. Images are decoded every time, as in a training whose
    decoded images do not fit into memory.

    Args:
        examples: the data set; its train split is read.
        transform: the fitted transform.
        augment: the augmentations of the experiment.
        batch_size: images per batch.
        seconds: about how long to measure.
        reads: the parts of an example that the experiment reads; the others are dropped.
    """
    known = ReadExamples(examples, reads)
    count = min(examples.count(TRAIN), _SAMPLE)
    batch_size = min(batch_size, count)
    augment = with_fitted_colours(augment, examples=known, settings=transform.settings)
    epochs = _SAMPLE // count
    images = epochs * (count // batch_size * batch_size)
    pipelines = _pipelines(known, transform, augment, count=count, batch_size=batch_size, epochs=epochs)
    return _steps(_in_turns(pipelines, images=images, seconds=seconds))


def bench_opening(
    sets: Mapping[str, ExampleSet],
    *,
    transform: ImageTransform,
    augment: Sequence[Augmentation] = (),
    seconds: float = 10.0,
    reads: Collection[ExamplePart] = EVERYTHING,
) -> dict[str, float]:
    """Measures how long it takes to read and decode an image, in turns for data sets with the same images.

    The start of a pipeline is not counted.

    Args:
        sets: name -> data set; up to 64 training images of each are read.
        transform, augment, reads: as in `bench_input`.
        seconds: about how long to measure; at least the time for ten passes.

    Returns:
        Name -> milliseconds of one processor core for one image, of both steps; files are in the system's cache.
    """
    count = min(_FEW, *(examples.count(TRAIN) for examples in sets.values()))
    epochs = _FEW // count
    order = Order(count, count, seed=0, first_step=0, last_step=epochs)
    pipelines = {}
    for name, examples in sets.items():
        known = ReadExamples(examples, reads)
        for step, dataset in _opening(known, _sample(known, transform, count), augment, order).items():
            pipelines[name, step] = dataset.prefetch(tf.data.AUTOTUNE)
    runs = _in_turns(pipelines, images=epochs * count, seconds=seconds)
    used = {key: statistics.median(processors for processors, _ in run) for key, run in runs.items()}
    return {name: sum(value for (of, _), value in used.items() if of == name) for name in sets}


def slowest_step(steps: Sequence[TimedStep]) -> TimedStep:
    """The step that takes most time per image."""
    return max(steps, key=lambda step: step.milliseconds)


def cores_to_feed(steps: Sequence[TimedStep], *, images_per_second: float = 3000.0) -> float:
    """How many cores of this kind an accelerator needs that processes `images_per_second`. 3,000: a ResNet-50 on one H200.

    >>> cores_to_feed([TimedStep("reading", 0.1, 10_000.0), TimedStep("decoding", 0.9, 1_000.0)], images_per_second=2_000)
    2.0
    """
    return sum(step.milliseconds for step in steps) * images_per_second / 1000.0


def _pipelines(
    examples: ReadExamples,
    transform: ImageTransform,
    augment: Sequence[Augmentation],
    *,
    count: int,
    batch_size: int,
    epochs: int,
) -> dict[str, tf.data.Dataset]:
    """Name of the last step -> the data set of all steps up to it; reading has its own pipeline."""
    source = _sample(examples, transform, count)
    order = Order(count, batch_size, seed=0, first_step=0, last_step=epochs * (count // batch_size))
    done = _in_decoding(augment)
    pipelines = _opening(examples, source, augment, order)
    pipelines["batching"] = augmented_batches(source, make_augmentation(augment[:done]), order)
    for last in range(done, len(augment)):
        name = f"{last + 1}. {type(augment[last]).__name__}"
        pipelines[name] = augmented_batches(source, make_augmentation(augment[: last + 1]), order)
    whole = next(reversed(pipelines.values()))
    pipelines["scaling"] = whole.map(lambda batch: transform.scaled(batch["image"]), num_parallel_calls=tf.data.AUTOTUNE)
    return {name: dataset.prefetch(tf.data.AUTOTUNE) for name, dataset in pipelines.items()}


def _sample(examples: ReadExamples, transform: ImageTransform, count: int) -> TrainingExamples:
    """The first training images, which stay in memory, encoded."""
    encoded = examples.dataset(TRAIN).take(count)
    num_classes = len(examples.classes) if "label" in encoded.element_spec else 0
    prepare = ReducingTransform(transform)
    return TrainingExamples(encoded.cache(), largest_shapes(encoded), {}, False, num_classes, transform=prepare)


def _in_decoding(augment: Sequence[Augmentation]) -> int:
    """How many of the augmentations are part of decoding: 1 for a random crop, because it replaces resizing."""
    return 1 if augment and make_augmentation(augment[:1]).replaces_resize is not None else 0


def _opening(
    examples: ReadExamples, source: TrainingExamples, augment: Sequence[Augmentation], order: Order
) -> dict[str, tf.data.Dataset]:
    """Name of the step -> the data set of reading, and of decoding what is in memory."""
    done, images = _in_decoding(augment), order.steps_per_epoch * order.batch_size
    decode = prepare_one(source.transform, make_augmentation(augment[:done]), seed=0, decoded=False, augmented=False)
    return {
        READING: examples.dataset(TRAIN).take(images).repeat(order.last_step // order.steps_per_epoch),
        "decoding, random crop" if done else "decoding, resizing": source.one_by_one(order).map(
            decode, num_parallel_calls=tf.data.AUTOTUNE
        ),
    }


def _in_turns(
    pipelines: Mapping[Key, tf.data.Dataset], *, images: int, seconds: float
) -> dict[Key, list[tuple[float, float]]]:
    """What `_measured` found for each pipeline in each round; `images` is how many a pipeline gives in a pass."""
    # Half of the time is for the starts, and for the first passes, which are not counted.
    share = seconds / (2 * _ROUNDS * len(pipelines))
    passes = {key: _passes(dataset, seconds=share) for key, dataset in pipelines.items()}
    runs: dict[Key, list[tuple[float, float]]] = {key: [] for key in pipelines}
    for _ in range(_ROUNDS):
        for key, dataset in pipelines.items():
            runs[key].append(_measured(dataset, passes=passes[key], images=images))
    return runs


def _passes(dataset: tf.data.Dataset, *, seconds: float) -> int:
    """How many passes take about this long."""
    passes = 1
    while _taken(dataset, passes=passes)[1] < seconds:
        passes *= 2
    return passes


def _measured(dataset: tf.data.Dataset, *, passes: int, images: int) -> tuple[float, float]:
    """Milliseconds per image: of the processors, and elapsed.

    The time of one pass is subtracted from that of one and `passes` more. So the start is not counted, which takes as long
    as hundreds of small images.
    """
    short, long = _taken(dataset, passes=1), _taken(dataset, passes=1 + passes)
    # Chance may make the difference negative.
    processors, elapsed = (
        max(1e3 * (more - less) / (passes * images), 1e-3) for less, more in zip(short, long, strict=True)
    )
    return processors, elapsed


def _taken(dataset: tf.data.Dataset, *, passes: int) -> tuple[float, float]:
    """Seconds of the passes: of the processors, and elapsed."""
    began, used = time.perf_counter(), time.process_time()
    dataset.repeat(passes).reduce(0, lambda number, _: number).numpy()
    return time.process_time() - used, time.perf_counter() - began


def _steps(runs: Mapping[str, Sequence[tuple[float, float]]]) -> list[TimedStep]:
    steps, before = [], 0.0
    for name, values in runs.items():
        processors, passed = (statistics.median(column) for column in zip(*values, strict=True))
        if name == READING:
            steps.append(TimedStep(name, passed, 1e3 / passed))
            continue
        steps.append(TimedStep(name, max(processors - before, 0.0), 1e3 / passed))
        before = max(before, processors)
    return steps
