"""`runs gc` removes what nothing needs and never more, and `runs disk` accounts for every byte."""

import json
import os
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kerasvision.cli import app
from kerasvision.errors import StoreError
from kerasvision.pipeline import garbage
from kerasvision.pipeline import tables as t
from kerasvision.pipeline.artifacts import Model, ModelBlessing, Out, PushedModel, SavedModel
from kerasvision.pipeline.disk_use import disk_use
from kerasvision.pipeline.garbage import Keep, find_garbage, remove_garbage
from kerasvision.pipeline.history import lineage
from kerasvision.pipeline.local import run
from kerasvision.pipeline.records import RunRecord
from kerasvision.pipeline.store import opened


def export(model: Model, saved_model: Out[SavedModel]) -> None:
    (saved_model.uri / "saved_model.pb").write_text((model.uri / "product.txt").read_text())


def judge(saved_model: SavedModel, blessing: Out[ModelBlessing]) -> None:
    product = int((saved_model.uri / "saved_model.pb").read_text())
    (blessing.uri / "verdict.json").write_text("{}")
    blessing.properties["blessed"] = int(product % 2 == 0)


def push(saved_model: SavedModel, blessing: ModelBlessing, pushed: Out[PushedModel], *, root: Path) -> None:
    """Pushes a blessed model to a version with the number of the product."""
    product, is_blessed = (saved_model.uri / "saved_model.pb").read_text(), blessing.properties["blessed"]
    version = root / "saved_models" / "toy" / product
    pushed.properties["pushed"] = is_blessed
    record = {"pushed": bool(is_blessed), "destination": os.path.relpath(version, pushed.uri)}
    if is_blessed:
        version.mkdir(parents=True, exist_ok=True)
        (version / "saved_model.pb").write_text(product)
        pushed.properties["pushed_destination"] = f"saved_models/toy/{product}"
    pushed.record.write_text(json.dumps(record))


@pytest.fixture
def toy_run(toy, number, tmp_path):
    """Runs the toy pipeline with a factor; with `pushes`, also three stages that export, judge and push."""

    def start(factor, *, pushes=False, until=None):
        pipeline = toy.pipeline(number, factor)
        if pushes:
            saved = pipeline.add(export, model=pipeline.nodes["multiply"].model).saved_model
            blessing = pipeline.add(judge, saved_model=saved).blessing
            pipeline.add(push, saved_model=saved, blessing=blessing)
        return run(pipeline, root=tmp_path, until=until)

    return start


@pytest.fixture
def removed(tmp_path):
    """Removes garbage, and returns the paths."""

    def collect(**keep):
        with opened(tmp_path / "runs") as store:
            return remove_garbage(store, Keep(**keep)).paths()

    return collect


def folders(root):
    """The folders of all artifacts."""
    return {path.relative_to(root / "runs").as_posix() for path in (root / "runs" / "artifacts").glob("*/*/*/*")}


def test_what_only_earlier_runs_made_is_removed_and_what_the_newest_run_uses_is_kept(toy_run, removed, tmp_path):
    first, second = toy_run(1), toy_run(2)
    gone = first.artifact("multiply", "model").uri
    assert removed(runs=1) == [gone.relative_to(tmp_path / "runs").as_posix()]
    assert not gone.exists()
    assert second.artifact("multiply", "model").uri.exists() and second.artifact("read", "examples").uri.exists()
    assert [stage.reused for stage in toy_run(2).stages] == [True, True]
    # It is made again, and not taken for a result that exists.
    again = toy_run(1)
    assert [stage.reused for stage in again.stages] == [True, False]
    assert again.artifact("multiply", "model").properties["product"] == 1


def test_a_search_for_garbage_changes_nothing(toy_run, tmp_path):
    toy_run(1)
    toy_run(2)

    def state():
        # SQLite itself has side files.
        files = [path for path in (tmp_path / "runs").rglob("*") if not path.name.startswith("metadata.sqlite-")]
        return {path: path.stat().st_mtime_ns for path in files if path.is_file()}

    before = state()
    with opened(tmp_path / "runs", read_only=True) as store:
        assert len(find_garbage(store, Keep(runs=1)).artifacts) == 1
    assert state() == before


def test_what_a_pushed_model_came_from_stays_until_its_version_is_deleted(toy_run, removed, tmp_path):
    pushed = toy_run(2, pushes=True)
    toy_run(4, pushes=True)
    toy_run(5, pushes=True)
    assert removed(runs=1) == []
    (tmp_path / "saved_models" / "toy" / "2" / "saved_model.pb").unlink()
    (tmp_path / "saved_models" / "toy" / "2").rmdir()
    gone = removed(runs=1)
    # Its examples are those of the other runs.
    assert len(gone) == 4 and not pushed.artifact("multiply", "model").uri.exists()
    assert pushed.artifact("read", "examples").uri.exists()


