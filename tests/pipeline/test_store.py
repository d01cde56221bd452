"""The metadata store distinguishes damage from misuse, and its file has MLMD's tables."""

import sqlite3

import pytest

from kerasvision.errors import StoreError
from kerasvision.pipeline import tables
from kerasvision.pipeline.history import list_runs, show_run
from kerasvision.pipeline.local import plan, run
from kerasvision.pipeline.store import Store


def test_damaged_file_is_named_with_the_way_out(toy, number, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "metadata.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match=r"metadata\.sqlite cannot be used.*: move metadata.sqlite out of"):
        run(toy.pipeline(number), root=tmp_path)


def test_file_of_a_newer_version_is_refused(tmp_path):
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / "metadata.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreError, match="written by a newer version of kerasvision"):
        Store(tmp_path)


def test_root_that_is_a_file_is_refused(toy, number, tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(StoreError, match=r"cannot be written: Not a directory.* Choose another folder with --root"):
        run(toy.pipeline(number), root=tmp_path)


def test_a_root_whose_path_is_no_text_is_refused(toy, number, tmp_path):
    with pytest.raises(StoreError, match=r"must be UTF-8; received '.*caf.udce9.*Rename it"):
        run(toy.pipeline(number), root=tmp_path / "caf\udce9")


def test_any_sqlite_client_reads_mlmd_tables(toy, number, tmp_path):
    run(toy.pipeline(number), root=tmp_path)
    database = sqlite3.connect(tmp_path / "runs" / "metadata.sqlite")
    rows = database.execute(
        "SELECT Type.name, Artifact.state, Artifact.uri FROM Artifact JOIN Type ON Type.id = Artifact.type_id ORDER BY 1"
    ).fetchall()
    events = database.execute(
        "SELECT Event.type, EventPath.step_key FROM Event JOIN EventPath ON EventPath.event_id = Event.id "
        "WHERE is_index_step = 0 ORDER BY Event.id"
    ).fetchall()
    database.close()
    assert rows == [("Examples", 2, "artifacts/toy/read/examples/1"), ("Model", 2, "artifacts/toy/multiply/model/2")]
    # MLMD: INPUT is 3, OUTPUT is 4.
    assert events == [(4, "examples"), (3, "examples"), (4, "model")]


def test_plan_reads_a_store_that_nobody_closed(toy, number, tmp_path):
    run(toy.pipeline(number), root=tmp_path)
    open_store = Store(tmp_path / "runs")
    try:
        assert [stage.action for stage in plan(toy.pipeline(number), root=tmp_path)] == ["reuse", "reuse"]
    finally:
        open_store.close()


def test_many_runs_are_read_together_as_each_by_itself(toy, number, tmp_path, monkeypatch):
    for factor in (3, 3, 5, 7):
        run(toy.pipeline(number, factor), root=tmp_path)
    listed = list_runs(tmp_path)
    assert [[one.outcome for one in executions] for _, executions in listed] == [
        ["reused", "ran"], ["reused", "ran"], ["reused", "reused"], ["ran", "ran"]
    ]  # fmt: skip
    assert [executions[1].inputs["examples"] for _, executions in listed] == [listed[-1][1][0].outputs["examples"]] * 4
    assert listed == [show_run(record.id, root=tmp_path) for record, _ in listed]
    monkeypatch.setattr(tables, "MOST_VALUES", 3)  # then a statement reads two at most
    assert list_runs(tmp_path) == listed
