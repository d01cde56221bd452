"""Counts the numbers of a label map, and says what is wrong with them, without TensorFlow: a first look uses it, too."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kerasvision.data.records import LabelMap
from kerasvision.shortened import shortened

# How many numbers a message names.
NAMED = 8
# A larger number is looked up instead of being the place in a table.
MOST_IN_TABLE = 65_535


def counted(numbers: NDArray[np.integer]) -> dict[int, int]:
    """Number -> how many pixels have it, the smallest number first.

    >>> counted(np.array([[7, 0], [7, 7]]))
    {0: 1, 7: 3}
    """
    if numbers.max() <= MOST_IN_TABLE:  # much faster than sorting all pixels
        counts = np.bincount(numbers.ravel())
        return {int(number): int(counts[number]) for number in np.flatnonzero(counts)}
    values, counts = np.unique(numbers, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def size_fault(numbers: NDArray[np.integer], *, width: int, height: int) -> str:
    """The fault of a map, (H, W), whose image has other sides, in pixels."""
    sizes = f"{numbers.shape[1]} x {numbers.shape[0]} pixels, and the image {width} x {height}"
    return f"its label map has {sizes}: they must have the same size"


def numbers_fault(found: Mapping[int, int], label_map: LabelMap) -> str:
    """Why a map with these numbers cannot be used; "" if it can.

    Args:
        found: number -> how many pixels have it, without the ignored ones.
        label_map: the names.

    >>> numbers_fault({0: 5, 9: 1}, LabelMap(lambda: np.zeros((2, 3), int), {0: "sky"}))
    'its label map has numbers without a class name: 9 (1 pixel); the source must name them, or list them as ignored'
    """
    if not found:
        return "its label map says nothing: every pixel is ignored"
    unknown = [] if label_map.names is None else [number for number in found if number not in label_map.names]
    if not unknown:
        return ""
    named = shortened((f"{number} ({_pixels(found[number])})" for number in unknown), most=NAMED)
    return f"its label map has numbers without a class name: {named}; the source must name them, or list them as ignored"


def _pixels(count: int) -> str:
    return "1 pixel" if count == 1 else f"{count:,} pixels"
