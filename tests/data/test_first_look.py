"""What `new` sees in a folder of images."""

import os

import numpy as np
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.data.first_look import look_at
from kerasvision.data.ingesting.ingest import ingest
from kerasvision.errors import DataError


def images(folder, counts, *, mode="RGB", size=(16, 16)):
    """`counts` images in each folder, all different."""
    number = 0
    for place, count in counts.items():
        (folder / place).mkdir(parents=True)
        for _ in range(count):
            number += 1
            pixels = np.full((*size[::-1], 3), (number // 256, number % 256, 7), np.uint8)
            Image.fromarray(pixels).convert(mode).save(folder / place / f"{number}.png")
    return folder


def test_classes_are_counted_over_all_splits(tmp_path):
    look = look_at(images(tmp_path, {"train/cat": 3, "train/dog": 2, "val/cat": 1}))
    assert look.counts == {"cat": 4, "dog": 2}
    assert look.given == {"train", "validation"}


def test_sides_are_the_shorter_ones(tmp_path):
    images(tmp_path / "photos", {"cat": 2}, size=(30, 20))
    look = look_at(images(tmp_path / "photos", {"dog": 1}, size=(40, 50)))
    assert look.sides == (20, 20, 40)
    assert look.median_side == 20


@pytest.mark.parametrize(("mode", "is_grey"), [("RGB", False), ("L", True), ("1", True), ("P", False)])
def test_images_are_grey_if_all_have_one_channel(mode, is_grey, tmp_path):
    assert look_at(images(tmp_path, {"cat": 1, "dog": 1}, mode=mode)).is_grey == is_grey


def test_one_photo_in_colour_makes_the_folder_colour(tmp_path):
    images(tmp_path / "scans", {"cat": 2}, mode="L")
    assert not look_at(images(tmp_path / "scans", {"dog": 1}, mode="RGB")).is_grey


@pytest.mark.parametrize(
    ("counts", "splits"),
    [
        ({"cat": 20, "dog": 7}, c.Splits(validation=0.1, test=0.15, stratify=True)),
        ({"cat": 1, "dog": 6}, c.Splits(validation=0.0, test=0.34, stratify=True)),
        ({"train/cat": 10, "train/dog": 5, "val/cat": 4}, c.Splits(validation=0.1, test=0.2, stratify=True)),
        ({"train/cat": 10, "test/dog": 5, "valid/cat": 4}, c.Splits(stratify=True)),
    ],
)
def test_the_expected_splits_are_those_of_the_run(counts, splits, tmp_path):
    folder = images(tmp_path / "photos", counts)
    files = {name: tmp_path / name for name in ("data", "manifest", "span")}
    manifest = ingest(c.ImageFolder(path=folder), splits=splits, policy=c.Ingest(), **files).manifest
    expected = look_at(folder).expected(splits)
    assert {(split, label): count for split, of in expected.items() for label, count in of.items() if count} == (
        manifest.groupby(["split", "label"]).size().to_dict()
    )


def test_folders_of_splits_without_classes_are_refused_in_words(tmp_path):
    with pytest.raises(DataError, match=r"contains no class folders in its split folders \(train, val\)"):
        look_at(images(tmp_path, {"train": 1, "val": 1}))


def test_images_that_no_class_folder_holds_are_not_counted(tmp_path):
    look = look_at(images(tmp_path, {"train/cat": 1, "train/dog": 1, "test": 1}))
    assert look.counts.total() == 2


def test_one_class_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"must hold images of at least two classes; received \['cat'\]"):
        look_at(images(tmp_path, {"cat": 1}))


def test_a_file_that_cannot_be_read_is_passed_over(tmp_path):
    images(tmp_path, {"cat": 1, "dog": 1})
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    look = look_at(tmp_path)
    assert look.counts.total() == 3
    assert look.sides == (16, 16)


def test_a_folder_without_a_readable_image_is_refused(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match="none of the sampled files is a readable image"):
        look_at(tmp_path)
