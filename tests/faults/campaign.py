"""Thousands of kills, edits and damages in a random order; after each of them a run must end like an undisturbed one.

    python tests/faults/campaign.py --kills 200 --seed 1
    python tests/faults/campaign.py --kills 10000
    python tests/faults/campaign.py --kills 200 --object-store

A pipeline of five stages takes some ten milliseconds and imports no TensorFlow. In each round something may happen: the
input or a setting changes, or a file of an output is damaged or lost. Then a run is killed at a random moment, or a removal
of old results is, or two runs, or a run and a removal, work at the same time and one of them is killed. After that:

- a run must end with the number that the pipeline has for its input and settings, whatever it reuses;
- a second run must reuse everything;
- every folder of outputs must belong to a known result, or be named by what `runs gc` would remove.

With `--object-store`, the artifacts are copied to a folder that stands for one. All artifacts may be gone then, or a file of
a copy damaged or lost. After each round:

- once more all artifacts are removed, and a run must bring them back and reuse everything;
- every copy must belong to a known artifact, so that `runs gc` can name it.

It prints how many rounds of each kind there were. At the first fault it exits with 1.
"""

import argparse
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

from cheap import expected, number_in, pipeline
from children import Child, Fault
from leavings import unexplained

from kerasvision.pipeline import tables as t
from kerasvision.pipeline.garbage import Keep, remove_garbage
from kerasvision.pipeline.local import RUNS_FOLDER, run
from kerasvision.pipeline.store import opened

NUMBERS, FACTORS, OFFSETS = range(1, 4), range(1, 4), range(3)
MOST_SECONDS = 60.0


