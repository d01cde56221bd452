"""Version numbers only grow, no version is ever overwritten, and a half copied one is never visible."""

import errno
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from kerasvision.errors import ConfigError, ExportError
from kerasvision.export.publishing.push import push, push_token, record_push, record_unpushed, roll_back
from kerasvision.pipeline.stages.evaluator import evaluator
from kerasvision.served.versions import complaint, find_version, latest_version, read_record, versions

LARGE = 2_000_000


@pytest.fixture
def saved_model(tmp_path):
    """A folder that looks like a SavedModel, with content from `label`."""
    return write_saved_model(tmp_path / "saved_model", label="first")


def write_saved_model(folder, *, label, size=10):
    (folder / "variables").mkdir(parents=True)
    (folder / "assets").mkdir()
    (folder / "saved_model.pb").write_text(label)
    (folder / "variables" / "variables.index").write_text(label)
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"x" * size)
    return folder


def content(folder):
    """The files that a server reads, by name."""
    told = {folder / "version.json", folder / "model_card.md"}
    files = (path for path in folder.rglob("*") if path.is_file() and path not in told)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def visible(folder):
    """The content of a model's folder, except the lock, which stays."""
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
    # The race itself: the version appears between the check and the rename.
    monkeypatch.setattr("kerasvision.export.publishing.push.versions", lambda folder: [])
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
    # copytree collects such errors in an error without a message of its own.
    (saved_model / "assets" / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ExportError, match=r"flowers cannot be written: .*No such file or directory: .*assets/link"):
        push(saved_model, folder=tmp_path / "flowers")
    assert visible(tmp_path / "flowers") == []


