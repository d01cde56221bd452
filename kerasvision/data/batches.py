"""From examples on disk to batches for the network, in an order that (seed, epoch) alone decide."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from kerasvision.config.augmentation import Augmentation
from kerasvision.data.augmentation import make_augmentation
from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TRAIN
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError

# What a task does with a batch of {"image": float32 (N, H, W, C), "label": int64 (N,), "id": string (N,)}.
Encode = Callable[[dict[str, tf.Tensor]], tuple[object, object]]

# How many examples wait in the shuffle buffer where the images do not fit into memory.
SHUFFLE_BUFFER = 8192


def training_batches(
    examples: ExampleSet,
    *,
    transform: ImageTransform,
    encode: Encode,
    augment: Sequence[Augmentation] = (),
    batch_size: int,
    epochs: int,
    seed: int,
    memory_budget_gb: float,
) -> tuple[tf.data.Dataset, int]:
    """The batches of a whole training, epoch after epoch, and how many there are in one epoch.

    The last images of an epoch that do not fill a batch are left out; each epoch leaves out others.

    Args:
        examples: what to train on: its train split.
        transform: bytes to pixels, pixels to input.
        encode: a batch of examples to (inputs, targets).
        augment: applied to pixels, between the two halves of the transform.
        batch_size: images per batch, over all replicas.
        epochs: how many epochs follow each other.
        seed: of order and augmentation.
        memory_budget_gb: decoded images up to this size are kept in memory; else they are decoded in every epoch.

    Raises:
        ConfigError: fewer training images than one batch holds.
    """
    count = examples.count(TRAIN)
    if count < batch_size:
        raise ConfigError(
            f"training.batch_size must not exceed the number of training images, {count}", received=batch_size
        )
    steps = count // batch_size
    source = _from_memory if decoded_gb(count, transform) <= memory_budget_gb else _from_disk
    batches = source(examples, transform, count=count, batch_size=batch_size, epochs=epochs, seed=seed)

    augmented = make_augmentation(augment)

    def finish(number: tf.Tensor, batch: dict[str, tf.Tensor]) -> tuple[object, object]:
        # The seed follows from the position, so that a training can be taken up in its middle.
        batch_seed = tf.random.experimental.stateless_fold_in(tf.constant([seed, 1]), number)
        pixels = augmented(batch["image"], batch_seed)
        return encode({**batch, "image": transform.scaled(pixels)})

    return batches.enumerate().map(finish, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE), steps


def evaluation_batches(
    examples: ExampleSet, *, split: str, transform: ImageTransform, encode: Encode, batch_size: int
) -> tf.data.Dataset:
    """(inputs, targets, weights) of a whole split, in order, all batches full.

    The last batch is filled up with copies of its first example at weight 0: every replica gets as many rows, and no row
    counts twice.
    """
    pixels = examples.dataset(split).map(_with_pixels(transform), num_parallel_calls=tf.data.AUTOTUNE)

    def finish(batch: dict[str, tf.Tensor]) -> tuple[object, object, tf.Tensor]:
        real = tf.shape(batch["label"])[0]
        rows = tf.where(tf.range(batch_size) < real, tf.range(batch_size), 0)
        batch = {key: tf.gather(value, rows) for key, value in batch.items()}
        inputs, targets = encode({**batch, "image": transform.scaled(batch["image"])})
        return inputs, targets, tf.cast(tf.range(batch_size) < real, tf.float32)

    return pixels.batch(batch_size).map(finish, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def decoded_gb(count: int, transform: ImageTransform) -> float:
    """Memory that so many decoded images take, in GB."""
    height, width, channels = transform.settings.image_shape
    return count * height * width * channels * 4 / 1e9


def _from_memory(
    examples: ExampleSet, transform: ImageTransform, *, count: int, batch_size: int, epochs: int, seed: int
) -> tf.data.Dataset:
    """Batches of pixels gathered from all training images, which are decoded once."""
    decoded = examples.dataset(TRAIN).map(_with_pixels(transform), num_parallel_calls=tf.data.AUTOTUNE)
    held = decoded.batch(count).get_single_element()

    def order(epoch: tf.Tensor) -> tf.data.Dataset:
        epoch_seed = tf.stack([tf.constant(seed, tf.int64), epoch])
        shuffled = tf.random.experimental.stateless_shuffle(tf.range(count), seed=epoch_seed)
        return tf.data.Dataset.from_tensor_slices(shuffled).batch(batch_size, drop_remainder=True)

    def gathered(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        return {key: tf.gather(value, rows) for key, value in held.items()}

    return tf.data.Dataset.range(epochs).flat_map(order).map(gathered, num_parallel_calls=tf.data.AUTOTUNE)


def _from_disk(
    examples: ExampleSet, transform: ImageTransform, *, count: int, batch_size: int, epochs: int, seed: int
) -> tf.data.Dataset:
    """Batches of pixels read and decoded anew in every epoch, shuffled through a buffer of encoded images."""
    encoded = examples.dataset(TRAIN)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        shuffled = _shuffled(encoded, buffer_size=min(count, SHUFFLE_BUFFER), seed=seed, epoch=epoch)
        pixels = shuffled.map(_with_pixels(transform), num_parallel_calls=tf.data.AUTOTUNE)
        return pixels.batch(batch_size, drop_remainder=True)

    return tf.data.Dataset.range(epochs).flat_map(one_epoch)


def _shuffled(dataset: tf.data.Dataset, *, buffer_size: int, seed: int, epoch: tf.Tensor) -> tf.data.Dataset:
    """What `Dataset.shuffle` does; that takes one of its two seeds from TensorFlow's global one."""
    shuffled = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(dataset),
        buffer_size=buffer_size,
        seed=seed,
        seed2=epoch + 1,  # two zeros would mean: another order every time
        output_types=[spec.dtype for spec in tf.nest.flatten(dataset.element_spec)],
        output_shapes=[spec.shape for spec in tf.nest.flatten(dataset.element_spec)],
        reshuffle_each_iteration=False,
    )
    return tf.data.experimental.from_variant(shuffled, dataset.element_spec)


def _with_pixels(transform: ImageTransform) -> Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]:
    return lambda example: {**example, "image": transform.pixels(example["image"])}
