"""The store is damaged, lost, or older than the artifact folders: the next run works and changes no existing folder."""

import random
import shutil
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest
from peewee import OperationalError

from kerasvision.errors import KerasvisionError, StoreError
from kerasvision.pipeline.database import unusable
from kerasvision.pipeline.history import lineage, list_runs, show_run, why
from kerasvision.pipeline.local import plan, run
from kerasvision.pipeline.report import report_run
from kerasvision.pipeline.store import Store

STORE = "runs/metadata.sqlite"


def product(root, toy, number, factor):
    return run(toy.pipeline(number, factor), root=root).artifact("multiply", "model")


def contents(root):
    """Every file below the artifacts, with its text."""
    return {path.relative_to(root): path.read_text() for path in (root / "runs/artifacts").rglob("*") if path.is_file()}


def move_away(root):
    (root / "away").mkdir()
    for part in (root / "runs").glob("metadata.sqlite*"):
        part.rename(root / "away" / part.name)


def test_the_way_out_of_a_damaged_store_works(toy, number, tmp_path):
    product(tmp_path, toy, number, 2)
    product(tmp_path, toy, number, 3)
    before = contents(tmp_path)
    with (tmp_path / STORE).open("r+b") as file:
        file.write(b"?" * 100)
    with pytest.raises(StoreError, match=r"move metadata\.sqlite out of .*runs and run again"):
        plan(toy.pipeline(number), root=tmp_path)
    move_away(tmp_path)
    assert [stage.action for stage in plan(toy.pipeline(number), root=tmp_path)] == ["run", "depends"]
    model = product(tmp_path, toy, number, 5)
    # Before: examples 1, models 2 and 4 (3 reused the examples). The stages count on from their own folders.
    assert (model.uri.name, model.properties["product"]) == ("5", 5)
    assert (tmp_path / "runs/artifacts/toy/read/examples/2/sign.txt").read_text() == "1"
    assert before.items() <= contents(tmp_path).items()
    assert report_run(root=tmp_path).is_file()
    assert len(list_runs(tmp_path)) == 1
    assert [stage.action for stage in plan(toy.pipeline(number, 5), root=tmp_path)] == ["reuse", "reuse"]


def test_store_from_a_backup_that_is_older_than_the_folders_goes_on_after_them(toy, number, tmp_path):
    product(tmp_path, toy, number, 2)
    shutil.copy(tmp_path / STORE, tmp_path / "backup")
    for factor in (3, 4, 5):
        product(tmp_path, toy, number, factor)
    newest = max(int(path.name) for path in (tmp_path / "runs/artifacts/toy/multiply/model").iterdir())
    before = contents(tmp_path)
    shutil.copy(tmp_path / "backup", tmp_path / STORE)
    model = product(tmp_path, toy, number, 6)
    assert int(model.uri.name) == newest + 1
    assert contents(tmp_path) == before | {model.uri.relative_to(tmp_path) / "product.txt": "6"}
    assert product(tmp_path, toy, number, 2).uri.name == "2"


def test_what_others_put_among_the_folders_stays(toy, number, tmp_path):
    base = tmp_path / "runs/artifacts/toy/multiply/model"
    for name in ("7.tmp", "mine", "²", "9" * 30):
        (base / name).mkdir(parents=True)
        (base / name / "note.txt").write_text(name)
    (base / "11").write_text("a file")
    before = contents(tmp_path)
    assert product(tmp_path, toy, number, 3).uri.name == "12"
    assert before.items() <= contents(tmp_path).items()


def test_artifacts_that_were_moved_away_are_made_anew(toy, number, tmp_path):
    product(tmp_path, toy, number, 3)
    shutil.rmtree(tmp_path / "runs/artifacts")
    assert plan(toy.pipeline(number, 3), root=tmp_path)[0].why == ("output examples is missing or was altered",)
    assert product(tmp_path, toy, number, 3).properties["product"] == 3
    assert [stage.action for stage in plan(toy.pipeline(number, 3), root=tmp_path)] == ["reuse", "reuse"]


def test_two_stores_that_take_turns_keep_their_own_results(toy, number, tmp_path):
    mine = product(tmp_path, toy, number, 2)
    move_away(tmp_path)
    other = product(tmp_path, toy, number, 3)
    (tmp_path / "away").rename(tmp_path / "first")
    move_away(tmp_path)
    shutil.copy(tmp_path / "first/metadata.sqlite", tmp_path / STORE)
    assert product(tmp_path, toy, number, 2).uri == mine.uri
    third = product(tmp_path, toy, number, 4)
    assert (mine.uri.name, other.uri.name, third.uri.name) == ("2", "3", "6")  # reused stages have numbers too
    assert (other.uri / "product.txt").read_text() == "3"


@pytest.mark.parametrize("part", ["-wal", "-shm"])
@pytest.mark.parametrize("content", [b"", b"rubbish" * 10_000], ids=["empty", "rubbish"])
def test_damaged_file_beside_the_store_stops_nothing(toy, number, tmp_path, part, content):
    product(tmp_path, toy, number, 3)
    (tmp_path / (STORE + part)).write_bytes(content)
    assert [stage.action for stage in plan(toy.pipeline(number, 3), root=tmp_path)] == ["reuse", "reuse"]
    assert product(tmp_path, toy, number, 4).properties["product"] == 4
    assert len(list_runs(tmp_path)) == 2


