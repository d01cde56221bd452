"""Ingest keeps the bytes of every usable image, and names every image that it leaves out."""

import hashlib
import io
import json
from dataclasses import replace
from functools import partialmethod
from typing import ClassVar

import pandas as pd
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet
from kerasvision.data.ingesting.class_order import class_order
from kerasvision.data.ingesting.ingest import ingest
from kerasvision.data.records import Object, Record
from kerasvision.data.repeatable import BYTES_BESIDES, KeptImages, Repeatable
from kerasvision.errors import DataError, StageError

# Every function of tests/faults/make_images.py that makes an unusable file, and the fault that the manifest must state.
BAD = {
    "zero_byte": "the file is empty",
    "text_named_jpg": "not an image in a known format: a page of HTML; download the image again",
    "truncated_jpeg": "truncated or corrupt JPEG",
    "truncated_png": "truncated or corrupt PNG",
    "header_only_jpeg": "truncated or corrupt JPEG",
    "giant_header_png": "50,000 x 50,000 = 2,500,000,000 pixels",
    "giant_header_jpeg": "50,000 x 50,000 = 2,500,000,000 pixels",
    "tiff": "TIFF cannot be read by TensorFlow",
    "palette_bmp": "a BMP with a palette is misread by TensorFlow",
    "animated_webp": "WEBP",
}
# The other files are odd but usable; some lose something. All but one are PNG and GIF files with the suffix of a JPEG.
SUFFIX = "the suffix of the file's name does not match its format"
ODD = {
    "one_by_one": SUFFIX,
    "grey": SUFFIX,
    "rgba": f"alpha channel dropped; {SUFFIX}",
    "palette": SUFFIX,
    "cmyk": "CMYK converted to RGB",
    "sixteen_bit": f"16 bits per channel reduced to 8; {SUFFIX}",
    "animated_gif": f"first frame of an animation; {SUFFIX}",
    "wrong_extension": SUFFIX,
}


def files_in(folder):
    """The files that an ingest into a folder writes."""
    return {"data": folder / "data", "manifest": folder / "manifest.parquet", "span": folder / "span.json"}