class Campaign:
    """Rounds in one folder.

    Args:
        root: of `runs/`.
        seed: of everything that is random.
        with_copies: whether artifacts are copied to an object store.
    """

    def __init__(self, root: Path, seed: int, *, with_copies: bool) -> None:
        self.copies = root / "copies" if with_copies else None
        self.root, self.random = root, random.Random(seed)
        self.input, self.factor, self.offset = root / "input.txt", 1, 0
        self.input.write_text("1")
        self.counts: Counter[str] = Counter()
        self.seconds: dict[str, list[float]] = {"run": [], "removal": []}

    def round(self) -> None:
        """Something happens, something is killed, and then everything must be right."""
        self._happen()
        kind = self.random.choices(["run", "removal", "two runs", "run and removal"], weights=[8, 2, 1, 1])[0]
        if kind == "two runs":
            self._two_runs()
        elif kind == "run and removal":
            self._run_and_removal()
        else:
            self._kill(kind)
        self._check()
        if self.random.random() < 0.1:
            self._clean()

    def _happen(self) -> None:
        kinds = {"nothing": 3, "input": 3, "same input": 1, "factor": 3, "offset": 3, "damage": 2, "loss": 1}
        kinds |= {"all lost": 3, "damaged copy": 2, "lost copy": 1} if self.copies else {}
        what = self.random.choices(list(kinds), weights=list(kinds.values()))[0]
        self.counts[f"before: {what}"] += 1
        if what == "input":
            self.input.write_text(str(self.random.choice(NUMBERS)))
        elif what == "same input":
            self.input.write_text(self.input.read_text())
        elif what == "factor":
            self.factor = self.random.choice(FACTORS)
        elif what == "offset":
            self.offset = self.random.choice(OFFSETS)
        elif what == "all lost":
            shutil.rmtree(self.artifacts, ignore_errors=True)
        elif what != "nothing":
            files = [
                path for path in sorted((self.copies if "copy" in what else self.artifacts).rglob("*")) if path.is_file()
            ]
            if files and what.startswith("damage"):
                self._damage(self.random.choice(files))
            elif files:
                self._lose(self.random.choice(files))

    def _damage(self, file: Path) -> None:
        """Other bytes of the same length, with the old times."""
        before = file.stat()
        file.write_bytes(bytes(self.random.choices(b"123456789", k=before.st_size)))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    def _lose(self, file: Path) -> None:
        if self.random.random() < 0.5 or file.parent == self.copies:
            file.unlink()
        else:
            shutil.rmtree(file.parent)

    @property
    def artifacts(self) -> Path:
        return self.root / RUNS_FOLDER / "artifacts"

    def _run(self) -> dict:
        made = pipeline(self.input, self.factor, self.offset)
        made.object_store = f"file://{self.copies}" if self.copies else None
        result = run(made, root=self.root)
        number = number_in(result.artifact("copy", "model").uri)
        return {"number": number, "reused": [stage.reused for stage in result.stages]}

    def _remove(self) -> dict:
        with opened(self.root / RUNS_FOLDER) as store:
            return {"removed": len(remove_garbage(store, Keep(runs=1)).paths())}

    def _kill(self, kind: str) -> None:
        work = self._run if kind == "run" else self._remove
        # Before the first measurement any moment will do; later, some moments are after the end.
        usual = statistics.median(self.seconds[kind][-50:]) if self.seconds[kind] else 0.05
        moment = self.random.uniform(0.0, 1.2 * usual)
        child = Child(work)
        child.wait(moment)
        child.kill()
        self.counts[f"{kind} killed" if child.code == -signal.SIGKILL else f"{kind} ended before"] += 1
        if child.code not in (0, -signal.SIGKILL):
            raise Fault(f"a {kind} failed before it was killed: {child.answer()}")

    def _two_runs(self) -> None:
        killed, other = Child(self._run), Child(self._run)
        killed.wait(self.random.uniform(0.0, 0.1))
        killed.kill()
        self._expect(self._finished(other, "run"))
        self.counts["one of two runs killed"] += 1

    def _run_and_removal(self) -> None:
        both = {"run": Child(self._run), "removal": Child(self._remove)}
        killed = self.random.choice(["run", "removal", "neither"])
        if killed in both:
            child = both.pop(killed)
            child.wait(self.random.uniform(0.0, 0.1))
            child.kill()
        for kind, other in both.items():
            answer = self._finished(other, "")
            if kind == "run":
                self._expect(answer)
        self.counts[f"run and removal at once, {killed} killed"] += 1

    def _check(self) -> None:
        self._expect(self._finished(Child(self._run), "run"))
        again = self._finished(Child(self._run), "run")
        self._expect(again)
        if not all(again["reused"]):
            raise Fault(f"a run after a whole one did not reuse everything: {again}")
        self._finished(Child(self._named), "")
        if self.copies:
            self._check_copies()

    def _check_copies(self) -> None:
        self._finished(Child(self._copies_named), "")
        shutil.rmtree(self.artifacts)
        answer = self._finished(Child(self._run), "run")
        self._expect(answer)
        # The copies that were damaged belonged to this run, or to an earlier one.
        if not all(answer["reused"]):
            self._check_refused()

    def _check_refused(self) -> None:
        """After damage, a stage may run once; then its copy is whole again."""
        self.counts["copies refused"] += 1
        shutil.rmtree(self.artifacts)
        answer = self._finished(Child(self._run), "run")
        self._expect(answer)
        if not all(answer["reused"]):
            raise Fault(f"a copy that was refused did not become whole again: {answer}")

    def _copies_named(self) -> dict:
        """Every copy belongs to an artifact that is not removed."""
        with opened(self.root / RUNS_FOLDER, read_only=True) as store:
            known = store.provenance()
            kept = (number for number, one in known.artifacts.items() if one.state != t.DELETED)
            named = {Path(address).name for number in kept for address in known.copies(number, half=True)}
        found = {path.name.removesuffix(".json") for path in self.copies.iterdir()} if self.copies.exists() else set()
        if lost := sorted(found - named):
            raise Fault(f"nothing names the copies {lost}")
        return {}

    def _expect(self, answer: dict) -> None:
        wanted = expected(int(self.input.read_text()), self.factor, self.offset)
        if answer["number"] != wanted:
            raise Fault(f"the pipeline ended with {answer['number']}, and {wanted} is right")

    def _named(self) -> dict:
        """Every folder of outputs is known, or named by what would be removed."""
        if lost := unexplained(self.root):
            raise Fault(f"nothing names {lost}")
        return {}

    def _clean(self) -> None:
        """A removal that ends leaves nothing to remove, and what the newest run needs."""
        self._finished(Child(self._remove), "removal")
        if again := self._finished(Child(self._remove), "removal")["removed"]:
            raise Fault(f"a second removal found {again} more")
        answer = self._finished(Child(self._run), "run")
        self._expect(answer)
        if not all(answer["reused"]):
            raise Fault(f"a removal took what the newest run needs: {answer}")
        self.counts["whole removals"] += 1

    def _finished(self, child: Child, kind: str) -> dict:
        answer = child.result(MOST_SECONDS)
        if kind:
            self.seconds[kind].append(child.seconds)
        return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--object-store", action="store_true", help="copy artifacts, and lose and damage copies too")
    parser.add_argument("--keep", type=Path, help="a folder that stays, instead of a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = arguments.keep or Path(scratch)
        root.mkdir(parents=True, exist_ok=True)
        campaign = Campaign(root, arguments.seed, with_copies=arguments.object_store)
        for number in range(arguments.kills):
            try:
                campaign.round()
            except Fault as fault:
                sys.exit(f"round {number} of seed {arguments.seed}: {fault}\n{dict(campaign.counts)}")
    for what, count in sorted(campaign.counts.items()):
        print(f"{count:7,}  {what}")
    print(f"{arguments.kills:,} rounds without a difference, seed {arguments.seed}")


if __name__ == "__main__":
    main()
