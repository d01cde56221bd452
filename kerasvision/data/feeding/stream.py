"""Batches of prepared and augmented training examples. Working by image or by batch gives the same result."""

from collections.abc import Callable
from dataclasses import replace

import tensorflow as tf

from kerasvision.data.augmentation import Augmenter
from kerasvision.data.feeding.in_memory import TrainingExamples
from kerasvision.data.feeding.inputs import ReducingTransform
from kerasvision.data.feeding.order import Order
from kerasvision.data.feeding.padding import padded_batches, rows_of
from kerasvision.data.tensors import Tensors
from kerasvision.ops.random import uniform_rows
from kerasvision.ops.tracing import without_autograph

# From this many pixels on, images are augmented one by one on all processors. Smaller images are augmented in batches, which
# avoids starting every operation for every image.
LARGE_IMAGE = 96 * 96

# Added to the seed for the random numbers of a task, so that they differ from those of the augmentations.
TASK_KEY = 2**40

# The parts of an example that augmentations get; the others bypass them.
_AUGMENTED = ("image", "objects", "label_map", "label", "label_shares", "tags", "values")


def augmented_batches(source: TrainingExamples, augmenter: Augmenter, order: Order, *, draws: int = 0) -> tf.data.Dataset:
    """Batches of this worker, pixels in [0, 255], after all augmentation.

    The random numbers of an image depend on its place in the order only, so they are the same by image and by batch. With
    `draws`, a batch also has `numbers` for the task, float32 (N, draws) in [0, 1).
    """
    # MixUp, CutMix and Mosaic mix images of one batch, so every worker makes the whole batch and then takes its part.
    whole = replace(order, shard=(0, 1)) if augmenter.mixing else order
    height, width, _ = source.transform.settings.image_shape
    one_by_one = augmenter.draws > 0 and (augmenter.per_image or height * width >= LARGE_IMAGE)
    if source.decoded and not one_by_one:
        batches = source.in_batches(whole)
    else:
        prepare = prepare_one(source.transform, augmenter, seed=order.seed, decoded=source.decoded, augmented=one_by_one)
        prepared = source.one_by_one(whole).map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
        batches = padded_batches(prepared, batch_size=whole.local_batch_size, shapes=source.shapes, drop_remainder=True)

    @without_autograph
    def finish(batch: Tensors) -> Tensors:
        # It stays in the batch: a task may draw random numbers of its own for an image.
        places = batch["place"]
        numbers = uniform_rows(order.seed, places[0], rows=whole.local_batch_size, columns=max(augmenter.draws, 1))
        if draws:
            rows, key = whole.local_batch_size, order.seed + TASK_KEY
            batch["numbers"] = uniform_rows(key, places[0], rows=rows, columns=draws)
        if augmenter.draws and not one_by_one:
            batch = _changed(batch, lambda known: augmenter(known, numbers))
        if augmenter.mixing:
            batch = _changed(batch, lambda known: augmenter.mix(known, numbers, source.num_classes))
            batch = rows_of(batch, tf.range(order.first_row, order.first_row + order.local_batch_size))
        return batch

    # Not a lambda: AutoGraph would convert that, and turn a ConfigError in it into an error of its own.
    return batches.map(finish, num_parallel_calls=tf.data.AUTOTUNE)


def prepare_one(
    transform: ReducingTransform, augmenter: Augmenter, *, seed: int, decoded: bool, augmented: bool
) -> Callable[[Tensors], Tensors]:
    """A function from an example with its "place" to one with pixels: cropped or resized, and perhaps augmented."""

    @without_autograph
    def prepare(example: Tensors) -> Tensors:
        example = dict(example)
        place = example.pop("place")
        numbers = uniform_rows(seed, place, rows=1, columns=max(augmenter.draws, 1))
        if augmenter.replaces_resize is not None:
            example = transform.reduced(augmenter.cropped(example, numbers[0], transform.settings))
        elif not decoded:
            example = transform.prepared(example)
        example = {**example, "place": place}
        if not augmented:
            return example
        alone = tf.nest.map_structure(lambda part: part[tf.newaxis], example)
        changed = _changed(alone, lambda known: augmenter(known, numbers))
        prepared: Tensors = tf.nest.map_structure(lambda part: part[0], changed)
        return prepared

    return prepare


def _changed(batch: Tensors, change: Callable[[Tensors], Tensors]) -> Tensors:
    known = {key: part for key, part in batch.items() if key in _AUGMENTED}
    return {key: part for key, part in batch.items() if key not in known} | change(known)
