"""Scores of a pipeline over several training seeds, for the first line of a pipeline file.

    python tests/benchmarks/seeds.py pipelines/digits.py --seeds 5
    python tests/benchmarks/seeds.py pipelines/flowers.py --seeds 3 --set source.path=../shared/data/flowers

The first seed runs from an empty root, so its seconds are those of the whole pipeline; the others share the data stages.
"""

import argparse
import json
import statistics
import tempfile
import time

import pandas as pd

from kerasvision.pipeline.local import run
from kerasvision.pipeline.standard import load_pipeline


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pipeline")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of them, to add to an earlier run")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as root:
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            began = time.monotonic()
            pipeline = load_pipeline(arguments.pipeline, overrides=[*arguments.overrides, f"training.seed={seed}"])
            result = run(pipeline, root=root)
            seconds = time.monotonic() - began
            splits = json.loads(result.artifact("evaluator", "evaluation").scores.read_text())["splits"]
            last = pd.read_csv(result.artifact("trainer", "model").history).iloc[-1]
            whole = {name: found["score"] for name, found in splits["test"]["scores"].items() if "[" not in name}
            measured = [name for name in last.index if name != "epoch" and not name.startswith("val_")]
            trained = {f"train_{name}": last[name] for name in measured}
            validation = splits.get("validation", {"scores": {}})["scores"]
            trained |= {f"validation_{name}": validation[name]["score"] for name in measured if name in validation}
            rows.append({**whole, **trained, "seconds": seconds})
            print(f"seed {seed}: " + ", ".join(f"{name} {value:.4f}" for name, value in rows[-1].items()), flush=True)
    for name in rows[0]:
        values = [row[name] for row in rows]
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f"{name}: {statistics.mean(values):.4f} +- {deviation:.4f} (n={len(values)})")


if __name__ == "__main__":
    main()
