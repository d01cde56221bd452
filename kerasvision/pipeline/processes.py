"""Is the process that began a run still there? Asked by process number and start time, on the machine where it ran."""

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
    """One process, told apart from any later one that gets the same number.

    Attributes:
        host: the name of its machine, with the machine's own id where it has one.
        boot: since which start of that machine it has been running; empty where the system does not say.
        namespace: in which numbering of processes, such as a container's; empty where the system does not say.
        pid: its number there.
        started: when it was started, as the system writes it.
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
        """What `to_text` wrote."""
        return cls(**json.loads(text))

    @property
    def machine(self) -> str:
        """The name of its machine."""
        return self.host.partition(" ")[0]

    def is_alive(self) -> bool | None:
        """Whether it still runs; None if that cannot be seen from here.

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
    """The process that asks."""
    pid = os.getpid()
    return Process(*_surroundings(), pid, _started(pid))


def fate_of(process: Process | None) -> str:
    """The state of something whose end was never recorded: running, killed, or unfinished if that cannot be seen from here.

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
    """When a process was started; empty if no process has this number, or only a zombie."""
    if not Path(STAT.format(pid="self")).exists():
        asked = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return asked.stdout.strip()
    # proc(5): the name stands in parentheses and may hold any sign; state is field 3, the start time field 22.
    fields = _read(Path(STAT.format(pid=pid))).rpartition(")")[2].split()
    return fields[19] if fields and fields[0] not in "ZX" else ""


def _is_hidden(pid: int) -> bool:
    """Whether a process with this number exists, but the system hides it because it is another user's (`hidepid`)."""
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
