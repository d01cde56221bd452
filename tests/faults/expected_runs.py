"""What must be true of the runs of a project, whatever was done to it before; sequences.py does that."""

import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from children import Child
from disturbed import killed_at
from edited_project import STAGES, World, enter, load
from hypothesis.stateful import RuleBasedStateMachine
from leavings import unexplained
from tampering import tree_sha256

from kerasvision.disk import refused
from kerasvision.errors import KerasvisionError
from kerasvision.pipeline.garbage import Keep, remove_garbage
from kerasvision.pipeline.local import RUNS_FOLDER, RunResult, plan, run
from kerasvision.pipeline.store import opened

# How often each step was made.
STEPS: Counter[str] = Counter()


class ExpectedRuns(RuleBasedStateMachine):
    """One project, and what we expect of it.

    Attributes:
        world: what its files say now.
        past: earlier worlds, to which an edit may return.
        kept: the worlds whose results must exist: they were made, and neither removed nor touched since. The newest is last.
        ends: (factor, offset, whether the run finished) of the runs in the store, in order; None if that is not known.
        store_is_sound: whether nobody has damaged the store.
        behind: by how many seconds the clock was set back; less than 0 if it was set forward.
    """

    def __init__(self) -> None:
        super().__init__()
        self._scratch = tempfile.TemporaryDirectory(prefix="kerasvision-sequence-", dir=fast_folder())
        self.root = Path(self._scratch.name).resolve()
        enter(self.root)
        self.runs = self.root / RUNS_FOLDER
        self.world, self.kept, self.ends = World(), [], []
        self.past = [self.world]
        self.store_is_sound, self.behind = True, 0
        self.world.write(self.root)

    def teardown(self) -> None:
        os.chdir("/")
        self._scratch.cleanup()

    def _become(self, world: World) -> None:
        self.world = world
        self.past.append(world)
        world.write(self.root)

    def _run(self) -> RunResult:
        return run(load(self.root), root=self.root)

    def _expect_right(self, call: Callable[[], RunResult], world: World) -> None:
        """A run must end with the right number, and one more must reuse all of it; or say what to do, which must help."""
        must_reuse = set(STAGES) if world in self.kept else set()
        try:
            with self._clock():
                if world == self.world:
                    must_reuse |= {one.node for one in plan(load(self.root), root=self.root) if one.action == "reuse"}
                result = call()
                self._expect_results(result, world)
                again = call() if world != self.world else self._run()
            self._expect_results(again, world)
        except KerasvisionError as error:
            self._expect_way_out(error)
            return self._expect_right(call if world == self.world else self._run, self.world)
        made = {stage.node for stage in result.stages if not stage.reused}
        assert not made & must_reuse, f"{sorted(made & must_reuse)} ran again, but had to be reused"
        assert all(stage.reused for stage in again.stages), f"a second run did not reuse everything: {again}"
        self._note_end(world, finished=2)
        assert not (lost := unexplained(self.root)), f"nothing names {lost}"
        return None

    def _expect_results(self, result: RunResult, world: World) -> None:
        answer = int((result.artifact("last", "model").uri / "deep" / "copy.txt").read_text())
        assert answer == world.answer, f"wrong reuse: the run ended with {answer}, and {world.answer} is right for {world}"
        for stage in result.stages:
            for key, made in stage.outputs.items():
                assert tree_sha256(made.uri) == made.digest, f"{stage.node}.{key} is not what was recorded"

    def _expect_way_out(self, error: KerasvisionError) -> None:
        """Only a damaged store may stop a run; the error must say so, and moving the store away must help."""
        assert not self.store_is_sound, f"refused without a reason: {error}"
        STEPS["refused: damaged store"] += 1
        assert "move metadata.sqlite" in str(error), f"no way out: {error}"
        (self.root / "moved").mkdir(exist_ok=True)
        for part in self.runs.glob("metadata.sqlite*"):
            part.replace(self.root / "moved" / part.name)
        self.kept, self.ends, self.store_is_sound = [], [], True

    def _disturb(self, kind: str, work: Callable[[object], object]) -> None:
        """A run in a fork, which is killed or meets a refusal; then only what it made or not may have changed."""
        pipeline, known = load(self.root), self._count_runs()
        child = Child(lambda: work(pipeline))
        child.wait(60)
        assert child.code is not None, "a run did not end within a minute"
        STEPS[f"{kind}: {'killed' if child.code == -9 else 'ended'}"] += 1
        assert child.code in (0, -9), child.answer()
        finished = child.code == 0 and json.loads(child.answer()) == "finished"
        now = self._count_runs()
        if self.ends is not None and known is not None and now is not None and now > known:
            self._note_end(self.world, finished=1 if finished else 0)
        if kind == "kill" and self.store_is_sound:
            assert not (lost := unexplained(self.root)), f"nothing names {lost}"

    def _dying(self, how: object, pipeline: object) -> str:
        """The life of the fork."""
        with self._clock(), how:
            try:
                result = run(pipeline, root=self.root)
            except (KerasvisionError, OSError) as error:
                shown = error if isinstance(error, KerasvisionError) else refused(error)
                if shown is None or not str(shown):
                    raise
                return f"{type(shown).__name__}: {shown}"
        self._expect_results(result, self.world)
        return "finished"

    def _removing(self, moment: int, runs: int) -> None:
        with self._clock(), opened(self.runs) as store, killed_at(moment):
            remove_garbage(store, Keep(runs=runs))

    def _note_end(self, world: World, *, finished: int) -> None:
        """Notes the end of a run, or that it finished several times."""
        self.kept += [world] * finished
        if self.ends is not None:
            self.ends += [(world.factor, world.offset, bool(finished))] * max(finished, 1)

    def _to_resume(self) -> tuple[int, ...]:
        """(factor, offset) of the newest run that ended early, if no later run with the same settings finished."""
        done = set()
        for factor, offset, finished in reversed(self.ends):
            if finished:
                done.add((factor, offset))
            elif (factor, offset) not in done:
                return factor, offset
        return ()

    def _count_runs(self) -> int | None:
        """How many runs the store knows; None if it cannot be read."""
        if not (self.runs / "metadata.sqlite").exists():
            return 0
        try:
            with opened(self.runs, read_only=True) as store:
                return store.count_runs()
        except KerasvisionError:
            return None

    def _all_files(self) -> set[str]:
        """All files below `runs/` except the store and the locks."""
        files = (path.relative_to(self.runs).as_posix() for path in self.runs.rglob("*") if path.is_file())
        return {file for file in files if not file.startswith(("metadata.sqlite", "locks/"))}

    def _delete_store(self, folder: Path) -> None:
        for part in folder.glob("metadata.sqlite*"):
            part.unlink()

    @contextmanager
    def _clock(self) -> Iterator[None]:
        """The clock of this process is set back or forward. That of the file system is not, as on another machine."""
        now, now_ns = time.time, time.time_ns
        with mock.patch("time.time", lambda: now() - self.behind):
            with mock.patch("time.time_ns", lambda: now_ns() - self.behind * 10**9):
                yield


def fast_folder() -> str | None:
    """A folder in memory, if the system has one: a flush to disk takes longer than the rest of a run."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
