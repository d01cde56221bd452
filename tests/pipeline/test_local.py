"""Running a pipeline: what executes, what is reused, and why."""

import errno
import os
import shutil

import pytest

from kerasvision.errors import ConfigError, DataError, GraphError, KerasvisionError, StageError
from kerasvision.pipeline import digests
from kerasvision.pipeline.history import lineage, list_runs, show_run, why
from kerasvision.pipeline.local import plan, run
from kerasvision.pipeline.tables import FAILED


def reused(result):
    return {stage.node: stage.reused for stage in result.stages}


def test_second_run_executes_nothing(toy, number, tmp_path):
    assert reused(run(toy.pipeline(number), root=tmp_path)) == {"read": False, "multiply": False}
    assert reused(run(toy.pipeline(number), root=tmp_path)) == {"read": True, "multiply": True}


def test_touched_file_with_the_same_content_is_reused(toy, number, tmp_path):
    run(toy.pipeline(number), root=tmp_path)
    os.utime(number, (1, 1))
    assert reused(run(toy.pipeline(number), root=tmp_path)) == {"read": True, "multiply": True}


def test_source_that_moved_is_reused(toy, number, tmp_path):
    run(toy.pipeline(number), root=tmp_path)
    moved = number.rename(tmp_path / "elsewhere.txt")
    assert reused(run(toy.pipeline(moved), root=tmp_path)) == {"read": True, "multiply": True}


