"""Numbers come from their sources as they were written; what is missing, text or infinite is named."""

import math
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet
from kerasvision.data.ingesting.ingest import ingest
from kerasvision.data.numbers import Numbers
from kerasvision.data.png import encode_png
from kerasvision.data.records import Record
from kerasvision.data.sources.shape_scenes import make_scene
from kerasvision.data.sources.shapes import read_shapes
from kerasvision.data.sources.values import UnusableValue
from kerasvision.data.validating.images import fault_code
from kerasvision.errors import ConfigError, DataError

RECORDS = []


class Own(c.Source):
    """A source of a user's own, whose records a test sets."""

    implementation: ClassVar[str] = f"{__name__}:records"


def records(settings):
    yield from RECORDS


def image(number):
    return encode_png(np.full((2, 3), number, np.uint8))


@pytest.fixture
def run(tmp_path):
    """(source, policy) -> the manifest and the examples of an ingest."""

    def ingested(source, **policy):
        files = {name: tmp_path / name for name in ("data", "manifest", "span")}
        table = ingest(source, splits=c.Splits(), policy=c.Ingest(**policy), **files).manifest
        return table, ExampleSet(tmp_path / "data")

    return ingested


@pytest.fixture
def table(tmp_path):
    """(text of a CSV, settings) -> a source of grey images 0.png, 1.png, ... that it lists, in splits of their own."""

    def made(text, **settings):
        for number in range(text.count(".png")):
            (tmp_path / f"{number}.png").write_bytes(image(number % 256))
        (tmp_path / "table.csv").write_text(text)
        return c.Table(path=tmp_path / "table.csv", **{"label": None, "split": "split", **settings})

    return made


def values_in(examples):
    return {
        example["id"].decode(): example["values"].tolist()
        for split in examples.splits
        for example in examples.dataset(split).as_numpy_iterator()
    }


FOUR = "image,split,age,height\n0.png,train,31.5,1.75\n1.png,train,{age},1.5\n2.png,test,7,1.25\n3.png,validation,-2e3,0.5\n"


def test_columns_of_a_table_become_numbers_in_their_order(run, table):
    source = table(FOUR.format(age=2), values=("height", "age"))
    manifest, examples = run(source)
    assert examples.value_names == ("height", "age")
    expected = {"0.png": [1.75, 31.5], "1.png": [1.5, 2.0], "2.png": [1.25, 7.0], "3.png": [0.5, -2000.0]}
    assert values_in(examples) == expected
    assert manifest["values"].tolist() == [2, 2, 2, 2]
    read = tfds.builder_from_directory(str(examples._builder.data_dir)).as_dataset(split="test").as_numpy_iterator()
    assert next(read)["values"].tolist() == [1.25, 7.0]  # TFDS alone reads them too


@pytest.mark.parametrize("cell", ["", "n/a"])
def test_an_image_that_lacks_a_number_cannot_be_used_unless_the_policy_ignores_it(run, table, tmp_path, cell):
    source = table(FOUR.format(age=cell), values=("age", "height"))
    manifest, _ = run(source, policy="report")
    assert manifest.set_index("id")["fault"]["1.png"] == "it has no number for age"
    assert fault_code("it has no number for age") == "missing_value"
    for name in ("data", "manifest", "span"):
        (tmp_path / name).rename(tmp_path / f"{name}-before")
    manifest, examples = run(source, missing_values="ignore")
    assert manifest["fault"].tolist() == [""] * 4
    age, height = values_in(examples)["1.png"]
    assert math.isnan(age)
    assert height == 1.5


def test_an_image_that_lacks_all_numbers_cannot_be_used(run, table):
    source = table("image,split,age\n0.png,train,1\n1.png,train,\n2.png,test,2\n", values=("age",))
    manifest, _ = run(source, policy="report", missing_values="ignore")
    assert manifest["fault"].tolist() == ["", "it has no number for age", ""]


def test_the_way_to_use_images_that_lack_some_numbers_is_named_where_it_helps(run, table):
    with pytest.raises(
        DataError, match=r"set ingest\.missing_values='ignore' to use 1 that lack some of their numbers, or raise"
    ):
        run(table(FOUR.format(age=""), values=("age", "height")))
    with pytest.raises(DataError, match=r"(?s)1 of 4 images cannot be used.*1\.png: it has no number for age") as raised:
        run(table(FOUR.format(age=""), values=("age",)))
    assert "missing_values" not in str(raised.value)


@pytest.mark.parametrize("cell", ["old", "1,5", "1_000", "12 kg", "inf", "-Infinity", "1e39"])
def test_a_text_or_an_infinite_number_is_the_fault_of_its_image(run, table, cell):
    source = table(FOUR.format(age=f'"{cell}"'), values=("age",))
    with pytest.raises(DataError, match=r"(?s)1 of 4 images cannot be used.*1\.png: column 'age'.*not a finite number"):
        run(source)


