"""Copies with reduced images: the same examples in the same order, and the same pixels, boxes and maps."""

import errno
import shutil
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data import reduced_copies
from kerasvision.data.all_images import AllImages
from kerasvision.data.copy_sizes import FOLDER, INFO, copy_sizes, folder_bytes, needed_bytes
from kerasvision.data.examples import ExampleSet
from kerasvision.data.feeding.batches import training_batches
from kerasvision.data.png import encode_png
from kerasvision.data.reduced_copies import examples_to_train_on, keep_copies, write_copies
from kerasvision.data.transform import ImageTransform
from kerasvision.disk import readable_size

SETTINGS = c.Transform(image_size=(16, 16), working_side=24, fit="crop")


@pytest.fixture(scope="module")
def photos(make_examples, tmp_path_factory):
    """Twelve photos of 48 x 64 and one of 20 x 30, with boxes, masks and label maps."""
    random = np.random.default_rng(0)

    def row(number, height=48, width=64):
        pixels = random.integers(0, 256, (height // 4, width // 4, 3), np.uint8).repeat(4, axis=0).repeat(4, axis=1)
        inside = np.zeros((height, width), np.uint8)
        inside[8:40, 10:50] = 255
        thing = {"bbox": (8 / 48, 10 / 64, 40 / 48, 50 / 64), "label": "thing", "mask": encode_png(inside)}
        return f"{number:02}", pixels, "ab"[number % 2], [], [thing], (inside // 255).astype(np.uint8)

    rows = [row(number) for number in range(12)]
    folder = tmp_path_factory.mktemp("photos") / "data"
    make_examples(folder, map_classes=("rest", "thing"), train=[*rows[:9], row(20, 20, 28)], test=rows[9:])
    return folder


@pytest.fixture(scope="module")
def manifest(photos, manifest_of):
    """The file of the manifest."""
    file = photos.parent / "manifest.parquet"
    manifest_of(ExampleSet(photos)).to_parquet(file)
    return file


@pytest.fixture(scope="module")
def copied(photos, manifest, tmp_path_factory):
    """The file of a transform that keeps copies of the photos."""
    file = tmp_path_factory.mktemp("transform") / "transform.json"
    known = keep_copies(photos, manifest, file, settings=SETTINGS)
    assert known == file.parent / FOLDER == examples_to_train_on(photos, file)
    return file


def rows_of(folder, kind=ExampleSet, split="train"):
    return list(kind(folder).dataset(split).as_numpy_iterator())


@pytest.mark.parametrize(("kind", "split"), [(ExampleSet, "train"), (ExampleSet, "test"), (AllImages, "train")])
def test_copies_have_the_same_examples_in_the_same_order(kind, split, photos, copied):
    before, after = rows_of(photos, kind, split), rows_of(copied.parent / FOLDER, kind, split)
    assert [row["id"] for row in after] == [row["id"] for row in before]
    for old, new in zip(before, after, strict=True):
        is_large = old["id"] != b"20"
        assert new["image"].startswith(b"BM") if is_large else new["image"] == old["image"]
        for part in ("label", "label_map"):
            assert new[part] == old[part]
        for part, values in old["objects"].items():
            np.testing.assert_array_equal(new["objects"][part], values)


def test_a_training_sees_the_same_bit_for_bit(photos, copied):
    """In an epoch of random crops, and in one of whole images."""

    def batches(folder):
        known, transform = ExampleSet(folder), ImageTransform(SETTINGS, (0.0,) * 3, (1.0,) * 3)
        made, _ = training_batches(
            known,
            transform=transform,
            encode=lambda batch: (batch["image"], {**batch["objects"], "map": batch["label_map"], "label": batch["label"]}),
            augment=(c.RandomResizedCrop(area=(0.3, 1.0)), c.RandomFlip()),
            batch_size=5,
            epochs=2,
            plain_epochs=1,
            seed=3,
            memory_budget_gb=0.0,
        )
        return list(made.as_numpy_iterator())

    for (images, targets), (copies_, again) in zip(batches(photos), batches(copied.parent / FOLDER), strict=True):
        np.testing.assert_array_equal(copies_, images)
        assert images.std() > 0.1
        for part, values in targets.items():
            np.testing.assert_array_equal(again[part], values)


def test_the_sizes_on_disk_are_those_that_were_foreseen(photos, copied, manifest):
    rows = pd.read_parquet(manifest)
    foreseen = needed_bytes(rows[["height", "width"]].to_numpy(), rows["size"].to_numpy(), 24)
    # 24 x 32 x 3 bytes and a header for each of twelve photos, and the small file.
    small = int(rows.set_index("id")["size"]["20"])
    assert foreseen == 12 * (24 * 32 * 3 + 54) + small
    images = [row["image"] for split in ("train", "test") for row in rows_of(copied.parent / FOLDER, split=split)]
    assert sum(map(len, images)) == foreseen
    assert ExampleSet(copied.parent / FOLDER).encoded_bytes("train") > sum(map(len, images[:10]))
    # Of all files: five lengths in each record may take a byte more or less, and the data set's own file is written anew.
    whole = copy_sizes(photos, manifest, working_side=24)
    assert (whole.images, whole.large, whole.train_images) == (13, 12, 10)
    rewritten = (copied.parent / FOLDER / INFO).stat().st_size - (photos / INFO).stat().st_size
    assert folder_bytes(copied.parent / FOLDER) - rewritten == pytest.approx(whole.stored, abs=12 * 5)


@pytest.mark.parametrize(
    "settings", [{"working_side": None}, {"working_side": 24, "keep_copies": False}, {"working_side": 48}]
)
def test_no_copies_are_kept_without_the_setting_or_without_large_images(settings, photos, manifest, tmp_path):
    file = tmp_path / "transform.json"
    wanted = c.Transform(image_size=(16, 16), **settings)
    assert keep_copies(photos, manifest, file, settings=wanted) == photos
    assert examples_to_train_on(photos, file) == photos
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_too_small_is_foreseen_and_stated(photos, manifest, tmp_path, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
    assert keep_copies(photos, manifest, tmp_path / "transform.json", settings=SETTINGS) == photos
    needed = readable_size(copy_sizes(photos, manifest, working_side=24).stored)
    said = " ".join(capsys.readouterr().err.split())
    assert f"kept no reduced copies: they need {needed}, and 1.0 kB are free. Training decodes whole images" in said
    assert not list(tmp_path.iterdir())


def test_a_quota_that_ends_while_copies_are_written_leaves_none(photos, manifest, tmp_path, monkeypatch, capsys):
    """The real writer on a real full device: TensorFlow's error is no OSError."""
    writer = tf.io.TFRecordWriter
    monkeypatch.setattr(tf.io, "TFRecordWriter", lambda _: writer("/dev/full"))
    assert keep_copies(photos, manifest, tmp_path / "transform.json", settings=SETTINGS) == photos
    assert "kept no reduced copies" in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("number", "is_full"), [(errno.ENOSPC, True), (errno.EIO, False)])
def test_a_disk_that_fills_up_leaves_no_half_copies(number, is_full, photos, manifest, tmp_path, monkeypatch):
    def fails(*_, folder=None, **__):
        (tmp_path / FOLDER).mkdir()
        (tmp_path / FOLDER / "half").write_bytes(b"x")
        raise OSError(number, "no more")

    monkeypatch.setattr(reduced_copies, "write_copies", fails)
    file = tmp_path / "transform.json"
    if is_full:
        assert keep_copies(photos, manifest, file, settings=SETTINGS) == photos
        assert not list(tmp_path.iterdir())
    else:
        with pytest.raises(OSError, match="no more"):
            keep_copies(photos, manifest, file, settings=SETTINGS)


def test_the_same_photos_give_the_same_files(photos, copied, tmp_path):
    """A stage that runs twice must write the same bytes."""
    write_copies(photos, tmp_path / FOLDER, settings=SETTINGS)
    for file in (copied.parent / FOLDER).iterdir():
        assert (tmp_path / FOLDER / file.name).read_bytes() == file.read_bytes()
