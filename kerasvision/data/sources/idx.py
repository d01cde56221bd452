"""MNIST's file format (http://yann.lecun.com/exdb/mnist, "the idx file format")."""

import gzip
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from kerasvision.config.sources import Idx
from kerasvision.data.records import Record
from kerasvision.data.sources.arrays import encode_png
from kerasvision.errors import DataError

UNSIGNED_BYTE = 0x08
FILES = {"train": "train", "test": "t10k"}


def read_idx(settings: Idx) -> Iterator[Record]:
    """The images of the four files, named `train/00000.png`, `test/00000.png`, ...

    Raises:
        DataError: a file is missing, cut short or of another format; more labels than class names.
    """
    for split, prefix in FILES.items():
        images = read_array(settings.path / f"{prefix}-images-idx3-ubyte.gz")
        labels = read_array(settings.path / f"{prefix}-labels-idx1-ubyte.gz")
        if len(images) != len(labels):
            raise DataError(f"{prefix} holds {len(images)} images and {len(labels)} labels")
        names = settings.class_names or tuple(str(number) for number in range(int(labels.max()) + 1))
        if labels.max() >= len(names):
            raise DataError(f"label {labels.max()} has no name", hint=f"class_names names {len(names)} classes")
        for number in range(min(len(images), settings.max_examples or len(images))):
            content = partial(encode_png, images[number])
            yield Record(f"{split}/{number:05d}.png", content, names[labels[number]], split)


def read_array(path: Path) -> np.ndarray:
    """The uint8 array of one .gz file: (N,) labels or (N, H, W) images.

    Raises:
        DataError: the file is missing, cut short, or no idx file of unsigned bytes.
    """
    try:
        data = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"there is no file {path}", hint="source.path must hold the four .gz files of MNIST") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be unpacked: {error}") from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != UNSIGNED_BYTE:
        raise DataError(f"{path} is no idx file of unsigned bytes", received=data[:4])
    rank = data[3]
    shape = struct.unpack_from(f">{rank}I", data, 4)
    pixels = np.frombuffer(data, np.uint8, offset=4 + 4 * rank)
    if pixels.size != np.prod(shape):
        raise DataError(f"{path} should hold {np.prod(shape)} values, and holds {pixels.size}")
    return pixels.reshape(shape)
