"""The first SIGTERM is only noticed, the second ends the process, and afterwards the handlers are as before."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kerasvision.training.interruption import sigterm_noticed, sigterm_passed_on

SCRIPT = Path(__file__).with_name("waits_for_sigterm.py")


@pytest.fixture
def start():
    started = []

    def begin(*arguments, under=()):
        process = subprocess.Popen([*under, sys.executable, str(SCRIPT), *arguments], stdout=subprocess.PIPE, text=True)
        started.append(process)
        first, *more = process.stdout.readline().split()
        assert first == "ready"
        process.told = more
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def output(process):
    text, _ = process.communicate(timeout=15)
    return text.split(), process.returncode


def is_alive(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_first_sigterm_is_noticed_and_the_work_ends_by_itself(start):
    process = start("python")
    process.terminate()
    assert output(process) == (["saved"], 0)


@pytest.mark.parametrize("how", ["python", "parent"])
def test_it_is_noticed_where_the_shell_would_have_it_ignored(start, how):
    process = start(how, under=("sh", "-c", 'trap "" TERM; exec "$@"', "sh"))
    process.terminate()
    assert output(process) == ((["saved"], 0) if how == "python" else (["saved."], 143))


def test_the_second_ends_the_process_at_once(start):
    process = start("python", "slow")
    process.terminate()
    assert process.stdout.readline() == "saved\n"
    process.terminate()
    assert output(process) == ([], 143)


def test_the_second_ends_a_process_in_which_python_has_no_turn(start):
    process = start("one_long_call")
    began = time.monotonic()
    process.terminate()
    time.sleep(0.2)  # two at the same moment count as one
    process.terminate()
    assert output(process) == ([], 143)
    assert time.monotonic() - began < 10


def test_sigterm_goes_on_to_the_process_that_trains(start):
    process = start("parent")
    process.terminate()
    assert output(process) == (["saved."], 143)


def test_the_second_ends_the_process_that_trains_at_once(start):
    process = start("parent", "slow")
    process.terminate()
    assert process.stdout.readline() == "saving\n"
    process.terminate()
    told, code = output(process)
    assert code == 143
    assert " ".join(told).startswith("the training was asked to stop, and ended before it could save its state.")
    assert not is_alive(int(process.told[0]))


def test_a_child_does_not_outlive_its_parent(start):
    process = start("parent")
    child = int(process.told[0])
    assert is_alive(child)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(child)


def test_outside_the_main_thread_nothing_changes(start):
    process = start("thread")
    assert process.told == ["False"]
    process.terminate()
    assert output(process) == ([], -signal.SIGTERM)


def test_afterwards_handlers_are_as_they_were():
    handler, descriptor = signal.getsignal(signal.SIGTERM), signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor)
    for manager in (sigterm_noticed, sigterm_passed_on):
        with pytest.raises(RuntimeError, match="mine"):
            with manager():
                assert signal.getsignal(signal.SIGTERM) is not handler
                raise RuntimeError("mine")
        assert signal.getsignal(signal.SIGTERM) is handler
        found = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(descriptor)
        assert found == descriptor


def test_other_signals_are_not_taken_for_it():
    with sigterm_noticed() as is_asked_to_stop:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        assert not is_asked_to_stop()
        os.kill(os.getpid(), signal.SIGTERM)
        assert is_asked_to_stop()
