"""Work in a fork of this process, which can be killed at any moment."""

import json
import os
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

# A pipe holds this many bytes until somebody reads them.
LONGEST = 60_000


class Fault(Exception):
    """A promise was broken."""


class Child:
    """A fork of this process that does some work; `answer` is JSON, or a traceback if its exit code is 1.

    Args:
        work: returns what JSON can hold.
        printed: a file for its output; without it, the output goes where that of this process goes.

    Attributes:
        code: its exit code, or minus the signal that ended it; None while it runs.
        seconds: how long it ran.
    """

    def __init__(self, work: Callable[[], object], *, printed: Path | None = None) -> None:
        self._reader, writer = os.pipe()
        self._began, self.seconds, self.code, self._text = time.perf_counter(), 0.0, None, ""
        self._process = os.fork()
        if not self._process:
            self._work(work, writer, printed)
        os.close(writer)
        with suppress(ProcessLookupError, PermissionError):
            os.setpgid(self._process, self._process)

    def wait(self, seconds: float, *, until: Callable[[], bool] = lambda: False, pause: float = 0.0005) -> None:
        """Until it ends or `until` returns True, or for this time."""
        end = time.perf_counter() + seconds
        while self.code is None and time.perf_counter() < end and not until():
            self._look(os.WNOHANG)
            time.sleep(pause)

    def kill(self) -> None:
        """Kills it, and then the processes that it started: their ends do not concern it any more."""
        if self.code is None:
            os.kill(self._process, signal.SIGKILL)
            self._look(0)
        with suppress(ProcessLookupError):
            os.killpg(self._process, signal.SIGKILL)

    def answer(self) -> str:
        """JSON of what the work returned, or the traceback of its error."""
        return self._text

    def result(self, seconds: float) -> object:
        """What the work returned.

        Raises:
            Fault: it failed, or did not end within this time.
        """
        self.wait(seconds)
        if self.code is None:
            self.kill()
            raise Fault(f"nothing ended within {seconds:.0f} s")
        if self.code:
            raise Fault(self.answer() or f"exit code {self.code}")
        return json.loads(self.answer())

    def _look(self, options: int) -> None:
        process, status = os.waitpid(self._process, options)
        if process:
            self.code, self.seconds = os.waitstatus_to_exitcode(status), time.perf_counter() - self._began
            os.set_blocking(self._reader, False)  # a process that it started may still hold the other end
            with suppress(BlockingIOError):
                self._text = os.read(self._reader, LONGEST).decode(errors="replace")
            os.close(self._reader)

    def _work(self, work: Callable[[], object], writer: int, printed: Path | None) -> None:
        """The life of the fork."""
        code, text = 1, ""
        try:
            os.setpgid(0, 0)
            if printed is not None:
                file = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(file, 1)
                os.dup2(file, 2)
            text, code = json.dumps(work()), 0
        except BaseException:
            text = traceback.format_exc()
        finally:
            with suppress(OSError):  # nobody may be reading
                os.write(writer, text.encode()[-LONGEST:])
            os._exit(code)
