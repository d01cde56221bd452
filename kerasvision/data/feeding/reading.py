"""Which parts of the examples a training reads. The others are dropped before anything is decoded, padded or kept."""

from collections.abc import Collection, Hashable
from typing import Any

import tensorflow as tf

from kerasvision.config.example_parts import EVERYTHING, ExamplePart
from kerasvision.data.feeding.inputs import SplitExamples
from kerasvision.data.tensors import Tensors
from kerasvision.ops.tracing import without_autograph


class ReadExamples:
    """Examples without the parts that nobody reads; see `SplitExamples` for each member.

    Args:
        examples: all parts.
        reads: the parts to keep. The image, its id and unknown parts always stay.
    """

    def __init__(self, examples: SplitExamples, reads: Collection[ExamplePart]) -> None:
        self._examples, self._dropped = examples, EVERYTHING - set(reads)

    @property
    def cached(self) -> dict[tuple[Hashable, ...], Any]:
        """Those of all parts: `cached_split` keeps examples with other parts under another key."""
        return self._examples.cached

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names of the labels, also if these are not read."""
        return self._examples.classes

    @property
    def object_classes(self) -> tuple[str, ...]:
        """Class names of the objects; empty if these are not read."""
        return () if "objects" in self._dropped else self._examples.object_classes

    def count(self, split: str) -> int:
        """How many examples a split has."""
        return self._examples.count(split)

    def encoded_bytes(self, split: str) -> int:
        """An upper bound: the size with all parts."""
        return self._examples.encoded_bytes(split)

    def dataset(self, split: str) -> tf.data.Dataset:
        """One example at a time, without the other parts."""
        dataset = self._examples.dataset(split)
        return dataset.map(self._kept) if self._drops_from(dataset.element_spec) else dataset

    def _drops_from(self, spec: Tensors) -> bool:
        return any(part in spec or part in spec.get("objects", {}) for part in self._dropped)

    @without_autograph
    def _kept(self, example: Tensors) -> Tensors:
        kept = {key: part for key, part in example.items() if key not in self._dropped}
        if "objects" in kept and "mask" in self._dropped:
            kept["objects"] = {key: part for key, part in kept["objects"].items() if key != "mask"}
        return kept
