"""Which rows of a trained head belong to which class, so that a network for other classes loads the rows of common classes.

A class keeps its rows by its name, even if its number changes. Rows of new classes are freshly initialised. If more layers
than the last depend on the number of classes (Network in Network), the head is loaded only for the same set of classes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from kerasvision.errors import ConfigError
from kerasvision.models.weight_files import Stored
from kerasvision.progress import say
from kerasvision.shortened import shortened

# How many classes a line names at most.
MOST_NAMED = 8

# Layer -> for each of its weights, the axes whose length is the number of classes.
ClassAxes = dict[str, list[tuple[int, ...]]]


def shared_rows(names: Sequence[str], stored_names: Sequence[str]) -> dict[int, int]:
    """A class's number here -> its number in the file, for the classes that both have.

    >>> shared_rows(["cat", "emu", "dog"], ["dog", "fox", "cat"])
    {0: 2, 2: 0}
    """
    numbers = {name: number for number, name in enumerate(stored_names)}
    return {ours: numbers[name] for ours, name in enumerate(names) if name in numbers}


def repeated(rows: Mapping[int, int], *, ours: int, theirs: int, each: int) -> dict[int, int]:
    """`shared_rows` of a head with several rows for each class: one row of every class, then the next of every class.

    Args:
        rows: see `shared_rows`.
        ours, theirs: how many classes the network and the file have.
        each: how many rows a class has.

    >>> repeated({0: 2}, ours=1, theirs=3, each=2)
    {0: 2, 1: 5}
    """
    return {k * ours + our: k * theirs + their for k in range(each) for our, their in rows.items()}


def class_axes(model: keras.Model, make: Callable[..., keras.Model], *, num_classes: int) -> ClassAxes:
    """Which axes of a network's weights have the number of classes as their length: those that grow with one class more.

    Args:
        model: made for `num_classes`.
        make: makes the network, given `num_classes`.
        num_classes: how many classes the model has.
    """
    wider = [layer for layer in make(num_classes=num_classes + 1).layers if layer.weights]
    # Layers are paired by position: a layer without a name of its own has a different one in every network.
    pairs = zip([layer for layer in model.layers if layer.weights], wider, strict=True)
    found = {ours.name: [_axes(*shapes) for shapes in _shapes(ours, more)] for ours, more in pairs}
    return {name: axes for name, axes in found.items() if any(axes)}


def can_take(model: keras.Model, axes: ClassAxes, *, names: Sequence[str], stored_names: Sequence[str]) -> bool:
    """Whether rows can be loaded by name. They can if only the last layer of the head has a row for each class.

    Any other head can be reordered as a whole, if each of these axes has as many rows as there are classes.

    Args:
        model: the network.
        axes: see `class_axes`.
        names: the classes of the network.
        stored_names: the classes of the file.
    """
    found = [
        (tuple(weight.shape), of_weight)
        for layer in model.layers
        for weight, of_weight in zip(layer.weights, axes.get(layer.name, ()), strict=False)
    ]
    has_rows = all(shape[axis] == len(names) for shape, of_weight in found for axis in of_weight)
    is_plain = all(len(of_weight) < 2 for _, of_weight in found)
    return bool(found) and has_rows and (is_plain or set(names) == set(stored_names))


class ByName:
    """A weight of a head for other classes, as `Stored`: stored rows for common classes, and fresh rows for the others."""

    def __init__(self, stored: Stored, fresh: np.ndarray, *, axes: Sequence[int], rows: Mapping[int, int]) -> None:
        self._stored, self._fresh, self._axes, self._rows = stored, fresh, axes, rows
        # On the other axes the stored lengths must match those of the network.
        lengths = enumerate(zip(fresh.shape, stored.shape, strict=True))
        self.shape = tuple(ours if axis in axes else theirs for axis, (ours, theirs) in lengths)

    def read(self) -> np.ndarray:
        """float32, of the network's shape."""
        numbers = self._fresh.copy()
        numbers[self._places(self._rows.keys())] = self._stored.read()[self._places(self._rows.values())]
        return numbers

    def _places(self, rows: Iterable[int]) -> tuple[np.ndarray, ...]:
        rows, lengths = list(rows), enumerate(self._fresh.shape)
        return np.ix_(*(rows if axis in self._axes else range(length) for axis, length in lengths))


