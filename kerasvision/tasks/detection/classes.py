"""The classes of the data set, and those of them that the network finds."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from kerasvision.errors import ConfigError, DataError
from kerasvision.lookup import did_you_mean
from kerasvision.shortened import shortened


class Classes(NamedTuple):
    """All classes of a data set, by number, and those that a network finds.

    Attributes:
        names: of all classes.
        numbers: of the classes that the network finds, in the order of its outputs.

    >>> chosen = Classes.of(("cat", "dog", "cow"), found=("cow", "cat"))
    >>> chosen.numbers, chosen.outputs(tf.constant([[2, 1, -1]])).numpy().tolist()  # dogs are background
    ((0, 2), [[1, -1, -1]])
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]

    @classmethod
    def of(cls, names: Sequence[str], *, found: Sequence[str] | None) -> "Classes":
        """The classes with these names; `found` are those to find, None all.

        Raises:
            ConfigError: there is no such class.
        """
        for name in found or ():
            if name not in names:
                raise ConfigError(f"task.classes: no object is of class {name!r}; {did_you_mean(name, names)}")
        wanted = set(names if found is None else found)
        return cls(tuple(names), tuple(number for number, name in enumerate(names) if name in wanted))

    @property
    def answered(self) -> int:
        """How many classes the network finds."""
        return len(self.numbers)

    @property
    def found(self) -> tuple[str, ...]:
        """The names of the classes that the network finds, in the order of its outputs."""
        return tuple(self.names[number] for number in self.numbers)

    def outputs(self, labels: tf.Tensor) -> tf.Tensor:
        """int32 of the same shape: the network's output for each class number; -1 for -1, and for classes not to find."""
        places = [self.numbers.index(number) if number in self.numbers else -1 for number in range(len(self.names))]
        # -1 takes the last entry of the table, which is that of padding.
        return tf.gather(tf.constant([*places, -1], tf.int32), tf.where(labels < 0, len(places), tf.cast(labels, tf.int32)))


def other_classes(names: Sequence[str]) -> DataError:
    """The error about a model that answers with other classes than these."""
    return DataError(
        f"a model must answer with the classes {shortened(names, most=10)}; this one has others",
        hint="if it is the last blessed model, leave NoWorse out of the gate until a new one is blessed; if it "
        "is in evaluation.ensemble, remove it there",
    )
