"""Versions only grow, none is ever overwritten, and a half copied one is never to be seen."""

import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kerasvision.errors import ExportError
from kerasvision.export.push import latest_version, push, record_push, record_refusal, versions

LARGE = 2_000_000


@pytest.fixture
def saved_model(tmp_path):
    """A folder that looks like a SavedModel; its content is told by `label`."""
    return write_saved_model(tmp_path / "saved_model", label="first")


def write_saved_model(folder, *, label, size=10):
    (folder / "variables").mkdir(parents=True)
    (folder / "assets").mkdir()
    (folder / "saved_model.pb").write_text(label)
    (folder / "variables" / "variables.index").write_text(label)
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"x" * size)
    return folder


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def visible(folder):
    """What lies in a model's folder beside the lock, which stays."""
    return [path for path in folder.iterdir() if path.name != ".lock"]


def test_versions_count_from_one(saved_model, tmp_path):
    folder = tmp_path / "saved_models" / "flowers"
    assert [push(saved_model, folder=folder) for _ in range(3)] == [1, 2, 3]
    assert versions(folder) == [1, 2, 3]
    assert content(folder / "3") == content(saved_model)
    assert (folder / "3" / "assets").is_dir()


def test_an_earlier_version_is_never_touched(saved_model, tmp_path):
    folder = tmp_path / "flowers"
    push(saved_model, folder=folder)
    before = content(folder / "1")
    push(write_saved_model(tmp_path / "other", label="second"), folder=folder)
    assert content(folder / "1") == before
    assert (folder / "2" / "saved_model.pb").read_text() == "second"


def test_a_deleted_version_is_not_given_again(saved_model, tmp_path):
    folder = tmp_path / "flowers"
    for _ in range(3):
        push(saved_model, folder=folder)
    shutil.rmtree(folder / "2")
    assert push(saved_model, folder=folder) == 4


def test_the_tenth_version_follows_the_ninth(saved_model, tmp_path):
    (tmp_path / "flowers" / "9").mkdir(parents=True)
    (tmp_path / "flowers" / "10").mkdir()
    assert push(saved_model, folder=tmp_path / "flowers") == 11


def test_what_is_no_number_or_no_folder_is_no_version(saved_model, tmp_path):
    folder = tmp_path / "flowers"
    for name in ("best", "12-old", "1.5", "-3", ".copying-99"):
        (folder / name).mkdir(parents=True)
    (folder / "7").write_text("a file")
    assert versions(folder) == []
    assert push(saved_model, folder=folder) == 1


def test_a_file_in_the_way_is_passed_over(saved_model, tmp_path):
    folder = tmp_path / "flowers"
    folder.mkdir()
    (folder / "1").write_text("a file")
    assert push(saved_model, folder=folder) == 2
    assert (folder / "1").read_text() == "a file"


def test_a_version_that_appears_meanwhile_is_not_overwritten(saved_model, tmp_path, monkeypatch):
    first = write_saved_model(tmp_path / "flowers" / "1", label="of somebody else")
    # The race itself: the version is taken between the look and the rename.
    monkeypatch.setattr("kerasvision.export.push.versions", lambda folder: [])
    assert push(saved_model, folder=tmp_path / "flowers") == 2
    assert (first / "saved_model.pb").read_text() == "of somebody else"


