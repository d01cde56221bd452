"""Ingest and statistics of a folder of photos in one process, and with Beam's DirectRunner in two worker processes.

    python tests/benchmarks/beam.py [--count 2000] [--side 224] [--rounds 3]

Requires apache-beam. Both ways take turns, each in a process of its own. The results are compared byte for byte. Processor
time includes that of the workers and of their imports.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

OPTIONS = ("--runner=FnApiRunner", "--direct_num_workers=2", "--direct_running_mode=multi_processing")


def write_photos(folder: Path, *, count: int, side: int) -> None:
    """JPEG files, smooth like photos, in two class folders."""
    from PIL import Image

    for number in range(count):
        coarse = np.random.default_rng(number).integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8)
        file = folder / "ab"[number % 2] / f"{number:05d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(file, quality=90)


def child(photos: Path, folder: Path, way: str) -> None:
    """One ingest with its statistics; prints the seconds of each, without the imports of this process."""
    import pandas as pd

    from kerasvision import config as c
    from kerasvision.data.examples import ExampleSet
    from kerasvision.data.ingesting.ingest import ingest
    from kerasvision.data.mapping.mapper import mapper_of
    from kerasvision.data.measuring.statistics import compute_statistics

    mapper = mapper_of(c.Beam(options=OPTIONS) if way == "beam" else c.Local(), scratch=folder / "scratch")
    began = time.perf_counter()
    places = {"data": folder / "data", "manifest": folder / "manifest.parquet", "span": folder / "span.json"}
    ingest(c.ImageFolder(path=photos), splits=c.Splits(), policy=c.Ingest(), mapper=mapper, **places)
    ingested = time.perf_counter()
    found, images = compute_statistics(ExampleSet(places["data"]), pd.read_parquet(places["manifest"]), mapper=mapper)
    found.save(folder / "statistics.json")
    images.to_parquet(folder / "images.parquet")
    print("SECONDS", ingested - began, time.perf_counter() - ingested)


def measured(photos: Path, folder: Path, way: str) -> tuple[float, float, float]:
    """Seconds of the ingest and of the statistics by the clock, and of processor time with all child processes."""
    folder.mkdir()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, __file__, "--child", str(photos), str(folder), way]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    ingested, counted = next(map(float, line.split()[1:]) for line in done.stdout.splitlines() if line.startswith("SECONDS"))
    return ingested, counted, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=3)
    options = parser.parse_args()
    if options.child:
        child(Path(options.child[0]), Path(options.child[1]), options.child[2])
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    figures: dict[str, list[tuple[float, float, float]]] = {"local": [], "beam": []}
    with tempfile.TemporaryDirectory() as scratch:
        photos = Path(scratch, "photos")
        write_photos(photos, count=options.count, side=options.side)
        for number in range(options.rounds):
            for way, rows in figures.items():
                rows.append(measured(photos, Path(scratch, f"{way}-{number}"), way))
        same = contents(Path(scratch, "local-0")) == contents(Path(scratch, "beam-0"))
    for way, rows in figures.items():
        ingested, counted, processor = (median(column) for column in zip(*rows, strict=True))
        print(f"{way}: ingest {ingested:.1f} s, statistics {counted:.1f} s, {processor:.1f} s of processor time")
    print(f"{options.count} images of {options.side} x {options.side}, {options.rounds} rounds; same bytes: {same}")


if __name__ == "__main__":
    main()
