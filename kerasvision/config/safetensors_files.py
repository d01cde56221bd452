"""The tensors in a `.safetensors` file, by name.

    8 bytes                    size of the header, an unsigned integer with the low byte first
    the header, JSON           {"conv1.weight": {"dtype": "F32", "shape": [64, 3, 7, 7], "data_offsets": [0, 37632]}, ...}
    the bytes of all tensors   the offsets count from here; no bytes are unused, and none belong to two tensors

Source: https://huggingface.co/docs/safetensors, "Format". The package `safetensors` is not used: version 0.8.0 accepts a
header that has a name twice, and many of its errors do not name the tensor. It rejects the other damaged files of the tests.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kerasvision.config.tensors import COPY_AGAIN, DTYPES, MOST_BYTES, Tensor, bad_file, in_order

_DTYPES = {name: dtype for dtype, (_, name) in DTYPES.items()}


def safetensors_in(file: Path) -> dict[str, Tensor]:
    """The tensors by name, in the file's order.

    Raises:
        ConfigError: the file is cut short or damaged; the message names the tensor, if it is one.
    """
    size = file.stat().st_size
    with file.open("rb") as opened:
        header, begin = _header(opened, file, size)
    tensors = {name: _tensor(name, entry, file, begin) for name, entry in header.items() if name != "__metadata__"}
    end = begin
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].count)):
        if tensor.begin != end:
            raise bad_file(file, f"is damaged: {name!r} begins at byte {tensor.begin:,} instead of {end:,}", hint=COPY_AGAIN)
        if reason := tensor.fault(size):
            raise bad_file(file, f"is cut short or damaged: {name!r} {reason}", hint=COPY_AGAIN)
        end += tensor.count * tensor.dtype.itemsize
    if end != size:
        raise bad_file(file, f"is damaged: its tensors end at byte {end:,} of {size:,}", hint=COPY_AGAIN)
    return tensors


def _header(opened: BinaryIO, file: Path, size: int) -> tuple[Mapping[str, Any], int]:
    """The header, and the byte after it."""
    length = int.from_bytes(opened.read(8), "little")
    if not 2 <= length <= min(size - 8, MOST_BYTES):
        raise bad_file(file, "is cut short, or not a safetensors file", hint=COPY_AGAIN)
    try:
        header = json.loads(opened.read(length), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise bad_file(file, f"is damaged, or not a safetensors file: {error}", hint=COPY_AGAIN) from error
    if not isinstance(header, dict):
        raise bad_file(file, "is not a safetensors file: its header is not a JSON object", hint=COPY_AGAIN)
    return header, 8 + length


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in the header")
    return found


def _tensor(name: str, entry: Any, file: Path, begin: int) -> Tensor:
    match entry:
        case {"dtype": str(kind), "shape": [*shape], "data_offsets": [int(first), int(last)]} if _are_sizes(shape):
            dtype = _DTYPES.get(kind)
        case _:
            raise bad_file(file, f"is damaged: the header does not describe {name!r}", hint=COPY_AGAIN)
    if dtype is None:
        raise bad_file(file, f"has {name!r} in {kind}", hint=f"convert it to one of {', '.join(_DTYPES)}")
    if first < 0:
        raise bad_file(file, f"is damaged: {name!r} begins before the first tensor", hint=COPY_AGAIN)
    count = int(np.prod(shape, dtype=object))
    if last - first != count * dtype.itemsize:
        expected = f"{count * dtype.itemsize:,} bytes for the shape {tuple(shape)} of {kind}"
        raise bad_file(file, f"is damaged: {name!r} has {last - first:,} bytes, not {expected}", hint=COPY_AGAIN)
    return Tensor(file, begin + first, count, dtype, tuple(shape), in_order(shape))


def _are_sizes(shape: list[Any]) -> bool:
    return all(type(size) is int and size >= 0 for size in shape)
