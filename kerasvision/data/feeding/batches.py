"""From examples on disk to batches for the network, in an order that (seed, epoch) alone decide."""

from collections.abc import Callable, Sequence
from functools import reduce

import tensorflow as tf

from kerasvision.config.augmentation import Augmentation, check_data
from kerasvision.data.augmentation import make_augmentation
from kerasvision.data.feeding.in_memory import cached_split, decoded_gb, training_examples
from kerasvision.data.feeding.inputs import InputTransform, SplitExamples
from kerasvision.data.feeding.order import Order
from kerasvision.data.feeding.padding import largest_shapes, padded_batches, rows_of
from kerasvision.data.feeding.stream import augmented_batches
from kerasvision.data.splits import TRAIN
from kerasvision.data.tensors import Tensors
from kerasvision.errors import ConfigError
from kerasvision.ops.tracing import without_autograph

__all__ = ["Encode", "decoded_gb", "evaluation_batches", "training_batches"]

# What a task does with a batch of {"image": float32 (N, H, W, C), "id": string (N,), and what the examples have besides}.
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
) -> tuple[tf.data.Dataset, int]:
    """The batches of a whole training, epoch after epoch, and how many there are in one epoch.

    The last images of an epoch that do not fill a batch are left out; each epoch leaves out others. The order is the same
    whether decoded or encoded images are kept in memory; where neither fit, it is shuffled through a buffer.

    Args:
        examples: what to train on: its train split.
        transform: bytes to pixels, pixels to input.
        encode: a batch of examples to (inputs, targets).
        augment: applied to pixels, between the two halves of the transform.
        batch_size: images per batch, over all replicas and workers.
        epochs: how many epochs follow each other.
        seed: of order and augmentation.
        memory_budget_gb: decoded images up to this size are kept in memory; else encoded ones up to this size; else they
            are read in every epoch.
        plain_epochs: how many epochs at the end see the images as evaluation does.
        start_step: how many batches of the training to leave out at its beginning: those that follow are the same.
        shard: (number of this worker from 0, number of workers): each gets its slice of every batch.

    Raises:
        ConfigError: fewer training images than one batch holds; an augmentation that these examples cannot have; a start or
            a shard that does not exist.
    """
    count = examples.count(TRAIN)
    if count < batch_size:
        raise ConfigError(f"training.batch_size must not exceed the number of training images, {count}", received=batch_size)

    @without_autograph
    def finish(batch: Tensors) -> tuple[object, object]:
        return encode({**batch, "image": transform.scaled(batch["image"])})

    if augment:
        check_data(augment, labelled=bool(examples.classes), has_objects=bool(examples.object_classes))
    steps = count // batch_size
    source = training_examples(examples, transform, augment=augment, memory_budget_gb=memory_budget_gb)
    changed_steps = (epochs - plain_epochs) * steps if augment else 0
    parts = []
    for augmentations, first, last in ((augment, 0, changed_steps), ((), changed_steps, epochs * steps)):
        if first < last:
            order = Order(count, batch_size, seed, min(max(first, start_step), last), last, shard)
            batches = augmented_batches(source, make_augmentation(augmentations), order)
            # Encoded before they are joined: only mixed images have shares of labels.
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
) -> tf.data.Dataset:
    """(inputs, targets, weights) of a whole split, in order, all batches full.

    The last batch is filled up with copies of its first example at weight 0: every replica gets as many rows, and no row
    counts twice. Captions and objects are filled up to the most that an image of the split has (see `padded_batches`). Where
    the images fit into the memory budget, they are read once and stay there.
    """
    is_small = decoded_gb(examples.count(split), transform) <= memory_budget_gb
    if is_small:
        batches = tf.data.Dataset.from_tensor_slices(cached_split(examples, split, transform)).batch(batch_size)
    else:
        encoded = examples.dataset(split)
        prepared = encoded.map(transform.prepared, num_parallel_calls=tf.data.AUTOTUNE)
        batches = padded_batches(prepared, batch_size=batch_size, shapes=largest_shapes(encoded), drop_remainder=False)

    @without_autograph
    def finish(batch: Tensors) -> tuple[object, object, tf.Tensor]:
        real = tf.shape(batch["id"])[0]
        batch = rows_of(batch, tf.where(tf.range(batch_size) < real, tf.range(batch_size), 0))
        inputs, targets = encode({**batch, "image": transform.scaled(batch["image"])})
        return inputs, targets, tf.cast(tf.range(batch_size) < real, tf.float32)

    finished = batches.map(finish, num_parallel_calls=tf.data.AUTOTUNE)
    return finished.cache() if is_small else finished.prefetch(tf.data.AUTOTUNE)
