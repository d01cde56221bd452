"""Which images an epoch uses if every class is drawn equally often.

Source: Shen et al., 2016, https://arxiv.org/abs/1512.05830, section 3.1, "class-aware sampling".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import tensorflow as tf

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Balance:
    """Draws rows of a split: each class equally often in an epoch, or once more where the numbers do not divide.

    Within its class an image is used as often as every other, or once more. Of a class with more images than it has draws,
    each epoch takes another random selection. (seed, epoch) alone decide the draws.

    Attributes:
        draws: how many images one epoch uses.
        rows: int64 (P,), rows of the split by class, each as often as an epoch may need it.
        copies: int64 (P,), the number of the copy of that row, from 0.
        numbers: int64 (P,), the number of its class among the classes with an image, from 0.
        starts: int64 (C,), where each of these classes begins in `rows`.
    """

    draws: int
    rows: Integers
    copies: Integers
    numbers: Integers
    starts: Integers

    @classmethod
    def of_labels(cls, labels: npt.NDArray[np.integer], *, draws: int) -> Self:
        """For a split with these labels, integers (N,). A class without an image is never drawn.

        >>> balance = Balance.of_labels(np.array([0, 0, 0, 2]), draws=6)
        >>> balance.rows.tolist(), balance.copies.tolist()  # three draws of each class
        ([0, 1, 2, 3, 3, 3], [0, 0, 0, 0, 1, 2])
        """
        _, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
        most = -(-draws // len(counts))
        by_class = np.argsort(numbers, kind="stable")
        copies_of = -(-most // counts)
        parts = [np.repeat(part, copies) for part, copies in zip(_parts(by_class, counts), copies_of, strict=True)]
        copies = [np.tile(np.arange(copies), count) for count, copies in zip(counts, copies_of, strict=True)]
        sizes = counts * copies_of
        return cls(
            draws,
            rows=np.concatenate(parts).astype(np.int64),
            copies=np.concatenate(copies).astype(np.int64),
            numbers=np.repeat(np.arange(len(counts)), sizes),
            starts=np.cumsum(sizes) - sizes,
        )

    def rows_of_epoch(self, seed: int, epoch: tf.Tensor) -> tf.Tensor:
        """The rows of an epoch in their order, int64 (draws,); `epoch` is an int64 scalar.

        >>> balance = Balance.of_labels(np.array([0, 0, 0, 2]), draws=6)
        >>> sorted(balance.rows_of_epoch(0, tf.constant(1, tf.int64)).numpy().tolist())
        [0, 1, 2, 3, 3, 3]
        """
        numbers = tf.stack([tf.constant(seed, tf.int64), epoch])
        random = tf.random.stateless_uniform([len(self.rows)], seed=numbers, dtype=tf.float64)
        # Sorted by class, then by copy, then by chance: all images of a class come before the second copy of one of them.
        span = int(self.copies.max()) + 1
        in_order = tf.argsort(tf.constant(self.numbers * span + self.copies, tf.float64) + random)
        drawn, classes = tf.range(self.draws, dtype=tf.int64), len(self.starts)
        # Drawn in turn over all epochs, so that the same classes do not always have the draw more.
        of_class = (epoch * self.draws + drawn) % classes
        chosen = tf.gather(in_order, tf.gather(tf.constant(self.starts), of_class) + drawn // classes)
        return tf.random.experimental.stateless_shuffle(tf.gather(tf.constant(self.rows), chosen), seed=numbers)


def _parts(by_class: npt.NDArray[np.integer], counts: npt.NDArray[np.integer]) -> Sequence[npt.NDArray[np.integer]]:
    return np.split(by_class, np.cumsum(counts)[:-1])
