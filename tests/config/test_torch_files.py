"""Files of PyTorch weights, made byte by byte: what is read from them, and that code in them is never run.

The pickles are written with Python's own `pickle`, whose classes here stand in for those of PyTorch.
"""

import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from functools import partial

import numpy as np
import pytest

from kerasvision.config.torch_files import MAGIC, torch_tensors_in
from kerasvision.errors import ConfigError

RAN = []


class FloatStorage:
    """torch.FloatStorage, with its key in the file and its numbers."""

    def __init__(self, key, numbers):
        self.key, self.numbers = key, np.asarray(numbers, "<f4")


class Rebuilt:
    """A tensor, which pickles as PyTorch's do."""

    def __init__(self, storage, offset, shape, strides):
        self.arguments = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


class Harmful:
    """Calls a function while it is read."""

    def __reduce__(self):
        return RAN.append, ("ran",)


class Reaching:
    """Calls a function of the system."""

    def __reduce__(self):
        import os

        return os.getcwd, ()


@pytest.fixture(autouse=True)
def torch_stands_in(monkeypatch):
    """Pickle writes a class by its module, so there is a module of that name while a test runs."""
    utils, torch = types.ModuleType("torch._utils"), types.ModuleType("torch")

    def _rebuild_tensor_v2(*arguments):
        raise AssertionError("nothing may be called")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2, torch.FloatStorage = _rebuild_tensor_v2, FloatStorage
    monkeypatch.setattr(FloatStorage, "__module__", "torch")
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    RAN.clear()


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, FloatStorage):
            return ("storage", FloatStorage, value.key, "cpu", len(value.numbers))
        return None


def pickled(value, to, *, pickler=Pickler):
    pickler(to, protocol=2).dump(value)


def write_new(file, value, storages):
    with zipfile.ZipFile(file, "w") as archive:
        with archive.open("any/data.pkl", "w") as entry:
            pickled(value, entry)
        for storage in storages:
            archive.writestr(f"any/data/{storage.key}", storage.numbers.tobytes())


def write_old(file, value, storages):
    with file.open("wb") as opened:
        for part in (MAGIC, 1001, {"little_endian": True}, value, [storage.key for storage in storages]):
            pickled(part, opened)
        for storage in storages:
            opened.write(struct.pack("<Q", len(storage.numbers)) + storage.numbers.tobytes())


both = pytest.mark.parametrize("write", [write_new, write_old])


@both
def test_tensors_are_read_with_their_shape_and_strides(write, tmp_path):
    six = FloatStorage("0", [0, 1, 2, 3, 4, 5])
    state = OrderedDict(
        plain=Rebuilt(six, 0, (2, 3), (3, 1)), turned=Rebuilt(six, 0, (3, 2), (1, 3)), last=Rebuilt(six, 5, (), ())
    )
    state._metadata = OrderedDict()
    write(tmp_path / "a.pth", state, [six])
    found = {name: tensor.read().tolist() for name, tensor in torch_tensors_in(tmp_path / "a.pth").items()}
    assert found == {"plain": [[0, 1, 2], [3, 4, 5]], "turned": [[0, 3], [1, 4], [2, 5]], "last": 5}


@both
@pytest.mark.parametrize(
    ("value", "asked"),
    [(Harmful(), "__builtin__.getattr"), (Reaching(), r"(posix|nt).getcwd"), (partial(print, "hello"), "functools.partial")],
)
def test_file_that_calls_a_function_is_refused_by_its_name_and_does_not_run(write, value, asked, tmp_path):
    write(tmp_path / "bad.pth", {"weight": value}, [])
    with pytest.raises(ConfigError, match=f"bad.pth may only contain tensors.*; it asks for {asked}, which was not run"):
        torch_tensors_in(tmp_path / "bad.pth")
    assert RAN == []


def test_class_from_elsewhere_is_refused_as_storage_and_as_state(tmp_path):
    write_old(tmp_path / "bad.pth", {"weight": np.zeros(3)}, [])
    with pytest.raises(ConfigError, match="it asks for numpy"):
        torch_tensors_in(tmp_path / "bad.pth")