def run(source, folder, *, splits=None, **policy):
    """(manifest, data folder) of an ingest into a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    table = ingest(source, splits=splits or c.Splits(), policy=c.Ingest(**policy), **files_in(folder)).manifest
    pd.testing.assert_frame_equal(table, pd.read_parquet(folder / "manifest.parquet"), check_dtype=False)
    return table.set_index("id"), folder / "data"


def written(data):
    """id -> (split, encoded bytes, class name) of a prepared data set."""
    examples = ExampleSet(data)
    return {
        example["id"].decode(): (split, example["image"], examples.classes[example["label"]])
        for split in examples.splits
        for example in examples.dataset(split).as_numpy_iterator()
    }


@pytest.fixture(scope="module")
def photos(tmp_path_factory, make_images):
    """20 good photos of cats and 20 of dogs, every bad and every odd file, and a link to nowhere."""
    root = make_images.class_folder(tmp_path_factory.mktemp("photos"), per_class=20, size=(16, 14))
    for name in (*BAD, *ODD):
        (root / "cat" / f"{name}.jpg").write_bytes(getattr(make_images, name)())
    (root / "dog" / "link.jpg").symlink_to(root / "gone.jpg")
    return root


@pytest.fixture(scope="module")
def ingested(photos, tmp_path_factory):
    return run(c.ImageFolder(path=photos), tmp_path_factory.mktemp("ingested"), max_bad_fraction=0.5)


@pytest.fixture(scope="module")
def kept(ingested):
    """What `written` finds after the ingest of the photos; read once."""
    return written(ingested[1])


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_with_its_fault_and_left_out(name, ingested, kept):
    manifest, _ = ingested
    assert BAD[name] in manifest.loc[f"cat/{name}.jpg", "fault"]
    assert f"cat/{name}.jpg" not in kept


def test_a_file_that_cannot_be_read_is_named_and_left_out(ingested, kept):
    manifest, _ = ingested
    assert manifest.loc["dog/link.jpg", "fault"] == "cannot be read: No such file or directory"
    assert "dog/link.jpg" not in kept


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_kept_and_what_it_loses_is_told(name, ingested, kept):
    manifest, _ = ingested
    assert manifest.loc[f"cat/{name}.jpg", "notes"] == ODD[name]
    assert f"cat/{name}.jpg" in kept


def test_the_manifest_lists_every_file_of_the_folder(photos, ingested):
    manifest, _ = ingested
    assert set(manifest.index) == {f"{path.parent.name}/{path.name}" for path in photos.glob("*/*")}
    assert (manifest["fault"] != "").sum() == len(BAD) + 1


def test_bytes_are_kept_as_they_were(photos, ingested, kept):
    manifest, _ = ingested
    good = manifest[manifest["fault"] == ""]
    assert set(kept) == set(good.index)
    for name, (split, image, label) in kept.items():
        assert image == (photos / name).read_bytes()
        assert (split, label) == (good.loc[name, "split"], name.partition("/")[0])


def test_the_manifest_says_what_each_file_is(photos, ingested):
    manifest, _ = ingested
    row, file = manifest.loc["cat/cat_007.jpg"], photos / "cat" / "cat_007.jpg"
    assert row["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (row["path"], row["size"], row["label"]) == (str(file), file.stat().st_size, "cat")
    assert (row["width"], row["height"], row["format"], row["mode"]) == (14, 16, "JPEG", "RGB")


READER = """
import hashlib, json, sys
sys.modules["kerasvision"] = None  # importing it is an error from here on, even if it is installed
import tensorflow_datasets as tfds
decoders = {"image": tfds.decode.SkipDecoding()} if sys.argv[2] == "encoded" else None
builder = tfds.builder_from_directory(sys.argv[1])
found = []
for split in builder.info.splits:
    for example in tfds.as_numpy(builder.as_dataset(split=split, decoders=decoders)):
        label = builder.info.features["label"].int2str(example["label"])
        image = example["image"]
        what = hashlib.sha256(image).hexdigest() if isinstance(image, bytes) else image.shape
        found.append([example["id"].decode(), split, label, what])
