"""The class folders are found in every common layout, and unread images are reported."""

import os
from pathlib import Path

import pytest

from kerasvision import config as c
from kerasvision.config import listing
from kerasvision.data.records import LINKED_OUT
from kerasvision.data.sources.image_folder import read_image_folder
from kerasvision.errors import DataError


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return c.ImageFolder(path=root)


def read(source):
    return [(r.name, r.label, r.split) if not r.fault else (r.name, r.fault) for r in read_image_folder(source)]


LAYOUTS = {
    "Kaggle's cats and dogs": (
        ["training_set/cats/1.jpg", "test_set/dogs/2.jpg"],
        [("test_set/dogs/2.jpg", "dogs", "test"), ("training_set/cats/1.jpg", "cats", "train")],
    ),
    "Intel's scenes": (
        ["seg_train/sea/1.jpg", "seg_test/sea/2.jpg", "seg_pred/3.jpg"],
        [("seg_pred/3.jpg", "outside the class folders, in seg_pred/, which is not a split"),
         ("seg_test/sea/2.jpg", "sea", "test"), ("seg_train/sea/1.jpg", "sea", "train")],
    ),
    "numbers": (
        ["train2017/a/1.jpg", "val2017/a/2.jpg"],
        [("train2017/a/1.jpg", "a", "train"), ("val2017/a/2.jpg", "a", "validation")],
    ),
    "splits below the classes": (
        ["cat/train/1.jpg", "cat/test/2.jpg", "dog/train/3.jpg"],
        [("cat/test/2.jpg", "cat", "test"), ("cat/train/1.jpg", "cat", "train"), ("dog/train/3.jpg", "dog", "train")],
    ),
    "a flat test folder": (
        ["train/cat/1.jpg", "train/dog/2.jpg", "test/3.jpg"],
        [("test/3.jpg", "outside the class folders, directly in test/"),
         ("train/cat/1.jpg", "cat", "train"), ("train/dog/2.jpg", "dog", "train")],
    ),
    "an image beside the classes, and files that are none": (
        ["cat/1.jpg", "stray.PNG", "LICENSE.txt", "labels.csv"],
        [("cat/1.jpg", "cat", None), ("stray.PNG", "outside the class folders, directly in {root}/")],
    ),
    "an image in a split folder": (
        ["train/cat/1.jpg", "train/2.jpg", "val/cat/3.jpg"],
        [("train/2.jpg", "outside the class folders, directly in train/"),
         ("train/cat/1.jpg", "cat", "train"), ("val/cat/3.jpg", "cat", "validation")],
    ),
    "classes that resemble splits": (
        ["trains/1.jpg", "tester/2.jpg", "train/3.jpg"],
        [("tester/2.jpg", "tester", None), ("train/3.jpg", "train", None), ("trains/1.jpg", "trains", None)],
    ),
    "cars of a kind, no splits": (
        ["train car/1.jpg", "test car/2.jpg"],
        [("test car/2.jpg", "test car", None), ("train car/1.jpg", "train car", None)],
    ),
    "folders of a class, some named like splits": (
        ["cat/train/1.jpg", "cat/2.jpg", "dog/3.jpg"],
        [("cat/2.jpg", "cat", None), ("cat/train/1.jpg", "cat", None), ("dog/3.jpg", "dog", None)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_read_as_it_is_meant(layout, tmp_path):
    files, expected = LAYOUTS[layout]
    expected = [tuple(part and part.format(root=tmp_path) for part in record) for record in expected]
    assert read(touch(tmp_path, *files)) == expected


@pytest.mark.parametrize("names", [("train", "val"), ("training_set", "test_set"), ("train",)])
def test_split_folders_without_class_folders_are_refused(names, tmp_path):
    source = touch(tmp_path, *(f"{name}/1.jpg" for name in names))
    with pytest.raises(DataError, match=rf"contains no class folders in its split folders \({', '.join(sorted(names))}\)"):
        read(source)


def test_a_folder_without_images_beside_the_splits_is_said_once(tmp_path, capsys):
    source = touch(tmp_path, "train/cat/1.jpg", "test/cat/2.jpg", "sample_submission/sample.csv")
    (tmp_path / "empty").mkdir()
    assert [read(source), read(source)] == [[("test/cat/2.jpg", "cat", "test"), ("train/cat/1.jpg", "cat", "train")]] * 2
    told = capsys.readouterr().err
    for name in ("sample_submission", "empty"):
        assert told.count(f"{tmp_path / name} contains no images, and is not read") == 1


def test_links_lead_to_classes_splits_and_images_and_say_so_where_they_lead_out(tmp_path):
    touch(tmp_path / "disk2", "cats/1.jpg", "val/dog/2.jpg")
    source = touch(tmp_path / "data", "train/dog/3.jpg")
    (tmp_path / "data" / "train" / "cat").symlink_to(tmp_path / "disk2" / "cats")
    (tmp_path / "data" / "val").symlink_to(tmp_path / "disk2" / "val")
    (tmp_path / "data" / "train" / "dog" / "4.jpg").symlink_to(tmp_path / "data" / "train" / "dog" / "3.jpg")
    assert [(r.name, r.label, r.split, r.notes) for r in read_image_folder(source)] == [
        ("train/cat/1.jpg", "cat", "train", (LINKED_OUT,)),
        ("train/dog/3.jpg", "dog", "train", ()),
        ("train/dog/4.jpg", "dog", "train", ()),
        ("val/dog/2.jpg", "dog", "validation", (LINKED_OUT,)),
    ]
    assert [name for name, _ in source.files()] == [record.name for record in read_image_folder(source)]


@pytest.mark.parametrize("place", ["loop", "cat/loop"])
def test_a_loop_of_links_is_named_and_takes_no_class_along(place, tmp_path):
    source = touch(tmp_path, "cat/1.jpg", "dog/2.jpg")
    (tmp_path / place).symlink_to(tmp_path)
    assert dict.fromkeys(["cat/1.jpg", "dog/2.jpg"], ("cat", "dog")).keys() < {record[0] for record in read(source)}
    assert (place, "cannot be read: the link leads back to a folder above it") in read(source)


@pytest.mark.parametrize("place", ["bird", "train", "bird.v2"])
def test_a_link_to_nowhere_in_the_place_of_a_class_folder_is_named(place, tmp_path):
    source = touch(tmp_path, "cat/1.jpg", "dog/2.jpg")
    (tmp_path / place).symlink_to(tmp_path / "unmounted")
    fault = "cannot be read: the link leads to no file or folder (No such file or directory)"
    assert set(read(source)) == {("cat/1.jpg", "cat", None), ("dog/2.jpg", "dog", None), (place, fault)}


def test_folders_of_any_bytes_become_labels_that_can_be_written(tmp_path):
    (tmp_path / os.fsdecode(b"\xe9t\xe9")).mkdir()
    (tmp_path / "\udce9t\udce9" / "\udcff.jpg").touch()
    assert read(touch(tmp_path, "dog/1.jpg")) == [
        ("dog/1.jpg", "dog", None),
        (r"\udce9t\udce9/\udcff.jpg", r"\udce9t\udce9", None),
    ]


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("", "folder {root} cannot be read: Permission denied"),
        ("train", "folder {root}/train cannot be read: Permission denied"),
        ("train/cat", "class folder {root}/train/cat cannot be read: Permission denied"),
    ],
)
def test_a_class_folder_that_cannot_be_listed_stops_it_in_words(folder, message, tmp_path, monkeypatch):
    source = touch(tmp_path, "train/cat/1.jpg", "train/dog/2.jpg", "val/cat/3.jpg")
    scandir = os.scandir

    def refuse(path):
        if path == tmp_path / folder:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(listing.os, "scandir", refuse)
    with pytest.raises(DataError, match=message.format(root=tmp_path)):
        read(source)


def test_a_closed_folder_beside_the_splits_and_a_loop_there_are_named_alone(tmp_path, monkeypatch):
    source = touch(tmp_path, "train/cat/1.jpg", "test/cat/2.jpg", "private/3.jpg")
    (tmp_path / "loop").symlink_to(tmp_path)
    scandir = os.scandir

    def refuse(path):
        if path == tmp_path / "private":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(listing.os, "scandir", refuse)
    assert read(source) == [
        ("loop", "cannot be read: the link leads back to a folder above it"),
        ("private", "cannot be read: Permission denied"),
        ("test/cat/2.jpg", "cat", "test"),
        ("train/cat/1.jpg", "cat", "train"),
    ]


def test_a_folder_above_that_is_closed_is_told_as_such(tmp_path, monkeypatch):
    stat = Path.stat

    def refuse(path, **choices):
        if tmp_path in path.parents:
            raise PermissionError(13, "Permission denied")
        return stat(path, **choices)

    monkeypatch.setattr(Path, "stat", refuse)
    for source in (c.ImageFolder(path=tmp_path / "x"), c.Table(path=tmp_path / "x.csv"), c.Coco(path=tmp_path / "x")):
        with pytest.raises(DataError, match=r"x(.csv)? cannot be read: Permission denied"):
            list(source.files())
