"""A data set on disk equals what TFDS itself writes, takes less memory to write, and TFDS alone can read it."""

import hashlib
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_datasets.core.utils import shard_utils

from kerasvision.data import examples as examples_module
from kerasvision.data import record_batches
from kerasvision.data.examples import Example, ExampleSet, ExampleWriter, write_examples
from kerasvision.data.png import encode_png
from kerasvision.data.shuffled_records import ShuffledRecords
from kerasvision.errors import DataError


def png(number, size=(6, 5)):
    return encode_png(np.full(size, number, np.uint8))


ROWS = [(f"b/{number}.png", png(number), "ab"[number % 2]) for number in range(60)]


class ByTfds(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """The same data set, written by TFDS' own code."""

    name = "examples"
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=["a", "b"]),
            "id": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(ROWS[:40]), "test": self._generate_examples(ROWS[40:])}

    def _generate_examples(self, rows):
        for name, image, label in rows:
            yield name, {"image": image, "label": label, "id": name}


def test_files_hold_what_tfds_own_writer_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(shard_utils.ShardConfig, "min_shard_size", 1000)  # so that there are several files
    builder = ByTfds(data_dir=str(tmp_path / "theirs"), file_format="tfrecord")
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
    ours = tmp_path / "ours"
    splits = {"train": ROWS[:40], "test": ROWS[40:]}
    write_examples(lambda split: splits[split], splits=splits, classes=["a", "b"], folder=ours)
    theirs = {path.name: records_in(path) for path in builder.data_path.glob("*.tfrecord*")}
    assert len(theirs) >= 4
    assert {path.name: records_in(path) for path in ours.glob("*.tfrecord*")} == theirs


def by_tfds(folder, split, **decoders):
    """The examples as TFDS itself reads them, with encoded images."""
    decoders = {"image": tfds.decode.SkipDecoding(), **decoders}
    return tfds.builder_from_directory(str(folder)).as_dataset(split=split, decoders=decoders, shuffle_files=False)


@pytest.mark.parametrize("split", ["train", "test", "train+test", "train[3:37]"])
@pytest.mark.parametrize("files", ["one file", "several files", "large images", "no labels"])
def test_records_read_in_batches_are_those_that_tfds_reads_one_by_one(files, split, tmp_path, monkeypatch):
    if files == "several files":  # TFDS reads them by turns, 16 records at a time
        monkeypatch.setattr(shard_utils.ShardConfig, "calculate_number_shards", lambda *sizes: 2)
    if files == "large images":
        monkeypatch.setattr(record_batches, "BATCH_BYTES", 300)  # a record has about 100 bytes
    rows = {"train": ROWS[:40], "test": ROWS[40:]}
    if files == "no labels":
        rows = {name: [row[:2] for row in some] for name, some in rows.items()}
    classes = () if files == "no labels" else "ab"
    write_examples(lambda name: rows[name], splits=rows, classes=classes, folder=tmp_path / "data")
    assert len(list((tmp_path / "data").glob("*.tfrecord*"))) == (4 if files == "several files" else 2)
    ours, theirs = ExampleSet(tmp_path / "data").dataset(split), by_tfds(tmp_path / "data", split)
    assert ours.element_spec == theirs.element_spec
    wanted = 34 if split == "train[3:37]" else sum(len(rows[name]) for name in split.split("+"))
    assert int(ours.cardinality()) == int(theirs.cardinality()) == wanted
    assert list(ours.as_numpy_iterator()) == list(theirs.as_numpy_iterator())


def test_ids_are_those_of_the_examples_in_order(scenes, monkeypatch):
    examples = ExampleSet(scenes[0])
    for at_once in (2, 1024):
        monkeypatch.setattr(examples_module, "IDS_AT_ONCE", at_once)
        found = examples.ids("train")
        assert found == [example["id"].decode() for example in examples.dataset("train").as_numpy_iterator()]
    assert sorted(found) == ["none", "one", "two"]


