"""However a process ends, its trial gets an outcome and the next trial gets a process."""

import os
import sys
import time
from pathlib import Path

import pytest

from kerasvision.tuning.trials import Job, TunedMetric
from kerasvision.tuning.worker import TrialData
from kerasvision.tuning.workers import TrialProcesses

DATA = TrialData(Path("examples"), Path("schema.json"), Path("transform.json"))


@pytest.fixture
def workers(tmp_path, monkeypatch):
    """`workers(count=2)`: processes without TensorFlow."""
    # New processes use the module path of this one.
    monkeypatch.syspath_prepend(Path(__file__).parent)
    run = __import__("trials_that_do").run
    yield lambda **options: TrialProcesses(DATA, tmp_path, run=run, **options)
    sys.modules.pop("trials_that_do")


def job(folder, do, **settings):
    id = f"{len(list(folder.glob('*')))}-{do}"
    return Job(id, {"do": do, **settings}, folder / id.replace(" ", "_"), 1, TunedMetric("val_loss", "min"))


def all_outcomes(workers, count, *, seconds=60):
    outcomes, deadline = [], time.monotonic() + seconds
    while len(outcomes) < count:
        assert time.monotonic() < deadline
        outcomes += workers.wait(1.0)
    return outcomes


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_process_carries_out_one_trial_after_the_other(workers, tmp_path):
    with workers() as one:
        pids = []
        for _ in range(3):
            assert one.free == 1
            one.begin(job(tmp_path, "nothing"))
            assert one.free == 0
            [outcome] = all_outcomes(one, 1)
            pids.append(outcome.rows[0]["pid"])
            assert (outcome.attempts, outcome.error) == (1, "")
    assert len(set(pids)) == 1
    assert not alive(pids[0])


def test_a_trial_whose_process_died_is_tried_again_in_a_new_one(workers, tmp_path):
    with workers(count=2) as two:
        for do in ("die once", "run out of memory once"):
            two.begin(job(tmp_path, do))
        outcomes = all_outcomes(two, 2)
    assert [(outcome.attempts, outcome.error) for outcome in outcomes] == [(2, ""), (2, "")]


def test_a_trial_whose_processes_all_die_has_failed_and_the_next_one_has_a_process(workers, tmp_path):
    with workers(count=2, retries=1) as two:
        two.begin(job(tmp_path, "die"))
        two.begin(job(tmp_path, "exit"))
        died, ended = sorted(all_outcomes(two, 2), key=lambda outcome: outcome.id)
        two.begin(job(tmp_path, "nothing"))
        [fine] = all_outcomes(two, 1)
    died, ended = (died, ended) if "die" in died.id else (ended, died)
    assert (died.attempts, ended.attempts, fine.error) == (2, 2, "")
    assert died.error == (
        "its process was ended by SIGKILL (possibly because memory ran out); the last line of its output: "
        "no memory left, twice"
    )
    assert ended.error == "its process ended with exit code 7, twice"


def test_a_trial_that_takes_too_long_has_failed(workers, tmp_path):
    with workers(trial_minutes=0.001) as one:
        one.begin(job(tmp_path, "sleep"))
        [outcome] = all_outcomes(one, 1)
        one.begin(job(tmp_path, "nothing"))
        assert all_outcomes(one, 1)[0].error == ""
    assert outcome.error == "it took longer than search.trial_minutes=0.001"
    assert 0.05 < outcome.seconds < 30


def test_a_process_that_grows_and_one_with_other_devices_is_replaced(workers, tmp_path):
    pids, devices = [], []
    with workers() as one:
        for resident, count in ((100, 1), (149, 1), (151, 1), (100, 1), (100, 4)):
            one.begin(job(tmp_path, "nothing", resident=resident), devices=count)
            [outcome] = all_outcomes(one, 1)
            pids.append(outcome.rows[0]["pid"])
            devices.append(outcome.rows[0]["devices"])
    assert pids[0] == pids[1] == pids[2] != pids[3] != pids[4]
    assert devices == [1, 1, 1, 1, 4]


def test_several_processes_share_cores_and_gpus(workers, tmp_path):
    with workers(count=2, gpus=("0", "3")) as two:
        for _ in range(2):
            two.begin(job(tmp_path, "nothing"))
        rows = [outcome.rows[0] for outcome in all_outcomes(two, 2)]
    assert {row["gpu"] for row in rows} == {"0", "3"}
    assert {row["threads"] for row in rows} == {max(1, len(os.sched_getaffinity(0)) // 2)}


def test_trials_can_be_asked_to_end_and_to_save_themselves(workers, tmp_path):
    with workers(count=2) as two:
        two.begin(job(tmp_path, "wait for stop"))
        two.stop()
        assert all_outcomes(two, 1)[0].stopped == "time was up"
        two.begin(job(tmp_path, "wait for sigterm"))
        while not (tmp_path / "ready").exists():
            assert two.wait(0.1) == []
        assert two.interrupt() == []
