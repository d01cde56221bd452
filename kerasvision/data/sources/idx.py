"""MNIST's file format (http://yann.lecun.com/exdb/mnist, "the idx file format")."""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kerasvision.config.sources import Idx
from kerasvision.data.png import encode_png
from kerasvision.data.records import Record
from kerasvision.data.repeatable import Repeatable
from kerasvision.errors import DataError

UNSIGNED_BYTE = 0x08
PIECE_BYTES = 1 << 20
FILES = {"train": "train", "test": "t10k"}


def read_idx(settings: Idx) -> Iterator[Record]:
    """The images of the four files, named `train/00000.png`, `test/00000.png`, ...

    Raises:
        DataError: a file is missing, cut short or of another format; more labels than class names.
    """
    for split, prefix in FILES.items():
        images = read_idx_array(settings.path / f"{prefix}-images-idx3-ubyte.gz", rank=3)
        labels = read_idx_array(settings.path / f"{prefix}-labels-idx1-ubyte.gz", rank=1)
        if len(images) != len(labels):
            raise DataError(f"{prefix} has {len(images)} images and {len(labels)} labels")
        highest = int(labels.max(initial=0))
        names = settings.class_names or tuple(str(number) for number in range(highest + 1))
        if highest >= len(names):
            raise DataError(f"label {highest} has no name", hint=f"name it in source.class_names, which has {len(names)}")
        for number in range(min(len(images), settings.max_examples or len(images))):
            content = Repeatable(partial(encode_png, images[number]))
            yield Record(f"{split}/{number:05d}.png", content, names[labels[number]], split)


def read_idx_array(path: Path, *, rank: int) -> NDArray[np.uint8]:
    """The uint8 array of one .gz file: (N,) labels (rank 1) or (N, H, W) images (rank 3).

    Raises:
        DataError: the file is missing, cut short, or not an idx file of unsigned bytes in `rank` dimensions.
    """
    try:
        with gzip.open(path) as file:
            header = file.read(4 + 4 * rank)
            if len(header) < 4 + 4 * rank or header[:4] != bytes((0, 0, UNSIGNED_BYTE, rank)):
                raise DataError(f"{path} is not an idx file of unsigned bytes in {rank} dimensions", received=header[:4])
            shape = struct.unpack_from(f">{rank}I", header, 4)
            values = _at_most(math.prod(shape) + 1, file)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}", hint="source.path must contain the four .gz files of MNIST") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be unpacked: {getattr(error, 'strerror', None) or error}") from error
    if len(values) != math.prod(shape):
        found = "more" if len(values) > math.prod(shape) else len(values)
        raise DataError(f"{path} should contain {math.prod(shape)} values, and contains {found}")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _at_most(size: int, file: gzip.GzipFile) -> bytearray:
    """The next bytes of a file, at most `size`. A header may claim any size, and a few bytes may unpack to gigabytes."""
    values = bytearray()
    while len(values) < size and (piece := file.read(min(PIECE_BYTES, size - len(values)))):
        values += piece
    return values
