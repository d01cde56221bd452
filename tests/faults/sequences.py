"""Sequences of runs, edits, tampering, removals, kills, refusals of the system and resumes, which Hypothesis chooses.

    python tests/faults/sequences.py --sequences 20
    python tests/faults/sequences.py --sequences 500 --steps 15

The project is that of edited_project.py: a pipeline of six stages without TensorFlow, whose input, settings and code change.
After every run that ends well

- the pipeline has ended with the number that plain arithmetic gives for the current input, settings and code;
- every file of its results has the SHA-256 that was recorded;
- stages that had to be reused were: those that `plan` named, and all if the results exist and nobody has touched them;
- every folder belongs to a known result, or is named by what `runs gc` would remove.

A run that does not end well must raise one of our errors, with the way out. Taking that way must help.
It prints how often each step was made. At the first fault it prints the sequence, and exits with 1.
"""

import argparse
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace

from children import Child
from disturbed import REFUSALS, killed_at, refused_from
from edited_project import STAGES, forget_modules, load, settings_of
from expected_runs import STEPS, ExpectedRuns
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test
from tampering import TAMPER

from kerasvision.errors import ConfigError, KerasvisionError
from kerasvision.pipeline.garbage import Keep, find_garbage, remove_garbage
from kerasvision.pipeline.launcher import Result
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.local import run
from kerasvision.pipeline.resuming import find_resumption, resume
from kerasvision.pipeline.store import opened

# A whole run has about 520 operations, and one that reuses everything 220.
MOMENTS = st.integers(0, 540)
PLACES = st.integers(0, 10_000)
SMALL = st.integers(0, 3)
DAY = 24 * 3600


class Editing(Listener):
    """Calls a function when the first stage has ended."""

    def __init__(self, edit: Callable[[], None]) -> None:
        self._edit = edit

    def finished(self, result: Result) -> None:
        if result.node == STAGES[0]:
            self._edit()


