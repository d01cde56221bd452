"""The outcome of a run, even if its process could not record it: finished, failed, stopped, running, killed."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kerasvision.config.base import Config
from kerasvision.errors import ConfigError, DataError, Interrupted
from kerasvision.pipeline.artifacts import Examples, Out
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.history import list_runs, show_run, why
from kerasvision.pipeline.local import plan, run
from kerasvision.pipeline.processes import fate_of, this_process
from kerasvision.pipeline.report import report_run
from kerasvision.pipeline.tables import CANCELED

TOY = Path(__file__).with_name("toy.py")
HERE = this_process()


class ActSettings(Config):
    kind: str


def act(examples: Out[Examples], *, settings: ActSettings, root: Path, work: Path) -> None:
    """Ends as its settings say, or records how its own run is listed."""
    errors = {"Ctrl-C": KeyboardInterrupt(), "SIGTERM": Interrupted("asked to stop"), "error": DataError("no image")}
    if settings.kind in errors:
        (work / "checkpoints" / "step-00000040").mkdir(parents=True)
        raise errors[settings.kind]
    (examples.uri / "seen.txt").write_text(str(outcomes(root)))


def acting(kind, name="acting"):
    made = Pipeline(name)
    made.add(act, settings=ActSettings(kind=kind))
    return made


def outcomes(root):
    """(outcome of a run, outcomes of its stages), newest run first."""
    return [(record.outcome, *(one.outcome for one in executions)) for record, executions in list_runs(root)]


def killed_at(moment, root, number):
    """Runs the toy pipeline in a process that kills itself."""
    killed = subprocess.run([sys.executable, TOY, root, number, "3", moment], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr


@pytest.mark.parametrize(
    ("kind", "error", "outcome", "told"),
    [
        ("Ctrl-C", KeyboardInterrupt, "stopped", "stopped by Ctrl-C"),
        ("SIGTERM", Interrupted, "stopped", "Interrupted: asked to stop."),
        ("error", DataError, "failed", "DataError: no image."),
    ],
)
def test_stopped_is_not_failed(tmp_path, kind, error, outcome, told):
    with pytest.raises(error):
        run(acting(kind), root=tmp_path)
    assert outcomes(tmp_path) == [(outcome, outcome)]
    assert show_run("latest", root=tmp_path)[1][0].error == told
    assert f": {outcome}." in report_run(root=tmp_path).read_text()
    # MLMD's own number for it.
    if outcome == "stopped":
        assert show_run("latest", root=tmp_path)[1][0].state == CANCELED == 6


@pytest.mark.parametrize("kind", ["Ctrl-C", "SIGTERM"])
def test_plan_after_a_stopped_training_says_that_its_checkpoint_will_be_used(tmp_path, kind):
    with pytest.raises((KeyboardInterrupt, Interrupted)):
        run(acting(kind), root=tmp_path)
    (work,) = (tmp_path / "runs/work/acting/act").iterdir()
    (planned,) = plan(acting(kind), root=tmp_path)
    assert planned.why == (f"act continues from a checkpoint after step 40, in {work}", "it has not finished here before")
    # With other settings it cannot be used, and the plan says why.
    (planned,) = plan(acting("error"), root=tmp_path)
    begins_again = f"act starts from the beginning: a checkpoint after step 40, in {work}, cannot be used: setting kind"
    assert planned.why[0].startswith(begins_again)


def test_run_is_running_while_it_runs_and_finished_afterwards(tmp_path):
    seen = run(acting("watch"), root=tmp_path).artifact("act", "examples").uri / "seen.txt"
    assert seen.read_text() == "[('running', 'running')]"
    assert outcomes(tmp_path) == [("finished", "ran")]


@pytest.mark.parametrize(
    ("moment", "stages"), [("before registering", ()), ("after registering", ("killed",)), ("before renaming", ("killed",))]
)
def test_killed_run_is_listed_as_killed_before_and_after_the_next_one(toy, number, tmp_path, moment, stages):
    killed_at(moment, tmp_path, number)
    assert outcomes(tmp_path) == [("killed", *stages)]
    if stages:
        assert show_run("latest", root=tmp_path)[1][0].error == "its process ended before the stage did"
    run(toy.pipeline(number, 3), root=tmp_path)
    assert outcomes(tmp_path) == [("finished", "ran", "ran"), ("killed", *stages)]


def test_run_that_is_killed_between_two_stages_is_not_finished(toy, number, tmp_path):
    killed_at("after publishing", tmp_path, number)
    assert outcomes(tmp_path) == [("killed", "ran")]
    assert ": killed. 1 of 1 stages ran" in report_run(root=tmp_path).read_text()


def test_sigterm_outside_a_training_is_listed_as_killed(tmp_path, number):
    code = f"import sys; sys.argv = ['toy', {str(tmp_path)!r}, {str(number)!r}, '3']\n" + (
        "import os, signal, runpy; from kerasvision.pipeline.store import Store\n"
        "Store.promise = lambda *_: os.kill(os.getpid(), signal.SIGTERM)\n"
        f"runpy.run_path({str(TOY)!r}, run_name='__main__')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ended.returncode == -signal.SIGTERM, ended.stderr
    assert outcomes(tmp_path) == [("killed", "killed")]


# --- Which process it was


def test_process_that_took_over_the_number_is_another_one():
    assert fate_of(HERE) == "running"
    assert fate_of(replace(HERE, started=HERE.started + "0")) == "killed"


def test_process_of_before_the_machine_was_started_anew_is_gone():
    assert fate_of(replace(HERE, boot="another boot")) == "killed"


@pytest.mark.parametrize("elsewhere", [{"host": "gpu-box 4c1d"}, {"host": "gpu-box 4c1d", "boot": "x"}, {"pid": 2**22 + 1}])
def test_process_of_another_machine_on_a_shared_root_is_not_called_killed(elsewhere):
    told = fate_of(replace(HERE, **elsewhere))
    assert told == ("unfinished on gpu-box" if "host" in elsewhere else "killed")


def test_process_of_another_container_on_this_machine_is_not_called_killed():
    assert fate_of(replace(HERE, namespace="pid:[1]")) == f"unfinished on {HERE.machine}"


def test_process_that_ended_and_was_not_waited_for_is_gone(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    stat = Path(f"/proc/{process.pid}/stat")
    born = replace(HERE, pid=process.pid, started=stat.read_text().rpartition(")")[2].split()[19])
    assert fate_of(born) == "running"
    process.stdin.close()
    while stat.read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    assert fate_of(born) == "killed"
    process.wait()


def test_process_that_the_system_hides_is_not_called_killed(tmp_path, monkeypatch):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").touch()
    monkeypatch.setattr("kerasvision.pipeline.processes.STAT", f"{tmp_path}/{{pid}}/stat")
    assert fate_of(HERE) == f"unfinished on {HERE.machine}"
    assert fate_of(replace(HERE, pid=2**22 + 1)) == "killed"


def test_start_times_are_asked_of_ps_where_there_is_no_proc(monkeypatch):
    monkeypatch.setattr("kerasvision.pipeline.processes.STAT", "/nowhere/{pid}/stat")
    mine = this_process()
    assert str(time.localtime().tm_year) in mine.started
    assert mine.is_alive()
    assert fate_of(replace(mine, pid=2**22 + 1)) == "killed"


# --- Stores of earlier versions, and runs for another purpose


def test_run_of_an_earlier_version_has_the_state_of_its_last_stage(toy, number, tmp_path):
    run(toy.pipeline(number), root=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(acting("Ctrl-C"), root=tmp_path)
    database = sqlite3.connect(tmp_path / "runs/metadata.sqlite")
    database.execute("DROP TABLE ContextProperty")
    database.execute("DELETE FROM ExecutionProperty WHERE name = 'process'")
    database.execute("UPDATE Execution SET last_known_state = 2 WHERE last_known_state = 6")
    database.commit()
    database.close()
    assert outcomes(tmp_path) == [("unfinished", "unfinished"), ("finished", "ran", "ran")]
    run(toy.pipeline(number), root=tmp_path)
    assert outcomes(tmp_path)[0] == ("finished", "reused", "reused")


def test_latest_is_the_last_run_of_a_pipeline_and_not_a_look_at_its_images(toy, number, tmp_path):
    with pytest.raises(ConfigError, match="no pipeline has run here. "):
        show_run("latest", root=tmp_path)
    look = run(acting("watch", "scan-photos"), root=tmp_path, purpose="data scan")
    with pytest.raises(ConfigError, match=r"no pipeline has run here, only `data scan`. `kerasvision runs list` shows"):
        show_run("latest", root=tmp_path)
    wanted = run(toy.pipeline(number), root=tmp_path)
    run(toy.pipeline(number), root=tmp_path, until="read", purpose="data show")
    assert show_run("latest", root=tmp_path)[0].id == wanted.id
    assert report_run(root=tmp_path).stem == wanted.id
    assert why("multiply", root=tmp_path)[1] == ["it had not run before"]
    assert show_run(look.id, root=tmp_path)[0].pipeline == "scan-photos"
    assert [record.purpose for record, _ in list_runs(tmp_path)] == ["data show", "run", "data scan"]


@pytest.mark.parametrize("run_id", ["", "2"])
def test_run_must_be_named_unambiguously(toy, number, tmp_path, run_id):
    for _ in range(2):
        run(toy.pipeline(number), root=tmp_path)
    with pytest.raises(ConfigError, match="there is no run ''" if not run_id else "2 runs begin with '2'"):
        show_run(run_id, root=tmp_path)


def test_this_process_is_told_by_its_number_and_machine():
    assert (HERE.pid, HERE.machine) == (os.getpid(), os.uname().nodename)
