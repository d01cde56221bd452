"""Kills at random moments of every stage of pipelines/digits.py: the next run goes on, and ends like an undisturbed one.

    python tests/faults/campaign_digits.py --kills 24
    python tests/faults/campaign_digits.py --kills 200 --seed 1

A process that has imported TensorFlow, and computed nothing, forks for every run. So a run takes no longer than its stages.
For the same reason, the process in which infra_validator proves the model is a fork too.

An episode begins in an empty folder. It kills a run in the first stage, the next one in the first stage again or in the
second, and so on: every run reuses the stages before, and continues from what the killed one left. Then one run is left
alone, and

- every file must have the bytes that it has after an undisturbed run; see digits_alike.py for the few that no two runs write
  alike, such as those that contain seconds, and how they are compared;
- one version must be pushed, and it must be whole;
- every folder must belong to a known result, or be named by what `runs gc` would remove; after `runs gc`, whose removal is
  killed once too, nothing of the killed runs is left, and the next run reuses everything.

It prints how many kills hit each stage. At the first fault it exits with 1.
"""

import argparse
import json
import os
import random
import resource
import runpy
import shutil
import statistics
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from children import Child, Fault
from digits_alike import differences
from leavings import unexplained

from kerasvision import quiet
from kerasvision.export.proof import fresh_process
from kerasvision.export.proof.fresh_process import PROBE, Request, complaint
from kerasvision.pipeline.garbage import Keep, remove_garbage
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.local import RUNS_FOLDER, run
from kerasvision.pipeline.standard import load_pipeline
from kerasvision.pipeline.store import opened

FILE = Path(__file__).parents[2] / "pipelines" / "digits.py"
# Little of everything, and checkpoints so often that kills hit them.
SHORT = (
    "training.epochs=3",
    "training.steps_per_call=1",
    "training.checkpoint_minutes=0.001",
    "gate.rules.0.value=0.1",
    "evaluation.resamples=100",
    "evaluation.slices=[]",
    "evaluation.reasons=1",
    "simple_models.max_train=200",
    "serving.canary_examples=16",
    "serving.latency_queries=5",
)
MOST_SECONDS = 900.0
# How many kills hit a stage of an episode.
KILLS_OF_A_STAGE = (1, 2, 2, 3)


