"""Checks and encodes the label map of an image: its size must be the image's, and every number must have a name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kerasvision.config.example_parts import IGNORED
from kerasvision.data.inspecting.fitted_objects import swapped_sides
from kerasvision.data.inspecting.map_numbers import MOST_IN_TABLE, counted, numbers_fault, size_fault
from kerasvision.data.png import encode_png
from kerasvision.data.records import LabelMap, UnusableMap
from kerasvision.errors import ConfigError

MAP_TURNED = "the label map ignores the EXIF orientation, so it was turned with the image"


@dataclass(frozen=True)
class CheckedMap:
    """A label map of an image, after all checks.

    Attributes:
        numbers: integers (H, W) of the upright image, in the numbers of the source; with a fault (0, 0).
        found: number -> how many pixels have it; without the ignored ones.
        notes: what was changed, one line each.
        fault: why it cannot be used; otherwise "".
    """

    numbers: NDArray[np.integer] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    found: Mapping[int, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    fault: str = ""


def check_map(label_map: LabelMap, data: bytes, *, width: int, height: int) -> CheckedMap:
    """The label map of an image, turned with it if need be.

    Args:
        label_map: from the source.
        data: the encoded image.
        width, height: size of the upright image.

    Raises:
        ConfigError: the function of a user's own source returns no array of integers (H, W).

    >>> sky = LabelMap(lambda: np.array([[0, 0, 9]]), {0: "sky"}, ignored=frozenset({9}))
    >>> check_map(sky, b"", width=3, height=1).found
    {0: 2}
    >>> check_map(sky, b"", width=4, height=1).fault
    'its label map has 3 x 1 pixels, and the image 4 x 1: they must have the same size'
    """
    try:
        numbers = _loaded(label_map)
    except UnusableMap as unusable:
        return CheckedMap(fault=str(unusable))
    except OSError as error:
        return CheckedMap(fault=f"its label map cannot be read: {error.strerror or error}")
    notes: tuple[str, ...] = ()
    if numbers.shape != (height, width):
        turn = swapped_sides(data, width=width, height=height)
        if turn is None or numbers.shape != (width, height):
            return CheckedMap(fault=size_fault(numbers, width=width, height=height))
        numbers, notes = _turned(numbers, turn), (MAP_TURNED,)
    found = {number: count for number, count in counted(numbers).items() if number not in label_map.ignored}
    return CheckedMap(numbers, found, notes, numbers_fault(found, label_map))


def map_classes(declared: Iterable[Mapping[int, str]], numbers: Iterable[int]) -> tuple[str, ...]:
    """The classes of the label maps of a source, in the order of their numbers in a data set.

    Args:
        declared: the different `LabelMap.names`, as they came first; each may repeat names.
        numbers: the numbers in maps without names, which are their own names.

    >>> map_classes([{7: "road", 8: "road", 3: "sky"}], [10, 9])
    ('road', 'sky', '9', '10')
    """
    names = [name for one in declared for name in one.values()]
    return tuple(dict.fromkeys([*names, *map(str, sorted(set(numbers)))]))


def encode_map(checked: CheckedMap, label_map: LabelMap, classes: Mapping[str, int]) -> bytes:
    """The label map as a data set keeps it: a grey PNG of class numbers, 255 where it says nothing.

    Args:
        checked: without a fault.
        label_map: the names of its numbers.
        classes: class name -> its number in the data set.

    >>> road = LabelMap(lambda: np.array([[7, 255]]), {7: "road"}, ignored=frozenset({255}))
    >>> len(encode_map(check_map(road, b"", width=2, height=1), road, {"sky": 0, "road": 1})) > 60
    True
    """
    known = sorted(checked.found)
    targets = np.array([classes[name_of(number, label_map)] for number in known], np.uint8)
    numbers = checked.numbers
    if not known or known[-1] > MOST_IN_TABLE or int(numbers.max()) > MOST_IN_TABLE:
        return encode_png(_looked_up(numbers, np.array(known), targets))
    table = np.full(int(numbers.max()) + 1, IGNORED, np.uint8)
    table[known] = targets
    return encode_png(table[numbers])


def name_of(number: int, label_map: LabelMap) -> str:
    """The class name of a number: its digits, if the map has no names."""
    return str(number) if label_map.names is None else label_map.names[number]


def _loaded(label_map: LabelMap) -> NDArray[np.integer]:
    numbers = label_map.load()
    is_map = isinstance(numbers, np.ndarray) and numbers.ndim == 2 and np.issubdtype(numbers.dtype, np.integer)
    if not is_map or not numbers.size or numbers.min() < 0:
        received = f"{getattr(numbers, 'dtype', type(numbers).__name__)} {getattr(numbers, 'shape', '')}"
        raise ConfigError("LabelMap.load must return integers (H, W), at least 0", received=received.strip())
    return numbers


def _turned(numbers: NDArray[np.integer], orientation: int) -> NDArray[np.integer]:
    """The numbers of the stored picture, (W, H), as those of the upright one, for an EXIF orientation from 5 to 8."""
    if orientation == 5:  # mirrored along the falling diagonal
        return numbers.T
    if orientation == 7:  # mirrored along the rising diagonal
        return np.rot90(numbers, 2).T
    return np.rot90(numbers, -1 if orientation == 6 else 1)


def _looked_up(numbers: NDArray[np.integer], known: NDArray[np.int64], targets: NDArray[np.uint8]) -> NDArray[np.uint8]:
    places = np.searchsorted(known, numbers).clip(max=len(known) - 1)
    return np.where(known[places] == numbers, targets[places], np.uint8(IGNORED))
