"""Named arrays as one sequence of bytes and back, bit for bit: numbers of every kind, booleans and strings.

It does not use pickle: reading the bytes runs no code, and any tool can read them with the index, which is plain JSON.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

import ml_dtypes
import numpy as np

from kerasvision.errors import StageError

# Every array begins at a multiple of this many bytes, the alignment of TensorFlow's memory.
ALIGNMENT = 64
# The dtype name of TensorFlow's strings in the index; NumPy stores them as objects.
BYTE_STRINGS = "byte strings"


class Entry(TypedDict):
    """The position of an array: `size` bytes from `offset`."""

    name: str
    dtype: str
    shape: list[int]
    offset: int
    size: int


def index_of(arrays: Mapping[str, np.ndarray]) -> list[Entry]:
    """The position of each array in the bytes: `name`, `dtype`, `shape`, `offset` and `size` in bytes.

    Args:
        arrays: numbers, booleans and byte strings (dtype object), of any shape.

    Raises:
        StageError: an array has another dtype, such as Python objects.

    >>> index_of({"bias": np.zeros(2, "float32")})
    [{'name': 'bias', 'dtype': '<f4', 'shape': [2], 'offset': 0, 'size': 8}]
    """
    index, offset = list[Entry](), 0
    for name, array in arrays.items():
        size = len(_payload(name, array))
        index.append({"name": name, "dtype": _dtype_name(array), "shape": list(array.shape), "offset": offset, "size": size})
        offset += size + -size % ALIGNMENT
    return index


def pack(arrays: Mapping[str, np.ndarray]) -> Iterator[memoryview | bytes]:
    """The bytes of the arrays, piece by piece.

    Args:
        arrays: of any shape and dtype that `index_of` accepts.

    >>> [bytes(piece)[:4] for piece in pack({"count": np.int32(7)})]
    [b'\\x07\\x00\\x00\\x00', b'\\x00\\x00\\x00\\x00']
    """
    for name, array in arrays.items():
        payload = _payload(name, array)
        yield payload
        yield bytes(-len(payload) % ALIGNMENT)


def unpack(data: np.ndarray, index: Sequence[Entry]) -> dict[str, np.ndarray]:
    """Restores the arrays. They share the memory of `data`.

    Args:
        data: uint8 (N,), the bytes of `pack`.
        index: the result of `index_of`.

    Returns:
        The arrays by name, with the shapes and dtypes of the index.

    Raises:
        ValueError, KeyError, TypeError or AttributeError: the index does not fit the bytes.

    >>> arrays = {"half": np.array([0.5], ml_dtypes.bfloat16), "name": np.array([b"a", b""], object)}
    >>> unpack(np.frombuffer(b"".join(pack(arrays)), np.uint8), index_of(arrays))
    {'half': array([0.5], dtype=bfloat16), 'name': array([b'a', b''], dtype=object)}
    """
    return {entry["name"]: _array(data, entry) for entry in index}


def _payload(name: str, array: np.ndarray) -> memoryview | bytes:
    if array.dtype == object:
        return _string_payload(name, array)
    if array.dtype.kind == "V" and array.dtype.isbuiltin != 2:
        raise StageError(f"a checkpoint can only store numbers, booleans and strings; {name} has dtype {array.dtype}")
    if not array.nbytes:
        return b""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _string_payload(name: str, array: np.ndarray) -> bytes:
    strings = array.reshape(-1).tolist()
    if not all(isinstance(string, bytes) for string in strings):
        raise StageError(f"a checkpoint can only store numbers, booleans and strings; {name} has Python objects")
    return json.dumps([string.hex() for string in strings]).encode()


def _dtype_name(array: np.ndarray) -> str:
    if array.dtype == object:
        return BYTE_STRINGS
    # NumPy's `str` is the same for all registered types, such as bfloat16, so these need their `name`.
    return array.dtype.name if array.dtype.isbuiltin == 2 else array.dtype.str


def _array(data: np.ndarray, entry: Entry) -> np.ndarray:
    shape, offset = tuple(entry["shape"]), entry["offset"]
    payload = data[offset : offset + entry["size"]]
    if len(payload) != entry["size"]:
        raise ValueError(f"{entry['name']} ends after the last byte")
    if entry["dtype"] == BYTE_STRINGS:
        strings = np.empty(shape, object)
        strings.reshape(-1)[:] = [bytes.fromhex(text) for text in json.loads(payload.tobytes())]
        return strings
    is_known = entry["dtype"][0] in "<>|="
    dtype = np.dtype(entry["dtype"] if is_known else getattr(ml_dtypes, entry["dtype"]))
    return np.empty(shape, dtype) if not payload.size else payload.view(dtype).reshape(shape)
