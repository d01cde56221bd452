"""Finds out whether the process that started a run is still alive, by its number and start time, on the same machine."""

import json
import os
import platform
import subprocess
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

KILLED = "killed"
STAT = "/proc/{pid}/stat"


@dataclass(frozen=True)
class Process:
    """One process, distinguished from any later process with the same number.

    Attributes:
        host: the name of its machine, with the machine's id if it has one.
        boot: the id of the machine's last boot; empty if the system does not report it.
        namespace: the namespace of process numbers, such as a container's; empty if the system does not report it.
        pid: its number there.
        started: when it started, in the system's notation.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    started: str

    def to_text(self) -> str:
        """JSON that `from_text` reads back."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Process":
        """The process from a text of `to_text`."""
        return cls(**json.loads(text))

    @property
    def machine(self) -> str:
        """The name of its machine."""
        return self.host.partition(" ")[0]

    def is_alive(self) -> bool | None:
        """Whether it still runs; None if this process cannot see that.

        >>> this_process().is_alive()
        True
        """
        here = this_process()
        if self.host != here.host:
            return None
        if self.boot != here.boot:
            return False
        if self.namespace != here.namespace or _is_hidden(self.pid):
            return None
        return _started(self.pid) == self.started


def this_process() -> Process:
    """The current process."""
    pid = os.getpid()
    return Process(*_surroundings(), pid, _started(pid))


def fate_of(process: Process | None) -> str:
    """The state of an execution or run without a recorded end: running, killed, or unfinished if this process cannot see it.

    >>> fate_of(this_process()), fate_of(None)
    ('running', 'unfinished')
    """
    if process is None:
        return "unfinished"
    alive = process.is_alive()
    return f"unfinished on {process.machine}" if alive is None else "running" if alive else KILLED


@cache
def _surroundings() -> tuple[str, str, str]:
    """(host, boot, namespace) of this process."""
    namespace = ""
    with suppress(OSError):
        namespace = str(Path("/proc/self/ns/pid").readlink())
    host = " ".join(filter(None, (platform.node() or "unnamed", _read(Path("/etc/machine-id")))))
    return host, _read(Path("/proc/sys/kernel/random/boot_id")), namespace


def _started(pid: int) -> str:
    """When a process started; empty if no process has this number, or if it is a zombie."""
    if not Path(STAT.format(pid="self")).exists():
        asked = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return asked.stdout.strip()
    # proc(5): the name is in parentheses and may contain any character; state is field 3, the start time field 22.
    fields = _read(Path(STAT.format(pid=pid))).rpartition(")")[2].split()
    return fields[19] if fields and fields[0] not in "ZX" else ""


def _is_hidden(pid: int) -> bool:
    """Whether a process with this number exists, but the system hides it because it belongs to another user (`hidepid`)."""
    if _read(Path(STAT.format(pid=pid))) or not Path(STAT.format(pid="self")).exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