print(json.dumps(sorted(found)))
"""


def read_by_tfds_alone(warm, data, how):
    done = warm.run(READER, data, how)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_tfds_alone_reads_the_encoded_images(ingested, warm):
    manifest, data = ingested
    good = manifest[manifest["fault"] == ""]
    expected = [[row.Index, row.split, row.label, row.sha256] for row in good.itertuples()]
    assert read_by_tfds_alone(warm, data, "encoded") == sorted(expected)


def test_tfds_alone_decodes_the_images(make_images, tmp_path, warm):
    # TFDS decodes all frames of a GIF and then rejects the shape that it declared itself, so there is no GIF here.
    root = make_images.class_folder(tmp_path / "photos", per_class=12, size=(12, 14))
    (root / "cat" / "grey.png").write_bytes(make_images.grey())
    (root / "cat" / "rgba.png").write_bytes(make_images.rgba())
    manifest, data = run(c.ImageFolder(path=root), tmp_path / "ingested")
    expected = [[row.Index, row.split, row.label, [row.height, row.width, 3]] for row in manifest.itertuples()]
    assert read_by_tfds_alone(warm, data, "decoded") == sorted(expected)


def test_two_ingests_write_the_same_bytes(photos, ingested, tmp_path):
    _, first = ingested
    _, second = run(c.ImageFolder(path=photos), tmp_path, max_bad_fraction=0.5)
    names = sorted(path.name for path in first.iterdir())
    assert any(name.startswith("examples-train.tfrecord") for name in names)
    assert names == sorted(path.name for path in second.iterdir())
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert (first.parent / "manifest.parquet").read_bytes() == (tmp_path / "manifest.parquet").read_bytes()


def test_too_many_bad_files_are_refused_and_named(photos, tmp_path):
    with pytest.raises(DataError) as refused:
        run(c.ImageFolder(path=photos), tmp_path, max_bad_fraction=0.1)
    message = str(refused.value)
    assert message.startswith("11 of 59 images cannot be used (18.6%; the limit is 10.0%). Repair or remove them")
    assert "\n  cat/zero_byte.jpg: the file is empty" in message
    assert message.endswith("\n  and 1 more.")
    assert not (tmp_path / "data").exists()


def test_the_share_of_bad_files_may_reach_the_limit(make_images, tmp_path):
    root = make_images.class_folder(tmp_path / "photos", per_class=12, size=(12, 12))
    (root / "cat" / "bad.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="1 of 25 images cannot be used"):
        run(c.ImageFolder(path=root), tmp_path / "below", max_bad_fraction=0.039)
    manifest, _ = run(c.ImageFolder(path=root), tmp_path / "at", max_bad_fraction=0.04)
    assert (manifest["fault"] != "").sum() == 1


def test_a_copy_of_a_test_image_leaves_the_train_split(make_images, tmp_path):
    root = make_images.class_folder(tmp_path / "photos", per_class=6, size=(12, 12), splits=("train", "val", "test"))
    copied = (root / "test" / "cat" / "cat_000.jpg").read_bytes()
    (root / "train" / "dog" / "copy.jpg").write_bytes(copied)
    manifest, data = run(c.ImageFolder(path=root), tmp_path / "ingested", max_bad_fraction=0.0)
    assert manifest.loc["train/dog/copy.jpg", "fault"] == "leakage: the same bytes are in test"
    examples = written(data)
    assert [name for name, (_, image, _) in examples.items() if image == copied] == ["test/cat/cat_000.jpg"]
    assert {name.partition("/")[0]: split for name, (split, _, _) in examples.items()} == {
        "train": "train",
        "val": "validation",
        "test": "test",
    }


def test_without_a_validation_share_there_is_no_validation_split(make_images, tmp_path):
    root = make_images.class_folder(tmp_path / "photos", per_class=12, size=(12, 12))
    _, data = run(c.ImageFolder(path=root), tmp_path / "ingested", splits=c.Splits(validation=0, test=0.4))
    assert set(ExampleSet(data).splits) == {"train", "test"}
    assert ExampleSet(data).count("validation") == 0


def test_nothing_but_bad_files_is_refused(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        (tmp_path / "photos" / label / "1.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"no image is left for the train split \(2 read\)"):
        run(c.ImageFolder(path=tmp_path / "photos"), tmp_path, max_bad_fraction=1.0)


# --- A user's source whose images change


class Own(c.Source):
    """A user's source that yields `RECORDS`."""

    implementation: ClassVar[str] = f"{__name__}:read_own"


RECORDS: list[Record] = []


def read_own(settings):
    yield from RECORDS


def png(value):
    buffer = io.BytesIO()
    Image.new("RGB", (12, 12), (value, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def give(contents):
    """Makes `Own` yield images whose bytes come from these functions."""
    RECORDS[:] = [
        Record(f"{number:02d}", content, "ab"[number % 2], "test" if number < 4 else "train")
        for number, content in enumerate(contents)
    ]
    return Own()


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (lambda: png(99), "^05 changed while it was read. Run again.$"),
        (lambda: open("/nowhere/at/all"), "^05 could be read the first time, but not the sec"),  # noqa: PTH123, SIM115
    ],
)
def test_an_image_that_changes_between_the_two_readings_is_refused(second, message, tmp_path):
    readings = iter([lambda: png(5), second])
    contents = [lambda number=number: png(number) for number in range(20)]
    contents[5] = lambda: next(readings)()
    with pytest.raises(StageError, match=message):
        run(give(contents), tmp_path)


def counting(made, number):
    """A content that never changes, and counts how often it is made."""

    def make():
        made[number] = made.get(number, 0) + 1
        return png(number)

    return Repeatable(make)


def test_images_that_never_change_are_made_once_and_written_as_they_were(tmp_path):
    made = {}
    _, data = run(give([counting(made, number) for number in range(12)]), tmp_path / "made")
    assert made == dict.fromkeys(range(12), 1)
    _, again = run(give([lambda number=number: png(number) for number in range(12)]), tmp_path / "read")
    assert written(data) == written(again)