def test_examples_with_captions_are_left_to_tfds(scenes):
    builder = tfds.builder_from_directory(str(scenes[0]))
    assert record_batches.read_in_batches(builder, "train", skipped={"image": None}) is None


def records_in(file):
    return [tf.train.Example.FromString(record) for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()]


def test_features_lie_in_alphabetical_order_whatever_the_process_hashes(tmp_path):
    write_examples(lambda split: ROWS, splits=["train"], classes="ab", folder=tmp_path / "data")
    (file,) = (tmp_path / "data").glob("*.tfrecord*")
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        places = [record.index(b"\n" + bytes([len(key)]) + key) for key in (b"id", b"image", b"label")]
        assert places == sorted(places)


def test_order_on_disk_does_not_depend_on_the_order_of_writing(tmp_path):
    for name, rows in (("there", ROWS), ("back", ROWS[::-1])):
        write_examples(lambda split, rows=rows: rows, splits=["train"], classes="ab", folder=tmp_path / name)
    file = "examples-train.tfrecord-00000-of-00001"
    assert (tmp_path / "there" / file).read_bytes() == (tmp_path / "back" / file).read_bytes()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Three images without labels: two, one and no captions, and as many objects with masks."""
    folder = tmp_path_factory.mktemp("scenes") / "data"
    mask = np.zeros((6, 5), np.uint8)
    mask[1:3, :2] = 255
    cat = {"bbox": (0.25, 0.0, 0.5, 0.5), "label": "cat", "crowd": False, "area": 4.0, "mask": encode_png(mask)}
    dog = {"bbox": (0.0, 0.0, 1.0, 1.0), "label": "dog", "crowd": True, "area": 26.5, "mask": encode_png(255 - mask)}
    rows = [
        Example("two", png(2), captions=["a cat", "ein Hündchen"], objects=[dog, cat]),
        Example("one", png(1), captions=["a cat"], objects=[cat]),
        Example("none", png(0)),
    ]
    with ExampleWriter(folder, object_classes=["cat", "dog"], captions=True, masks=True) as writer:
        for row in rows:
            writer.write("train", row)
    return folder, {row.id: row for row in rows}


def test_captions_and_everything_of_objects_come_back_as_they_were(scenes):
    folder, rows = scenes
    examples = ExampleSet(folder)
    assert (examples.classes, examples.object_classes) == ((), ("cat", "dog"))
    assert (examples.has_captions, examples.has_masks, examples.splits) == (True, True, ("train",))
    for found in examples.dataset("train").as_numpy_iterator():
        row = rows[found["id"].decode()]
        assert set(found) == {"id", "image", "captions", "objects"}
        assert found["image"] == row.image
        assert [caption.decode() for caption in found["captions"]] == list(row.captions)
        assert found["objects"]["bbox"].tolist() == [list(thing["bbox"]) for thing in row.objects]
        assert [examples.object_classes[n] for n in found["objects"]["label"]] == [thing["label"] for thing in row.objects]
        assert found["objects"]["crowd"].tolist() == [thing["crowd"] for thing in row.objects]
        assert found["objects"]["area"].tolist() == [thing["area"] for thing in row.objects]
        assert list(found["objects"]["mask"]) == [thing["mask"] for thing in row.objects]


def test_tfds_alone_decodes_the_masks(scenes):
    builder = tfds.builder_from_directory(str(scenes[0]))
    found = {example["id"].decode(): example["objects"] for example in tfds.as_numpy(builder.as_dataset(split="train"))}
    assert found["two"]["mask"].shape == (2, 6, 5, 1)
    assert found["two"]["mask"][1, :, :, 0].nonzero()[0].tolist() == [1, 1, 2, 2]
    assert (found["two"]["mask"].sum(axis=0) == 255).all()
    assert found["none"]["bbox"].shape == (0, 4)


@pytest.fixture(scope="module")
def mapped(make_examples, tmp_path_factory):
    """Two images of 2 x 3 with label maps."""
    rows = [(f"{k}", np.zeros((2, 3)), "", (), (), [[0, 1, 255], [k, k, k]]) for k in range(2)]
    folder = tmp_path_factory.mktemp("mapped") / "data"
    return folder, make_examples(folder, map_classes=("sky", "road"), train=rows)


def test_label_maps_come_back_with_the_names_of_their_numbers(mapped):
    _, examples = mapped
    assert (examples.has_label_maps, examples.map_classes) == (True, ("sky", "road"))
    assert examples.dataset("train").element_spec["label_map"] == tf.TensorSpec((), tf.string)
    found = {example["id"]: example["label_map"] for example in examples.dataset("train").as_numpy_iterator()}
    assert tf.io.decode_png(found[b"1"])[..., 0].numpy().tolist() == [[0, 1, 255], [1, 1, 1]]


def test_tfds_alone_decodes_label_maps_and_says_their_classes(mapped):
    builder = tfds.builder_from_directory(str(mapped[0]))
    assert builder.info.metadata["map_classes"] == ["sky", "road"]
    for example in tfds.as_numpy(builder.as_dataset(split="train")):
        assert example["label_map"][..., 0].tolist() == [[0, 1, 255], [int(example["id"])] * 3]


def test_a_label_map_has_at_most_255_classes(tmp_path):
    with pytest.raises(DataError, match="label maps may have at most 255 classes"):
        ExampleWriter(tmp_path / "data", map_classes=map(str, range(256)))
    assert not (tmp_path / "data").exists()


def test_labels_alone_are_read_without_captions_and_objects(make_examples, tmp_path):
    examples = make_examples(tmp_path / "data", train=[("1", np.zeros((2, 2)), "a"), ("2", np.ones((2, 2)), "b")])
    assert (examples.has_captions, examples.has_masks, examples.object_classes) == (False, False, ())
    assert (examples.has_label_maps, examples.map_classes) == (False, ())
    assert examples.dataset("train").element_spec == {
        "image": tf.TensorSpec((), tf.string),
        "label": tf.TensorSpec((), tf.int64),
        "id": tf.TensorSpec((), tf.string),
    }


def test_encoded_bytes_is_the_length_of_the_records(make_examples, tmp_path):
    examples = make_examples(tmp_path / "data", train=[(str(n), np.zeros((n, 2)), "a") for n in range(1, 9)])
    records = tf.data.TFRecordDataset([str(path) for path in (tmp_path / "data").glob("*tfrecord*")])
    assert examples.encoded_bytes("train") == sum(len(record) for record in records.as_numpy_iterator())
    assert examples.encoded_bytes("test") == 0


def test_two_rows_of_one_name_are_refused_and_nothing_unfinished_stays(tmp_path):
    with pytest.raises(DataError, match="needs a name of its own"):
        write_examples(lambda split: [ROWS[0], ROWS[1], ROWS[0]], splits=["train"], classes="ab", folder=tmp_path / "data")
    assert not list((tmp_path / "data").glob("*.unordered"))


def test_images_do_not_stay_in_memory_while_they_are_written(tmp_path):
    image = np.random.default_rng(0).bytes(50_000)
    rows = ((str(number), image + bytes([number]), "a") for number in range(200))  # 10 MB
    tracemalloc.start()
    write_examples(lambda split: rows, splits=["train"], classes="a", folder=tmp_path / "data")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


@given(
    st.dictionaries(st.text("abcé/\\ ", max_size=4), st.binary(max_size=20), min_size=1, max_size=30),
    st.text("xyz", max_size=3),
)
def test_records_come_back_whole_sorted_by_the_hash_of_their_keys(tmp_path_factory, records, salt):
    with ShuffledRecords(tmp_path_factory.mktemp("records") / "file", salt=salt) as shuffled:
        for key, record in records.items():
            shuffled.add(key, record)
        found = list(shuffled)
    by_hash = sorted(records, key=lambda key: hashlib.md5((salt + key).encode()).digest())
    assert found == [records[key] for key in by_hash]