class Sequences(ExpectedRuns):
    """The steps of a sequence."""

    # Edits.

    @rule(field=st.sampled_from(("number", "factor", "offset", "times", "term")), value=SMALL)
    def edit(self, field: str, value: int) -> None:
        """The input, a setting, the code of a stage, or a module that it imports."""
        STEPS[f"edit {field}"] += 1
        self._become(replace(self.world, **{field: max(value, 1) if field in ("factor", "times") else value}))

    @rule(place=PLACES)
    def undo(self, place: int) -> None:
        """Everything as it was at some earlier time."""
        STEPS["undo"] += 1
        self._become(self.past[place % len(self.past)])

    @rule(field=st.sampled_from(("times", "term")), value=SMALL)
    def edit_while_it_runs(self, field: str, value: int) -> None:
        """The code of the last stage, after this process has loaded it: the run ends with the code of its beginning."""
        STEPS["edit during a run"] += 1
        before = self.world
        try:
            with self._clock():
                result = run(load(self.root), root=self.root, listener=Editing(lambda: self.edit(field, value)))
                self._expect_results(result, before)
        except KerasvisionError as error:
            return self._expect_way_out(error)
        self._note_end(before, finished=1)
        return None

    @rule(seconds=st.sampled_from((0, 1, DAY, 400 * DAY, -DAY)))
    def set_clock(self, seconds: int) -> None:
        STEPS["clock"] += 1
        self.behind = seconds

    # Runs.

    @rule()
    def run(self) -> None:
        STEPS["run"] += 1
        self._expect_right(self._run, self.world)

    @precondition(lambda self: self.ends is None or not all(finished for *_, finished in self.ends))
    @rule()
    def resume(self) -> None:
        """`runs resume`: with the settings that a run had which ended early, and the input and code of now."""
        wanted = self._to_resume() if self.ends is not None and self.store_is_sound else ()
        forget_modules()
        try:
            found = find_resumption(root=self.root)
        except KerasvisionError as error:
            assert not wanted, f"nothing to resume, but {wanted} ended early: {error}"
            STEPS["resume: nothing"] += 1
            if not isinstance(error, ConfigError):
                self._expect_way_out(error)
            return
        STEPS["resume"] += 1
        factor, offset = settings_of(found.request.experiment)
        assert wanted in ((), (factor, offset)), f"resumes {(factor, offset)}, and {wanted} ended early last"
        self._expect_right(lambda: resume(found, root=self.root), replace(self.world, factor=factor, offset=offset))

    @rule(moment=MOMENTS)
    def kill_run(self, moment: int) -> None:
        """`kill -9` before an operation on files, or a statement of the store."""
        self._disturb("kill", lambda pipeline: self._dying(killed_at(moment), pipeline))

    @rule(moment=MOMENTS, refusal=st.sampled_from(sorted(REFUSALS)), lasts=st.booleans())
    def refuse_run(self, moment: int, refusal: str, lasts: bool) -> None:
        """A full disk, a quota, a broken disk, a read-only one, or no more files, once or from then on."""
        how = refused_from(moment, refusal, lasts=lasts)
        self._disturb(refusal, lambda pipeline: self._dying(how, pipeline))

    @precondition(lambda self: (self.runs / "metadata.sqlite").exists())
    @rule()
    def reuse_process_ids(self) -> None:
        """The numbers of all earlier processes belong to a living one, and locks lie about that name it."""
        STEPS["process ids"] += 1
        for stage in STAGES:
            (self.runs / "locks").mkdir(exist_ok=True)
            (self.runs / "locks" / f"project.{stage}.lock").write_text(str(os.getpid()))
        if self.store_is_sound:
            # A run that was killed at once has left a store without tables.
            with suppress(sqlite3.OperationalError), closing(sqlite3.connect(self.runs / "metadata.sqlite")) as store, store:
                for table in ("ExecutionProperty", "ContextProperty"):
                    taken = "UPDATE {} SET string_value = json_set(string_value, '$.pid', ?) WHERE name = 'process'"
                    store.execute(taken.format(table), [os.getpid()])

    # Tampering.

    @rule(place=PLACES, how=st.sampled_from(("flip", "cut", "delete", "add", "other", "folder")), offset=PLACES)
    def tamper(self, place: int, how: str, offset: int) -> None:
        """With any file of any artifact."""
        files = [path for path in sorted((self.runs / "artifacts").rglob("*")) if path.is_file()]
        if files:
            STEPS[f"tamper: {how}"] += 1
            self.kept = []
            TAMPER[how](files[place % len(files)], files[offset % len(files)], offset)

    @precondition(lambda self: (self.runs / "metadata.sqlite").exists())
    @rule()
    def copy_store(self) -> None:
        """A backup of the store, which may be put back later."""
        STEPS["store: backup"] += 1
        self._delete_store(self.root / "backup")
        (self.root / "backup").mkdir(exist_ok=True)
        for part in self.runs.glob("metadata.sqlite*"):
            shutil.copy2(part, self.root / "backup")

    @precondition(lambda self: (self.root / "backup").exists())
    @rule(carefully=st.booleans())
    def put_store_back(self, carefully: bool) -> None:
        """The backup, with or without removing what lies beside the newer store."""
        STEPS["store: older copy"] += 1
        if carefully:
            self._delete_store(self.runs)
        else:
            self.store_is_sound = False
        self.runs.mkdir(exist_ok=True)
        for part in (self.root / "backup").iterdir():
            shutil.copy2(part, self.runs)
        self.kept, self.ends = [], None

    @precondition(lambda self: (self.runs / "metadata.sqlite").exists())
    @rule()
    def delete_store(self) -> None:
        STEPS["store: deleted"] += 1
        self._delete_store(self.runs)
        self.kept, self.ends, self.store_is_sound = [], [], True

    @precondition(lambda self: (self.runs / "metadata.sqlite").exists())
    @rule(place=st.integers(0, 10**6), bits=st.integers(0, 5))
    def damage_store(self, place: int, bits: int) -> None:
        """The file is cut, or some of its bits are flipped."""
        STEPS["store: bits" if bits else "store: cut"] += 1
        file = self.runs / "metadata.sqlite"
        content = bytearray(file.read_bytes())
        if bits and content:
            for number in range(bits):
                content[(place * (number + 1)) % len(content)] ^= 1 << (place % 8)
        else:
            del content[place % (len(content) + 1) :]
        file.write_bytes(content)
        self.kept, self.ends, self.store_is_sound = [], None, False

    # Removal.

    @rule(runs=st.integers(1, 3))
    def remove(self, runs: int) -> None:
        """`runs gc --delete` removes exactly what `runs gc` names, and a second one finds nothing."""
        STEPS["gc"] += 1
        keep = Keep(runs=runs)
        try:
            with self._clock(), opened(self.runs) as store:
                before, named = self._all_files(), find_garbage(store, keep).paths()
                assert remove_garbage(store, keep).paths() == named
                gone = before - self._all_files()
                again = find_garbage(store, keep).paths()
        except KerasvisionError as error:
            return self._expect_way_out(error)
        inside = {path for path in before if any(path == name or path.startswith(f"{name}/") for name in named)}
        assert gone == inside, f"a removal that named {named} removed {sorted(gone ^ inside)} too, or left it"
        assert not again, f"a second removal names {again}"
        self.kept = self.kept[-runs:]
        return None

    @rule(moment=st.integers(0, 60), runs=st.integers(1, 3))
    def kill_removal(self, moment: int, runs: int) -> None:
        STEPS["gc killed"] += 1
        self.kept = self.kept[-runs:]
        child = Child(lambda: self._removing(moment, runs))
        child.wait(60)
        assert child.code == -9 or not child.code or not self.store_is_sound, child.answer()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=20)
    parser.add_argument("--steps", type=int, default=15, help="the most of a sequence")
    parser.add_argument("--shrink", action="store_true", help="search for the shortest sequence with the fault: minutes")
    arguments = parser.parse_args()
    # Python compares a module's compiled form with the size and the second of its source. Our edits are faster than that.
    sys.dont_write_bytecode = True
    sys.path.insert(0, "")  # for the folder of the project
    chosen = settings(
        max_examples=arguments.sequences,
        stateful_step_count=arguments.steps,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, *((Phase.shrink,) if arguments.shrink else ())),
    )
    run_state_machine_as_test(Sequences, settings=chosen)
    for step, count in sorted(STEPS.items()):
        print(f"{count:7,}  {step}")
    print(f"{arguments.sequences:,} sequences without a fault")


if __name__ == "__main__":
    main()