def test_images_that_find_no_room_are_made_twice(tmp_path, monkeypatch):
    room = sum(len(png(number)) + BYTES_BESIDES for number in range(5))
    monkeypatch.setattr(KeptImages, "__init__", partialmethod(KeptImages.__init__, most_bytes=room))
    made = {}
    _, data = run(give([counting(made, number) for number in range(12)]), tmp_path)
    assert made == dict.fromkeys(range(5), 1) | dict.fromkeys(range(5, 12), 2)
    assert {name: image for name, (_, image, _) in written(data).items()} == {
        f"{number:02d}": png(number) for number in range(12)
    }


def test_an_image_that_is_said_never_to_change_and_does_is_refused_if_it_is_made_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(KeptImages, "__init__", partialmethod(KeptImages.__init__, most_bytes=0))
    readings = iter([png(5), png(99)])
    contents = [counting({}, number) for number in range(20)]
    contents[5] = Repeatable(lambda: next(readings))
    with pytest.raises(StageError, match="^05 changed while it was read. Run again.$"):
        run(give(contents), tmp_path)


def test_someone_elses_source_is_read_like_our_own(tmp_path):
    contents = [lambda number=number: png(number) for number in range(12)]
    manifest, data = run(give(contents), tmp_path, max_bad_fraction=0.0)
    assert {name: image for name, (_, image, _) in written(data).items()} == {
        f"{number:02d}": png(number) for number in range(12)
    }
    assert set(manifest["path"]) == {""}


def test_classes_without_an_object_are_named_once_with_their_number(tmp_path, capsys):
    source = give([lambda number=number: png(number) for number in range(12)])
    listed, cat = ("cat", "dog", "cow"), Object((1, 1, 5, 5), "cat")
    RECORDS[:] = [replace(record, objects=(cat,), listed_classes=listed) for record in RECORDS]
    # The only dog is in an image that cannot be used.
    RECORDS[3] = replace(RECORDS[3], objects=(replace(cat, label="dog"),), fault="not usable")
    files = files_in(tmp_path)
    found = ingest(source, splits=c.Splits(), policy=c.Ingest(max_bad_fraction=0.1), **files).without_objects
    assert found == ["cow", "dog"]
    assert capsys.readouterr().err.count("2 of 3 classes that the source lists have no object: cow, dog") == 1


def test_a_source_of_ones_own_may_number_its_classes_and_nothing_else(tmp_path):
    source = give([lambda number=number: png(number) for number in range(12)])
    RECORDS[:] = [replace(record, label=number % 2, group=float(number // 4)) for number, record in enumerate(RECORDS)]
    RECORDS[7] = replace(RECORDS[7], label=0.5)
    manifest, _ = run(source, tmp_path, max_bad_fraction=0.1)
    assert manifest["label"].tolist() == ["0", "1", "0", "1", "0", "1", "0", "", "0", "1", "0", "1"]
    assert manifest["group"].tolist()[4:9] == ["1", "1", "1", "", "2"]
    assert manifest["fault"]["07"] == "Record.label holds 0.5 in 07, neither a text nor a whole number"
    RECORDS[0] = replace(RECORDS[0], label=["a", "b"])
    with pytest.raises(DataError, match=r"Record.label must hold texts or whole numbers; 00 holds \['a', 'b'\]"):
        run(source, tmp_path / "again")


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (["10", "9", "1", "9"], ["1", "9", "10"]),
        (["img12", "img2", "img"], ["img", "img2", "img12"]),
        (["b", "a", "B"], ["B", "a", "b"]),
        (["01", "1"], ["01", "1"]),
        (["cat", "7"], ["7", "cat"]),
        (["a٢", "a1", "a٣"], ["a1", "a٢", "a٣"]),
        (["2" + "0" * 5000, "3", "1" + "0" * 5000], ["3", "1" + "0" * 5000, "2" + "0" * 5000]),
    ],
)
def test_classes_are_sorted_with_numbers_by_value(labels, order):
    assert class_order(labels) == order
    assert class_order(reversed(labels)) == order
