"""Examples in memory, if the budget allows: decoded, otherwise encoded, otherwise not at all."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from kerasvision.config.augmentation import Augmentation, EncodedCrop
from kerasvision.data.feeding.balance import Balance
from kerasvision.data.feeding.inputs import ReducingTransform, SplitExamples
from kerasvision.data.feeding.order import Order
from kerasvision.data.feeding.padding import counts_of, largest_shapes, padded_batches, rows_of
from kerasvision.data.splits import TRAIN
from kerasvision.data.tensors import Tensors
from kerasvision.errors import ConfigError
from kerasvision.ops.tracing import without_autograph
from kerasvision.progress import say


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
    transform: ReducingTransform

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
    examples: SplitExamples, transform: ReducingTransform, *, augment: Sequence[Augmentation], memory_budget_gb: float
) -> TrainingExamples:
    """Opens the train split, and reads it into memory if it fits into the budget.

    A random crop needs the encoded images, so they are not decoded ahead if `augment` has one.
    """
    encoded = examples.dataset(TRAIN)
    shapes, needed_gb, _ = sizes(examples, TRAIN, transform)
    is_cropped = any(isinstance(settings, EncodedCrop) for settings in augment)
    decoded = not is_cropped and needed_gb <= memory_budget_gb
    cached: Tensors = {}
    if decoded or examples.encoded_bytes(TRAIN) <= memory_budget_gb * 1e9:
        cached = cached_split(examples, TRAIN, transform if decoded else None)
    num_classes = len(examples.classes) if "label" in encoded.element_spec else 0
    return TrainingExamples(encoded, shapes, cached, decoded, num_classes, transform)


def balanced(source: TrainingExamples, *, draws: int, classes: Sequence[str]) -> Balance:
    """Which of these examples an epoch of this number of draws uses, if each class is drawn equally often.

    It prints how often the images of the rarest class are used.

    Args:
        source: with labels, in memory.
        draws: images per epoch.
        classes: class names in the order of their numbers.

    Raises:
        ConfigError: the examples have no labels, or are not in memory.
    """
    if not source.num_classes:
        raise ConfigError("training.sampling='balanced' requires a label for every image; these images have none")
    if not source.cached:
        raise ConfigError(
            "training.sampling='balanced' requires the training images in memory, and they take more than "
            "training.memory_budget_gb",
            hint="set training.memory_budget_gb to at least the size of the encoded images, or balance the losses by "
            "task.class_weights='balanced'",
        )
    labels = source.cached["label"].numpy()
    numbers, counts = np.unique(labels, return_counts=True)
    each, fewest = -(-draws // len(numbers)), counts.min()
    say(
        f"balanced sampling: {each:,} images of each class per epoch; {classes[numbers[counts.argmin()]]!r} has "
        f"{fewest:,}, and each of them is used up to {-(-each // fewest):,} times"
    )
    return Balance.of_labels(labels, draws=draws)


def cached_split(examples: SplitExamples, split: str, transform: ReducingTransform | None) -> Tensors:
    """A whole split as one batch in memory, prepared if there is a transform.

    "image" is float32 (N, H, W, C) in [0, 255] with a transform, and otherwise string (N,), encoded. The split is read
    once: as long as `examples` is open, a second call returns the same tensors.
    """
    key = _key(examples, split, transform)
    if key not in examples.cached:
        encoded = examples.dataset(split)
        wanted = encoded if transform is None else encoded.map(transform.prepared, num_parallel_calls=tf.data.AUTOTUNE)
        shapes = sizes(examples, split, transform).shapes if transform else largest_shapes(encoded)
        examples.cached[key] = padded_batches(
            wanted, batch_size=examples.count(split), shapes=shapes, drop_remainder=False
        ).get_single_element()
    kept: Tensors = examples.cached[key]
    return kept


class Sizes(NamedTuple):
    """The sizes of a split's examples.

    Attributes:
        shapes: their `largest_shapes`.
        needed_gb: the memory that they take when they are prepared.
        parts: the parts that they have when they are prepared.
    """

    shapes: Any
    needed_gb: float
    parts: frozenset[str]


def sizes(examples: SplitExamples, split: str, transform: ReducingTransform) -> Sizes:
    """The sizes of a split. If captions or objects vary, the split is read once, as in `cached_split`."""
    key = (*_key(examples, split, transform), "sizes")
    if key not in examples.cached:
        encoded = examples.dataset(split)
        shapes = largest_shapes(encoded)
        prepared = encoded.map(transform.prepared)
        needed_gb = held_gb(prepared, shapes, count=examples.count(split))
        examples.cached[key] = Sizes(shapes, needed_gb, frozenset(prepared.element_spec))
    found: Sizes = examples.cached[key]
    return found


def _key(examples: SplitExamples, split: str, transform: ReducingTransform | None) -> tuple[Hashable, ...]:
    """What examples in memory depend on. Another task may read other parts of the same examples."""
    spec = examples.dataset(split).element_spec
    return split, transform, tuple(spec), tuple(spec.get("objects", ()))


def held_gb(prepared: tf.data.Dataset, shapes: Any, *, count: int) -> float:
    """The memory for prepared examples, padded, in GB: images, objects and masks. Texts are not counted.

    Args:
        prepared: the examples one by one.
        shapes: `largest_shapes` of the same examples before they were prepared.
        count: how many examples.

    >>> examples = tf.data.Dataset.from_tensors({"image": tf.zeros((10, 10, 3)), "label": tf.constant(1, tf.int64)})
    >>> held_gb(examples, largest_shapes(examples), count=1_000_000)  # 4 bytes for a number of the image, 8 for the label
    1.208
    """
    spec = prepared.element_spec
    return count * _bytes(spec, counts_of(spec, shapes)) / 1e9


def _bytes(part: Any, shape: Any) -> int:
    if isinstance(part, dict):
        return sum(_bytes(inner, shape[key]) for key, inner in part.items())
    return 0 if part.dtype == tf.string else math.prod(shape) * part.dtype.size
