"""A fresh process that has TensorFlow and nothing else: started early, because its imports take seconds."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

# The script imports TensorFlow, and is not imported here: whoever starts the process need not have it.
PROBE = Path(__file__).with_name("probe.py")
TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Request:
    """What the process is asked for, once.

    Attributes:
        saved_model: the folder of a version, where a server would look for it.
        requests: a folder with what it is to be asked (see `probe.py`).
        answers: a folder for what it answers.
        latency_queries: how many queries of one image are timed.
    """

    saved_model: str
    requests: str
    answers: str
    latency_queries: int


class FreshProcess:
    """A process that imports TensorFlow at once, waits for its request, and ends without one when this process ends."""

    def __init__(self) -> None:
        # -I: no user site, no PYTHONPATH, no current folder on the import path.
        command = [sys.executable, "-I", str(PROBE)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe, text=True)

    def ask(self, request: Request) -> str:
        """Hands the request over and waits for the answer; returns what went wrong, or nothing."""
        try:
            _, said = self._process.communicate(json.dumps(asdict(request)), timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.end()
            return f"no answer within {TIMEOUT_SECONDS} seconds"
        return complaint(self._process.returncode, said)

    def is_waiting(self) -> bool:
        """Whether it can still be asked."""
        return self._process.poll() is None

    def end(self) -> None:
        """Ends it, asked or not."""
        self._process.kill()
        self._process.communicate()


def complaint(exit_code: int, said: str) -> str:
    """What went wrong in such a process, by its exit code and what it wrote on standard error; empty if nothing did."""
    if not exit_code:
        return ""
    last = next(reversed(said.strip().splitlines()), "")
    return f"a fresh process with TensorFlow alone cannot use it (exit code {exit_code}): {last}"


class _Early:
    """The process that was started before anybody needed it."""

    waiting: FreshProcess | None = None


def start_early() -> None:
    """Starts a process that the next `take` gives; does nothing where one waits already."""
    if _Early.waiting is None or not _Early.waiting.is_waiting():
        _Early.waiting = FreshProcess()


def take() -> FreshProcess:
    """The process that was started early, or else a new one. It is yours: ask it, or end it."""
    start_early()
    taken, _Early.waiting = _Early.waiting, None
    return taken if taken is not None else FreshProcess()
