"""The order of the training examples: (seed, epoch) alone decide it. It can begin at any step and be split among workers."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from kerasvision.data.feeding.balance import Balance
from kerasvision.errors import ConfigError

# How many encoded examples are in the shuffle buffer if they do not all fit into memory.
SHUFFLE_BUFFER = 8192


@dataclass(frozen=True)
class Order:
    """Which examples a training uses at which step.

    A place is a number from 0: epoch * count + the place within the epoch. The same place always has the same example and
    the same random numbers, for every first step and every number of workers.

    Attributes:
        count: examples of the split.
        batch_size: examples of one step, over all workers; a multiple of their number, see `Training.check_batch`.
        seed: of the order.
        first_step: the first step, from 0.
        last_step: the step after the last.
        shard: (number of this worker from 0, number of workers). A worker gets its slice of every batch.
        balance: which images an epoch uses; None: each image once. Examples that are streamed have no balance.

    >>> order = Order(count=5, batch_size=2, seed=0, first_step=1, last_step=3)
    >>> [places.numpy().tolist() for places, rows in order.batches()]  # step 1 of epoch 0, and step 0 of epoch 1
    [[2, 3], [5, 6]]
    """

    count: int
    batch_size: int
    seed: int
    first_step: int
    last_step: int
    shard: tuple[int, int] = (0, 1)
    balance: Balance | None = None

    def __post_init__(self) -> None:
        number, workers = self.shard
        if not 0 <= number < workers:
            raise ConfigError("shard must be (number of the worker from 0, number of workers)", received=self.shard)
        if not 0 <= self.first_step <= self.last_step:
            raise ConfigError(f"first_step must lie in [0, {self.last_step}]", received=self.first_step)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in one epoch."""
        return self.count // self.batch_size

    @property
    def local_batch_size(self) -> int:
        """Examples of one step for this worker."""
        return self.batch_size // self.shard[1]

    @property
    def first_row(self) -> int:
        """The row at which this worker's part of every batch begins."""
        return self.shard[0] * self.local_batch_size

    def batches(self) -> tf.data.Dataset:
        """int64 (B,) places and int64 (B,) rows of the split, for each step; B is the worker's part of the batch."""
        first_epoch, skipped = divmod(self.first_step, self.steps_per_epoch)
        mine = slice(self.first_row, self.first_row + self.local_batch_size)

        def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            rows = self._rows(epoch)
            places = epoch * self.count + tf.range(tf.size(rows, tf.int64))
            batches = tf.data.Dataset.from_tensor_slices((places, rows)).batch(self.batch_size, drop_remainder=True)
            return batches.map(lambda places, rows: (places[mine], rows[mine]))

        return tf.data.Dataset.range(first_epoch, self._epochs()).flat_map(one_epoch).skip(skipped).take(self._steps())

    def streamed(self, examples: tf.data.Dataset) -> tf.data.Dataset:
        """(place, example) one by one, for examples that do not fit into memory: a buffer shuffles them.

        To begin in the middle of an epoch, the examples before that step are read, but not decoded.
        """
        first_epoch, skipped = divmod(self.first_step, self.steps_per_epoch)

        def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            shuffled = _shuffled(examples, buffer_size=min(self.count, SHUFFLE_BUFFER), seed=self.seed, epoch=epoch)
            full = shuffled.take(self.steps_per_epoch * self.batch_size)
            return full.enumerate().map(lambda place, example: (epoch * self.count + place, example))

        places = tf.data.Dataset.range(first_epoch, self._epochs()).flat_map(one_epoch)
        places = places.skip(skipped * self.batch_size).take(self._steps() * self.batch_size)
        if self.shard[1] == 1:
            return places

        def is_mine(place: tf.Tensor, example: Any) -> tf.Tensor:
            within = place % self.count % self.batch_size
            return (within >= self.first_row) & (within < self.first_row + self.local_batch_size)

        return places.filter(is_mine)

    def _rows(self, epoch: tf.Tensor) -> tf.Tensor:
        if self.balance is not None:
            return self.balance.rows_of_epoch(self.seed, epoch)
        seed = tf.stack([tf.constant(self.seed, tf.int64), epoch])
        return tf.random.experimental.stateless_shuffle(tf.range(self.count, dtype=tf.int64), seed=seed)

    def _epochs(self) -> int:
        return -(-self.last_step // self.steps_per_epoch)

    def _steps(self) -> int:
        return self.last_step - self.first_step


def _shuffled(dataset: tf.data.Dataset, *, buffer_size: int, seed: int, epoch: tf.Tensor) -> tf.data.Dataset:
    """Does what `Dataset.shuffle` does, but without TensorFlow's global seed."""
    shuffled = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(dataset),
        buffer_size=buffer_size,
        seed=seed,
        seed2=epoch + 1,  # with two zeros the order would change every time
        output_types=[spec.dtype for spec in tf.nest.flatten(dataset.element_spec)],
        output_shapes=[spec.shape for spec in tf.nest.flatten(dataset.element_spec)],
        reshuffle_each_iteration=False,
    )
    return tf.data.experimental.from_variant(shuffled, dataset.element_spec)
