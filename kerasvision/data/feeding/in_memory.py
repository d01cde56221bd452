"""Examples in memory, if the budget allows: decoded, otherwise encoded, otherwise not at all."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from kerasvision.config.augmentation import Augmentation, RandomResizedCrop
from kerasvision.data.feeding.inputs import InputTransform, SplitExamples
from kerasvision.data.feeding.order import Order
from kerasvision.data.feeding.padding import largest_shapes, padded_batches, rows_of
from kerasvision.data.splits import TRAIN
from kerasvision.data.tensors import Tensors
from kerasvision.ops.tracing import without_autograph


@dataclass(frozen=True)
class TrainingExamples:
    """Training examples, in memory or on disk.

    Attributes:
        examples: one by one, from `ExampleSet.dataset`.
        shapes: their `largest_shapes`.
        cached: all of them as one batch, if that fits into memory; otherwise empty.
        decoded: whether the cached examples are prepared (with pixels).
        num_classes: how many classes their labels have; 0 without labels.
        transform: prepares the examples.
    """

    examples: tf.data.Dataset
    shapes: Any
    cached: Tensors
    decoded: bool
    num_classes: int
    transform: InputTransform

    def one_by_one(self, order: Order) -> tf.data.Dataset:
        """One at a time, in order, each with its "place", int64."""
        if not self.cached:
            return order.streamed(self.examples).map(lambda place, example: {**example, "place": place})
        return order.batches().unbatch().map(self._cached_rows, num_parallel_calls=tf.data.AUTOTUNE)

    def in_batches(self, order: Order) -> tf.data.Dataset:
        """A batch at a time, in order, each with its "place", int64 (B,). The examples must be cached."""
        return order.batches().map(self._cached_rows, num_parallel_calls=tf.data.AUTOTUNE)

    @without_autograph
    def _cached_rows(self, places: tf.Tensor, rows: tf.Tensor) -> Tensors:
        return {**rows_of(self.cached, rows), "place": places}


def training_examples(
    examples: SplitExamples, transform: InputTransform, *, augment: Sequence[Augmentation], memory_budget_gb: float
) -> TrainingExamples:
    """Opens the train split, and reads it into memory if it fits into the budget.

    A random crop needs the encoded images, so they are not decoded ahead if `augment` has one.
    """
    encoded, count = examples.dataset(TRAIN), examples.count(TRAIN)
    is_cropped = any(isinstance(settings, RandomResizedCrop) for settings in augment)
    decoded = not is_cropped and decoded_gb(count, transform) <= memory_budget_gb
    cached: Tensors = {}
    if decoded or examples.encoded_bytes(TRAIN) <= memory_budget_gb * 1e9:
        cached = cached_split(examples, TRAIN, transform if decoded else None)
    num_classes = len(examples.classes) if "label" in encoded.element_spec else 0
    return TrainingExamples(encoded, largest_shapes(encoded), cached, decoded, num_classes, transform)


def cached_split(examples: SplitExamples, split: str, transform: InputTransform | None) -> Tensors:
    """A whole split as one batch in memory, prepared if there is a transform.

    "image" is float32 (N, H, W, C) in [0, 255] with a transform, and otherwise string (N,), encoded. The split is read
    once: as long as `examples` is open, a second call returns the same tensors.
    """
    key = (split, transform)
    if key not in examples.cached:
        encoded = examples.dataset(split)
        wanted = encoded if transform is None else encoded.map(transform.prepared, num_parallel_calls=tf.data.AUTOTUNE)
        count, shapes = examples.count(split), largest_shapes(encoded)
        examples.cached[key] = padded_batches(
            wanted, batch_size=count, shapes=shapes, drop_remainder=False
        ).get_single_element()
    return examples.cached[key]


def decoded_gb(count: int, transform: InputTransform) -> float:
    """The memory for `count` decoded images, in GB."""
    image_shape: tuple[int, int, int] = transform.settings.image_shape
    return count * math.prod(image_shape) * 4 / 1e9
