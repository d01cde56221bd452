"""What `kerasvision new` writes against a short script, on a folder of photos: accuracy and processor seconds of training.

    python tests/benchmarks/flowers_defaults.py --script ../shared/peers/flowers/short_keras.py \\
        --train ../shared/data/flowers/train --judge ../shared/data/flowers/val --seeds 3

The script is called as `SCRIPT TRAIN JUDGE EPOCHS SEED`, and prints `test accuracy A`, `training S processor seconds`. Both
sides get the folder TRAIN, from which `new` holds images back, and answer all images of JUDGE. They take turns, a seed each,
so that a disturbance affects both. The answers are those of SavedModels. "judged" counts the stage `trainer`. "pushed" is
the network of a final training, if `new` asks for one: it learns from all of TRAIN, and its line counts both trainings.
"""

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

import kerasvision.training.session  # noqa: F401 (the script does not count its imports either)
from kerasvision.config.sources import ImageFolder
from kerasvision.data.first_look import look_at
from kerasvision.data.recipes import PRETRAINED, choose, installed_network
from kerasvision.data.scaffold import pipeline_text
from kerasvision.data.sources.image_folder import read_image_folder
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.local import run
from kerasvision.pipeline.standard import load_pipeline


@dataclass(frozen=True)
class Trained:
    """One training: accuracy on the images of JUDGE, processor seconds and seconds on the clock."""

    accuracy: float
    work: float
    clock: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--script", type=Path, help="without it, only `new` is measured")
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--script-epochs", type=int, default=40)
    parser.add_argument(
        "--network", choices=("none", *PRETRAINED), help="whose weights are used; by default those that `new` uses"
    )
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    arguments = parser.parse_args()
    found: dict[str, list[Trained]] = {}
    for seed in range(arguments.seeds):
        for name, trained in turns(arguments, seed):
            found.setdefault(name, []).append(trained)
            print(f"{name} seed {seed}: {trained.accuracy:.4f}, {trained.work:.0f} processor seconds", flush=True)
    for name, of in found.items():
        accuracies, work, clock = ([getattr(one, field) for one in of] for field in ("accuracy", "work", "clock"))
        deviation = statistics.stdev(accuracies) if len(of) > 1 else 0.0
        print(
            f"{name:8} accuracy {statistics.mean(accuracies):.3f} +- {deviation:.3f} (n={len(of)}), "
            f"{statistics.mean(work):.0f} processor seconds, {statistics.mean(clock):.0f} s on the clock"
        )


def turns(arguments: argparse.Namespace, seed: int) -> Iterator[tuple[str, Trained]]:
    """The script's training with this seed, and ours."""
    if arguments.script is not None:
        yield "script", of_script(arguments, seed)
    yield from of_new(arguments, seed)


def of_script(arguments: argparse.Namespace, seed: int) -> Trained:
    words = [arguments.script, arguments.train, arguments.judge, arguments.script_epochs, seed]
    began = time.monotonic()
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, check=True)
    accuracy, work = re.search(r"test accuracy ([\d.]+).* ([\d.]+) processor seconds", done.stdout).groups()
    return Trained(float(accuracy), float(work), time.monotonic() - began)


def of_new(arguments: argparse.Namespace, seed: int) -> Iterator[tuple[str, Trained]]:
    look = look_at(arguments.train)
    network = installed_network() if arguments.network is None else arguments.network
    recipe = choose(look, network=None if network == "none" else network)
    with tempfile.TemporaryDirectory() as root:
        file = Path(root) / "flowers.py"
        file.write_text(pipeline_text("flowers", look=look, recipe=recipe))
        pipeline = load_pipeline(file, overrides=[*arguments.overrides, f"training.seed={seed}"])
        judged = of_stages(pipeline, root, before="transform", trainer="trainer", exporter="exporter", judge=arguments.judge)
        yield "judged", judged
        if recipe.is_final:
            stages = {"before": "final_plan", "trainer": "final_trainer", "exporter": "final_exporter"}
            final = of_stages(pipeline, root, **stages, judge=arguments.judge)
            yield "pushed", Trained(final.accuracy, judged.work + final.work, judged.clock + final.clock)


def of_stages(pipeline: Pipeline, root: str, *, before: str, trainer: str, exporter: str, judge: Path) -> Trained:
    """A stage that trains, measured alone, and the answers of what its exporter writes."""
    run(pipeline, root=root, until=before)
    work, clock = processor_seconds(), time.monotonic()
    run(pipeline, root=root, until=trainer)
    work, clock = processor_seconds() - work, time.monotonic() - clock
    saved = run(pipeline, root=root, until=exporter).artifact(exporter, "saved_model").saved_model
    return Trained(accuracy_of(saved, judge), work, clock)


def processor_seconds() -> float:
    """Of this process and of the processes that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def accuracy_of(saved: Path, images: Path) -> float:
    """The share of right answers of a SavedModel for a folder of class folders."""
    answer = tf.saved_model.load(saved).signatures["serving_default"]
    records = [record for record in read_image_folder(ImageFolder(path=images)) if not record.fault]
    right = [answer(image_bytes=tf.constant([one.load()]))["classes"].numpy()[0].decode() == one.label for one in records]
    return statistics.mean(right)


if __name__ == "__main__":
    main()
