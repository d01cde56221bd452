"""What batches are made from: examples by split, and what prepares them.

`ExampleSet` and `ImageTransform` are such; so are maps of a frozen network, which take their place in training.
"""

from collections.abc import Hashable
from typing import Any, Protocol

import tensorflow as tf

from kerasvision.data.tensors import Tensors


class SplitExamples(Protocol):
    """Examples by split; see `ExampleSet` for each member."""

    cached: dict[tuple[str, Hashable], Tensors]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of their numbers; none without labels."""

    @property
    def object_classes(self) -> tuple[str, ...]:
        """Class names of the objects; none without objects."""

    def count(self, split: str) -> int:
        """How many examples a split holds."""

    def encoded_bytes(self, split: str) -> int:
        """Bytes that a split's examples take before they are prepared."""

    def dataset(self, split: str) -> tf.data.Dataset:
        """One example at a time, in the same order every time."""


class InputTransform(Protocol):
    """From an example as its data set gives it to the network's input; see `ImageTransform` for each member."""

    @property
    def settings(self) -> Any:
        """Whose `image_shape` is (H, W, C). A random crop reads how to decode the image here too: then, `c.Transform`."""

    def __hash__(self) -> int:
        """Equal for transforms that prepare alike."""

    def prepared(self, example: Tensors, /) -> Tensors:
        """The example with pixels, or with a map, of that shape."""

    def scaled(self, pixels: tf.Tensor, /) -> tf.Tensor:
        """The pixels as the network expects them."""
