"""From examples on disk to batches for the network, in an order that (seed, epoch) alone decide."""

from collections.abc import Callable, Collection, Sequence
from functools import reduce
from typing import Literal

import tensorflow as tf

from kerasvision.config.augmentation import Augmentation, check_data
from kerasvision.config.example_parts import EVERYTHING, ExamplePart
from kerasvision.data.augmentation import make_augmentation
from kerasvision.data.augmentation.objects import padded_objects
from kerasvision.data.feeding.fitted_colours import with_fitted_colours
from kerasvision.data.feeding.in_memory import balanced, cached_split, sizes, training_examples
from kerasvision.data.feeding.inputs import NO_REDUCTION, InputTransform, ReducingTransform, Reduction, SplitExamples
from kerasvision.data.feeding.order import Order
from kerasvision.data.feeding.padding import padded_batches, rows_of
from kerasvision.data.feeding.reading import ReadExamples
from kerasvision.data.feeding.stream import TASK_KEY, augmented_batches
from kerasvision.data.splits import TRAIN
from kerasvision.data.tensors import Tensors
from kerasvision.errors import ConfigError
from kerasvision.ops.random import uniform_rows
from kerasvision.ops.tracing import without_autograph

# What a task does with a batch of {"image": float32 (N, H, W, C), "id": string (N,), and the other keys of the examples}.
Encode = Callable[[Tensors], tuple[object, object]]


def training_batches(
    examples: SplitExamples,
    *,
    transform: InputTransform,
    encode: Encode,
    augment: Sequence[Augmentation] = (),
    batch_size: int,
    epochs: int,
    seed: int,
    memory_budget_gb: float,
    plain_epochs: int = 0,
    start_step: int = 0,
    shard: tuple[int, int] = (0, 1),
    reads: Collection[ExamplePart] = EVERYTHING,
    reduction: Reduction = NO_REDUCTION,
    sampling: Literal["all", "balanced"] = "all",
    draws: int = 0,
) -> tuple[tf.data.Dataset, int]:
    """The batches of a whole training, epoch after epoch, and the number of batches in one epoch.

    The last images of an epoch that do not fill a batch are left out; each epoch leaves out other images. The order does
    not depend on whether decoded or encoded images are kept in memory. If neither fit, a buffer shuffles the images.

    Args:
        examples: the examples; their train split is used.
        transform: bytes to pixels, pixels to input.
        encode: a batch of examples to (inputs, targets).
        augment: applied to pixels, between the two halves of the transform.
        batch_size: images per batch, over all replicas and workers.
        epochs: how many epochs.
        seed: of order and augmentation.
        memory_budget_gb: decoded images are kept in memory if they and their objects take at most this; otherwise encoded
            images are, under the same limit; otherwise images are read in every epoch.
        plain_epochs: how many epochs at the end use the images without augmentation, as evaluation does.
        start_step: how many batches to skip at the beginning; the batches after them do not change.
        shard: (number of this worker from 0, number of workers): each gets its slice of every batch.
        reads: the parts of an example that task and augmentation read; the others are dropped.
        reduction: what the task makes of each example between the decoding and the augmentation.
        sampling: "all": each image once per epoch; "balanced": as `Balance` says, with as many images per epoch.
        draws: how many random numbers `encode` receives for each example: `numbers` float32 (N, draws) in [0, 1). They
            depend on the seed, the epoch and the place of the example in it.

    Raises:
        ConfigError: fewer training images than batch_size; an augmentation that does not fit these examples; a start or a
            shard that does not exist; balanced sampling without labels, or of more images than fit into memory.
    """
    count = examples.count(TRAIN)
    if count < batch_size:
        raise ConfigError(f"training.batch_size must not exceed the number of training images, {count}", received=batch_size)

    known, prepare = ReadExamples(examples, reads), ReducingTransform(transform, reduction)
    augment = with_fitted_colours(augment, examples=known, settings=transform.settings)
    if augment:
        present = sizes(known, TRAIN, prepare).parts
        check_data(
            augment,
            labelled=bool(examples.classes) or "tags" in present,
            has_objects="objects" in present,
            has_label_maps="label_map" in present,
            has_values="values" in present,
        )
    steps = count // batch_size
    source = training_examples(known, prepare, augment=augment, memory_budget_gb=memory_budget_gb)
    balance = None
    if sampling == "balanced":
        balance = balanced(source, draws=steps * batch_size, classes=examples.classes)
    rows = 0
    if "objects" in source.shapes:
        rows = make_augmentation(augment).rows_of_objects(source.shapes["objects"]["label"][0])

    @without_autograph
    def finish(batch: Tensors) -> tuple[object, object]:
        # The epochs without augmentation get as many rows, so that the shape of the batches stays the same.
        if "objects" in batch:
            batch = {**batch, "objects": padded_objects(batch["objects"], rows)}
        return encode({**batch, "image": transform.scaled(batch["image"])})

    changed_steps = (epochs - plain_epochs) * steps if augment else 0
    parts = []
    for augmentations, first, last in ((augment, 0, changed_steps), ((), changed_steps, epochs * steps)):
        if first < last:
            order = Order(count, batch_size, seed, min(max(first, start_step), last), last, shard, balance)
            batches = augmented_batches(source, make_augmentation(augmentations), order, draws=draws)
            # Encoded before they are concatenated: only mixed images have shares of labels.
            parts.append(batches.map(finish, num_parallel_calls=tf.data.AUTOTUNE))
    return reduce(tf.data.Dataset.concatenate, parts).prefetch(tf.data.AUTOTUNE), steps


