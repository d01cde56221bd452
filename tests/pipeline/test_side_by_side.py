"""Independent stages run at the same time, and write the same as one after the other."""

import importlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kerasvision import config as c
from kerasvision import lookup
from kerasvision.errors import ConfigError, StageError
from kerasvision.pipeline import local, side_by_side, stage_processes
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.history import show_run
from kerasvision.pipeline.local import run
from kerasvision.pipeline.side_by_side import waits_for
from kerasvision.pipeline.standard import standard_pipeline

HERE = Path(__file__).parent
PATIENCE_SECONDS = 100


@pytest.fixture
def diamond(monkeypatch):
    """The stages of diamond.py, which other processes can import too."""
    monkeypatch.syspath_prepend(str(HERE))
    module = importlib.import_module("diamond")
    monkeypatch.setattr(stage_processes, "IMPORTED", module.WITHOUT_TENSORFLOW)
    return module


def outcomes(root):
    """node -> (outcome, why it has no result)."""
    _, executions = show_run("latest", root=root)
    return {execution.node: (execution.outcome, execution.error) for execution in executions}


def begun(root, *names):
    """Starts diamond.py, and waits until the stages with these names have started."""

    def start(left, right, workers=2):
        command = [sys.executable, str(HERE / "diamond.py"), str(root), left, right, str(workers)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + PATIENCE_SECONDS
        while not all((root / "control" / f"{name}.begun").exists() for name in names):
            assert time.monotonic() < end and process.poll() is None, process.communicate()
            time.sleep(0.05)
        return process

    return start


def again(root):
    """What a later run reports, in which the middle stages succeed."""
    command = [sys.executable, str(HERE / "diamond.py"), str(root), "write", "write", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if not line.startswith("started")]


def test_stages_that_do_not_need_each_other_run_at_the_same_time(diamond, tmp_path):
    listener = diamond.Lines()
    made = diamond.pipeline(tmp_path / "control", left_does="meet", right_does="meet")
    result = run(made, root=tmp_path, workers=2, listener=listener)
    assert (result.artifact("last", "model").uri / "text.txt").read_text() == "first left; first right"
    assert result.artifact("left", "model").properties == {"side": "left"}
    assert [stage.node for stage in result.stages] == ["first", "left", "right", "last"]
    assert listener.lines[:4] == ["started first", "ran first", "started left", "started right"]
    assert listener.lines[6:] == ["started last", "ran last"]


def test_two_workers_write_what_one_writes(diamond, tmp_path):
    made = diamond.pipeline(tmp_path / "control")
    one, two = (run(made, root=tmp_path / str(workers), workers=workers) for workers in (1, 2))
    for alone, beside in zip(one.stages, two.stages, strict=True):
        assert alone.node == beside.node
        for key, artifact in alone.outputs.items():
            assert (artifact.digest, artifact.properties) == (beside.outputs[key].digest, beside.outputs[key].properties)


def test_one_process_sees_the_gpus(diamond, tmp_path, monkeypatch):
    """TensorFlow allocates all GPU memory in each process that sees the GPUs."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(local, "has_gpus", lambda _: True)
    monkeypatch.setattr(side_by_side, "WITHOUT_GPU", {"diamond:right"})
    run(diamond.pipeline(tmp_path, left_does="devices", right_does="devices"), root=tmp_path, workers=3)
    assert (tmp_path / "left.devices").read_text() == "all"
    assert (tmp_path / "right.devices").read_text() == "-1"


def test_stages_that_may_need_a_gpu_run_one_at_a_time_where_there_is_one(diamond, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "has_gpus", lambda _: True)
    listener = diamond.Lines()
    run(diamond.pipeline(tmp_path / "control"), root=tmp_path, workers=3, listener=listener)
    assert listener.lines == [f"{what} {node}" for node in ("first", "left", "right", "last") for what in ("started", "ran")]


def test_stages_with_a_table_entry_exist():
    for path in side_by_side.WITHOUT_GPU:
        assert callable(lookup.load(path))


def test_what_processes_are_copies_of_has_computed_nothing(warm):
    """A fork of a process in which TensorFlow has computed something would hang."""
    code = (
        f"import {stage_processes.IMPORTED}\nimport sys\nassert 'tensorflow' in sys.modules\n"
        "from tensorflow.python.eager import context\nprint(context.context()._initialized)"
    )
    # The warm process imports the same, so what an import computes it has computed as well.
    assert (done := warm.run(code)).stdout == "False\n", done.stderr


def test_a_second_run_starts_no_process(diamond, tmp_path, monkeypatch):
    made = diamond.pipeline(tmp_path / "control")
    run(made, root=tmp_path, workers=1)
    monkeypatch.setattr(multiprocessing, "get_context", lambda *_: pytest.fail("a process was to be started"))
    assert all(stage.reused for stage in run(made, root=tmp_path, workers=2).stages)


def test_what_stages_print_is_not_mixed(diamond, tmp_path, capsys):
    made = diamond.pipeline(tmp_path / "control", left_does="print", right_does="print")
    run(made, root=tmp_path, workers=2)
    printed = capsys.readouterr().out.splitlines()
    both = [[f"{name} {number} end" for number in range(3)] for name in ("left", "right")]
    assert printed in ([*both[0], *both[1]], [*both[1], *both[0]])


def test_what_stages_say_is_shown_at_once_in_whole_lines_that_name_the_stage(diamond, tmp_path, capsys):
    made = diamond.pipeline(tmp_path / "control", left_does="say", right_does="say")
    run(made, root=tmp_path, workers=2)
    said = capsys.readouterr().err.splitlines()
    for name in ("left", "right"):
        expected = [f"  {name}: {number} {100 * '.'} end" for number in range(50)]
        assert [line for line in said if line.startswith(f"  {name}: ")] == expected
    assert len(said) == 100


def test_first_failure_is_named_and_the_other_stage_is_stopped(diamond, tmp_path, monkeypatch):
    listener, seen_by_hook = diamond.Lines(), []
    monkeypatch.setattr(local, "after_push", lambda hooks, run, results, *_: seen_by_hook.extend(results))
    made = diamond.pipeline(tmp_path / "control", left_does="hang", right_does="fail")
    with pytest.raises(
        StageError, match=r"right failed: ValueError: right does not work\. The traceback is in .*right\.log"
    ):
        run(made, root=tmp_path, workers=2, listener=listener)
    assert listener.lines[-1] == "failed right StageError"
    assert sum(line.startswith("failed") for line in listener.lines) == 1
    assert [result.node for result in seen_by_hook] == ["first"]
    found = outcomes(tmp_path)
    assert found["left"] == ("stopped", "asked to stop")
    assert found["right"] == ("failed", "ValueError: right does not work")
    assert not list((tmp_path / "runs" / "artifacts").rglob("*.tmp"))


def test_stage_whose_process_is_killed_has_failed(diamond, tmp_path):
    made = diamond.pipeline(tmp_path / "control", left_does="hang", right_does="die")
    with pytest.raises(StageError, match="right failed: its process was ended by SIGKILL"):
        run(made, root=tmp_path, workers=2)
    found = outcomes(tmp_path)
    assert found["left"] == ("stopped", "asked to stop")
    assert found["right"][0] == "failed"


def test_sigterm_stops_all_stages_and_ends_with_143(tmp_path):
    process = begun(tmp_path, "left", "right")("hang", "hang")
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 143
    assert "Interrupted: the run was asked to stop. Run the same command again to continue from there." in printed
    assert {node: outcome for node, (outcome, _) in outcomes(tmp_path).items()} == {
        "first": "ran",
        "left": "stopped",
        "right": "stopped",
    }
    assert show_run("latest", root=tmp_path)[0].outcome == "stopped"
    assert again(tmp_path)[0] == "reused first"


@pytest.mark.parametrize("reaches", ["the process alone", "all processes of the terminal"])
def test_ctrl_c_stops_all_stages(tmp_path, reaches):
    process = begun(tmp_path, "left", "right")("hang", "hang")
    for pid in [process.pid, *(workers_of(process) if reaches.startswith("all") else ())]:
        os.kill(pid, signal.SIGINT)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == -signal.SIGINT
    found = outcomes(tmp_path)
    assert found["left"] == found["right"] == ("stopped", "stopped by Ctrl-C")


def test_killed_run_leaves_no_process_and_is_repaired_by_the_next(tmp_path):
    process = begun(tmp_path, "left", "right")("hang", "hang")
    workers = workers_of(process)
    assert len(workers) == 2
    process.kill()
    process.communicate()
    end = time.monotonic() + PATIENCE_SECONDS
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < end, "a stage goes on without its run"
        time.sleep(0.05)
    assert again(tmp_path)[0] == "reused first"
    assert not list((tmp_path / "runs").rglob("*.tmp"))
    folders = [path for path in (tmp_path / "runs" / "artifacts").glob("*/*/*/*") if path.is_dir()]
    assert len(folders) == 4, "one folder per output, no leavings"


def workers_of(process):
    """The processes that execute stages, which are forks of the one that the run has started."""
    import psutil

    return [
        child.pid
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.parent() is not None and child.parent().pid != process.pid
    ]


def test_two_runs_at_once_share_one_result(tmp_path):
    command = [sys.executable, str(HERE / "diamond.py"), str(tmp_path), "write", "write", "2"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=2 * PATIENCE_SECONDS) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    for node in ("first", "left", "right", "last"):
        assert sum(f"ran {node}\n" in printed for printed, _ in outputs) == 1, outputs


def test_stage_of_a_notebook_is_refused_with_several_workers(diamond, tmp_path):
    made = diamond.pipeline(tmp_path / "control")

    def here(one, model, *, settings=None):
        pass

    here.__annotations__ = diamond.left.__annotations__ | {"one": diamond.Examples, "return": None}
    made.add(here, one=made.nodes["first"].examples, settings=diamond.Act(folder=tmp_path))
    with pytest.raises(ConfigError, match="several workers require stages and settings that another process can import"):
        run(made, root=tmp_path, workers=2)


def test_less_than_one_worker_is_refused(diamond, tmp_path):
    with pytest.raises(ConfigError, match="workers must be at least 1; received 0"):
        run(diamond.pipeline(tmp_path / "control"), root=tmp_path, workers=0)


def standard(*rules):
    experiment = c.Experiment(
        name="digits",
        source=c.Digits(),
        transform=c.Transform(image_size=(32, 32)),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
        gate=c.Gate(*rules),
    )
    return standard_pipeline(experiment)


def could_meet(pipeline: Pipeline, one: str, other: str) -> bool:
    """Whether neither of two stages waits for the other, directly or indirectly."""

    def before(name):
        direct = set(waits_for(pipeline, name))
        return direct.union(*map(before, direct))

    return one not in before(other) and other not in before(one)


def test_simple_models_run_beside_the_training_and_the_proof_beside_the_scores():
    made = standard(c.AtLeast("accuracy", 0.5))
    assert could_meet(made, "trainer", "simple_models")
    assert could_meet(made, "evaluator", "infra_validator")


def test_nothing_runs_beside_a_proof_whose_times_are_judged():
    made = standard(c.AtMost("latency_p50_ms", 100))
    assert not any(could_meet(made, name, "infra_validator") for name in made.nodes if name != "infra_validator")


def test_stages_in_other_processes_copy_to_an_object_store_and_fetch_from_it(diamond, tmp_path):
    def start():
        made = diamond.pipeline(tmp_path / "control")
        made.object_store = f"file://{tmp_path}/copies"
        return run(made, root=tmp_path, workers=2)

    digests = {key: one.digest for stage in start().stages for key, one in stage.outputs.items()}
    shutil.rmtree(tmp_path / "runs" / "artifacts")
    again = start()
    assert all(stage.reused for stage in again.stages)
    assert {key: one.digest for stage in again.stages for key, one in stage.outputs.items()} == digests
