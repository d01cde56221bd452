"""The two inputs of batches: examples by split, and the transform that prepares them.

They are usually `ExampleSet` and `ImageTransform`. Training on maps of a frozen network replaces both.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol

import tensorflow as tf

from kerasvision.data.tensors import Tensors


class SplitExamples(Protocol):
    """Examples by split; see `ExampleSet` for each member."""

    @property
    def cached(self) -> dict[tuple[Hashable, ...], Any]:
        """What `cached_split` keeps in memory, by what it was made of."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of their numbers; none without labels."""

    @property
    def object_classes(self) -> tuple[str, ...]:
        """Class names of the objects; none without objects."""

    def count(self, split: str) -> int:
        """How many examples a split has."""

    def encoded_bytes(self, split: str) -> int:
        """The size of a split's examples in bytes, before they are prepared."""

    def dataset(self, split: str) -> tf.data.Dataset:
        """One example at a time, in the same order every time."""


class InputTransform(Protocol):
    """From an example of a data set to the network's input; see `ImageTransform` for each member."""

    @property
    def settings(self) -> Any:
        """Settings with `image_shape`, (H, W, C). A random crop also reads how to decode images: it needs `c.Transform`."""

    def __hash__(self) -> int:
        """Equal for transforms that prepare examples in the same way."""

    def prepared(self, example: Tensors, /) -> Tensors:
        """The example with "image" float32 (H, W, C): pixels, or a map of a frozen network."""

    def scaled(self, pixels: tf.Tensor, /) -> tf.Tensor:
        """The pixels, float32 (..., H, W, C), scaled for the network, in the same shape."""


def _unchanged(example: Tensors) -> Tensors:
    return example


@dataclass(frozen=True)
class Reduction:
    """What a task makes of one prepared example before it is augmented, padded and kept in memory.

    Attributes:
        key: equal for reductions that do the same; trainings on the same open examples share what they keep in memory.
        function: from a prepared example to another one, in stock TensorFlow operations; by default it changes nothing.
    """

    key: Hashable = None
    function: Callable[[Tensors], Tensors] = field(default=_unchanged, compare=False)


NO_REDUCTION = Reduction()


@dataclass(frozen=True)
class ReducingTransform:
    """An `InputTransform` with the reduction of a task."""

    transform: InputTransform
    reduction: Reduction = NO_REDUCTION

    @property
    def settings(self) -> Any:
        """Those of the transform."""
        return self.transform.settings

    def prepared(self, example: Tensors) -> Tensors:
        """The prepared and reduced example; "image" is float32 (H, W, C)."""
        return self.reduced(self.transform.prepared(example))

    def reduced(self, example: Tensors) -> Tensors:
        """A prepared example, "image" float32 (H, W, C), reduced; without "covered", which only a reduction reads."""
        reduced = self.reduction.function(example)
        return {name: part for name, part in reduced.items() if name != "covered"}

    def scaled(self, pixels: tf.Tensor) -> tf.Tensor:
        """The pixels, float32 (..., H, W, C), scaled for the network, in the same shape."""
        return self.transform.scaled(pixels)
