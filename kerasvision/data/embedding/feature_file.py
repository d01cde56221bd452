"""The features of many images in a temporary file: written and read in batches, so memory does not grow with the images."""

import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

ROWS_AT_ONCE = 1024

Rows = NDArray[np.float32]


class FeatureFile:
    """Rows of numbers on disk, float32 (N, D). The file disappears when it is closed.

    >>> with FeatureFile() as file:
    ...     file.append(np.float32([[1, 2], [3, 4]]))
    ...     file.append(np.float32([[5, 6]]))
    ...     [rows.tolist() for rows in file.batches(2)], file.rows([2, 0]).tolist()
    ([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]], [[5.0, 6.0], [1.0, 2.0]])
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._width = self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def append(self, rows: Rows) -> None:
        """Adds rows, (n, D); D is the same every time."""
        self._width = rows.shape[1]
        self._count += len(rows)
        self._file.seek(0, 2)
        self._file.write(np.ascontiguousarray(rows, np.float32).data)

    def batches(self, size: int = ROWS_AT_ONCE) -> Iterator[Rows]:
        """All rows, in order, at most `size` at a time."""
        for first in range(0, self._count, size):
            yield self._read(first, min(size, self._count - first))

    def rows(self, places: Sequence[int]) -> Rows:
        """The rows at these places, in this order."""
        return np.concatenate([self._read(place, 1) for place in places])

    def _read(self, first: int, count: int) -> Rows:
        self._file.seek(first * self._width * 4)
        rows = np.empty((count, self._width), np.float32)
        self._file.readinto(rows.data)
        return rows