def test_the_newest_blessed_model_of_a_pipeline_stays_for_the_gate(toy_run, removed, tmp_path):
    blessed = toy_run(2, pushes=True)
    (tmp_path / "saved_models" / "toy" / "2" / "saved_model.pb").unlink()
    (tmp_path / "saved_models" / "toy" / "2").rmdir()
    toy_run(3, pushes=True)
    removed(runs=0)
    kept = {blessed.artifact(*name).uri for name in (("export", "saved_model"), ("judge", "blessing"), ("read", "examples"))}
    assert all(uri.exists() for uri in kept)
    assert not blessed.artifact("push", "pushed").uri.exists()


def test_what_a_running_run_has_read_or_written_stays(toy_run, removed, tmp_path):
    done = toy_run(1)
    with opened(tmp_path / "runs") as store:
        # This process is alive, so the run counts as running.
        going_on = RunRecord("20261129-000000-0000", "toy", t.now_ms())
        store.start_run(going_on)
        outputs = done.stages[1].outputs
        assert store.reuse(pipeline="toy", run=going_on.id, node="multiply", inputs={}, outputs=outputs)
    toy_run(2)
    assert removed(runs=1) == []


def test_a_marked_artifact_is_neither_reused_nor_read(toy_run, tmp_path):
    done = toy_run(1)
    with opened(tmp_path / "runs") as store:
        found = done.stages[1].outputs
        store.mark_for_deletion(lambda known: [artifact.id for artifact in found.values()])
        assert not store.reuse(pipeline="toy", run="later", node="multiply", inputs={}, outputs=found)
        with pytest.raises(StoreError, match=r"the input model of next was removed while next began. Run again"):
            store.start(pipeline="toy", run="later", node="next", fingerprint={}, key="k", inputs=found)
        assert store.executions(RunRecord("later", "toy", 0)) == []
    assert [stage.reused for stage in toy_run(1).stages] == [True, False]


