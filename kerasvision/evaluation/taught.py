"""What the loss taught the network about some training images, if its task can tell: see `Task.lessons`."""

from pathlib import Path

import tensorflow as tf

from kerasvision.data.examples import ExampleSet
from kerasvision.data.feeding.inputs import ReducingTransform, Reduction
from kerasvision.data.feeding.padding import largest_shapes, padded_batches
from kerasvision.data.feeding.reading import ReadExamples
from kerasvision.data.splits import TRAIN
from kerasvision.data.transform import ImageTransform
from kerasvision.models.saved import load_network
from kerasvision.ops.random import uniform_rows
from kerasvision.tasks.base import Lessons, Task

# So many images are enough for a table, and take a second.
MOST_IMAGES = 64


def lessons(task: Task, *, network: Path, examples: ExampleSet, transform: ImageTransform) -> Lessons:
    """The lessons of the first training images, without augmentation; empty if the task has none.

    Args:
        task: says what to show.
        network: the `.keras` file of the trained network. It is loaded only if the task has lessons.
        examples: with a train split.
        transform: makes the network's input of an image.

    Raises:
        ExportError: the network's file is damaged.
    """
    teach = task.lessons()
    if teach is None or not examples.count(TRAIN):
        return Lessons()
    prepare = ReducingTransform(transform, Reduction(function=task.reduced))
    some = ReadExamples(examples, task.settings.reads).dataset(TRAIN).take(MOST_IMAGES).map(prepare.prepared)
    batches = padded_batches(some, batch_size=MOST_IMAGES, shapes=largest_shapes(some), drop_remainder=False)
    batch = next(iter(batches))
    if task.draws:
        rows = tf.shape(batch["id"])[0]
        batch = {**batch, "numbers": uniform_rows(0, 0, rows=rows, columns=task.draws)}
    inputs, targets = task.encode({**batch, "image": transform.scaled(batch["image"])})
    return teach(load_network(network), batch["image"].numpy(), inputs, targets)
