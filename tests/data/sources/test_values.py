"""A label is one text or one whole number of any type; other values are rejected, and the error names their row."""

import datetime
import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from pyarrow import parquet

from kerasvision.config.sources import TfRecord
from kerasvision.config.table_source import Table
from kerasvision.data.sources.table import read_table
from kerasvision.data.sources.tfrecord import read_tfrecord
from kerasvision.data.sources.values import Labels, UnusableValue, Values
from kerasvision.errors import DataError

ANIMALS = ["cat", "dog", "été"]


@pytest.fixture
def rows(tmp_path):
    """(columns, fields of the source) -> the records of a Parquet file of three images."""

    def read(metadata=None, source=None, **columns):
        table = pa.table({"image": pa.array([b"x"] * len(next(iter(columns.values()))), pa.binary()), **columns})
        names = json.dumps({"info": {"features": metadata}}) if metadata is not None else None
        parquet.write_table(table.replace_schema_metadata(names and {"huggingface": names}), tmp_path / "t.parquet")
        return list(read_table(Table(path=tmp_path / "t.parquet", **(source or {}))))

    return read


def dictionary(values):
    return pa.array(values).dictionary_encode()


@pytest.mark.parametrize(
    "column",
    [
        pa.array(ANIMALS),
        pa.array(ANIMALS, pa.large_string()),
        pa.array(ANIMALS, pa.string_view()),
        dictionary(ANIMALS),
        pa.array([text.encode() for text in ANIMALS], pa.binary()),
        pa.array([text.encode() for text in ANIMALS], pa.large_binary()),
        pa.array([text.encode() for text in ANIMALS], pa.binary_view()),
        dictionary([text.encode() for text in ANIMALS]),
        pa.array([[text] for text in ANIMALS]),
    ],
    ids=lambda column: str(column.type),
)
def test_a_column_of_texts_gives_the_texts_whatever_its_type(column, rows):
    found = (
        rows(label=column, group=column, text=column, source={"group": "group", "captions": ("text",)})
        if not pa.types.is_list(column.type)
        else rows(label=column)
    )
    assert [record.label for record in found] == ANIMALS
    assert {record.fault for record in found} == {""}
    if not pa.types.is_list(column.type):
        assert [(record.group, record.captions) for record in found] == [(text, (text,)) for text in ANIMALS]


def test_bytes_of_one_length_are_read_without_what_fills_them_up(rows):
    column = pa.array([b"cat\0\0", b"mouse"], pa.binary(5))
    assert [record.label for record in rows(label=column)] == ["cat", "mouse"]


def test_a_column_of_bytes_names_the_split_too(rows):
    found = rows(label=pa.array(["a", "b"]), part=pa.array([b"train", b"test"]), source={"split": "part"})
    assert [record.split for record in found] == ["train", "test"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([3, 0]),
        pa.array([3, 0], pa.uint8()),
        pa.array([3.0, 0.0]),
        pa.array([3.0, 0.0], pa.float32()),
        pa.array([Decimal("3.00"), Decimal("0.00")]),
        pa.array([[0, 0, 0, 1], [1, 0, 0, 0]]),
        pa.array([[0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]], pa.list_(pa.float32(), 4)),
        pa.array([[False, False, False, True], [True, False, False, False]]),
    ],
    ids=lambda column: str(column.type),
)
def test_a_column_of_whole_numbers_gives_the_numbers_whatever_its_type(column, rows):
    assert [(record.label, record.fault) for record in rows(label=column)] == [("3", ""), ("0", "")]


@pytest.mark.parametrize(
    ("column", "shown"),
    [
        (pa.array([True, False]), "True"),
        (pa.array([datetime.date(2024, 5, 1)]), r"datetime.date\(2024, 5, 1\)"),
        (pa.array([datetime.datetime(2024, 5, 1)]), r"datetime.datetime\(2024, 5, 1"),
        (pa.array([{"name": "cat"}]), "{'name': 'cat'}"),
    ],
    ids=["bool", "date", "timestamp", "struct"],
)
@pytest.mark.parametrize("use", ["label", "group", "split", "captions"])
def test_a_column_of_another_kind_is_refused_with_its_place_and_the_way_out(use, column, shown, rows):
    source = {"label": None} | ({use: ("said",)} if use == "captions" else {use: "said"})
    with pytest.raises(
        DataError,
        match=rf"column 'said' of .*t.parquet must hold texts or whole numbers; row 0 holds "
        rf"{shown}.*Write each value as one text or one whole number.",
    ):
        rows(said=column, source=source)


@pytest.mark.parametrize("several", [[[1, 1, 0]], [[0, 0]], [["indoor", "cat"]], [[0.2, 0.8]], [[3, 5]], [[[1, 0]]]])
def test_several_labels_of_one_image_are_refused(several, rows):
    with pytest.raises(DataError, match="column 'label' of .* must hold one|must hold texts"):
        rows(label=pa.array(several))


def test_lists_that_are_one_hot_by_chance_are_refused_at_the_first_that_is_not(rows):
    with pytest.raises(DataError, match=r"row 1 holds 2: \[3, 5\]"):
        rows(label=pa.array([[1, 0], [3, 5]]))
    with pytest.raises(DataError, match="row 1 holds a list of 3, and the rows before hold a list of 2"):
        rows(label=pa.array([[1, 0], [0, 0, 1]]))


def test_a_list_of_captions_may_not_hold_structures(rows):
    with pytest.raises(DataError, match="column 'text' of .* row 0 holds {'raw': 'a cat'}"):
        rows(text=pa.array([[{"raw": "a cat"}]]), source={"label": None, "captions": ("text",)})


