"""Thousands of kills, edits and damages in a random order; after each of them a run must end like an undisturbed one.

    python tests/faults/campaign.py --kills 200 --seed 1
    python tests/faults/campaign.py --kills 10000

A pipeline of five stages takes some ten milliseconds and imports no TensorFlow. In each round something may happen: the
input or a setting changes, or a file of an output is damaged or lost. Then a run is killed at a random moment, or a removal
of old results is, or two runs work at the same time and one is killed. After that:

- a run must end with the number that the pipeline has for its input and settings, whatever it reuses;
- a second run must reuse everything;
- every folder of outputs must belong to a known result, or be named by what `runs gc` would remove.

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
    """

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.random = root, random.Random(seed)
        self.input, self.factor, self.offset = root / "input.txt", 1, 0
        self.input.write_text("1")
        self.counts: Counter[str] = Counter()
        self.seconds: dict[str, list[float]] = {"run": [], "removal": []}

    def round(self) -> None:
        """Something happens, something is killed, and then everything must be right."""
        self._happen()
        kind = self.random.choices(["run", "removal", "two runs"], weights=[8, 2, 1])[0]
        if kind == "two runs":
            self._two_runs()
        else:
            self._kill(kind)
        self._check()
        if self.random.random() < 0.1:
            self._clean()

    def _happen(self) -> None:
        what = self.random.choices(
            ["nothing", "input", "same input", "factor", "offset", "damage", "loss"], weights=[3, 3, 1, 3, 3, 2, 1]
        )[0]
        self.counts[f"before: {what}"] += 1
        if what == "input":
            self.input.write_text(str(self.random.choice(NUMBERS)))
        elif what == "same input":
            self.input.write_text(self.input.read_text())
        elif what == "factor":
            self.factor = self.random.choice(FACTORS)
        elif what == "offset":
            self.offset = self.random.choice(OFFSETS)
        elif what in ("damage", "loss"):
            outputs = [path for path in sorted((self.root / RUNS_FOLDER / "artifacts").rglob("*")) if path.is_file()]
            if outputs and what == "damage":
                self._damage(self.random.choice(outputs))
            elif outputs:
                self._lose(self.random.choice(outputs))

    def _damage(self, file: Path) -> None:
        """Other bytes of the same length, with the old times."""
        before = file.stat()
        file.write_bytes(bytes(self.random.choices(b"123456789", k=before.st_size)))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    def _lose(self, file: Path) -> None:
        if self.random.random() < 0.5:
            file.unlink()
        else:
            shutil.rmtree(file.parent)

    def _run(self) -> dict:
        result = run(pipeline(self.input, self.factor, self.offset), root=self.root)
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

    def _check(self) -> None:
        self._expect(self._finished(Child(self._run), "run"))
        again = self._finished(Child(self._run), "run")
        self._expect(again)
        if not all(again["reused"]):
            raise Fault(f"a run after a whole one did not reuse everything: {again}")
        self._finished(Child(self._named), "")

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
    parser.add_argument("--keep", type=Path, help="a folder that stays, instead of a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = arguments.keep or Path(scratch)
        root.mkdir(parents=True, exist_ok=True)
        campaign = Campaign(root, arguments.seed)
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