PUSH = """
import sys
from pathlib import Path
from kerasvision.export.publishing.push import push
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
    code = "import sys, kerasvision.export.publishing.push; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# --- Content of a version


def test_a_push_is_recorded_relative_to_its_record(tmp_path):
    record = tmp_path / "runs" / "7" / "pushed.json"
    record.parent.mkdir(parents=True)
    record_push(record, destination=tmp_path / "saved_models" / "flowers" / "3", version=3)
    assert json.loads(record.read_text()) == {"pushed": True, "version": 3, "destination": "../../saved_models/flowers/3"}


def test_a_refusal_is_recorded_with_its_reason(tmp_path):
    record_unpushed(tmp_path / "pushed.json", why="accuracy >= 0.9 failed with 0.8")
    assert json.loads((tmp_path / "pushed.json").read_text()) == {"pushed": False, "why": "accuracy >= 0.9 failed with 0.8"}


def test_the_latest_version_is_the_highest_number(saved_model, tmp_path):
    for version in ("2", "10", "9"):
        shutil.copytree(saved_model, tmp_path / "flowers" / version)
    assert latest_version(tmp_path / "flowers") == tmp_path / "flowers" / "10"


def test_a_saved_model_itself_is_its_latest_version(saved_model):
    assert latest_version(saved_model) == saved_model


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("saved_model.pb", "is not a saved model: it contains no saved_model.pb"),
        ("variables/variables.index", "is an incomplete saved model: its variables are missing"),
    ],
)
def test_half_a_saved_model_is_told(missing, message, saved_model):
    (saved_model / missing).unlink()
    with pytest.raises(ExportError, match=message):
        latest_version(saved_model)


def test_a_folder_that_is_not_there_is_told():
    with pytest.raises(ConfigError, match="/nowhere is not a saved model: there is no such folder"):
        latest_version(Path("/nowhere"))


def test_a_version_that_is_not_there_is_told_with_those_that_are(saved_model, tmp_path):
    pushed(tmp_path / "flowers", saved_model)
    with pytest.raises(ConfigError, match=r"flowers/7 is not a saved model: there is no such folder. Its versions are 1\."):
        latest_version(tmp_path / "flowers" / "7")
    with pytest.raises(ConfigError, match="it is a file"):
        latest_version(saved_model / "saved_model.pb")


def test_leavings_of_a_killed_push_are_cleared_by_the_next(tmp_path, saved_model):
    (tmp_path / "flowers" / ".copying").mkdir(parents=True)
    (tmp_path / "flowers" / ".copying" / "half").touch()
    assert push(saved_model, folder=tmp_path / "flowers") == 1
    assert [path.name for path in visible(tmp_path / "flowers")] == ["1"]
    assert not (tmp_path / "flowers" / "1" / "half").exists()


# --- The record of a version


def pushed(folder, saved_model, **options):
    return folder / str(push(saved_model, folder=folder, **options))


def test_a_version_names_its_files_with_size_and_hash(saved_model, tmp_path):
    version = pushed(tmp_path / "flowers", saved_model, card="# flowers\n", facts={"lineage": {"run": "r1"}})
    record = read_record(version)
    # printf first | sha256sum
    assert record["files"]["saved_model.pb"] == {
        "bytes": 5,
        "sha256": "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e",
    }
    assert list(record["files"]) == [
        "model_card.md",
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    ]
    assert (record["name"], record["version"], record["lineage"]) == ("flowers", 1, {"run": "r1"})
    assert (version / "model_card.md").read_text() == "# flowers\n"
    assert complaint(version, thorough=True) == ""


@pytest.mark.parametrize(
    ("name", "change", "message", "is_seen_at_once"),
    [
        ("saved_model.pb", None, "it contains no saved_model.pb", True),
        ("variables/variables.index", None, "its variables are missing", True),
        ("variables/variables.data-00000-of-00001", None, "is missing", True),
        ("variables/variables.data-00000-of-00001", b"xxx", "has 3 bytes instead of 10", True),
        ("variables/variables.data-00000-of-00001", b"xxxxxxxxxy", "is not what was pushed", False),
        ("version.json", b"{", "its version.json is damaged", True),
        ("version.json", b"[]", "its version.json is damaged", True),
        ("version.json", b'{"files": {"a": 1}}', "its version.json is damaged|a is missing", True),
    ],
)
def test_a_version_that_is_half_copied_or_altered_is_found(name, change, message, is_seen_at_once, saved_model, tmp_path):
    version = pushed(tmp_path / "flowers", saved_model)
    (version / name).unlink() if change is None else (version / name).write_bytes(change)
    assert re.search(message, complaint(version, thorough=True))
    assert bool(complaint(version)) == is_seen_at_once
    if is_seen_at_once:
        with pytest.raises(ExportError, match="flowers"):
            latest_version(tmp_path / "flowers")


def test_the_weights_of_another_version_are_refused_and_named(saved_model, tmp_path):
    one = pushed(tmp_path / "flowers", saved_model)
    data = saved_model / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(b"y" * 10)
    two = pushed(tmp_path / "flowers", saved_model)
    shutil.copyfile(one / "variables" / data.name, two / "variables" / data.name)
    with pytest.raises(ExportError, match=f"flowers/2 was changed or is half copied: variables/{data.name} is not what was"):
        latest_version(tmp_path / "flowers")
    assert latest_version(one) == one


def test_an_ensemble_is_not_judged_with_a_member_that_was_changed(saved_model, tmp_path):
    member = pushed(tmp_path / "flowers", saved_model)
    (member / "saved_model.pb").write_text("FIRST")
    settings = SimpleNamespace(evaluation=SimpleNamespace(ensemble=(member,)))
    artifacts = dict.fromkeys(
        ("examples", "schema", "transform_graph", "model", "saved_model", "evaluation", "blessing"), SimpleNamespace()
    )
    with pytest.raises(ExportError, match="flowers/1 was changed or is half copied: saved_model.pb is not what was pushed"):
        evaluator(**artifacts, settings=settings)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda version: (version / "version.json").unlink(), "its version.json is missing"),
        (lambda version: (version / "version.json").write_text("{}"), "its version.json is damaged"),
        (lambda version: (version / "version.json").write_text("[" * 100_000), "its version.json is damaged"),
        (lambda version: (version / "version.json").write_bytes(b"\xff\xfe\x00"), "its version.json is damaged"),
        (lambda version: (version / "version.json").write_text('{"files": {}}'), "its version.json is damaged"),
        (lambda version: (version / "variables" / "more").touch(), "variables/more was added after the push"),
        (lambda version: (version / "more").symlink_to(version.parent), "more was added after the push"),
        (lambda version: (version / "more").symlink_to("nowhere"), "more was added after the push"),
        (lambda version: version.rename(version.with_name("5")), "it contains version 1, which belongs in a folder"),
    ],
)
def test_a_version_that_is_not_as_it_was_pushed_is_refused(spoil, message, saved_model, tmp_path):
    version = pushed(tmp_path / "flowers", saved_model)
    spoil(version)
    with pytest.raises(ExportError, match=message):
        latest_version(tmp_path / "flowers")


def test_links_to_what_was_pushed_and_the_leavings_of_file_managers_are_no_change(saved_model, tmp_path):
    version = pushed(tmp_path / "flowers", saved_model)
    (version / "variables").rename(tmp_path / "elsewhere")
    (version / "variables").symlink_to(tmp_path / "elsewhere")
    (version / "saved_model.pb").rename(tmp_path / "graph")
    (version / "saved_model.pb").symlink_to(tmp_path / "graph")
    (version / "@eaDir").mkdir()  # a Synology's thumbnails
    for name in (".DS_Store", "Thumbs.db", "@eaDir/saved_model.pb@SynoEAStream"):
        (version / name).touch()
    assert latest_version(tmp_path / "flowers") == version
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted" / "3").symlink_to(version)
    assert latest_version(tmp_path / "mounted") == tmp_path / "mounted" / "3"
    (tmp_path / "elsewhere" / "variables.index").write_text("FIRST")
    with pytest.raises(ExportError, match="variables/variables.index is not what was pushed"):
        latest_version(tmp_path / "flowers")


def test_a_version_that_something_else_made_is_taken_as_it_is(saved_model):
    assert (complaint(saved_model, thorough=True), read_record(saved_model)) == ("", {})


def test_half_a_saved_model_is_not_pushed(saved_model, tmp_path):
    (saved_model / "variables" / "variables.index").unlink()
    with pytest.raises(ExportError, match="cannot be pushed: its variables are missing"):
        push(saved_model, folder=tmp_path / "flowers")
    assert not (tmp_path / "flowers").exists()


def test_a_number_with_zeros_before_it_is_no_version(saved_model, tmp_path):
    (tmp_path / "flowers" / "007").mkdir(parents=True)
    assert push(saved_model, folder=tmp_path / "flowers") == 1


def test_a_push_that_is_begun_again_finds_its_version(saved_model, tmp_path):
    folder = tmp_path / "flowers"
    assert [push(saved_model, folder=folder, token=token) for token in ("a", "a", "b", "a")] == [1, 1, 2, 1]


def test_a_version_that_was_altered_meanwhile_is_not_taken_for_the_push(saved_model, tmp_path):
    version = pushed(tmp_path / "flowers", saved_model, token="a")
    (version / "saved_model.pb").write_text("FIRST")
    assert push(saved_model, folder=tmp_path / "flowers", token="a") == 2


def test_a_token_stays_the_same_until_its_folder_is_cleared(tmp_path):
    first = push_token(tmp_path / "work")
    assert push_token(tmp_path / "work") == first
    shutil.rmtree(tmp_path / "work")
    assert push_token(tmp_path / "work") != first


def test_a_model_that_nobody_may_change_can_be_pushed_and_gone_back_to(saved_model, tmp_path):
    folder = tmp_path / "flowers"
    for path in [*saved_model.rglob("*"), saved_model]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    push(saved_model, folder=folder)
    push(saved_model, folder=folder)
    assert roll_back(folder) == (3, 1)
    assert (folder / "3").stat().st_mode & 0o200


# --- Rolling back


@pytest.fixture
def three(tmp_path):
    """saved_models/flowers with three versions."""
    folder = tmp_path / "saved_models" / "flowers"
    for label in ("first", "second", "third"):
        push(write_saved_model(tmp_path / label, label=label), folder=folder, card=f"# {label}\n", facts={"lineage": {}})
    return folder


def test_a_rollback_is_a_new_version_with_the_content_of_an_old_one(three):
    before = {number: content(three / str(number)) for number in (1, 2, 3)}
    assert roll_back(three, to=1, reason="daisies\nare wrong") == (4, 1)
    assert content(three / "4") == before[1]
    assert {number: content(three / str(number)) for number in (1, 2, 3)} == before
    assert latest_version(three) == three / "4"
    told = read_record(three / "4")
    assert {key: told["rolled_back"][key] for key in ("to", "from", "reason")} == {
        "to": 1,
        "from": 3,
        "reason": "daisies\nare wrong",
    }
    assert (told["version"], told["lineage"]) == (4, {})
    note, _, card = (three / "4" / "model_card.md").read_text().partition("\n\n")
    assert note.startswith("> **Rolled back** from version 3 to version 1 by ")
    assert note.endswith(": daisies are wrong")
    assert card == "# first\n"
    assert complaint(three / "4", thorough=True) == ""


def test_each_rollback_goes_one_version_further_back(three):
    assert [roll_back(three) for _ in range(2)] == [(4, 2), (5, 1)]
    with pytest.raises(ConfigError, match="flowers has no version before 1. Choose one with --to: 1, 2, 3, 4, 5."):
        roll_back(three)
    # The version that was left can be restored, too.
    assert roll_back(three, to=3) == (6, 3)


@pytest.mark.parametrize(
    ("to", "error", "message"),
    [
        (7, ConfigError, "flowers has no version 7; there are 1, 2, 3"),
        (3, ConfigError, "version 3 of flowers is already the newest"),
        (2, ExportError, "cannot roll back to .*2: saved_model.pb is not what was pushed. Choose another version"),
    ],
)
def test_what_cannot_be_gone_back_to_is_told_and_nothing_is_pushed(to, error, message, three):
    (three / "2" / "saved_model.pb").write_text("SECOND")
    with pytest.raises(error, match=message):
        roll_back(three, to=to)
    assert sorted(path.name for path in visible(three)) == ["1", "2", "3"]


def test_where_nothing_was_pushed_there_is_nothing_to_go_back_to(tmp_path):
    with pytest.raises(ConfigError, match="no model has been pushed to .*flowers"):
        roll_back(tmp_path / "flowers")
    assert not (tmp_path / "flowers").exists()


def test_the_newest_version_is_found_where_none_is_named(three):
    assert (find_version(three), find_version(three, 2)) == (three / "3", three / "2")


def test_a_forced_push_is_recorded_with_who_and_why(tmp_path):
    forced = {"by": "me", "at": "2026-01-01T00:00:00+00:00", "reason": "a demonstration", "although": "accuracy >= 0.9"}
    record_push(tmp_path / "pushed.json", destination=tmp_path / "3", version=3, forced=forced)
    assert json.loads((tmp_path / "pushed.json").read_text())["forced"] == forced
