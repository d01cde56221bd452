"""The images of a split as the network sees them, for a task that compares its answers with images."""

from collections.abc import Callable
from functools import partial

import numpy as np
import tensorflow as tf

from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.tasks.base import SplitPixels

# A larger split gives fewer images, evenly spaced: this many values of 1 byte.
MOST_VALUES = 2**28


def split_pixels(examples: ExampleSet, transform: ImageTransform) -> Callable[[str], SplitPixels]:
    """A function from the name of a split to its images; a split without examples gives none."""
    return partial(_read, examples, transform)


def _read(examples: ExampleSet, transform: ImageTransform, split: str) -> SplitPixels:
    shape = transform.settings.image_shape
    count = examples.count(split)
    if not count:
        return SplitPixels([], np.zeros((0, *shape), np.uint8))
    step = -(-count // max(1, MOST_VALUES // int(np.prod(shape))))
    some = examples.dataset(split).shard(step, 0)

    def prepared(example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.clip_by_value(tf.round(transform.pixels(example["image"])), 0.0, 255.0)
        return example["id"], tf.cast(pixels, tf.uint8)

    ids, pixels = [], []
    for names, batch in some.map(prepared, num_parallel_calls=tf.data.AUTOTUNE).batch(256).prefetch(1):
        ids += [name.decode() for name in names.numpy()]
        pixels.append(batch.numpy())
    return SplitPixels(ids, np.concatenate(pixels))
