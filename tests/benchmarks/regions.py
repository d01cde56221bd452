"""Two-stage detectors on generated shapes: R-CNN against Fast R-CNN on the same regions, and Faster R-CNN.

    python tests/benchmarks/regions.py --epochs 1                                          # whether it runs
    python tests/benchmarks/regions.py --epochs 20 --seeds 3                               # figures
    python tests/benchmarks/regions.py --networks faster_rcnn faster_rcnn_fpn --epochs 30 --seeds 3

The scenes are those of `tests/benchmarks/detection.py`: 0 to 1,499 to train, 1,500 to 1,799 to validate. Each network is
trained, exported, and asked for the encoded images; pycocotools judges the answers. `recall` is `proposal_recall_100`, and
"seconds" the processor time of the training and export. That of an image is measured with batches of eight in the exported
model, in turns with the other networks, and is the median over the rounds. `--train N` takes fewer scenes, and `--set`
changes a setting of every network, or of the one whose name comes first: `--set rcnn:model.options.crop=32`.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import detection
import numpy as np

NETWORKS = ("rcnn", "fast_rcnn", "faster_rcnn", "faster_rcnn_fpn", "rfcn")
ROUNDS, BATCH = 7, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["rcnn", "fast_rcnn"], choices=NETWORKS)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--train", type=int, default=1500, help="how many scenes to train on")
    parser.add_argument("--set", action="append", default=[], dest="overrides", help="another setting, as in `run --set`")
    arguments = parser.parse_args()
    detection.SPLITS["train"] = range(arguments.train)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in arguments.networks}
    models = {}
    with tempfile.TemporaryDirectory() as folder:
        examples = detection.scenes(Path(folder) / "data")
        for seed in range(arguments.seeds):
            for name in arguments.networks:
                began = detection.processor_seconds()
                changes = [*own(name, arguments.overrides), f"training.epochs={arguments.epochs}", f"training.seed={seed}"]
                recall, models[name] = trained(name, changes, examples, Path(folder) / f"{name}{seed}")
                seconds = detection.processor_seconds() - began
                found[name].append((detection.average_precision(models[name], examples), recall, seconds))
                print(f"{name}, seed {seed}: AP {found[name][-1][0]:.4f}, recall {recall:.4f}, {seconds:.0f} s", flush=True)
        times = image_seconds(models, examples)
    for name, values in found.items():
        for what, column in zip(("AP", "recall", "seconds"), zip(*values, strict=True), strict=True):
            deviation = statistics.stdev(column) if len(column) > 1 else 0.0
            print(f"{name} {what}: {statistics.mean(column):.4f} +- {deviation:.4f} (n={len(column)})")
        print(f"{name}: {1000 * times[name]:.2f} ms of processor time for an image")
    if {"rcnn", "fast_rcnn"} <= times.keys():
        print(f"R-CNN takes {times['rcnn'] / times['fast_rcnn']:.1f} times as long as Fast R-CNN for an image")


def own(name, overrides):
    """The settings for a network: those for all, and those that begin with its name and a colon."""
    begins = tuple(f"{network}:" for network in NETWORKS)
    found = [text.removeprefix(f"{name}:") for text in overrides]
    return [text for text in found if not text.startswith(begins)]


def trained(name, changes, examples, folder):
    """The recall of the proposals on the validation split after the training, and the signature of encoded images."""
    experiment = detection.chosen_experiment(name, changes)
    fitted, exported = detection.fitted(experiment, examples, folder)
    return fitted.history["val_proposal_recall_100"].iloc[-1], exported


def image_seconds(models, examples):
    """Processor seconds for an image, by network: the median over the rounds, after one to warm up."""
    images = next(iter(examples.dataset("validation").ragged_batch(BATCH)))["image"]
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for number in range(ROUNDS + 1):
        for name, model in models.items():
            began = time.process_time()
            model(image_bytes=images)["boxes"].numpy()
            if number:
                seconds[name].append((time.process_time() - began) / BATCH)
    return {name: float(np.median(values)) for name, values in seconds.items()}


if __name__ == "__main__":
    main()