def test_instruction_that_weights_do_not_need_is_refused(tmp_path):
    """An instruction of old, INST, makes an object of any class."""
    content = b"(S'ran'\nios\ngetcwd\n."
    with zipfile.ZipFile(tmp_path / "bad.pth", "w") as archive:
        archive.writestr("any/data.pkl", content)
    with pytest.raises(ConfigError, match="it asks for the instruction STRING, which was not run"):
        torch_tensors_in(tmp_path / "bad.pth")


@both
def test_tensor_that_is_larger_than_its_storage_is_refused_before_it_is_read(write, tmp_path):
    small = FloatStorage("0", [1, 2])
    for offset, shape, strides in ((0, (2**40,), (0,)), (1, (2,), (1,)), (0, (2,), (-1,)), (0, (2, 1), (1,))):
        write(tmp_path / "bad.pth", {"weight": Rebuilt(small, offset, shape, strides)}, [small])
        with pytest.raises(ConfigError, match="'weight' has the (impossible )?shape"):
            torch_tensors_in(tmp_path / "bad.pth")


@both
def test_storage_outside_the_file_is_refused(write, tmp_path):
    stored = FloatStorage("0", [1, 2, 3, 4])
    write(tmp_path / "a.pth", {"weight": Rebuilt(stored, 0, (4,), (1,))}, [stored])
    content = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "short.pth").write_bytes(content[:-4])
    with pytest.raises(ConfigError, match="short.pth is (cut short or )?damaged"):
        torch_tensors_in(tmp_path / "short.pth")


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x80\x02", b"\x80\x02K\x01.", b"\x80\x02}q\x00."])
def test_other_content_is_said_to_be_none_of_pytorch(content, tmp_path):
    (tmp_path / "bad.pth").write_bytes(content)
    with pytest.raises(ConfigError, match="is damaged, or not a file of PyTorch weights"):
        torch_tensors_in(tmp_path / "bad.pth")


@pytest.mark.parametrize("value", [[1, 2], {}, {"weight": 3}, {"model": {"weight": 1.5}}])
def test_other_values_than_tensors_by_name_are_refused_with_the_way_out(value, tmp_path):
    write_new(tmp_path / "bad.pth", value, [])
    with pytest.raises(ConfigError, match=r"must contain .*tensors.*torch\.save\(model\.state_dict\(\)"):
        torch_tensors_in(tmp_path / "bad.pth")


def test_compressed_storage_is_refused(tmp_path):
    """It could be larger than the memory; PyTorch never compresses."""
    stored = FloatStorage("0", np.zeros(1000))
    with zipfile.ZipFile(tmp_path / "bad.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("any/data.pkl", "w") as entry:
            pickled({"weight": Rebuilt(stored, 0, (1000,), (1,))}, entry)
        archive.writestr("any/data/0", stored.numbers.tobytes())
    with pytest.raises(ConfigError, match="the storage 0 has"):
        torch_tensors_in(tmp_path / "bad.pth")


def test_every_cut_of_a_file_is_an_error_and_never_another_exception(tmp_path):
    stored = FloatStorage("0", [1, 2, 3, 4])
    for write in (write_new, write_old):
        write(tmp_path / "whole.pth", {"weight": Rebuilt(stored, 0, (4,), (1,))}, [stored])
        content = (tmp_path / "whole.pth").read_bytes()
        for length in range(0, len(content), 7):
            (tmp_path / "cut.pth").write_bytes(content[:length])
            with pytest.raises(ConfigError, match="cut.pth"):
                torch_tensors_in(tmp_path / "cut.pth")


@both
def test_changed_bytes_are_an_error_or_other_tensors_and_never_another_exception(write, tmp_path):
    stored = FloatStorage("0", [1, 2, 3, 4])
    write(tmp_path / "whole.pth", {"weight": Rebuilt(stored, 0, (4,), (1,))}, [stored])
    content = (tmp_path / "whole.pth").read_bytes()
    random, rejected = np.random.default_rng(0), 0
    for _ in range(500):
        changed = bytearray(content)
        changed[random.integers(len(changed))] = random.choice([0, 255, *b"(.Rbc", random.integers(256)])
        (tmp_path / "changed.pth").write_bytes(changed)
        try:
            torch_tensors_in(tmp_path / "changed.pth")
        except ConfigError:
            rejected += 1
    assert rejected > 100
