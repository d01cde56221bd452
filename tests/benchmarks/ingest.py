"""Memory and time of scan, ingest and statistics with 10,000, 30,000 and 100,000 images of 32 x 32.

    python tests/benchmarks/ingest.py [--rounds 1] [--sizes 10000,30000,100000] [--side 32]

The images are made one by one while they are read, and all are different. Each size runs in a separate process, so that its
peak memory is not affected by the others; the sizes take turns. The first line is the peak of the imports alone.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from kerasvision import config as c


class Noise(c.Source):
    """A number of noise images in ten classes."""

    implementation: ClassVar[str] = "ingest:read_noise"

    count: int
    side: int


def read_noise(settings: Noise) -> Iterator[object]:
    from kerasvision.data.records import Record

    for number in range(settings.count):
        yield Record(f"{number:07d}.png", partial(noise, number, settings.side), str(number % 10))


def noise(number: int, side: int) -> bytes:
    from kerasvision.data.png import encode_png

    # Smooth, like photos: with noise in every pixel, a file would be ten times as large as a photo of the same size.
    coarse = np.random.default_rng(number).integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
    return encode_png(coarse.repeat(4, axis=0).repeat(4, axis=1))


def peak_gb() -> float:
    """Highest resident memory of this process since it started. (`getrusage` may return the parent's.)"""
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1e6


def child(count: int, side: int, folder: Path) -> None:
    """Runs one size: prints seconds and peak in GB after the imports, after ingest and after statistics."""
    import time

    import pandas as pd

    from kerasvision.data.examples import ExampleSet
    from kerasvision.data.ingesting.ingest import ingest
    from kerasvision.data.measuring.statistics import compute_statistics

    figures = [0.0, peak_gb()]
    began = time.perf_counter()
    ingest(
        Noise(count=count, side=side),
        splits=c.Splits(),
        policy=c.Ingest(),
        data=folder / "data",
        manifest=folder / "manifest.parquet",
        span=folder / "span.json",
    )
    figures += [time.perf_counter() - began, peak_gb()]
    compute_statistics(ExampleSet(folder / "data"), pd.read_parquet(folder / "manifest.parquet"))
    figures += [time.perf_counter() - began, peak_gb()]
    print(*figures)


def measure(count: int, side: int) -> list[float]:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, __file__, "--child", scratch, "--sizes", str(count), "--side", str(side)]
        # In that process this file is a module, because the source names its reading function by the module.
        path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return [float(figure) for figure in done.stdout.split()]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sizes", default="10000,30000,100000")
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--child", type=Path)
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    if options.child:
        child(sizes[0], options.side, options.child)
        return
    rows: dict[int, list[list[float]]] = {}
    for _ in range(options.rounds):
        for size in sizes:
            rows.setdefault(size, []).append(measure(size, options.side))
    print(f"imports alone: {max(row[1] for values in rows.values() for row in values):.2f} GB")
    for size, values in rows.items():
        ingested, both = (np.median([row[column] for row in values]) for column in (2, 4))
        peaks = [max(row[column] for row in values) for column in (3, 5)]
        print(
            f"{size} images of {options.side} x {options.side}: ingest {ingested:.1f} s ({1e6 * ingested / size:.0f} us per "
            f"image), peak {peaks[0]:.2f} GB; with statistics {both:.1f} s, peak {peaks[1]:.2f} GB"
        )


if __name__ == "__main__":
    main()