class Reports(Listener):
    """Writes a line to a file when a stage starts and when it ends."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def started(self, node: str) -> None:
        self._write(f"in {node}")

    def finished(self, result: object) -> None:
        self._write(f"after {result.node}")

    def _write(self, line: str) -> None:
        with self._file.open("a") as file:
            file.write(f"{line}\n")


class Waiting:
    """In place of `FreshProcess`: a fork of the run from before its first stage, which has imported TensorFlow too."""

    def __init__(self) -> None:
        reader, self._writer = os.pipe()
        self._process = os.fork()
        if not self._process:
            os.close(self._writer)
            code = 1
            try:
                request = os.fdopen(reader).read()
                if request:
                    for name in [name for name in sys.modules if name.partition(".")[0] == "kerasvision"]:
                        del sys.modules[name]
                    runpy.run_path(str(PROBE))["main"](**json.loads(request))
                code = 0
            finally:
                os._exit(code)
        os.close(reader)

    def ask(self, request: Request) -> str:
        with os.fdopen(self._writer, "w") as writer:
            writer.write(json.dumps(asdict(request)))
        _, status = os.waitpid(self._process, 0)
        return complaint(os.waitstatus_to_exitcode(status), "it failed")

    def is_waiting(self) -> bool:
        return True


class Run(Child):
    """A run of the pipeline in a fork of this process.

    Args:
        root: of `runs/`.
        scratch: a folder for what it reports and prints.
    """

    def __init__(self, root: Path, scratch: Path) -> None:
        self._events = scratch / "events.txt"
        self._events.unlink(missing_ok=True)
        super().__init__(lambda: self._run(root), printed=scratch / "printed.txt")

    def _run(self, root: Path) -> list[bool]:
        warnings.simplefilter("ignore")
        waiting = Waiting()
        fresh_process.FreshProcess = lambda: waiting
        result = run(load_pipeline(FILE, overrides=SHORT), root=root, listener=Reports(self._events))
        return [stage.reused for stage in result.stages]

    def lines(self) -> list[str]:
        """What it reported so far."""
        return self._events.read_text().splitlines() if self._events.exists() else []

    def has_begun(self, stage: str) -> bool:
        return f"in {stage}" in self.lines()


class Campaign:
    """Episodes in one folder.

    Args:
        folder: for all roots.
        seed: of everything that is random.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.stages = list(load_pipeline(FILE, overrides=SHORT).nodes)
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.undisturbed = folder / "undisturbed"

    def begin(self) -> None:
        """Two undisturbed runs, in two roots, which must be alike: otherwise the comparison could never succeed."""
        other = self.folder / "undisturbed-2"
        for root in (self.undisturbed, other):
            self._whole(root)
            self._note_seconds(root)
        self._expect_alike(other)

    def episode(self, number: int, kills: int) -> None:
        """Kills in one stage after the other, at most this many; then a run to the end, and everything must be right."""
        root = self.folder / f"episode-{number}"
        aims = [stage for stage in self.stages for _ in range(self.random.choice(KILLS_OF_A_STAGE))]
        for stage in aims:
            if self.kills.total() < kills:
                self._kill(root, stage)
        self._whole(root)
        self._note_seconds(root)
        self._expect_alike(root)
        self._check_leavings(root)
        shutil.rmtree(root)

    def _kill(self, root: Path, stage: str) -> None:
        child = Run(root, self.folder)
        child.wait(MOST_SECONDS, until=lambda: child.has_begun(stage), pause=0.002)
        # Some moments are after the end of the stage: its files are renamed and published then.
        child.wait(self.random.uniform(0.0, 1.1) * statistics.median(self.seconds[stage][-5:]))
        child.kill()
        if child.code == 0:
            return  # it ended before its moment came
        if child.code != -9:
            raise Fault(f"a run failed before it was killed: {child.answer()}")
        self.kills[child.lines()[-1] if child.lines() else "before the first stage"] += 1

    def _whole(self, root: Path) -> list[bool]:
        return Run(root, self.folder).result(MOST_SECONDS)

    def _note_seconds(self, root: Path) -> None:
        """Keeps how long the stages took that the store knows."""
        with opened(root / RUNS_FOLDER, read_only=True) as store:
            for run_ in reversed(store.runs()):
                for one in store.executions(run_):
                    if one.outcome == "ran":
                        self.seconds[one.node].append(one.seconds)

    def _expect_alike(self, root: Path) -> None:
        found = Child(lambda: differences(root, self.undisturbed), printed=self.folder / "printed.txt").result(MOST_SECONDS)
        if found:
            raise Fault("\n".join(found))

    def _check_leavings(self, root: Path) -> None:
        if lost := unexplained(root):
            raise Fault(f"nothing names {lost}")
        removal = Child(lambda: self._remove(root))
        removal.wait(self.random.uniform(0.0, 0.05))
        removal.kill()
        Child(lambda: self._remove(root)).result(MOST_SECONDS)
        left = Child(lambda: self._remove(root)).result(MOST_SECONDS)
        if left or not all(self._whole(root)):
            raise Fault(f"a removal left {left}, or took what the newest run needs")
        self._expect_alike(root)

    def _remove(self, root: Path) -> list[str]:
        with opened(root / RUNS_FOLDER) as store:
            return remove_garbage(store, Keep(runs=1)).paths()


def prepare() -> None:
    """Imports what stages use, and reads their code, in this process from which runs are forked."""
    quiet.install()
    import kerasvision.pipeline.stages.imports as imports
    from kerasvision.pipeline.code import code_of

    code_of(imports.USED)


def campaign(folder: Path, *, kills: int, seed: int) -> Counter[str]:
    """How many kills hit each stage.

    Raises:
        Fault: a promise was broken.
    """
    made = Campaign(folder, seed)
    made.begin()
    episodes = 0
    while made.kills.total() < kills:
        episodes += 1
        made.episode(episodes, kills)
        print(f"{made.kills.total()} kills in {episodes} episodes without a difference", flush=True)
    return made.kills


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder that stays, instead of a temporary one")
    chosen = parser.parse_args(arguments)
    prepare()
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            counts = campaign(folder, kills=chosen.kills, seed=chosen.seed)
        except Fault as fault:
            sys.exit(f"seed {chosen.seed}: {fault}")
    for where, count in counts.items():
        print(f"{count:5}  {where}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime
    print(f"{counts.total()} kills without a difference, seed {chosen.seed}, in {seconds:,.0f} processor seconds")


if __name__ == "__main__":
    main()
