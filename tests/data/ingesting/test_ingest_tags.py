"""Ingest stores the tags of every image, and every source gives them: tables, folders, TFRecord, COCO's objects, shapes."""

import itertools
import json
import os
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow
import pytest
import tensorflow as tf
from pyarrow import parquet

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet
from kerasvision.data.ingesting.ingest import ingest
from kerasvision.data.png import encode_png
from kerasvision.data.records import Record
from kerasvision.errors import ConfigError, DataError

RECORDS = []
NUMBERS = itertools.count()
# Stratified, so that neither split of a few images is empty.
HALVES = c.Splits(validation=0.0, test=0.5, stratify=True)


class Own(c.Source):
    """A source of a user's own, whose records a test sets."""

    implementation: ClassVar[str] = f"{__name__}:records"


def records(settings):
    yield from RECORDS


def image(number):
    return encode_png(np.full((2, 3), number, np.uint8))


@pytest.fixture
def run(tmp_path):
    """(source, **splits) -> the manifest and the examples of an ingest."""

    def ingested(source, splits=None, **policy):
        folder = tmp_path / f"run {next(NUMBERS)}"
        folder.mkdir()
        files = {name: folder / name for name in ("data", "manifest", "span")}
        found = ingest(source, splits=splits or HALVES, policy=c.Ingest(**policy), **files)
        return found.manifest, ExampleSet(folder / "data")

    return ingested


def tags_in(examples):
    """id -> names of its tags, and a check that a batch holds 0 and 1 only."""
    found = {}
    for split in examples.splits:
        for example in examples.dataset(split).as_numpy_iterator():
            assert example["tags"].dtype == np.float32
            assert set(example["tags"]) <= {0.0, 1.0}
            found[example["id"].decode()] = [examples.tag_classes[k] for k in np.flatnonzero(example["tags"])]
    return dict(sorted(found.items()))


def table(tmp_path, text, count, **fields):
    """A table.csv with that text, next to images 0.png, 1.png, ..."""
    (tmp_path / "table.csv").write_text(text, encoding="utf-8")
    for number in range(count):
        (tmp_path / f"{number}.png").write_bytes(image(number))
    return c.Table(path=tmp_path / "table.csv", **fields)


def test_tags_of_records_are_kept_once_on_one_line_and_an_image_may_have_none(run, monkeypatch):
    given = [("sun", "sea\nside", "sun"), (), (" sun ", ""), ("Straße",)]
    rows = [Record(f"{n}", lambda n=n: image(n), split=("train", "test")[n % 2], tags=tags) for n, tags in enumerate(given)]
    monkeypatch.setattr(f"{__name__}.RECORDS", rows)
    manifest, examples = run(Own())
    assert examples.tag_classes == ("Straße", "sea side", "sun")
    assert tags_in(examples) == {"0": ["sea side", "sun"], "1": [], "2": ["sun"], "3": ["Straße"]}
    assert manifest["tags"].tolist() == [2, 0, 1, 1]
    assert manifest["tag_names"].tolist() == ['["sea side", "sun"]', "[]", '["sun"]', '["Straße"]']
    assert manifest["notes"].tolist() == ["a tag is given twice, and was counted once", "", "an empty tag was left out", ""]


def test_an_image_whose_tags_are_unknown_is_not_one_without_tags(run, monkeypatch):
    rows = [Record(f"{n}", lambda n=n: image(n), tags=("sun",)) for n in range(8)]
    monkeypatch.setattr(f"{__name__}.RECORDS", [*rows, Record("8", lambda: image(8))])
    manifest, examples = run(Own(), max_bad_fraction=0.5)
    assert manifest["fault"].tolist()[8] == "no tags are given, not even an empty list"
    assert sum(examples.count(split) for split in examples.splits) == 8


def test_a_batch_of_many_tags_is_read_as_one_example_at_a_time_is(run, monkeypatch):
    # Both ways to read: with label maps or objects, TFDS' own code reads the records.
    random = np.random.default_rng(0)
    names = [f"tag {n}" for n in range(3000)]
    given = [tuple(random.choice(names, random.integers(0, 9), replace=False)) for _ in range(40)]
    rows = [Record(f"{n:02d}", lambda n=n: image(n), tags=tags) for n, tags in enumerate(given)]
    monkeypatch.setattr(f"{__name__}.RECORDS", rows)
    _, plain = run(Own())
    rows = [Record(one.name, one.content, tags=one.tags, captions=("a",)) for one in rows]
    monkeypatch.setattr(f"{__name__}.RECORDS", rows)
    _, captioned = run(Own())
    assert tags_in(plain) == tags_in(captioned)
    assert list(tags_in(plain).values()) == [sorted(tags, key=plain.tag_classes.index) for tags in given]
    assert plain.dataset("train").element_spec["tags"].shape == (len(plain.tag_classes),)
    # The file has the numbers of the tags alone, not a number for each of 3,000.
    assert plain.encoded_bytes("train") < 300 * plain.count("train")