def test_a_removal_that_was_killed_is_finished_by_the_next_one(toy_run, removed, tmp_path, monkeypatch):
    first = toy_run(1)
    toy_run(2)

    def die(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(garbage, "_remove", die)
    with pytest.raises(KeyboardInterrupt):
        removed(runs=1)
    monkeypatch.undo()
    gone = first.artifact("multiply", "model").uri
    assert gone.exists()
    assert [stage.reused for stage in toy_run(1).stages] == [True, False]
    assert removed(runs=2) == [gone.relative_to(tmp_path / "runs").as_posix()]
    with opened(tmp_path / "runs", read_only=True) as store:
        states = [one.state for one in store.provenance().artifacts.values()]
    assert sorted(states) == [t.LIVE, t.LIVE, t.LIVE, t.DELETED]


def test_remains_of_killed_stages_and_records_of_earlier_runs_are_named(toy_run, removed, tmp_path):
    old = toy_run(1).id
    toy_run(2)
    runs = tmp_path / "runs"
    left = ["artifacts/toy/read/examples/99.tmp", "artifacts/toy/read/examples/98", "work/toy/read/0123456789abcdef"]
    records = [f"logs/toy/{old}", f"reports/{old}.html"]
    for name in [*left, records[0]]:
        (runs / name).mkdir(parents=True)
        (runs / name / "file").write_text("12345")
    (runs / "reports").mkdir()
    (runs / records[1]).write_text("page")
    # What no stage has named so is not ours.
    (runs / "artifacts" / "toy" / "read" / "examples" / "notes").mkdir()
    with opened(runs, read_only=True) as store:
        found = find_garbage(store, Keep(runs=1))
    assert {*left, *records} < set(found.paths())
    assert found.size == sum(garbage.folder_size(runs / path) for path in found.paths())
    assert {*left, *records} < set(removed(runs=1))
    assert not any((runs / name).exists() for name in [*left, *records])
    assert (runs / "artifacts" / "toy" / "read" / "examples" / "notes").exists()


def test_runs_that_began_within_the_time_are_kept(toy_run, removed):
    toy_run(1)
    toy_run(2)
    assert removed(younger_than=timedelta(hours=1)) == []
    assert len(removed(younger_than=timedelta(0))) == 3


def test_a_failed_run_does_not_push_a_finished_one_out(toy_run, removed, number):
    finished = toy_run(1)
    number.write_text("no number")
    with pytest.raises(StoreError if False else Exception):
        toy_run(1)
    removed(runs=1)
    assert finished.artifact("multiply", "model").uri.exists()


def test_lineage_of_a_removed_artifact_is_still_known(toy_run, removed, tmp_path):
    first = toy_run(1)
    toy_run(2)
    removed(runs=1)
    (model,) = lineage(first.id, root=tmp_path)
    assert model.artifact.is_removed and model.inputs["examples"].artifact.type == "Examples"
    shown = CliRunner().invoke(app, ["runs", "show", first.id, "--root", str(tmp_path)]).stdout
    assert "(removed)" in shown


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_whatever_happens_before_it_a_removal_leaves_all_that_is_needed(seed, toy_run, removed, tmp_path, toy, number):
    """Random runs, changed inputs, deleted versions and removals: a run is right, and the newest one needs nothing anew."""
    random = np.random.default_rng(seed)
    versions = tmp_path / "saved_models" / "toy"
    for _ in range(6):
        if random.random() < 0.3:
            number.write_text(str(random.integers(1, 4)))
        factor = int(random.integers(1, 5))
        last = toy_run(factor, pushes=True)
        assert last.artifact("multiply", "model").properties["product"] == factor
        for version in list(versions.iterdir()) if versions.exists() else []:
            if random.random() < 0.3:
                (version / "saved_model.pb").unlink()
                version.rmdir()
        toy_run(factor, pushes=True)
        removed(runs=int(random.integers(1, 4)))
        assert all(stage.reused for stage in toy_run(factor, pushes=True).stages)
        with opened(tmp_path / "runs", read_only=True) as store:
            known = store.provenance()
        live = {one.uri for number, one in known.artifacts.items() if known.is_live(number)}
        assert live == folders(tmp_path)
        places = {number: one.get("pushed_destination") for number, one in known.properties.items()}
        pushed = [one for one, place in places.items() if place and (tmp_path / place).exists() and known.is_live(one)]
        assert {known.artifacts[artifact].uri for artifact in known.with_ancestors(pushed)} <= live


def test_the_sizes_add_up_to_every_byte(toy_run, tmp_path):
    toy_run(2, pushes=True)
    toy_run(3, pushes=True)
    runs = tmp_path / "runs"
    (runs / "stray.txt").write_text("123")
    (runs / "artifacts" / "toy" / "read" / "examples" / "99.tmp").mkdir()
    (runs / "artifacts" / "toy" / "read" / "examples" / "99.tmp" / "half").write_text("1234567")
    with opened(runs, read_only=True) as store:
        uses = disk_use(store, Keep(runs=1))
        files = [path for top in (runs, tmp_path / "saved_models") for path in top.rglob("*") if path.is_file()]
        assert sum(use.size for use in uses) == sum(path.stat().st_size for path in files)
        assert sum(use.files for use in uses) == len(files)
    by_why = {(use.place, use.why): use.size for use in uses}
    assert by_why["artifacts", "remains of killed stages"] == 7 and by_why["other", "other files"] == 3
    assert ("artifacts", "pushed") in by_why and ("saved_models", "") in by_why


def test_the_commands_show_first_and_remove_on_request(toy_run, tmp_path):
    def command(*words):
        return CliRunner().invoke(app, ["runs", *words, "--root", str(tmp_path)])

    first = toy_run(1).artifact("multiply", "model").uri
    toy_run(2)
    shown = command("gc", "--keep", "1")
    assert "artifacts of earlier runs: 1, 1 B" in shown.stdout and "--delete removes it" in shown.stdout
    assert first.exists()
    assert "not needed" in command("disk").stdout
    data = json.loads(command("gc", "--keep", "1", "--delete", "--json").stdout)
    assert data["removed"] and data["bytes"] == 1 and not first.exists()
    assert "there is nothing to remove" in command("gc", "--keep", "1", "--delete").stdout
    total = json.loads(command("disk", "--json").stdout)
    assert total["bytes"] == sum(use["size"] for use in total["uses"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--keep", "1", "--older-than", "soon"], "a time must be a number of days, hours or minutes; received 'soon'"),
        ([], "gc requires --keep or --older-than"),
        (["--keep", "1", "--delete"], "nothing has run in"),
    ],
)
def test_mistakes_say_the_way_out(words, message, tmp_path):
    done = CliRunner().invoke(app, ["runs", "gc", *words, "--root", str(tmp_path / "none")])
    assert message in str(done.exception)
    assert not (tmp_path / "none").exists()
