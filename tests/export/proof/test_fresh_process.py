"""The process of the proof is started before it is needed, answers once, and ends with the process that started it."""

import pytest

from kerasvision.export.proof import fresh_process
from kerasvision.export.proof.fresh_process import PROBE, Request, start_early, take


def test_one_that_is_not_asked_ends_by_itself(warm):
    # Its standard input is empty.
    done = warm.run_script(PROBE)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.fixture(params=["stand-in", pytest.param("probe", marks=pytest.mark.slow)])
def program(request, tmp_path, monkeypatch):
    """The program of the process: the probe, or one that rejects its request and need not import TensorFlow for that."""
    if request.param == "stand-in":
        stand_in = tmp_path / "stand_in.py"
        stand_in.write_text("import sys\nif sys.stdin.read():\n    sys.exit('there is no model')\n")
        monkeypatch.setattr(fresh_process, "PROBE", stand_in)


@pytest.mark.usefixtures("program")
def test_the_one_that_was_started_early_is_taken_once(tmp_path):
    start_early()
    early = fresh_process._Early.waiting
    start_early()
    assert fresh_process._Early.waiting is early
    taken, other = take(), take()
    assert (taken is early, other is early) == (True, False)
    other.end()
    wrong = taken.ask(Request(str(tmp_path / "nothing"), str(tmp_path), str(tmp_path), 5))
    assert wrong.startswith("a fresh process with TensorFlow alone cannot use it (exit code 1): ")
    assert not taken.is_waiting()


@pytest.mark.usefixtures("program")
def test_one_that_died_meanwhile_is_not_taken():
    start_early()
    dead = fresh_process._Early.waiting
    dead.end()
    taken = take()
    assert taken is not dead
    assert taken.is_waiting()
    taken.end()