def test_a_column_of_texts_is_reported_at_once(table):
    rows = "".join(f"{number}.png,train,old\n" for number in range(1000))
    with pytest.raises(DataError, match=r"rows of .*table\.csv cannot be used; the first: column 'age'.*'old' in row 2"):
        list(load(table("image,split,age\n" + rows, values=("age",))))


def load(source):
    from kerasvision import lookup

    return lookup.load(source.implementation)(source)


def test_two_rows_of_an_image_with_different_numbers_are_its_fault(table):
    source = table("image,split,age\n0.png,train,1\n0.png,train,2\n1.png,train,\n1.png,train,\n", values=("age",))
    first, second = load(source)
    assert first.fault == "its rows give it two values: {'age': 1.0} and {'age': 2.0}"
    assert second.fault == ""  # both rows lack it


@pytest.mark.parametrize("value", [True, [1.0, 2.0], pd.Timestamp("2026-01-01").to_pydatetime()])
def test_values_of_another_kind_are_rejected(value):
    with pytest.raises(DataError, match="column 'age' must hold numbers; row 1 holds"):
        Numbers("column 'age'").number(value, "row 1")


def test_a_number_too_large_for_any_float_is_not_finite():
    with pytest.raises(UnusableValue, match="which is not a finite number"):
        Numbers("column 'age'").number(10**400, "row 1")


def test_a_users_own_source_gives_values_by_name(run, monkeypatch):
    found = [
        Record(f"{number}", lambda number=number: image(number), split=split, values=values)
        for number, (split, values) in enumerate(
            [("train", {"age": 1}), ("train", {"size": np.float32(0.5)}), ("test", {"age": 2, "size": None}), ("test", None)]
        )
    ]
    monkeypatch.setattr(f"{__name__}.RECORDS", found)
    manifest, examples = run(Own(), policy="report", missing_values="ignore")
    assert manifest["fault"].tolist() == ["", "", "", "it has no number for age, size"]
    assert examples.value_names == ("age", "size")
    np.testing.assert_array_equal(values_in(examples)["1"], [np.nan, 0.5])


def test_without_numbers_nothing_is_missing(run, monkeypatch):
    found = [Record(split, lambda split=split: image(len(split)), split=split) for split in ("train", "test")]
    monkeypatch.setattr(f"{__name__}.RECORDS", found)
    manifest, examples = run(Own())
    assert manifest["fault"].tolist() == ["", ""]
    assert examples.value_names == ()
    assert "values" not in examples.dataset("train").element_spec


def test_tfrecord_keys_give_numbers_and_vectors(tmp_path):
    def record(**features):
        kinds = {name.replace("__", "/"): value for name, value in features.items()}
        return tf.train.Example(features=tf.train.Features(feature=kinds)).SerializeToString()

    def floats(*values):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        picture = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image(0)]))
        writer.write(record(image__encoded=picture, age=floats(3.5), points=floats(0.25, 0.5, 0.75)))
        writer.write(record(image__encoded=picture, age=floats()))
    first, second = load(c.TfRecord(path=tmp_path / "a.tfrecord", value_keys=("age", "points")))
    assert first.values == {"age": 3.5, "points/0": 0.25, "points/1": 0.5, "points/2": 0.75}
    assert second.values is None


def test_numbers_of_shapes_are_those_of_the_largest_shape():
    settings = c.Shapes(count=3, image_size=(40, 60))
    record = list(read_shapes(settings))[2]
    scene = make_scene(settings, 2)
    rows, columns = np.nonzero(scene.shapes[0].visible)
    expected = {
        "area": len(rows) / 2400,
        "y": (rows + 0.5).mean() / 40,
        "x": (columns + 0.5).mean() / 60,
        "count": len(scene.shapes),
    }
    assert record.values == pytest.approx(expected)


@pytest.mark.parametrize(
    ("source", "way"),
    [
        (c.Table(path="a.csv"), "set source.values to the column that contains the values"),
        (c.TfRecord(path="a"), "set source.value_keys to the features that contain the numbers"),
        (c.Digits(), "read numbers through Table or TfRecord, or generate them with Shapes"),
        (c.Coco(path="a"), "read numbers through Table or TfRecord, or generate them with Shapes"),
        (c.Voc(path="a"), "read numbers through Table or TfRecord, or generate them with Shapes"),
        (c.Masks(path="a", masks="b"), "read numbers through Table or TfRecord, or generate them with Shapes"),
        (c.Shapes(), ""),
        (c.Table(path="a.csv", values=("age",)), ""),
    ],
)
def test_every_source_says_how_it_gives_numbers(source, way):
    assert source.way_to("values") == way


def test_a_column_that_the_table_lacks_is_named(table):
    with pytest.raises(ConfigError, match="'ages'"):
        list(load(table(FOUR.format(age=1), values=("ages",))))
