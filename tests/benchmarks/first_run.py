"""How long the first run of a pipeline takes, from an empty root to a pushed model: compares two ways, in turns.

    python tests/benchmarks/first_run.py                            # one worker against the default
    python tests/benchmarks/first_run.py --other ../before          # another checkout against this one
    python tests/benchmarks/first_run.py --pipeline pipelines/flowers.py --rounds 5

Prints medians of the wall time and of the processor time of all processes, and the ratios between the two ways. Every other
round starts with the other way, because the first of two runs finds colder caches. Linux only.
"""

import argparse
import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parents[2]
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Way:
    """One way to run the pipeline: the checkout, and options of `kerasvision run`."""

    name: str
    checkout: Path
    options: tuple[str, ...] = ()


def measured(way: Way, pipeline: str) -> tuple[float, float]:
    """(wall time, processor time) of a first run, in seconds."""
    with tempfile.TemporaryDirectory(prefix="kerasvision-first-run-") as root:
        code = "from kerasvision.cli import main; main()"
        command = [sys.executable, "-c", code, "run", pipeline, "--root", root, *way.options]
        environment = {**os.environ, "PYTHONPATH": str(way.checkout)}
        before, began = _processor_seconds(), time.perf_counter()
        subprocess.run(command, cwd=way.checkout, env=environment, check=True, capture_output=True)
        seconds = time.perf_counter() - began
        _reap()
        return seconds, _processor_seconds() - before


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reap() -> None:
    """Waits for orphaned processes: only then does their time count."""
    with suppress(ChildProcessError):
        while True:
            os.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, help="another checkout, such as a worktree of the commit before")
    parser.add_argument("--pipeline", default="pipelines/digits.py")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    this = Way("this", HERE)
    other = Way("other", asked.other.resolve()) if asked.other else Way("one worker", HERE, ("--workers", "1"))
    found: dict[str, list[tuple[float, float]]] = {this.name: [], other.name: []}
    for number in range(asked.rounds):
        for way in (this, other) if number % 2 else (other, this):
            found[way.name].append(measured(way, asked.pipeline))
            wall, processor = found[way.name][-1]
            print(f"round {number + 1}, {way.name}: {wall:.1f} s, {processor:.1f} s of processors", flush=True)
    for number, what in enumerate(("wall", "processors")):
        one, two = ([values[number] for values in found[way.name]] for way in (this, other))
        ratio = statistics.median(a / b for a, b in zip(one, two, strict=True))
        medians = f"{this.name} {statistics.median(one):.1f} s, {other.name} {statistics.median(two):.1f} s"
        print(f"{what}: {medians}; median ratio of a round {ratio:.2f} (n={asked.rounds})")


if __name__ == "__main__":
    main()
