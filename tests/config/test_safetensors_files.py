"""`.safetensors` files, made byte by byte: what is read from them, and how damaged ones are rejected."""

import json

import ml_dtypes
import numpy as np
import pytest

from kerasvision.config.safetensors_files import safetensors_in
from kerasvision.config.tensor_files import tensors_in
from kerasvision.errors import ConfigError

PAIR = np.array([1.5, -2.0], "<f4").tobytes()


def entry(begin=0, end=8, *, kind="F32", shape=(2,)):
    return {"dtype": kind, "shape": list(shape), "data_offsets": [begin, end]}


@pytest.fixture
def write(tmp_path):
    def write_file(header, content=b"", length=None):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        file = tmp_path / "some.safetensors"
        file.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + content)
        return file

    return write_file


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("F32", "<f4"), ("F64", "<f8"), ("F16", "<f2"), ("BF16", ml_dtypes.bfloat16), ("I64", "<i8"), ("U8", "u1")],
)
def test_every_precision_becomes_float32(kind, dtype, write):
    stored = np.array([[0, 1, 2], [3, 4, 5]], dtype)
    header = {"__metadata__": {"format": "pt"}, "a": entry(0, stored.nbytes, kind=kind, shape=(2, 3))}
    (tensor,) = safetensors_in(write(header, stored.tobytes())).values()
    assert tensor.shape == (2, 3)
    numbers = tensor.read()
    assert numbers.dtype == np.float32
    assert numbers.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_tensors_are_found_by_their_offsets_and_not_by_their_order(write):
    file = write({"b": entry(8, 16), "a": entry(0, 8), "one": entry(16, 20, shape=())}, PAIR + PAIR[::-1] + PAIR[:4])
    found = safetensors_in(file)
    assert list(found) == ["b", "a", "one"]
    assert found["a"].read().tolist() == [1.5, -2.0]
    assert found["one"].read().tolist() == 1.5


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"a": entry(), "b": entry(4, 12)}, "'b' begins at byte .* instead of"),  # overlapping
        ({"a": entry(), "b": entry(0, 8)}, "'b' begins at byte .* instead of"),  # the same bytes twice
        ({"a": entry(), "b": entry(12, 20)}, "'b' begins at byte .* instead of"),  # a hole
        ({"a": entry(0, 2**40, shape=(2**38,))}, "'a' lies outside the file, which has"),
        ({"a": entry(-8, 0)}, "'a' begins before the first tensor"),
        ({"a": entry(0, 8, shape=(3,))}, r"'a' has 8 bytes, not 12 bytes for the shape \(3,\) of F32"),
        ({"a": entry(8, 0)}, "'a' has -8 bytes"),
        ({"a": entry(shape=(-2,))}, "the header does not describe 'a'"),
        ({"a": entry(shape=(2.0,))}, "the header does not describe 'a'"),
        ({"a": [0, 8]}, "the header does not describe 'a'"),
        ({"a": entry(kind="F8_E4M3")}, "has 'a' in F8_E4M3. Convert it to one of BF16, F16, F32"),
        ({"a": entry()}, "its tensors end at byte .* of"),  # more bytes than tensors
        ([1, 2], "its header is not a JSON object"),
        (b'{"a": 1, "a": 2}', "a name stands twice"),
        (b"{" * 100_000, "damaged, or not a safetensors file"),
        (b"\xff\xfe{}", "damaged, or not a safetensors file"),
    ],
)
def test_damaged_file_is_rejected_with_what_is_wrong(header, message, write):
    with pytest.raises(ConfigError, match=f"some.safetensors .*{message}"):
        safetensors_in(write(header, PAIR * 2))


def test_every_cut_of_a_file_is_rejected(write):
    whole = write({"a": entry(), "b": entry(8, 16)}, PAIR * 2).read_bytes()
    for length in range(len(whole)):
        file = write({})
        file.write_bytes(whole[:length])
        with pytest.raises(ConfigError, match="some.safetensors is (cut short|damaged)"):
            safetensors_in(file)


def test_header_that_claims_more_than_the_file_takes_no_memory(write):
    for length in (2**63, 2**31, 100):
        with pytest.raises(ConfigError, match="is cut short, or not a safetensors file"):
            safetensors_in(write({}, length=length))


def test_file_that_was_cut_after_its_table_was_read_is_an_error(write):
    file = write({"a": entry()}, PAIR)
    (tensor,) = safetensors_in(file).values()
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ConfigError, match="is cut short"):
        tensor.read()


def test_folder_and_missing_file_are_rejected(tmp_path):
    (tmp_path / "folder.safetensors").mkdir()
    for name in ("folder.safetensors", "nowhere.pth"):
        with pytest.raises(ConfigError, match=f"{name} must be a file"):
            tensors_in(tmp_path / name)
