"""Memory and time of example_gen on Fashion-MNIST, at a quarter, a half and all of its 70,000 images.

    python tests/benchmarks/ingest.py ../shared/data/fashion-mnist [ROUNDS]

Each size is a process of its own, so that its peak memory is its own; the sizes take turns.
"""

import os
import statistics
import subprocess
import sys
import tempfile

# Images per split: the test split has 10,000, and the rest comes from the training split.
MOST_PER_SPLIT = (8_750, 25_000, 60_000)

CHILD = """
import resource, sys, time
from pathlib import Path
from kerasvision import config as c
from kerasvision.pipeline.artifacts import Examples
from kerasvision.config.stages import ExampleGenSettings
from kerasvision.pipeline.stages.example_gen import example_gen
import kerasvision.data.ingest
folder, out, most = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
settings = ExampleGenSettings(source=c.Idx(path=folder, max_examples=most), splits=c.Splits(), ingest=c.Ingest())
out.mkdir()
began = time.perf_counter()
example_gen(Examples(out), settings=settings)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
import pandas as pd
print(time.perf_counter() - began, peak, len(pd.read_parquet(out / "manifest.parquet")))
"""


def measure(folder: str, most: int) -> tuple[float, float, int]:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-c", CHILD, folder, os.path.join(scratch, "examples"), str(most)]  # noqa: PTH118
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, peak, count = done.stdout.split()
    return float(seconds), float(peak), int(count)


def main() -> None:
    folder, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    rows: dict[int, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for most in MOST_PER_SPLIT:
            seconds, peak, count = measure(folder, most)
            rows.setdefault(count, []).append((seconds, peak))
    for count, values in rows.items():
        seconds = statistics.median(row[0] for row in values)
        peak = max(row[1] for row in values)
        print(f"{count} images: {seconds:.1f} s, {1e6 * seconds / count:.0f} us per image, peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
