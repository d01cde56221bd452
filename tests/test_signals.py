"""No test depends on inherited signal handlers: tests/conftest.py sets those that end a process."""

import signal
import subprocess
import sys

import pytest

SIGNALS = "import os, signal, sys; ending = (signal.SIGINT, signal.SIGTERM); "
SHOW = SIGNALS + "print(*map(signal.getsignal, ending), signal.pthread_sigmask(signal.SIG_BLOCK, []))"
SHELLS = {
    "ignores": "[signal.signal(number, signal.SIG_IGN) for number in ending]",
    "blocks": "signal.pthread_sigmask(signal.SIG_BLOCK, ending)",
}


def test_here_and_in_a_child_they_end_a_process():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    child = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True)
    assert child.stdout == f"{signal.default_int_handler} {signal.SIG_DFL!s} set()\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_that_holds_under_a_shell_that_hands_over_something_else(shell):
    tests = [f"{__file__}::{test_here_and_in_a_child_they_end_a_process.__name__}", "-p", "no:cacheprovider", "-q"]
    hand_over = f"{SIGNALS}{SHELLS[shell]}; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    command = [sys.executable, "-c", hand_over, "-m", "pytest", *tests]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
