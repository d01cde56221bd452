"""A pipeline for tests of parallel stages: one stage, two that depend on it, and one that depends on both.

`python diamond.py ROOT LEFT RIGHT WORKERS` runs them; LEFT and RIGHT say what the two in the middle do (see `act`).
"""

import os
import signal
import sys
import time
from pathlib import Path

from kerasvision.config.base import Config
from kerasvision.errors import KerasvisionError
from kerasvision.pipeline import stage_processes
from kerasvision.pipeline.artifacts import Examples, Model, Out
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.local import run
from kerasvision.progress import say

PATIENCE_SECONDS = 100
# These stages need no TensorFlow, and its import takes seconds.
WITHOUT_TENSORFLOW = "kerasvision.pipeline.stage_process"


class Act(Config):
    folder: Path
    does: str = "write"


def act(does: str, name: str, folder: Path) -> None:
    """What a stage does before it writes: "write" does nothing, "meet" waits for the other stage, "print", "fail", ..."""
    (folder / f"{name}.begun").touch()
    if does == "meet":
        wait_for(folder / "left.begun")
        wait_for(folder / "right.begun")
    elif does == "print":
        for number in range(3):
            print(f"{name} {number}", end="", flush=True)
            time.sleep(0.05)
            print(" end")
    elif does == "say":
        wait_for(folder / "left.begun")
        wait_for(folder / "right.begun")
        for number in range(50):
            say(f"{number} {100 * '.'} end")
    elif does == "devices":
        wait_for(folder / "left.begun")
        wait_for(folder / "right.begun")
        (folder / f"{name}.devices").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
    elif does == "fail":
        wait_for(folder / "left.begun")
        wait_for(folder / "right.begun")
        raise ValueError(f"{name} does not work")
    elif does == "hang":
        wait_for(folder / "never")
    elif does == "die":
        wait_for(folder / "left.begun")
        wait_for(folder / "right.begun")
        os.kill(os.getpid(), signal.SIGKILL)


def wait_for(file: Path) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not file.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"{file} did not come")
        time.sleep(0.02)


def first(examples: Out[Examples], *, settings: Act) -> None:
    act(settings.does, "first", settings.folder)
    (examples.uri / "text.txt").write_text("first")


def left(examples: Examples, model: Out[Model], *, settings: Act) -> None:
    act(settings.does, "left", settings.folder)
    (model.uri / "text.txt").write_text((examples.uri / "text.txt").read_text() + " left")
    model.properties["side"] = "left"


def right(examples: Examples, model: Out[Model], *, settings: Act) -> None:
    act(settings.does, "right", settings.folder)
    (model.uri / "text.txt").write_text((examples.uri / "text.txt").read_text() + " right")


def last(one: Model, other: Model, model: Out[Model]) -> None:
    (model.uri / "text.txt").write_text("; ".join((side.uri / "text.txt").read_text() for side in (one, other)))


def pipeline(folder: Path, *, left_does: str = "write", right_does: str = "write") -> Pipeline:
    folder.mkdir(parents=True, exist_ok=True)
    made = Pipeline("diamond")
    begun = made.add(first, settings=Act(folder=folder))
    one = made.add(left, examples=begun.examples, settings=Act(folder=folder, does=left_does))
    other = made.add(right, examples=begun.examples, settings=Act(folder=folder, does=right_does))
    made.add(last, one=one.model, other=other.model)
    return made


class Lines(Listener):
    """Keeps the events of a run, a line each."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def _say(self, *words: str) -> None:
        self.lines.append(" ".join(words))
        print(self.lines[-1], flush=True)

    def started(self, node):
        self._say("started", node)

    def waiting(self, node):
        self._say("waiting", node)

    def remark(self, node, sentence):
        self._say("remark", node, sentence)

    def finished(self, result):
        self._say("reused" if result.reused else "ran", result.node)

    def failed(self, node, error):
        self._say("failed", node, type(error).__name__)


if __name__ == "__main__":
    stage_processes.IMPORTED = WITHOUT_TENSORFLOW
    root = Path(sys.argv[1])
    made = pipeline(root / "control", left_does=sys.argv[2], right_does=sys.argv[3])
    try:
        run(made, root=root, workers=int(sys.argv[4]), listener=Lines())
    except KerasvisionError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        sys.exit(error.exit_code)
