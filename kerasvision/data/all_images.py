"""All images of a data set as its train split, for a network that is trained once the other splits have been used."""

import tensorflow as tf

from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TRAIN


class AllImages(ExampleSet):
    """A prepared data set whose train split has the images of all splits; it has no other split.

    Args:
        folder: see `ExampleSet`.
    """

    @property
    def splits(self) -> tuple[str, ...]:
        """Only `train`."""
        return (TRAIN,)

    def count(self, split: str) -> int:
        """How many examples all splits have together, for `train`; 0 for another split."""
        return self._builder.info.splits.total_num_examples if split == TRAIN else 0

    def encoded_bytes(self, split: str) -> int:
        """The size of the examples of all splits in bytes, for `train`; 0 for another split."""
        return sum(of.num_bytes for of in self._builder.info.splits.values()) if split == TRAIN else 0

    def _new_dataset(self, split: str) -> tf.data.Dataset:
        # TFDS joins splits with a plus, and refuses the name of a split that does not exist.
        return super()._new_dataset("+".join(super().splits) if split == TRAIN else split)