def test_leftover_file_beside_a_store_that_was_moved_away_is_not_read(toy, number, tmp_path):
    product(tmp_path, toy, number, 3)
    move_away(tmp_path)
    (tmp_path / (STORE + "-wal")).write_bytes(b"rubbish" * 10_000)
    assert product(tmp_path, toy, number, 3).properties["product"] == 3


def test_folder_that_cannot_be_written_shows_what_a_killed_process_left_beside_the_store(toy, number, tmp_path, monkeypatch):
    killed = Store(tmp_path / "runs")
    product(tmp_path, toy, number, 3)
    try:
        # While a process has it open, SQLite keeps the newest rows in the -wal file, as after a kill.
        assert (tmp_path / (STORE + "-wal")).stat().st_size > 0
        before = sorted((tmp_path / "runs").iterdir())
        # Root may write everywhere.
        monkeypatch.setattr("kerasvision.pipeline.database.os.access", lambda *_: False)
        assert [record.outcome for record, _ in list_runs(tmp_path)] == ["finished"]
        assert [stage.action for stage in plan(toy.pipeline(number, 3), root=tmp_path)] == ["reuse", "reuse"]
        assert sorted((tmp_path / "runs").iterdir()) == before
    finally:
        killed.close()


def test_reader_of_a_store_whose_process_was_killed_before_it_created_a_table_finds_nothing(toy, number, tmp_path):
    (tmp_path / "runs").mkdir()
    with closing(sqlite3.connect(tmp_path / STORE)) as begun:
        begun.execute("PRAGMA journal_mode = wal")
    assert list_runs(tmp_path) == []
    assert [stage.action for stage in plan(toy.pipeline(number, 3), root=tmp_path)] == ["run", "depends"]
    assert product(tmp_path, toy, number, 3).properties["product"] == 3


# What one changed number in a row of the store would do: an execution of factor 2 is found under the key of factor 3, or
# with the output of factor 3; and an execution has two outputs of one name.
WRONG_NUMBERS = {
    "key": (
        "UPDATE Association SET execution_id = {two} WHERE execution_id = {three} AND context_id IN "
        "(SELECT Context.id FROM Context JOIN Type ON Type.id = type_id WHERE Type.name = 'execution_cache')"
    ),
    "output": "UPDATE Event SET artifact_id = {two} WHERE execution_id = {three} AND type = 4",
    "one output more": "UPDATE Event SET execution_id = {two} WHERE execution_id = {three} AND type = 4",
}


@pytest.mark.parametrize("wrong", WRONG_NUMBERS)
def test_a_wrong_number_in_the_store_leads_to_no_wrong_reuse(toy, number, tmp_path, wrong):
    two, three = (int(product(tmp_path, toy, number, factor).uri.name) for factor in (2, 3))
    with closing(sqlite3.connect(tmp_path / STORE)) as store, store:
        artifact = dict(store.execute("SELECT execution_id, artifact_id FROM Event WHERE type = 4"))
        numbers = {"two": artifact[two] if wrong == "output" else two, "three": three}
        assert store.execute(WRONG_NUMBERS[wrong].format(**numbers)).rowcount == 1
    for factor in (3, 2):
        assert product(tmp_path, toy, number, factor).properties["product"] == factor


def test_full_disk_is_told_where_sqlite_does_not(tmp_path, monkeypatch):
    error = OperationalError("disk I/O error")
    assert str(unusable(tmp_path / "m", error)).endswith("disk I/O error. Choose another folder with --root.")
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=4096))
    assert str(unusable(tmp_path / "m", error)).endswith("disk I/O error. Free some space on that disk.")


def test_root_whose_path_is_longer_than_sqlite_opens_says_so(toy, number, tmp_path):
    root = tmp_path.joinpath(*["deep" * 50] * 3)
    root.mkdir(parents=True)
    with pytest.raises(StoreError, match=r"Its path has 6\d\d bytes, .*: choose a shorter path with --root"):
        run(toy.pipeline(number, 3), root=root)


def test_folder_in_the_place_of_the_store_is_named(toy, number, tmp_path):
    (tmp_path / STORE).mkdir(parents=True)
    with pytest.raises(StoreError, match=r"It is a folder: move it away, or choose another folder with --root"):
        run(toy.pipeline(number), root=tmp_path)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_damaged_ends_in_words(toy, number, tmp_path, seed):
    for factor in (2, 3):
        product(tmp_path, toy, number, factor)
    draw = random.Random(seed)
    content = bytearray((tmp_path / STORE).read_bytes())
    start, length = draw.randrange(len(content)), draw.choice([1, 100, 10_000])
    content[start : start + length] = draw.randbytes(len(content[start : start + length]))
    (tmp_path / STORE).write_bytes(content[: draw.choice([None, draw.randrange(len(content))])])
    asked = (
        lambda: plan(toy.pipeline(number), root=tmp_path),
        lambda: list_runs(tmp_path),
        lambda: show_run("latest", root=tmp_path),
        lambda: lineage("latest", root=tmp_path),
        lambda: why("multiply", root=tmp_path),
        lambda: run(toy.pipeline(number, 4), root=tmp_path),
    )
    for ask in asked:
        try:
            ask()
        except KerasvisionError as error:
            assert str(error).endswith((".", "?")), error
