"""The listing of any folder is complete, in order, and the same for reading and for fingerprints."""

import os
import subprocess

import pytest

from kerasvision import config as c
from kerasvision.config import listing
from kerasvision.config.inference import Predict
from kerasvision.config.listing import EMPTY, LOOP, is_passed_over, list_files, list_folder, printable
from kerasvision.data.sources.image_folder import read_image_folder


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    return root


def names(root, **choices):
    return [found.name for found in list_folder(root, **choices)]


def faults(root):
    return {found.name: found.fault for found in list_folder(root) if found.fault}


def test_files_come_sorted_by_the_parts_of_their_paths(tmp_path):
    touch(tmp_path, "b/2", "b/1", "a", "b-c/1", "b/a/z")
    assert names(tmp_path) == ["a", "b/1", "b/2", "b/a/z", "b-c/1"]
    assert names(tmp_path, recursive=False) == ["a"]


def test_linked_folders_and_files_are_followed_at_every_depth(tmp_path):
    touch(tmp_path / "disk2", "cats/1.jpg", "more/2.jpg")
    touch(tmp_path / "data", "dog/3.jpg")
    (tmp_path / "data" / "cat").symlink_to(tmp_path / "disk2" / "cats")
    (tmp_path / "data" / "dog" / "deep").mkdir()
    (tmp_path / "data" / "dog" / "deep" / "more").symlink_to(tmp_path / "disk2" / "more")
    (tmp_path / "data" / "dog" / "4.jpg").symlink_to(tmp_path / "data" / "dog" / "3.jpg")
    found = list(list_folder(tmp_path / "data"))
    assert [(one.name, one.is_outside) for one in found] == [
        ("cat/1.jpg", True),
        ("dog/3.jpg", False),
        ("dog/4.jpg", False),
        ("dog/deep/more/2.jpg", True),
    ]
    assert [one.path.read_bytes() for one in found] == [b"cats/1.jpg", b"dog/3.jpg", b"dog/3.jpg", b"more/2.jpg"]


def test_the_listed_folder_may_be_a_link_itself_and_then_leads_nowhere_else(tmp_path):
    touch(tmp_path / "disk2", "cat/1.jpg")
    (tmp_path / "data").symlink_to(tmp_path / "disk2")
    (found,) = list_folder(tmp_path / "data")
    assert (found.name, found.is_outside) == ("cat/1.jpg", False)


@pytest.mark.parametrize("target", ["data/cat", "data", ".", "/"])
def test_a_loop_is_named_and_not_followed(target, tmp_path):
    touch(tmp_path / "data", "cat/1.jpg")
    (tmp_path / "data" / "cat" / "loop").symlink_to(tmp_path / target)
    assert names(tmp_path / "data") == ["cat/1.jpg", "cat/loop"]
    assert faults(tmp_path / "data") == {"cat/loop": LOOP}


def test_two_folders_that_link_to_each_other_come_to_an_end(tmp_path):
    touch(tmp_path, "data/a/1", "other/b/2")
    (tmp_path / "data" / "a" / "there").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "b" / "back").symlink_to(tmp_path / "data" / "a")
    assert names(tmp_path / "data") == ["a/1", "a/there/b/2", "a/there/b/back"]
    assert faults(tmp_path / "data") == {"a/there/b/back": LOOP}


def test_what_is_no_file_is_listed_and_an_empty_folder_is_told(tmp_path):
    touch(tmp_path, "cat/1.jpg")
    os.mkfifo(tmp_path / "cat" / "pipe.jpg")
    (tmp_path / "cat" / "gone.jpg").symlink_to(tmp_path / "nothing")
    (tmp_path / "cat" / "self.jpg").symlink_to(tmp_path / "cat" / "self.jpg")
    (tmp_path / "cat" / "folder.jpg").mkdir()
    assert names(tmp_path) == [f"cat/{name}.jpg" for name in ("1", "folder", "gone", "pipe", "self")]
    assert faults(tmp_path) == {"cat/folder.jpg": EMPTY}
    assert [name for name, _ in list_files(tmp_path)] == ["cat/1.jpg"]


LEFT_BEHIND = ("Thumbs.db", "thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini", ".DS_Store", "._1.jpg", ".picasa.ini",
               "__MACOSX/cat/._1.jpg", "@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", "$RECYCLE.BIN/1.jpg", "#recycle/1.jpg",
               "System Volume Information/x", ".ipynb_checkpoints/1.jpg", "lost+found/1.jpg")  # fmt: skip


def test_what_systems_leave_behind_is_passed_over_by_readers_fingerprints_and_predict(tmp_path):
    touch(tmp_path, "cat/1.jpg", "dog/1.jpg", *LEFT_BEHIND, *(f"cat/{name}" for name in LEFT_BEHIND))
    source = c.ImageFolder(path=tmp_path)
    assert [record.name for record in read_image_folder(source)] == ["cat/1.jpg", "dog/1.jpg"]
    assert [name for name, _ in source.files()] == ["cat/1.jpg", "dog/1.jpg"]
    assert [image.name for image in Predict(path=tmp_path).listed()] == ["cat/1.jpg", "dog/1.jpg"]


@pytest.mark.parametrize("name", ["thumbs", "desktop", "macosx", "eaDir", "recycler", "@home", "#1.jpg", "Thumbs.db.jpg"])
def test_names_that_only_resemble_them_are_kept(name):
    assert not is_passed_over(name)


def test_a_path_of_a_thousand_folders_is_listed(tmp_path, monkeypatch):
    # Deeper than Python's limit of nested calls; made folder by folder, because the system rejects such a long path.
    monkeypatch.chdir(tmp_path)
    for _ in range(1200):
        os.mkdir("d")  # noqa: PTH102
        os.chdir("d")
    with open("1.jpg", "wb"):  # noqa: PTH123
        pass
    os.chdir(tmp_path)
    (found,) = list_folder(tmp_path)
    assert found.name == "d/" * 1200 + "1.jpg"
    subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # pytest's own clean-up is recursive


@pytest.mark.parametrize("code", [13, 5])
def test_a_folder_that_cannot_be_listed_is_named_with_the_reason(code, tmp_path, monkeypatch):
    touch(tmp_path, "cat/1.jpg", "cat/more/2.jpg", "dog/1.jpg")
    scandir = os.scandir

    def refuse(path):
        if path == tmp_path / "cat" / "more":
            raise OSError(code, os.strerror(code))
        return scandir(path)

    monkeypatch.setattr(listing.os, "scandir", refuse)
    assert names(tmp_path) == ["cat/1.jpg", "cat/more", "dog/1.jpg"]
    assert faults(tmp_path) == {"cat/more": f"cannot be read: {os.strerror(code)}"}
    assert [name for name, _ in list_files(tmp_path)] == ["cat/1.jpg", "cat/more", "dog/1.jpg"]


def test_names_of_any_bytes_become_text_and_stay_apart(tmp_path):
    touch(tmp_path, "caf\udce9.jpg", "caf\udce8.jpg", "café.jpg", "a\nb.jpg", "\x1b[31m.jpg")
    shown = {printable(name) for name in names(tmp_path)}
    assert shown == {r"caf\udce9.jpg", r"caf\udce8.jpg", "café.jpg", r"a\nb.jpg", r"\x1b[31m.jpg"}
    assert all(name.encode().decode().isprintable() for name in shown)
