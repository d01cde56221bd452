"""A fresh process with TensorFlow and nothing else: started early, because its imports take seconds."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

# The script imports TensorFlow. It is not imported here, so this process need not have TensorFlow.
PROBE = Path(__file__).with_name("probe.py")
TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Request:
    """The one request that the process gets.

    Attributes:
        saved_model: the folder of a version, as a server expects it.
        requests: a folder with the inputs (see `probe.py`).
        answers: a folder for the answers.
        latency_queries: how many queries of one image to time.
    """

    saved_model: str
    requests: str
    answers: str
    latency_queries: int


class FreshProcess:
    """A process that imports TensorFlow at once and waits for its request. It ends without one if this process ends."""

    def __init__(self) -> None:
        # -I: no user site, no PYTHONPATH, no current folder on the import path.
        command = [sys.executable, "-I", str(PROBE)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe, text=True)

    def ask(self, request: Request) -> str:
        """Sends the request and waits for the answer; returns what went wrong, or "" if nothing did."""
        try:
            _, said = self._process.communicate(json.dumps(asdict(request)), timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.end()
            return f"no answer within {TIMEOUT_SECONDS} seconds"
        return complaint(self._process.returncode, said)

    def is_waiting(self) -> bool:
        """Whether it can still get a request."""
        return self._process.poll() is None

    def end(self) -> None:
        """Ends it, with or without a request."""
        self._process.kill()
        self._process.communicate()


def complaint(exit_code: int, said: str) -> str:
    """What went wrong in such a process, from its exit code and its standard error; empty if nothing did."""
    if not exit_code:
        return ""
    last = next(reversed(said.strip().splitlines()), "")
    return f"a fresh process with TensorFlow alone cannot use it (exit code {exit_code}): {last}"


class _Early:
    """The process that was started before it was needed."""

    waiting: FreshProcess | None = None


def start_early() -> None:
    """Starts a process for the next `take`, unless one is already waiting."""
    if _Early.waiting is None or not _Early.waiting.is_waiting():
        _Early.waiting = FreshProcess()


def take() -> FreshProcess:
    """The process that was started early, or a new one. The caller must ask it or end it."""
    start_early()
    taken, _Early.waiting = _Early.waiting, None
    return taken if taken is not None else FreshProcess()