def test_a_place_that_cannot_be_written_is_told(saved_model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="file/flowers cannot be written: Not a directory."):
        push(saved_model, folder=tmp_path / "file" / "flowers")


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_why_it_cannot_be_written_is_told_and_nothing_is_left(code, saved_model, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(code, errno.errorcode[code])

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(ExportError, match=f"flowers cannot be written: {errno.errorcode[code]}."):
        push(saved_model, folder=tmp_path / "flowers")
    assert visible(tmp_path / "flowers") == []


def test_a_file_that_cannot_be_copied_is_named(saved_model, tmp_path):
    # copytree gathers such errors in one that has no message of its own.
    (saved_model / "assets" / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ExportError, match=r"flowers cannot be written: .*No such file or directory: .*assets/link"):
        push(saved_model, folder=tmp_path / "flowers")
    assert visible(tmp_path / "flowers") == []


PUSH = """
import sys
from pathlib import Path
from kerasvision.export.push import push
print([push(Path(sys.argv[1]), folder=Path(sys.argv[2])) for _ in range(5)])
"""


def test_pushes_at_the_same_time_get_versions_of_their_own_and_show_nothing_half(tmp_path):
    folder = tmp_path / "flowers"
    saved_models = [write_saved_model(tmp_path / str(n), label=f"model {n}", size=LARGE) for n in range(4)]
    pushers = [
        subprocess.Popen([sys.executable, "-c", PUSH, str(saved_model), str(folder)], stdout=subprocess.PIPE, text=True)
        for saved_model in saved_models
    ]
    looked = 0
    while any(pusher.poll() is None for pusher in pushers):
        for version in versions(folder):
            assert len((folder / str(version) / "variables" / "variables.data-00000-of-00001").read_bytes()) == LARGE
            looked += 1
    given = [json.loads(pusher.communicate()[0]) for pusher in pushers]
    assert looked
    assert [pusher.returncode for pusher in pushers] == [0] * 4
    assert sorted(version for own in given for version in own) == list(range(1, 21))
    for saved_model, own in zip(saved_models, given, strict=True):
        for version in own:
            assert content(folder / str(version)) == content(saved_model)
    assert len(visible(folder)) == 20


def test_pushing_needs_no_tensorflow():
    code = "import sys, kerasvision.export.push; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# --- What was pushed


def test_a_push_is_recorded_relative_to_its_record(tmp_path):
    record = tmp_path / "runs" / "7" / "pushed.json"
    record.parent.mkdir(parents=True)
    record_push(record, destination=tmp_path / "saved_models" / "flowers" / "3", version=3)
    assert json.loads(record.read_text()) == {
        "pushed": True, "version": 3, "destination": "../../saved_models/flowers/3"}  # fmt: skip


def test_a_refusal_is_recorded_with_its_reason(tmp_path):
    record_refusal(tmp_path / "pushed.json", why="accuracy >= 0.9 failed with 0.8")
    assert json.loads((tmp_path / "pushed.json").read_text()) == {
        "pushed": False, "why": "accuracy >= 0.9 failed with 0.8"}  # fmt: skip


def test_the_latest_version_is_the_highest_number(saved_model, tmp_path):
    for version in ("2", "10", "9"):
        shutil.copytree(saved_model, tmp_path / "flowers" / version)
    assert latest_version(tmp_path / "flowers") == tmp_path / "flowers" / "10"


def test_a_saved_model_itself_is_its_latest_version(saved_model):
    assert latest_version(saved_model) == saved_model


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("saved_model.pb", "is no saved model: it holds no saved_model.pb"),
        ("variables/variables.index", "is half a saved model: its variables are missing"),
    ],
)
def test_half_a_saved_model_is_told(missing, message, saved_model):
    (saved_model / missing).unlink()
    with pytest.raises(ExportError, match=message):
        latest_version(saved_model)


def test_a_folder_that_is_not_there_is_told():
    with pytest.raises(ExportError, match="/nowhere is no saved model: there is no such folder"):
        latest_version(Path("/nowhere"))


def test_leavings_of_a_killed_push_are_cleared_by_the_next(tmp_path, saved_model):
    (tmp_path / "flowers" / ".copying").mkdir(parents=True)
    (tmp_path / "flowers" / ".copying" / "half").touch()
    assert push(saved_model, folder=tmp_path / "flowers") == 1
    assert [path.name for path in visible(tmp_path / "flowers")] == ["1"]
    assert not (tmp_path / "flowers" / "1" / "half").exists()
