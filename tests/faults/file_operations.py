"""Lists every file operation of saving a checkpoint, lets one fail, or kills the process before one.

`python file_operations.py SCENARIO FOLDER` kills a process at each operation in turn and prints, as JSON, a list of
[operation, what was found afterwards, what was found after one more save, the folders that were left then].
"""

import io
import json
import os
import shutil
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np

from kerasvision.training.checkpointing.checkpoints import Checkpoints

NAMES = ("mkdir", "rename", "unlink", "rmdir", "open", "fsync")


def caller():
    """The package that an operation comes from: the nearest one on the stack that is not Python's own; else ""."""
    frame = sys._getframe()
    while frame is not None:
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package != __name__ and package not in sys.stdlib_module_names:
            return package
        frame = frame.f_back
    return ""


class Operations:
    """Calls `act(operation, path)` before each operation of a `with`; if it returns True, the write stops halfway.

    Attributes:
        seen: (operation, path) of each operation so far.
        callers: the package that made each operation: "kerasvision", or a library that it uses.
    """

    def __init__(self, act=lambda operation, path: False):
        self.seen, self.callers, self._act = [], [], act

    def before(self, operation, path):
        path = Path(f"/proc/self/fd/{path}").readlink() if isinstance(path, int) else Path(path)
        self.seen.append((operation, path))
        self.callers.append(caller())
        return self._act(operation, path)

    @contextmanager
    def watched(self):
        with mock.patch("io.open", self._opened(io.open)):
            with mock.patch.multiple(os, **{name: self._wrapped(name, getattr(os, name)) for name in NAMES}):
                yield self

    def _wrapped(self, name, original):
        def operation(path, *arguments, **keywords):
            self.before(name, path)
            # A real flush takes milliseconds each time, and there is no power cut here.
            return None if name == "fsync" else original(path, *arguments, **keywords)

        return operation

    def _opened(self, original):
        def opened(path, mode="r", *arguments, **keywords):
            self.before(f"open {mode}", path)
            stream = original(path, mode, *arguments, **keywords)
            return _Stream(stream, Path(path), self) if "w" in mode else stream

        return opened


class _Stream:
    def __init__(self, stream, path, operations):
        self._stream, self._path, self._operations = stream, path, operations

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()

    def write(self, data):
        self._operations.before("write", self._path)
        half = len(data) // 2
        self._stream.write(data[:half])
        self._stream.flush()
        self._operations.before("write the other half", self._path)
        self._stream.write(data[half:])


def content(mark):
    """Arrays and state that belong together, so that a mix of two versions would be noticed."""
    return {"weights": np.full(300, mark, np.float32), "step": np.array(mark)}, {"mark": mark}


def checkpoints(folder):
    return Checkpoints(folder, identity={"experiment": "faults"})


def found(folder):
    """The mark of the newest checkpoint; None if there is none."""
    latest = checkpoints(folder).latest()
    if latest is None:
        return None
    marks = {latest.state["mark"], *latest.arrays["weights"].tolist(), int(latest.arrays["step"])}
    assert len(marks) == 1, marks
    return latest.state["mark"]


# Marks and steps of existing checkpoints, and of the one that is saved.
SCENARIOS = {
    "the first": ([], (1, 10)),
    "one more": ([(1, 10), (2, 20)], (3, 30)),
    "the same step again": ([(1, 10), (2, 20)], (3, 20)),
    "an earlier step": ([(1, 10), (2, 20)], (3, 15)),
}


def prepare(scenario, folder):
    for mark, step in SCENARIOS[scenario][0]:
        checkpoints(folder).save(*content(mark), step=step)


def save(scenario, folder):
    mark, step = SCENARIOS[scenario][1]
    return checkpoints(folder).save(*content(mark), step=step)


def killed_at(number, scenario, folder):
    """Runs a child that kills itself before the operation with this number; the operation, or None if it finished."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        operations = Operations()

        def act(operation, path):
            if len(operations.seen) > number:
                os.write(writing, f"{operation} {path.name}".encode())
                os.kill(os.getpid(), signal.SIGKILL)

        operations._act = act
        with operations.watched():
            save(scenario, folder)
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read() or None


def all_kills(scenario, root):
    number, results = 0, []
    prepare(scenario, root / "prepared")
    while True:
        folder = root / str(number)
        if (root / "prepared").is_dir():
            shutil.copytree(root / "prepared", folder)
        operation = killed_at(number, scenario, folder)
        if operation is None:
            return results
        after_kill = found(folder)
        save(scenario, folder)
        results.append([operation, after_kill, found(folder), sorted(path.name for path in folder.glob("step*"))])
        number += 1


if __name__ == "__main__":
    print(json.dumps(all_kills(sys.argv[1], Path(sys.argv[2]))))
