"""Ingest numbers the classes of label maps, and keeps every map as a grey PNG of the size of its image."""

from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet
from kerasvision.data.ingesting.ingest import ingest
from kerasvision.data.png import encode_png
from kerasvision.data.records import LabelMap, Record, UnusableMap
from kerasvision.errors import ConfigError, DataError, StageError

RECORDS = []


class Own(c.Source):
    """A source of a user's own, whose records a test sets."""

    implementation: ClassVar[str] = f"{__name__}:records"


def records(settings):
    yield from RECORDS


def image(number):
    return encode_png(np.full((2, 3), number, np.uint8))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """(label maps, policy) -> the manifest and the examples of an ingest of one image for each."""

    def ingested(maps, **policy):
        found = [
            Record(f"{number}", lambda number=number: image(number), split=split, label_map=label_map)
            for number, (split, label_map) in enumerate(maps)
        ]
        monkeypatch.setattr(f"{__name__}.RECORDS", found)
        files = {name: tmp_path / name for name in ("data", "manifest", "span")}
        table = ingest(Own(), splits=c.Splits(), policy=c.Ingest(**policy), **files).manifest
        return table, ExampleSet(tmp_path / "data")

    return ingested


def label_map(numbers, names=None, ignored=()):
    return LabelMap(lambda: np.array(numbers), names, frozenset(ignored))


def maps_in(examples):
    return {
        example["id"].decode(): tf.io.decode_png(example["label_map"])[..., 0].numpy().tolist()
        for split in examples.splits
        for example in examples.dataset(split).as_numpy_iterator()
    }


def test_numbers_with_gaps_and_shared_names_become_class_numbers(run):
    names = {7: "road", 24: "person", 25: "person", 40: "never seen"}
    table, examples = run(
        [
            ("train", label_map([[7, 7, 24], [25, 255, 7]], names, {255})),
            ("test", label_map([[25, 25, 25], [25, 25, 0]], names, {0, 255})),
        ]
    )
    assert examples.map_classes == ("road", "person", "never seen")
    assert maps_in(examples) == {"0": [[0, 0, 1], [1, 255, 0]], "1": [[1, 1, 1], [1, 1, 255]]}
    assert table["map_classes"].tolist() == [2, 1]


def test_numbers_without_names_are_their_own_names_in_the_order_of_their_values(run):
    _, examples = run([("train", label_map([[9, 9, 10], [2, 2, 255]], ignored={255})), ("test", label_map([[2] * 3] * 2))])
    assert examples.map_classes == ("2", "9", "10")
    assert maps_in(examples) == {"0": [[1, 1, 2], [0, 0, 255]], "1": [[0] * 3] * 2}


def test_large_numbers_are_looked_up(run):
    names = {100_000: "a", 3: "b"}
    both = [
        ("train", label_map([[100_000, 3, 3], [70_000, 0, 3]], names, {70_000, 0})),
        ("test", label_map([[3] * 3] * 2, names)),
    ]
    _, examples = run(both)
    assert maps_in(examples)["0"] == [[0, 1, 1], [255, 255, 1]]


def test_an_image_without_a_map_is_left_out_if_others_have_one(run):
    maps = [("train", label_map([[0, 1, 1]] * 2)), ("test", label_map([[0, 1, 1]] * 2)), ("train", None)]
    table, examples = run(maps, policy="report")
    assert table["fault"].tolist() == ["", "", "no label map"]
    assert sorted(maps_in(examples)) == ["0", "1"]


def unusable():
    raise UnusableMap("its label map is only a promise")


def test_a_map_that_cannot_be_read_is_counted_as_a_bad_image(run):
    maps = [("train", label_map([[0, 1, 1]] * 2)), ("test", label_map([[0, 1, 1]] * 2)), ("train", LabelMap(unusable))]
    with pytest.raises(DataError, match=r"1 of 3 images cannot be used.*\n  2: its label map is only a promise"):
        run(maps, policy="fail")


def test_more_than_255_classes_are_refused(run):
    names = {number: f"class {number}" for number in range(256)}
    with pytest.raises(DataError, match="label maps may have at most 255 classes; received 256"):
        run([("train", label_map([[0] * 3] * 2, names)), ("test", label_map([[0] * 3] * 2, names))])


@pytest.mark.parametrize("numbers", [[[0.5, 1.0, 2.0]] * 2, [[[0, 1, 2]]] * 2, [[-1, 0, 0]] * 2])
def test_a_source_that_gives_no_integers_is_refused(run, numbers):
    with pytest.raises(ConfigError, match=r"LabelMap.load must return integers \(H, W\), at least 0"):
        run([("train", label_map(numbers)), ("test", label_map(numbers))])


def test_a_map_that_changes_while_it_is_read_stops_the_run(run):
    answers = iter([[[0, 1, 1]] * 2, [[0, 5, 1]] * 2])
    changing = LabelMap(lambda: np.array(next(answers)))
    with pytest.raises(StageError, match="the label map of 0 changed while it was read"):
        run([("train", changing), ("test", label_map([[0, 1, 1]] * 2))])
