"""A search over several machines gives the result of one machine, also if a worker dies."""

import importlib
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from kerasvision.errors import ConfigError, StageError
from kerasvision.tuning import machines
from kerasvision.tuning.machines import Chief, take_part
from kerasvision.tuning.role import Role, read_role
from kerasvision.tuning.search import search

VARIABLES = {"KERASTUNER_TUNER_ID": "worker1", "KERASTUNER_ORACLE_IP": "one", "KERASTUNER_ORACLE_PORT": "8000"}


@pytest.fixture
def address():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return f"127.0.0.1:{found.getsockname()[1]}"


@pytest.fixture
def worker(monkeypatch):
    """Starts a worker in a process that is forked after the imports, which would take most of its time."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    formula_worker = importlib.import_module("formula_worker")

    def start(*where, **how):
        process = multiprocessing.get_context("spawn").Process(
            target=formula_worker.take_part_by_formula, args=where, kwargs=how
        )
        process.start()
        return process

    return start


def test_a_chief_and_two_workers_find_what_one_machine_finds_though_one_is_killed(tuning, worker, address, tmp_path):
    plan = tuning.settings(trials=6, epochs=3, parallel_trials=2, algorithm="hyperband")
    alone = search(plan, workers=tuning.Here(count=2), folder=tmp_path / "alone" / "search")
    began = tmp_path / "began"
    workers = [worker(address, "worker1", began, is_hanging=True)]
    with Chief(address, count=2, lease_seconds=2.0) as chief:
        # The second starts when the first has died; otherwise it might finish everything before the first begins.
        second = (address, "worker2", tmp_path / "other")
        watched = _killing(workers[0], chief, when=began, then=lambda: workers.append(worker(*second)))
        together = search(plan, workers=watched, folder=tmp_path / "together" / "search")
    ended = time.monotonic()
    for one in workers:
        one.join(60)
    assert time.monotonic() - ended < 20  # KerasTuner's own chief and workers check every 20 seconds
    assert [one.exitcode for one in workers] == [-signal.SIGKILL, 0]
    assert (tmp_path / "other.txt").read_text() == str(len(together.trials))
    assert [trial.values for trial in together.trials] == [trial.values for trial in alone.trials]
    assert [trial.score for trial in together.trials] == [trial.score for trial in alone.trials]
    assert together.best == alone.best
    assert sorted(trial.attempts for trial in together.trials)[-1] == 2


def _killing(process, chief, *, when, then):
    """The chief; the process is killed as soon as it has started a trial."""

    class Watched:
        free = property(lambda self: chief.free)
        begin, stop, interrupt = chief.begin, chief.stop, chief.interrupt

        def wait(self, seconds):
            if process.is_alive() and list(when.glob("trial_*")):
                process.kill()
                process.join()
                then()
            return chief.wait(seconds)

    return Watched()


def test_a_lost_trial_is_lent_again_and_then_has_failed(tuning, address, monkeypatch, tmp_path):
    now = [0.0]
    # Only this module's clock: a sleeping server of another test would never wake.
    monkeypatch.setattr("kerasvision.tuning.machines.time", SimpleNamespace(monotonic=lambda: now[0]))
    chief = Chief(address, count=1, retries=1, lease_seconds=10)
    here = tuning.Here()
    search_job(here, tuning, tmp_path)
    [job] = here.jobs
    chief.begin(job)
    assert chief.free == 0
    assert chief.lend("one") == ("RUNNING", job)
    assert chief.lend("two") == ("IDLE", None)
    now[0] = 9.0
    assert chief.renew(job.id, "one") == "RUNNING"
    chief.stop()
    assert chief.renew(job.id, "one") == "STOPPED"
    now[0] = 18.0
    assert chief.wait(0) == []
    assert chief.lend("two") == ("IDLE", None)
    now[0] = 20.0
    assert chief.wait(0) == []
    assert chief.lend("two") == ("RUNNING", job)
    # The first one was only slow: it must end, and its outcome does not count.
    assert chief.renew(job.id, "one") == "STOPPED"
    chief.take(machines.Outcome(job.id, rows=({},)), "one")
    assert chief.wait(0) == []
    now[0] = 40.0
    [lost] = chief.wait(0)
    assert (lost.error, lost.attempts) == ("its worker two did not respond for 10 seconds", 2)


def search_job(here, tuning, folder):
    search(tuning.settings(trials=1, epochs=1), workers=here, folder=folder / "search")


def test_a_port_that_is_taken_is_told(address):
    with Chief(address), pytest.raises(ConfigError, match=f"cannot listen at {address}: the port is in use"), Chief(address):
        pass


def test_a_chief_that_does_not_answer_is_told(tuning, address, monkeypatch, tmp_path):
    monkeypatch.setattr("kerasvision.tuning.machines.SECONDS_TO_START", 0.5)
    with pytest.raises(StageError, match=f"within 0.5 seconds no answer came from the chief at {address}"):
        take_part(Role("worker1", address), workers=tuning.Here(), folder=tmp_path)


def test_the_role_is_read_from_keras_tuners_variables():
    assert read_role({}) is None
    assert read_role(VARIABLES) == Role("worker1", "one:8000")
    assert not read_role(VARIABLES).is_chief
    assert read_role({**VARIABLES, "KERASTUNER_TUNER_ID": "chief"}).is_chief
    with pytest.raises(ConfigError, match="also requires KERASTUNER_ORACLE_PORT"):
        read_role({**VARIABLES, "KERASTUNER_ORACLE_PORT": ""})
    with pytest.raises(ConfigError, match="must be a port from 1 to 65535; received 'http'"):
        read_role({**VARIABLES, "KERASTUNER_ORACLE_PORT": "http"})


PIPELINE = """
from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="digits", source=c.Digits(), transform=c.Transform(image_size=(32, 32), color_mode="grayscale"),
    task=c.Classification(), model=c.Model(name="lenet5", options={"activation": "relu"}),
    training=c.Training(batch_size=64),
    search=c.Search(
        space={"training.optimizer.learning_rate": c.LogUniform(1e-3, 1.0)}, algorithm="hyperband", epochs=3,
        parallel_trials=2,
    ),
)
"""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_command_on_three_machines_finds_what_it_finds_on_one_though_a_worker_is_killed(address, tmp_path):
    file = tmp_path / "digits.py"
    file.write_text(PIPELINE)

    def tune(root, **variables):
        (root / "tmp").mkdir(parents=True)
        environment = {**os.environ, "TMPDIR": str(root / "tmp"), **variables}
        command = [sys.executable, "-c", "from kerasvision.cli import main; main()", "tune", file, "--root", root]
        # On one core each, so that sums have the same order in all processes.
        one_core = {"preexec_fn": lambda: os.sched_setaffinity(0, {0})}
        with (root / "said.txt").open("w") as said:
            return subprocess.Popen(command, env=environment, start_new_session=True, stdout=said, stderr=said, **one_core)

    def of_machine(name):
        host, port = address.split(":")
        variables = {"KERASTUNER_TUNER_ID": name, "KERASTUNER_ORACLE_IP": host, "KERASTUNER_ORACLE_PORT": port}
        return tune(tmp_path / name, **variables)

    def trials(root):
        [file] = root.glob("runs/artifacts/digits/tuner/best_hyperparameters/*/trials.csv")
        return pd.read_csv(file).sort_values("trial", ignore_index=True).drop(columns=["seconds", "attempts"])

    alone = tune(tmp_path / "alone")
    assert alone.wait(600) == 0
    chief, one, two = (of_machine(name) for name in ("chief", "worker1", "worker2"))
    while not list((tmp_path / "worker1" / "tmp").glob("*/work/*/trial_*")):
        time.sleep(0.05)
        assert one.poll() is None
    os.killpg(one.pid, signal.SIGKILL)
    assert [process.wait(600) for process in (chief, one, two)] == [0, -signal.SIGKILL, 0]
    pd.testing.assert_frame_equal(trials(tmp_path / "chief"), trials(tmp_path / "alone"))
    assert "to train with the best of them" in (tmp_path / "chief" / "said.txt").read_text()
    assert "has no more trials; worker2 has run" in (tmp_path / "worker2" / "said.txt").read_text()
    assert not list((tmp_path / "worker2" / "runs" / "artifacts" / "digits").glob("tuner*"))
