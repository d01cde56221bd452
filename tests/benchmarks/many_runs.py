"""What the pipeline's machinery itself takes: for each stage, for a plan of many stages, and for a root with many runs.

    python tests/benchmarks/many_runs.py
    python tests/benchmarks/many_runs.py --stages 100 --runs 1000

A chain of stages that only write a number runs once, so that nearly all of its time is the launcher's; then a plan of it is
asked for. After that, pipelines of two such stages run with ever other settings in one root. After a quarter, a half and all
of the runs, the size of the disk is explained and compared with the sizes of the files, and garbage is looked for. Printed
are milliseconds on the clock for a stage, and otherwise the medians of five times of the processor.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from kerasvision.config.base import Config
from kerasvision.pipeline.artifacts import Model, Out
from kerasvision.pipeline.disk_use import disk_use
from kerasvision.pipeline.garbage import Keep, find_garbage
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.local import plan, run
from kerasvision.pipeline.store import opened


class NumberSettings(Config):
    number: int = 0


def first(model: Out[Model], *, settings: NumberSettings) -> None:
    (model.uri / "number").write_text(str(settings.number))


def further(before: Model, model: Out[Model]) -> None:
    (model.uri / "number").write_text((before.uri / "number").read_text())


def chain(stages: int, number: int = 0) -> Pipeline:
    made = Pipeline("chain")
    model = made.add(first, settings=NumberSettings(number=number)).model
    for place in range(1, stages):
        model = made.add(further, before=model, name=f"stage{place}").model
    return made


def seconds(ask: Callable[[], object]) -> float:
    taken = []
    for _ in range(5):
        began = time.process_time()
        ask()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, default=100)
    parser.add_argument("--runs", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        run(chain(1), root=root / "warm")
        made = chain(arguments.stages)
        began = time.perf_counter()
        run(made, root=root / "chain")
        print(f"a stage: {1000 * (time.perf_counter() - began) / arguments.stages:.1f} ms")
        print(f"plan of {arguments.stages} stages: {seconds(lambda: plan(made, root=root / 'chain')):.2f} s")

        runs = root / "runs"
        marks = {arguments.runs // 4, arguments.runs // 2, arguments.runs}
        for number in range(1, arguments.runs + 1):
            run(chain(2, number), root=root)
            if number in marks:
                report(root, runs, number)


def report(root: Path, runs: Path, number: int) -> None:
    with opened(runs, read_only=True) as store:
        explained = sum(use.size for use in disk_use(store, Keep(runs=1)))
        there = sum(path.stat().st_size for path in runs.rglob("*") if path.is_file())
        asked = seconds(lambda: disk_use(store, Keep(runs=1)))
        found = seconds(lambda: find_garbage(store, Keep(runs=1)))
    print(f"{number:,} runs: {explained - there} bytes not explained, disk {asked:.2f} s, gc {found:.2f} s")


if __name__ == "__main__":
    main()