def test_one_bad_value_is_a_fault_of_its_image_alone(rows):
    found = rows(label=pa.array([1.0, 0.5, None, float("nan"), float("inf"), 2.0**60]))
    assert [record.label for record in found] == ["1", "", "", "", "", ""]
    assert [record.fault.partition(" holds ")[2] for record in found] == [
        "",
        "0.5 in row 1, neither a text nor a whole number",
        "",
        "",
        "inf in row 4, neither a text nor a whole number",
        "1.152921504606847e+18 in row 5, neither a text nor a whole number",
    ]
    assert [record.fault for record in found][2:4] == ["no label", "no label"]
    bad, good = rows(label=pa.array([b"\xff\xfe", b"cat"]))
    assert (good.label, good.fault, bad.label) == ("cat", "", "")
    assert bad.fault.endswith(r"holds b'\xff\xfe' in row 0, bytes that are not UTF-8 text")


def test_a_table_in_which_most_values_are_bad_is_refused_before_its_images_are_looked_at(rows):
    with pytest.raises(DataError, match=r"1,000 of the first 1,000 rows of .*t.parquet cannot be used; the first: column"):
        rows(label=pa.array([0.5] * 1500))


NAMES = {"label": {"names": ["cat", "dog", "emu"], "_type": "ClassLabel"}}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([2, 0, -1]), ["emu", "cat", ""]),
        (pa.array([2.0, 0.0, None]), ["emu", "cat", ""]),
        (pa.array(["emu", "cat", None]), ["emu", "cat", ""]),
        (pa.array([b"emu", b"cat", None]), ["emu", "cat", ""]),
        (pa.array([[0, 0, 1], [1, 0, 0], None]), ["emu", "cat", ""]),
    ],
    ids=["numbers", "floats beside a gap", "texts", "bytes", "one-hot"],
)
def test_names_of_hugging_face_go_with_every_type_of_label(column, expected, rows):
    found = rows(metadata=NAMES, label=column)
    assert [record.label for record in found] == expected
    assert [record.fault for record in found] == ["", "", "no label"]


def test_a_label_without_a_name_is_told_and_not_taken_for_a_missing_one(rows):
    number, text = rows(metadata=NAMES, label=pa.array([7])) + rows(metadata=NAMES, label=pa.array(["0"]))
    assert number.fault == "label 7 has no name in the file's ClassLabel, which has 3"
    assert text.fault == "label '0' in row 0 is not among the 3 names in the file's ClassLabel"


@pytest.mark.parametrize("names", [None, {}, "cat", [None], [1, 2]])
def test_names_that_are_no_list_of_texts_are_no_names(names, rows):
    assert [record.label for record in rows(metadata={"label": {"names": names}}, label=pa.array([1]))] == ["1"]


# --- TFRecord files


def feature(values):
    kinds = {
        bytes: ("bytes_list", tf.train.BytesList),
        int: ("int64_list", tf.train.Int64List),
        float: ("float_list", tf.train.FloatList),
    }
    field, kind = kinds[type(values[0])]
    return tf.train.Feature(**{field: kind(value=values)})


def labels_of(folder, *values, **fields):
    with tf.io.TFRecordWriter(str(folder / "a.tfrecord")) as writer:
        for value in values:
            features = {"image/encoded": feature([b"x"]), "image/class/label": feature(value)}
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return [record.label for record in read_tfrecord(TfRecord(path=folder / "a.tfrecord", **fields))]


def test_a_one_hot_feature_gives_as_many_classes_as_it_is_long(tmp_path):
    one_hot = np.eye(10, dtype=int).tolist()
    assert labels_of(tmp_path, *one_hot) == [str(number) for number in range(10)]
    assert labels_of(tmp_path, [0.0, 1.0], [1.0, 0.0], class_names=("cat", "dog")) == ["dog", "cat"]


@pytest.mark.parametrize("values", [[0, 5], [1, 1, 0], [b"indoor", b"cat"], [0.2, 0.8]])
def test_a_feature_of_several_labels_is_refused_with_its_record(values, tmp_path):
    with pytest.raises(
        DataError, match="feature 'image/class/label' must hold one label for each image; record 0 of .*a.tfrecord holds"
    ):
        labels_of(tmp_path, values)


def test_a_one_hot_list_is_as_long_as_there_are_names():
    named = {"names": ("cat", "dog", "emu"), "named_in": "source.class_names"}
    assert Labels("x", **named).read([0, 0, 1], "0") == ("emu", "")
    for length in (2, 4):
        with pytest.raises(DataError, match="x must hold one label for each image.*, 3 values in all"):
            Labels("x", **named).read([1] + [0] * (length - 1), "0")
    with pytest.raises(DataError, match="x must hold one label for each image"):
        Labels("x", one_hot=False).read([1, 0], "0")


# --- the reading itself


def test_what_numpy_holds_is_read_like_what_python_holds():
    values = Values("feature 'x'")
    assert [values.text(value, "0") for value in (np.int8(3), np.float32(3), np.str_("a"), np.bytes_(b"a"))] == list("33aa")
    assert Labels("feature 'x'").read(np.array([0, 1, 0]), "0") == ("1", "")
    assert Labels("feature 'x'").read(np.array([7]), "0") == ("7", "")
    assert values.texts(np.array([b"a", b"b"], object), "0") == ("a", "b")
    with pytest.raises(DataError, match="holds False"):
        values.text(np.bool_(False), "0")


def test_a_huge_number_is_taken_where_it_is_exact():
    assert Values("x").text(2**80, "0") == str(2**80)
    with pytest.raises(UnusableValue):
        Values("x").text(1e30, "0")
