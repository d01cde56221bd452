"""The tensors in a file that `torch.save(model.state_dict(), "name.pth")` wrote, by name, without running any of it.

There are two layouts. Since PyTorch 1.6 the file is a ZIP archive without compression:

    <any>/data.pkl       a pickle that describes the tensors
    <any>/data/<key>     the bytes of one storage

Older files have five pickles (a number, a version, a description of the machine, the tensors, the keys of the storages), and
then each storage: the count of its numbers in 8 bytes, and the numbers.

A pickle is a program for a small machine, and Python's `pickle` would call every function that it names. So `pickletools`
only reads the instructions here, and we follow those few that describe tensors, dictionaries, lists, tuples, numbers and
texts. No function is called. A file that asks for any other function is rejected, and the error names that function.
"""

import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from kerasvision.config.tensors import COPY_AGAIN, DTYPES, MOST_BYTES, Tensor, bad_file
from kerasvision.errors import ConfigError

MAGIC = 0x1950A86A20F9469CFC6C
_STORAGES = {f"torch {storage}": dtype for dtype, (storage, _) in DTYPES.items()}
_DICTIONARY, _TENSOR, _PARAMETER = (
    "collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter",
)  # fmt: skip
_MARK = object()
# For a damaged file, `zipfile` and `pickletools` raise one of these, depending on where the damage is.
_DAMAGE = (
    ValueError, TypeError, LookupError, AttributeError, EOFError, RuntimeError, ArithmeticError, OSError,
    struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class _Function:
    """A function or class that a pickle names; `name` has a space between module and attribute."""

    name: str


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype
    count: int


@dataclass(frozen=True)
class _View:
    """A tensor as the pickle describes it."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def torch_tensors_in(file: Path) -> dict[str, Tensor]:
    """The tensors by name, in the file's order.

    Raises:
        ConfigError: the file asks for code to be run, is cut short or damaged, or does not contain a dictionary of tensors.
    """
    try:
        views, places = _zipped(file) if zipfile.is_zipfile(file) else _in_a_row(file)
        tensors = dict(_tensors(views, places, file))
    except _DAMAGE as error:
        raise bad_file(file, f"is damaged, or not a file of PyTorch weights: {error}", hint=COPY_AGAIN) from error
    if not tensors:
        raise bad_file(
            file, "must contain a dictionary of tensors", hint="write it with torch.save(model.state_dict(), 'name.pth')"
        )
    return tensors


def _tensors(views: Any, places: dict[str, int], file: Path) -> Iterator[tuple[str, Tensor]]:
    size = file.stat().st_size
    for name, view in views.items() if isinstance(views, dict) else ():
        if not isinstance(name, str) or not isinstance(view, _View):
            raise bad_file(
                file,
                f"must contain tensors by name, and nothing else; it has {name!r}",
                hint="write it with torch.save(model.state_dict(), 'name.pth')",
            )
        stored = view.storage
        tensor = Tensor(file, places[stored.key], stored.count, stored.dtype, view.shape, view.strides, view.offset)
        if reason := tensor.fault(size):
            raise bad_file(file, f"is cut short or damaged: {name!r} {reason}", hint=COPY_AGAIN)
        yield name, tensor


def _zipped(file: Path) -> tuple[Any, dict[str, int]]:
    """What the pickle of an archive describes, and the byte at which each storage begins."""
    with zipfile.ZipFile(file) as archive, file.open("rb") as opened:
        entries = archive.infolist()
        described = next((entry for entry in entries if entry.filename.endswith("/data.pkl")), None)
        if described is None or described.file_size > MOST_BYTES:
            raise ValueError("it has no data.pkl, or one that is too large")
        storages = {
            entry.filename.rpartition("/")[2]: entry
            for entry in entries
            if entry.filename.rpartition("/")[0].endswith("/data")
        }
        sizes: dict[str, int] = {}
        found = _described(BytesIO(archive.read(described)), file, sizes)
        places = {}
        for key, entry in storages.items():
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != sizes.get(key, entry.file_size):
                raise ValueError(f"the storage {key} has {entry.file_size:,} bytes instead of {sizes.get(key, 0):,}")
            opened.seek(entry.header_offset + 26)
            name, extra = struct.unpack("<HH", opened.read(4))
            places[key] = entry.header_offset + 30 + name + extra
    return found, places


def _in_a_row(file: Path) -> tuple[Any, dict[str, int]]:
    """The same for a file of the older layout."""
    with file.open("rb") as opened:
        pickles = BytesIO(opened.read(MOST_BYTES))
        if _described(pickles, file) != MAGIC:
            raise ValueError("it begins with another number")
        _version, _machine = _described(pickles, file), _described(pickles, file)
        sizes: dict[str, int] = {}
        found, keys = _described(pickles, file, sizes), _described(pickles, file)
        places, place = {}, pickles.tell()
        for key in keys:
            opened.seek(place)
            (count,) = struct.unpack("<Q", opened.read(8))
            places[key] = place + 8
            place += 8 + sizes[key]
            if not count or sizes[key] % count:
                raise ValueError(f"the storage {key} has {count:,} numbers in {sizes[key]:,} bytes")
    return found, places


def _described(stream: BytesIO, file: Path, sizes: dict[str, int] | None = None) -> Any:
    """The value that a pickle describes; leaves the stream after it.

    Args:
        stream: begins with a pickle.
        file: for errors.
        sizes: receives the bytes of each storage by its key.
    """
    machine = _Machine(file, {} if sizes is None else sizes)
    for instruction, argument, _ in pickletools.genops(stream):
        if instruction.name == "STOP":
            break
        machine.follow(instruction.name, argument)
    return machine.stack.pop()


class _Machine:
    """Follows the instructions of a pickle that describe tensors, and rejects all others."""

    def __init__(self, file: Path, sizes: dict[str, int]) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._file, self._sizes = file, sizes

    def follow(self, name: str, argument: Any) -> None:
        """One instruction, by its name in `pickletools`."""
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _MADE:
            self.stack.append(_MADE[name]())
        elif name in _TUPLES:
            self.stack.append(tuple(self._last(_TUPLES[name])))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self._memo[argument])
        elif name in _STEPS:
            getattr(self, _STEPS[name])(argument)
        elif name != "PROTO":
            raise self._refused(f"the instruction {name}")

    def _global(self, argument: str) -> None:
        if argument not in (_DICTIONARY, _TENSOR, _PARAMETER, *_STORAGES):
            raise self._refused(argument.replace(" ", "."))
        self.stack.append(_Function(argument))

    def _tuple(self, _: None) -> None:
        self.stack.append(tuple(self._above_mark()))

    def _storage(self, _: None) -> None:
        kind, function, key, _location, count = self.stack.pop()[:5]
        if kind != "storage" or type(count) is not int or count < 0:
            raise ValueError("a storage is not described as PyTorch does")
        stored = _Storage(str(key), _STORAGES[function.name], count)
        self._sizes[stored.key] = count * stored.dtype.itemsize
        self.stack.append(stored)

    def _reduce(self, _: None) -> None:
        function, arguments = self._last(2)
        self.stack.append(_called(function.name, arguments))

    def _build(self, _: None) -> None:
        """A state dictionary has versions of its layers as attributes; they are not needed."""
        self.stack.pop()

    def _set_item(self, _: None) -> None:
        key, value = self._last(2)
        self.stack[-1][key] = value

    def _set_items(self, _: None) -> None:
        pairs = self._above_mark()
        self.stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))

    def _append(self, _: None) -> None:
        (value,) = self._last(1)
        self.stack[-1].append(value)

    def _appends(self, _: None) -> None:
        values = self._above_mark()
        self.stack[-1].extend(values)

    def _last(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise ValueError("its description is cut short")
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken

    def _above_mark(self) -> list[Any]:
        count = next((count for count, value in enumerate(reversed(self.stack)) if value is _MARK), len(self.stack) + 1)
        taken = self._last(count)
        self.stack.pop()
        return taken

    def _refused(self, what: str) -> ConfigError:
        return bad_file(
            self._file,
            f"may only contain tensors in dictionaries; it asks for {what}, which was not run",
            hint="do not use this file, or ask its author for a .safetensors file",
        )


def _called(name: str, arguments: tuple[Any, ...]) -> Any:
    """What a function that is admitted returns."""
    if name == _DICTIONARY and not arguments:
        return {}
    if name == _PARAMETER and isinstance(arguments[0], _View):
        return arguments[0]
    if name == _TENSOR and isinstance(arguments[0], _Storage):
        stored, offset, shape, strides = arguments[:4]
        if all(type(number) is int for number in (offset, *shape, *strides)):
            return _View(stored, offset, tuple(shape), tuple(strides))
    raise ValueError(f"{name.replace(' ', '.')} has other arguments than PyTorch writes")


_VALUES = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE")
_MADE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False, "MARK": lambda: _MARK,
    "EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict,
}  # fmt: skip
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_STEPS = {
    "GLOBAL": "_global", "TUPLE": "_tuple", "BINPERSID": "_storage", "REDUCE": "_reduce", "BUILD": "_build",
    "SETITEM": "_set_item", "SETITEMS": "_set_items", "APPEND": "_append", "APPENDS": "_appends",
}  # fmt: skip