def test_a_column_is_parted_at_the_separator_and_a_json_list_may_contain_it(run, tmp_path):
    text = 'image,tags\n0.png,sea; sun\n1.png,\n2.png,"[""sea;side"", ""sun""]"\n3.png,sun;sun\n'
    source = table(tmp_path, text, 4, tags="tags", tag_separator=";")
    manifest, examples = run(source)
    assert tags_in(examples) == {"0.png": ["sea", "sun"], "1.png": [], "2.png": ["sea;side", "sun"], "3.png": ["sun"]}
    assert manifest["notes"].tolist()[3] == "a tag is given twice, and was counted once"
    assert examples.classes == ()


def test_several_rows_of_one_image_give_it_the_tags_of_all_of_them(run, tmp_path):
    source = table(tmp_path, "image,tag\n0.png,sun\n1.png,sea\n0.png,sea\n0.png,sun\n", 2, tags="tag")
    _, examples = run(source)
    assert tags_in(examples) == {"0.png": ["sea", "sun"], "1.png": ["sea"]}


def test_one_hot_columns_are_tags_and_another_number_is_the_fault_of_its_image(run, tmp_path):
    text = "image,sea,sun\n0.png,1,0\n1.png,true,1.0\n2.png,0,False\n3.png,2,0\n4.png,,1\n"
    manifest, examples = run(table(tmp_path, text, 5, tags=("sea", "sun")), max_bad_fraction=0.5)
    assert tags_in(examples) == {"0.png": ["sea"], "1.png": ["sea", "sun"], "2.png": []}
    place = f"of {tmp_path / 'table.csv'} holds"
    assert manifest["fault"].tolist()[3:] == [
        f"column 'sea' {place} '2' in row 5, neither 0 nor 1",
        f"column 'sea' {place} '' in row 6, neither 0 nor 1",
    ]


def test_lists_of_parquet_are_tags_with_the_names_that_hugging_face_stores(run, tmp_path):
    features = {
        "tags": {"_type": "Sequence", "feature": {"_type": "ClassLabel", "names": ["sea", "sun"]}},
        "words": {"_type": "Sequence", "feature": {"_type": "Value"}},
    }
    columns = {"image": [image(0), image(1), image(2)], "tags": [[1, 0], [], [0]], "words": [["b", "a"], None, ["c"]]}
    schema = pyarrow.table(columns).schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    parquet.write_table(pyarrow.table(columns, schema=schema), tmp_path / "table.parquet")
    _, examples = run(c.Table(path=tmp_path / "table.parquet", tags="tags"))
    assert tags_in(examples) == {"000000": ["sea", "sun"], "000001": [], "000002": ["sea"]}
    _, examples = run(c.Table(path=tmp_path / "table.parquet", tags="words"))
    assert tags_in(examples) == {"000000": ["a", "b"], "000001": [], "000002": ["c"]}


def test_the_same_image_in_several_folders_has_several_tags(run, tmp_path):
    root = tmp_path / "photos"
    for name, number in (("sea/a.png", 0), ("sun/copy.png", 0), ("sun/b.png", 1), ("lonely.png", 2), ("sea/c.png", 3)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(image(number))
    (root / "wind").mkdir()
    (root / "wind" / "link.png").symlink_to(root / "sea" / "a.png")
    os.link(root / "sun" / "b.png", root / "wind" / "hard.png")
    manifest, examples = run(c.ImageFolder(path=root, tags=True))
    assert tags_in(examples) == {
        "lonely.png": [],
        "sea/a.png": ["sea", "sun", "wind"],
        "sea/c.png": ["sea"],
        "sun/b.png": ["sun", "wind"],
    }
    assert manifest["fault"].tolist() == [""] * 4


def test_split_folders_with_folders_of_tags_keep_their_splits(run, tmp_path):
    for name, number in (("train/sea/a.png", 0), ("train/b.png", 1), ("test/sun/c.png", 2), ("test/sea/c.png", 2)):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(image(number))
    manifest, examples = run(c.ImageFolder(path=tmp_path / "photos", tags=True))
    assert dict(zip(manifest["id"], manifest["split"], strict=True)) == {
        "test/sea/c.png": "test", "train/b.png": "train", "train/sea/a.png": "train"
    }  # fmt: skip
    assert tags_in(examples) == {"test/sea/c.png": ["sea", "sun"], "train/b.png": [], "train/sea/a.png": ["sea"]}


def test_tfrecord_gives_several_texts_or_numbers(run, tmp_path):
    def example(number, values):
        feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image(number)]))
        if values and isinstance(values[0], bytes):
            tags = tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        else:
            tags = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        features = {"image/encoded": feature, "image/class/label": tags}
        return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()

    rows = [[b"sun", b"sea"], [], [1, 0], [7]]
    with tf.io.TFRecordWriter(str(tmp_path / "photos.tfrecord")) as writer:
        for number, values in enumerate(rows):
            writer.write(example(number, values))
    source = c.TfRecord(path=tmp_path / "photos.tfrecord", tag_key="image/class/label", tag_names=("sand", "sea"))
    manifest, examples = run(source, max_bad_fraction=0.5)
    assert list(tags_in(examples).values()) == [["sea", "sun"], [], ["sand", "sea"]]
    assert "holds the tag 7 in record 3" in manifest["fault"].tolist()[3]