def evaluation_batches(
    examples: SplitExamples,
    *,
    split: str,
    transform: InputTransform,
    encode: Encode,
    batch_size: int,
    memory_budget_gb: float = 0.0,
    reads: Collection[ExamplePart] = EVERYTHING,
    reduction: Reduction = NO_REDUCTION,
    draws: int = 0,
) -> tf.data.Dataset:
    """(inputs, targets, weights float32 (N,)) of a whole split, in order, all batches full.

    The last batch is filled with copies of its first example at weight 0, so that every replica gets equally many rows and
    no row counts twice. Captions and objects are padded to the largest number in an image of the split (see
    `padded_batches`). If they fit into the memory budget with the images, they are read once and stay in memory. `reads` and
    `reduction` are as in `training_batches`; the `numbers` of `draws` depend on the place of the example in the split.
    """
    known, prepare = ReadExamples(examples, reads), ReducingTransform(transform, reduction)
    shapes, needed_gb, _ = sizes(known, split, prepare)
    is_small = needed_gb <= memory_budget_gb
    if is_small:
        batches = tf.data.Dataset.from_tensor_slices(cached_split(known, split, prepare)).batch(batch_size)
    else:
        prepared = known.dataset(split).map(prepare.prepared, num_parallel_calls=tf.data.AUTOTUNE)
        batches = padded_batches(prepared, batch_size=batch_size, shapes=shapes, drop_remainder=False)

    @without_autograph
    def with_numbers(number: tf.Tensor, batch: Tensors) -> Tensors:
        rows = tf.shape(batch["id"])[0]
        return {**batch, "numbers": uniform_rows(TASK_KEY, number * batch_size, rows=rows, columns=draws)}

    batches = batches.enumerate().map(with_numbers) if draws else batches

    @without_autograph
    def finish(batch: Tensors) -> tuple[object, object, tf.Tensor]:
        real = tf.shape(batch["id"])[0]
        batch = rows_of(batch, tf.where(tf.range(batch_size) < real, tf.range(batch_size), 0))
        inputs, targets = encode({**batch, "image": transform.scaled(batch["image"])})
        return inputs, targets, tf.cast(tf.range(batch_size) < real, tf.float32)

    finished = batches.map(finish, num_parallel_calls=tf.data.AUTOTUNE)
    return finished.cache() if is_small else finished.prefetch(tf.data.AUTOTUNE)