def by_name(
    model: keras.Model,
    stored: Mapping[str, Sequence[Stored]],
    file: Path,
    *,
    axes: ClassAxes,
    rows: Mapping[int, int],
    count: int,
    each: int = 1,
) -> dict[str, Sequence[Stored]]:
    """The stored weights, with the rows of the head in the order of the network's classes.

    Args:
        model: the network, freshly initialised.
        stored: layer -> its weights in the file.
        file: the weights file.
        axes: see `class_axes`.
        rows: see `shared_rows`.
        count: how many classes the file names.
        each: how many rows a class has; see `repeated`.

    Raises:
        ConfigError: the file's head has another number of classes than the file names.
    """
    found = dict(stored)
    for layer in (layer for layer in model.layers if layer.name in axes and layer.name in stored):
        parts = list(zip(stored[layer.name], layer.weights, axes[layer.name], strict=False))
        for theirs, ours, of_weight in parts:
            if len(theirs.shape) != len(ours.shape) or any(theirs.shape[axis] != count * each for axis in of_weight):
                raise ConfigError(
                    f"the weights file {file} must name each class of its head; its layer {layer.name!r} has the shape "
                    f"{theirs.shape}, and the number of names is {count}",
                    hint="use the file as the trainer wrote it",
                )
        found[layer.name] = [
            ByName(theirs, keras.ops.convert_to_numpy(ours), axes=of_weight, rows=rows) for theirs, ours, of_weight in parts
        ]
    return found


def say_head(names: Sequence[str], rows: Mapping[int, int], file: Path, *, noun: str = "classes") -> None:
    """Prints one line: which classes of the head come from a file, and which are fresh."""
    say(head_line(names, rows, file, noun=noun))


def head_line(names: Sequence[str], rows: Mapping[int, int], file: Path, *, noun: str = "classes") -> str:
    """Which classes of the head come from a file, and which are fresh.

    >>> head_line(["cat", "emu", "dog"], {0: 2, 2: 0}, Path("old.keras"))
    'the head loads 2 of 3 classes from old.keras, by name: cat, dog; fresh: emu'
    >>> head_line(["cat", "dog"], {0: 1, 1: 0}, Path("old.keras"))
    'the head loads all 2 classes from old.keras, by name'
    >>> head_line(["emu"], {}, Path("old.keras"))
    'the head begins fresh: old.keras has none of these classes'
    """
    if not rows:
        return f"the head begins fresh: {file} has none of these {noun}"
    if len(rows) == len(names):
        return f"the head loads all {len(names)} {noun} from {file}, by name"
    kept, fresh = ([name for number, name in enumerate(names) if (number in rows) is known] for known in (True, False))
    taken = f"the head loads {len(kept)} of {len(names)} {noun} from {file}, by name"
    return f"{taken}: {class_list(kept)}; fresh: {class_list(fresh)}"


def say_fresh(file: Path, why: str) -> None:
    """Prints one line: the head begins fresh, and why none of the file's rows are loaded."""
    say(f"the head begins fresh: {file} {why}")


def class_list(names: Sequence[str]) -> str:
    """Names for a line: the first few, and how many more there are.

    >>> class_list(["cat", "dog"])
    'cat, dog'
    """
    return shortened(names, most=MOST_NAMED)


def _shapes(ours: keras.Layer, more: keras.Layer) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The shapes of two layers' weights, in pairs."""
    for weight, other in zip(ours.weights, more.weights, strict=True):
        yield tuple(weight.shape), tuple(other.shape)


def _axes(ours: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axis for axis, (length, longer) in enumerate(zip(ours, more, strict=True)) if length != longer)