def test_the_tags_of_coco_are_the_classes_of_the_objects(run, tmp_path):
    (tmp_path / "images").mkdir()
    for number in range(3):
        (tmp_path / "images" / f"{number}.png").write_bytes(image(number))
    boxes = [(0, 1), (0, 1), (0, 2), (1, 2)]
    content = {
        "images": [{"id": n, "file_name": f"{n}.png", "height": 2, "width": 3} for n in range(3)],
        "annotations": [
            {"id": n, "image_id": image_id, "category_id": category, "bbox": [0, 0, 2, 2]}
            for n, (image_id, category) in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    (tmp_path / "objects.json").write_text(json.dumps(content))
    source = c.Coco(path=tmp_path / "images", instances=tmp_path / "objects.json", tags=True)
    _, examples = run(source)
    assert tags_in(examples) == {"0.png": ["cat", "dog"], "1.png": ["dog"], "2.png": []}
    _, examples = run(source.model_copy(update={"tags": False}))
    assert examples.tag_classes == ()


def test_the_tags_of_a_scene_are_the_kinds_of_its_shapes(run):
    _, examples = run(c.Shapes(count=12, tags=True, image_size=(32, 32)))
    for split in examples.splits:
        for example in examples.dataset(split).as_numpy_iterator():
            kinds = {examples.object_classes[label] for label in example["objects"]["label"]}
            assert {examples.tag_classes[number] for number in np.flatnonzero(example["tags"])} == kinds


@pytest.mark.parametrize(
    ("source", "way"),
    [
        (c.Digits(), "read tags through Table"),
        (c.Shapes(), "set source.tags=True"),
        (c.Table(path="a.csv"), "set source.tags to the column"),
        (c.TfRecord(path="a"), "set source.tag_key to the feature"),
        (c.ImageFolder(path="a"), "set source.tags=True"),
        (c.Coco(path="a"), "set source.tags=True"),
        (c.Yolo(path="a"), "read tags through Table"),
        (c.Voc(path="a"), "read tags through Table"),
        (c.Masks(path="a"), "read tags through Table"),
        (c.Tfds(name="a"), "read tags through Table"),
        (c.Idx(path="a"), "read tags through Table"),
    ],
)
def test_every_source_says_the_way_to_tags(source, way):
    assert source.way_to("tags").startswith(way)


def test_a_source_with_tags_has_nothing_more_to_say():
    for source in (c.Shapes(tags=True), c.Table(path="a.csv", tags="tags"), c.TfRecord(path="a", tag_key="tags")):
        assert source.way_to("tags") == ""
    assert c.ImageFolder(path="a", tags=True).way_to("labels") == "set source.tags=False"


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(ConfigError, match="tag_separator requires tags='COLUMN'"):
        c.Table(path="a.csv", tags=("sea", "sun"), tag_separator=";")
    with pytest.raises(ConfigError, match="tags must name each column once"):
        c.Table(path="a.csv", tags=("sea", "sea"))
    assert c.Table(path="a.csv", tags="tags", label="kind").label == "kind"
    assert c.Table.parse(c.Table(path="a.csv", tags="tags").to_data()).label is None


def test_a_cell_that_is_no_text_and_no_number_is_an_error_of_the_table(run, tmp_path):
    columns = {"image": [image(0), image(1)], "tags": [[{"name": "sea"}], []]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "table.parquet")
    with pytest.raises(DataError, match="must hold texts or whole numbers"):
        run(c.Table(path=tmp_path / "table.parquet", tags="tags"))


def test_stratified_splits_give_every_tag_its_share(run, monkeypatch):
    # A tag of every 20th image, one of every 4th, and images without any tag.
    given = [tuple(name for name, every in (("rare", 20), ("often", 4)) if n % every == 0) for n in range(200)]
    rows = [Record(f"{n:03d}", lambda n=n: encode_png(np.full((2, 100), n, np.uint8)), tags=t) for n, t in enumerate(given)]
    monkeypatch.setattr(f"{__name__}.RECORDS", rows)
    manifest, _ = run(Own(), c.Splits(validation=0.2, test=0.2, stratify=True))
    shares = {
        name: pd.crosstab(manifest["split"], manifest["tag_names"].str.contains(name))[True].to_dict()
        for name in ("rare", "often")
    }
    assert shares == {
        "rare": {"test": 2, "train": 6, "validation": 2},
        "often": {"test": 10, "train": 30, "validation": 10},
    }
    assert manifest["split"].value_counts().to_dict() == {"train": 120, "validation": 40, "test": 40}
