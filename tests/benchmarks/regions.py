"""Two-stage detectors on generated shapes: R-CNN against Fast R-CNN on the same regions, and Faster R-CNN.

    python tests/benchmarks/regions.py --epochs 1                                          # whether it runs
    python tests/benchmarks/regions.py --epochs 20 --seeds 3                               # figures
    python tests/benchmarks/regions.py --networks faster_rcnn faster_rcnn_fpn --epochs 30 --seeds 3

The scenes are those of `tests/benchmarks/detection.py`: 0 to 1,499 to train, 1,500 to 1,799 to validate. Each network is
trained, exported, and asked for the encoded images; pycocotools judges the answers. `recall` is `proposal_recall_100`, and
"seconds" the processor time of the training and export. That of an image is measured with batches of eight in the exported
model, in turns with the other networks, and is the median over the rounds. `--train N` takes fewer scenes.
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
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.transform import ImageTransform
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.tasks.base import make_task
from kerasvision.training.fit import fit

BACKBONE = {"backbone": "resnet9", "width": 0.25, "synchronized": False}
WINDOWS = {**BACKBONE, "proposals": 64, "window_sides": (14, 22, 34, 50)}
ANCHORS = {**BACKBONE, "proposals": 100, "candidates": 300, "anchor_sizes": (14, 28, 48)}
PYRAMID = {"backbone": "resnet18", "width": 0.25, "levels": "p3-p5", "anchor_strides": 3.0, "channels": 48}
NETWORKS = {
    "rcnn": {**WINDOWS, "crop": 32},
    "fast_rcnn": {**WINDOWS, "hidden": 128, "pooled": 5, "dropout": 0.0},
    "faster_rcnn": {**ANCHORS, "channels": 64, "hidden": 128, "pooled": 5, "dropout": 0.0},
    "faster_rcnn_fpn": {**PYRAMID, "proposals": 100, "candidates": 300, "hidden": 128, "pooled": 5},
    "rfcn": {**ANCHORS, "channels": 64, "proposal_channels": 64, "bins": 3},
}
ROUNDS, BATCH = 7, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["rcnn", "fast_rcnn"], choices=sorted(NETWORKS))
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--train", type=int, default=1500, help="how many scenes to train on")
    arguments = parser.parse_args()
    detection.SPLITS["train"] = range(arguments.train)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in arguments.networks}
    models = {}
    with tempfile.TemporaryDirectory() as folder:
        examples = detection.scenes(Path(folder) / "data")
        for seed in range(arguments.seeds):
            for name in arguments.networks:
                began = detection.processor_seconds()
                recall, models[name] = trained(name, arguments.epochs, seed, examples, Path(folder) / f"{name}{seed}")
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


def trained(name, epochs, seed, examples, folder):
    """The recall of the proposals on the validation split after the training, and the signature of encoded images."""
    settings = TrainerSettings(
        task=c.Detection(),
        model=c.Model(name=name, options=NETWORKS[name]),
        training=c.Training(
            epochs=epochs,
            batch_size=16,
            optimizer=c.AdamW(learning_rate=0.003, weight_decay=0.05),
            schedule="cosine",
            warmup_epochs=min(1, epochs - 1),
            precision="bfloat16",
            xla="off",
            seed=seed,
        ),
        augment=(c.RandomFlip(),),
    )
    size = c.Transform(image_size=(detection.SIDE, detection.SIDE), scale="zero_mean")
    transform = ImageTransform.fit(size, examples.dataset("train").map(lambda example: example["image"]))
    fitted = fit(settings, examples=examples, classes=detection.SCENES.classes, transform=transform)
    task = make_task(settings.task, detection.SCENES.classes)
    export_saved_model(fitted.model, task=task, transform=transform, folder=folder)
    # All that the function needs lives as long as the loaded model, which the signature keeps.
    return fitted.history["val_proposal_recall_100"].iloc[-1], tf.saved_model.load(str(folder)).signatures["serving_default"]


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
