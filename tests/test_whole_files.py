"""Files and folders are written atomically."""

import errno
import os
from pathlib import Path

import pytest

from kerasvision.whole_files import flush_stream, flush_tree, rename_into_place, write_whole


@pytest.fixture
def seen(monkeypatch):
    """(operation, name) of every flush and rename, in order."""
    operations = []

    def fsync(descriptor):
        operations.append(("flush", Path(f"/proc/self/fd/{descriptor}").readlink().name))

    def rename(source, target, original=os.rename):
        operations.append(("rename", Path(source).name, Path(target).name))
        original(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    return operations


def test_content_is_flushed_before_it_has_the_name_and_the_folder_after(tmp_path, seen):
    write_whole(tmp_path / "a.json", lambda beside: beside.write_text("{}"))
    assert seen == [("flush", "a.json.tmp"), ("rename", "a.json.tmp", "a.json"), ("flush", tmp_path.name)]


def test_the_old_content_stays_until_the_new_one_is_whole(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("old")

    def write(beside):
        beside.write_text("new")
        assert file.read_text() == "old"

    write_whole(file, write)
    assert file.read_text() == "new"


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), ValueError("text")])
@pytest.mark.parametrize("moment", ["write", "fsync", "rename"])
def test_whatever_fails_the_old_content_is_there_and_nothing_beside_it(tmp_path, monkeypatch, failure, moment):
    file = tmp_path / "a.txt"
    file.write_text("old")

    def fail(*_):
        raise failure

    def write(beside):
        beside.write_text("half")
        if moment == "write":
            fail()

    if moment != "write":
        monkeypatch.setattr(os, moment, fail)
    with pytest.raises(type(failure)):
        write_whole(file, write)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "old")]


def test_a_folder_is_flushed_with_everything_below_it(tmp_path, seen):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.txt").touch()
    (tmp_path / "b.txt").touch()
    flush_tree(tmp_path)
    assert sorted(seen) == [("flush", name) for name in sorted(["a.txt", "b.txt", "inner", tmp_path.name])]
    assert seen[-1] == ("flush", tmp_path.name)


def test_a_name_is_flushed_once_it_is_given(tmp_path, seen):
    (tmp_path / "a.tmp").mkdir()
    rename_into_place(tmp_path / "a.tmp", tmp_path / "a")
    assert seen == [("rename", "a.tmp", "a"), ("flush", tmp_path.name)]


def test_a_stream_is_flushed_with_what_python_still_holds_of_it(tmp_path, seen):
    with (tmp_path / "a.txt").open("wb") as stream:
        stream.write(b"row")
        flush_stream(stream)
        assert (tmp_path / "a.txt").read_bytes() == b"row"
    assert seen == [("flush", "a.txt")]
