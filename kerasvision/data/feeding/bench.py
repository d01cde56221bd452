"""How fast the training input is, and which of its steps takes longest."""

import statistics
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

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
_ROUNDS = 3


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

    The pipelines of the first k steps run several times in turn. The cost of a step is what it adds to the median of the
    steps before it, at least 0. Images are decoded every time, as in a training whose decoded images do not fit into memory.

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
    # Starting a pipeline takes some milliseconds, so few images are processed several times.
    epochs = _SAMPLE // count
    images = epochs * (count // batch_size * batch_size)
    pipelines = _pipelines(known, transform, augment, count=count, batch_size=batch_size, epochs=epochs)
    share = seconds / (_ROUNDS * len(pipelines))
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in pipelines}
    for dataset in pipelines.values():
        _run(dataset)
    for _ in range(_ROUNDS):
        for name, dataset in pipelines.items():
            runs[name].append(_measured(dataset, count=images, seconds=share))
    return _steps(runs)


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
    encoded = examples.dataset(TRAIN).take(count)
    num_classes = len(examples.classes) if "label" in encoded.element_spec else 0
    source = TrainingExamples(
        encoded.cache(), largest_shapes(encoded), {}, False, num_classes, transform=ReducingTransform(transform)
    )
    order = Order(count, batch_size, seed=0, first_step=0, last_step=epochs * (count // batch_size))
    # A crop replaces resizing, so it is part of decoding.
    first = make_augmentation(augment[:1]) if augment else make_augmentation(())
    done = 1 if first.replaces_resize is not None else 0
    decode = prepare_one(source.transform, make_augmentation(augment[:done]), seed=0, decoded=False, augmented=False)
    decoding = "decoding, random crop" if done else "decoding, resizing"
    pipelines = {
        READING: examples.dataset(TRAIN).take(count // batch_size * batch_size).repeat(epochs),
        decoding: source.one_by_one(order).map(decode, num_parallel_calls=tf.data.AUTOTUNE),
        "batching": augmented_batches(source, make_augmentation(augment[:done]), order),
    }
    for last in range(done, len(augment)):
        name = f"{last + 1}. {type(augment[last]).__name__}"
        pipelines[name] = augmented_batches(source, make_augmentation(augment[: last + 1]), order)
    whole = next(reversed(pipelines.values()))
    pipelines["scaling"] = whole.map(lambda batch: transform.scaled(batch["image"]), num_parallel_calls=tf.data.AUTOTUNE)
    return {name: dataset.prefetch(tf.data.AUTOTUNE) for name, dataset in pipelines.items()}


def _measured(dataset: tf.data.Dataset, *, count: int, seconds: float) -> tuple[float, float]:
    """Milliseconds per image: of the processors, and elapsed."""
    began, used, images = time.perf_counter(), time.process_time(), 0
    while not images or time.perf_counter() - began < seconds:
        _run(dataset)
        images += count
    return 1e3 * (time.process_time() - used) / images, 1e3 * (time.perf_counter() - began) / images


def _run(dataset: tf.data.Dataset) -> None:
    dataset.reduce(0, lambda number, _: number).numpy()


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
