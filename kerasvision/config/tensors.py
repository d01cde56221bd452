"""A tensor in a file of PyTorch weights: its shape and its bytes, which are read later.

The place of every tensor is checked before its bytes are read, so a file that claims a huge tensor takes no memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import ml_dtypes
import numpy as np

from kerasvision.errors import ConfigError

# A table of contents is small. A larger one is something else.
MOST_BYTES = 64 * 2**20
COPY_AGAIN = "copy or download it again"


@dataclass(frozen=True)
class Tensor:
    """A tensor whose numbers are one part of a file.

    Attributes:
        file: the file.
        begin: the byte at which its storage begins.
        count: how many numbers the storage has.
        dtype: of each number.
        shape: of the tensor.
        strides: in numbers, one for each axis.
        offset: of its first number in the storage.
    """

    file: Path
    begin: int
    count: int
    dtype: np.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    def fault(self, size: int) -> str:
        """Why this tensor cannot be in a file of `size` bytes; "" if it can."""
        if not self.begin + self.count * self.dtype.itemsize <= size:
            return f"lies outside the file, which has {size:,} bytes"
        if len(self.shape) != len(self.strides) or min((0, self.offset, *self.shape, *self.strides)) < 0:
            return f"has the impossible shape {self.shape} with the strides {self.strides}"
        if max(prod(self.shape), self._end) > self.count:
            return f"has the shape {self.shape}, but its storage only {self.count:,} numbers"
        return ""

    @property
    def _end(self) -> int:
        """One more than the position of its last number in the storage."""
        steps = ((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        return self.offset + sum(steps) + 1 if prod(self.shape) else 0

    def read(self) -> np.ndarray:
        """The numbers as float32, whatever precision the file has.

        Raises:
            ConfigError: the file has become shorter.
        """
        size = self.dtype.itemsize
        wanted = max(self._end - self.offset, 0)
        with self.file.open("rb") as opened:
            opened.seek(self.begin + self.offset * size)
            stored = opened.read(wanted * size)
        if len(stored) < wanted * size:
            raise bad_file(self.file, "is cut short", hint=COPY_AGAIN)
        numbers = np.frombuffer(stored, self.dtype)
        strides = [stride * size for stride in self.strides]
        return np.lib.stride_tricks.as_strided(numbers, self.shape, strides).astype(np.float32)


# The values are the names of `torch` for storages and of the safetensors format for tensors.
DTYPES = {
    np.dtype(ml_dtypes.bfloat16): ("BFloat16Storage", "BF16"),
    np.dtype("<f2"): ("HalfStorage", "F16"),
    np.dtype("<f4"): ("FloatStorage", "F32"),
    np.dtype("<f8"): ("DoubleStorage", "F64"),
    np.dtype("u1"): ("ByteStorage", "U8"),
    np.dtype("i1"): ("CharStorage", "I8"),
    np.dtype("<i2"): ("ShortStorage", "I16"),
    np.dtype("<i4"): ("IntStorage", "I32"),
    np.dtype("<i8"): ("LongStorage", "I64"),
    np.dtype("?"): ("BoolStorage", "BOOL"),
}


def in_order(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a tensor whose last axis varies fastest, in numbers.

    >>> in_order((2, 3, 4))
    (12, 4, 1)
    """
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def bad_file(file: Path, what: str, hint: str = "") -> ConfigError:
    """The error about a file of weights; `what` continues a sentence that begins with its name."""
    return ConfigError(f"the weights file {file} {what}", hint=hint)