def test_same_size_and_time_with_other_content_is_seen(toy, number, tmp_path):
    run(toy.pipeline(number), root=tmp_path)
    before = number.stat()
    number.write_text("8")
    os.utime(number, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert number.stat().st_size == before.st_size
    assert not reused(run(toy.pipeline(number), root=tmp_path))["read"]


def test_rerun_stage_with_the_same_output_spares_what_follows(toy, number, tmp_path):
    run(toy.pipeline(number), root=tmp_path)
    number.write_text("700")
    assert reused(run(toy.pipeline(number), root=tmp_path)) == {"read": False, "multiply": True}


def test_changed_setting_runs_its_stage_alone(toy, number, tmp_path):
    run(toy.pipeline(number), root=tmp_path)
    assert reused(run(toy.pipeline(number, factor=2), root=tmp_path)) == {"read": True, "multiply": False}
    assert why("multiply", root=tmp_path)[1] == ["setting factor: 1 -> 2"]


def test_going_back_to_old_settings_reuses_the_old_result(toy, number, tmp_path):
    run(toy.pipeline(number, factor=1), root=tmp_path)
    run(toy.pipeline(number, factor=2), root=tmp_path)
    result = run(toy.pipeline(number, factor=1), root=tmp_path)
    assert reused(result)["multiply"]
    assert result.artifact("multiply", "model").properties["product"] == 1


@pytest.mark.parametrize("damage", ["altered", "missing", "added"])
def test_damaged_output_is_made_again(toy, number, tmp_path, damage):
    model = run(toy.pipeline(number), root=tmp_path).artifact("multiply", "model")
    file = model.uri / "product.txt"
    if damage == "altered":
        times = file.stat()
        file.write_text("9")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    elif damage == "missing":
        shutil.rmtree(model.uri)
    else:
        (model.uri / "more.txt").touch()
    planned = {stage.node: stage for stage in plan(toy.pipeline(number), root=tmp_path)}
    assert planned["multiply"].why == ("output model is missing or was altered",)
    assert reused(run(toy.pipeline(number), root=tmp_path)) == {"read": True, "multiply": False}
    assert reused(run(toy.pipeline(number), root=tmp_path)) == {"read": True, "multiply": True}


def test_root_that_was_moved_is_reused(toy, number, tmp_path):
    run(toy.pipeline(number), root=tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert reused(run(toy.pipeline(number), root=tmp_path / "b")) == {"read": True, "multiply": True}


def test_root_behind_a_link_with_spaces_and_other_scripts_is_reused(toy, number, tmp_path):
    real = tmp_path / "wörk dir – 工作"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    run(toy.pipeline(number), root=tmp_path / "link")
    assert reused(run(toy.pipeline(number), root=real)) == {"read": True, "multiply": True}


def test_force_executes_what_could_be_reused(toy, number, tmp_path):
    run(toy.pipeline(number), root=tmp_path)
    assert reused(run(toy.pipeline(number), root=tmp_path, only="multiply", force=True)) == {"read": True, "multiply": False}
    assert why("multiply", root=tmp_path)[1] == [
        "nothing that it depends on changed: it was forced, or its output was missing or altered"
    ]


def test_until_stops_after_the_stage(toy, number, tmp_path):
    assert reused(run(toy.pipeline(number), root=tmp_path, until="read")) == {"read": False}


@pytest.mark.parametrize("selection", [{"only": "multiply"}, {"start": "multiply"}])
def test_stage_whose_inputs_do_not_exist_is_refused(toy, number, tmp_path, selection):
    with pytest.raises(StageError, match="read has no result for these settings, and was left out"):
        run(toy.pipeline(number), root=tmp_path, **selection)


def test_unknown_stage_is_refused_with_the_closest_name(toy, number, tmp_path):
    with pytest.raises(GraphError, match="no stage 'multply'; did you mean 'multiply'"):
        run(toy.pipeline(number), root=tmp_path, until="multply")


def test_only_together_with_until_is_refused(toy, number, tmp_path):
    with pytest.raises(ConfigError, match="--only cannot be combined with --from or --until"):
        run(toy.pipeline(number), root=tmp_path, only="read", until="read")


def test_failed_stage_keeps_what_finished_and_says_where_the_story_is(toy, number, tmp_path):
    number.write_text("seven")
    with pytest.raises(StageError, match=r"read failed: ValueError: invalid literal.*The traceback is in .*read\.log"):
        run(toy.pipeline(number), root=tmp_path)
    _, executions = show_run("latest", root=tmp_path)
    assert [execution.state for execution in executions] == [FAILED]
    assert "invalid literal" in executions[0].error
    assert not list((tmp_path / "runs" / "artifacts").rglob("*.tmp"))
    number.write_text("7")
    assert reused(run(toy.pipeline(number), root=tmp_path)) == {"read": False, "multiply": False}


def test_result_that_cannot_be_read_is_not_recorded(toy, number, tmp_path, monkeypatch):
    """Otherwise the reason, in place of a SHA-256, would be part of the artifact's digest."""
    made, read, failed = toy.pipeline(number), digests.file_digest, []

    def fails_once(path):
        if path.name == "sign.txt" and not failed:
            failed.append(path)
            raise OSError(errno.EIO, "Input/output error", str(path))
        return read(path)

    monkeypatch.setattr(digests, "file_digest", fails_once)
    with pytest.raises(KerasvisionError, match="Input/output error"):
        run(made, root=tmp_path)
    assert reused(run(made, root=tmp_path)) == {"read": False, "multiply": False}
    assert reused(run(made, root=tmp_path)) == {"read": True, "multiply": True}


def test_file_that_changes_while_it_is_read_is_refused(toy, number, tmp_path):
    made = toy.pipeline(number)
    function = made.nodes["read"].function

    def read(examples, *, settings):
        function(examples, settings=settings)
        number.write_text("8")

    read.__module__, read.__qualname__ = function.__module__, function.__qualname__
    object.__setattr__(made.nodes["read"], "function", read)
    with pytest.raises(StageError, match="the files that read reads changed while it read them"):
        run(made, root=tmp_path)


def test_missing_file_is_told_before_anything_runs(toy, tmp_path):
    with pytest.raises(DataError, match=r"read reads .*nowhere\.txt, which does not exist"):
        run(toy.pipeline(tmp_path / "nowhere.txt"), root=tmp_path)
    assert not (tmp_path / "runs").exists()


def test_plan_writes_nothing(toy, number, tmp_path):
    assert [stage.action for stage in plan(toy.pipeline(number), root=tmp_path / "new")] == ["run", "depends"]
    assert not (tmp_path / "new").exists()


def test_plan_says_what_changed(toy, number, tmp_path):
    run(toy.pipeline(number), root=tmp_path)
    assert [stage.action for stage in plan(toy.pipeline(number), root=tmp_path)] == ["reuse", "reuse"]
    number.write_text("-1")
    planned = plan(toy.pipeline(number), root=tmp_path)
    assert [(stage.action, stage.why) for stage in planned] == [
        ("run", ("file input: content changed",)),
        ("depends", ("on what read will write",)),
    ]


def test_runs_are_listed_newest_first_with_what_their_stages_did(toy, number, tmp_path):
    first = run(toy.pipeline(number), root=tmp_path)
    second = run(toy.pipeline(number), root=tmp_path)
    listed = list_runs(tmp_path)
    assert [record.id for record, _ in listed] == [second.id, first.id]
    assert [[execution.node for execution in executions] for _, executions in listed] == [["read", "multiply"]] * 2


def test_lineage_leads_from_the_last_artifact_to_the_source(toy, number, tmp_path):
    run(toy.pipeline(number), root=tmp_path)
    run(toy.pipeline(number, factor=2), root=tmp_path)
    (last,) = lineage("latest", root=tmp_path)
    assert (last.artifact.type, last.producer.node) == ("Model", "multiply")
    assert last.inputs["examples"].producer.node == "read"
    assert last.inputs["examples"].inputs == {}


def test_unknown_run_is_refused(toy, number, tmp_path):
    run(toy.pipeline(number), root=tmp_path)
    with pytest.raises(ConfigError, match="there is no run 'zzz'"):
        show_run("zzz", root=tmp_path)
