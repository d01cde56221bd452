"""Decodes masks from COCO's run-length encoding: a list of counts or a compressed text.

Source: the format of the COCO mask API (https://github.com/cocodataset/cocoapi, common/maskApi.h): runs go down the columns,
beginning with the length of the first run of zeros, which may be 0.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BITS, _MORE, _SIGN = 5, 0x20, 0x10


def decode_runs(counts: Sequence[int], *, height: int, width: int) -> NDArray[np.bool_]:
    """The mask, bool (height, width), of run lengths.

    Raises:
        ValueError: the runs do not fill the picture exactly.

    >>> decode_runs([1, 2, 3], height=2, width=3).astype(int)
    array([[0, 1, 0],
           [1, 0, 0]])
    """
    # Summed in Python: numbers from a file may be too large for NumPy.
    if min(counts, default=0) < 0 or sum(counts) != height * width:
        raise ValueError(f"runs of {sum(counts)} pixels for {height} x {width}")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, np.asarray(counts, np.int64)).reshape(width, height).T


def expand_counts(text: str) -> list[int]:
    """Run lengths of a compressed text.

    Each number is written in groups of five bits, low bits first, as characters from "0" on. Bit 6 says that more groups
    follow, and the highest bit of the last group is the sign. From the fourth number on, a number is the difference to the
    one two before it.

    Raises:
        ValueError: an invalid character, or a number without an end.

    >>> expand_counts("123"), expand_counts("1230")
    ([1, 2, 3], [1, 2, 3, 2])
    """
    counts: list[int] = []
    number, shift = 0, 0
    for character in text:
        code = ord(character) - ord("0")
        if not 0 <= code < 64 or shift > 60:
            raise ValueError(f"{character!r} at {len(counts)} runs")
        number |= (code & 0x1F) << shift
        shift += _BITS
        if code & _MORE:
            continue
        if code & _SIGN:
            number -= 1 << shift
        counts.append(number + counts[-2] if len(counts) > 2 else number)
        number, shift = 0, 0
    if shift:
        raise ValueError("it ends within a number")
    return counts
