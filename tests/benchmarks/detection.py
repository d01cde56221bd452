"""A detector against YOLO11n: trained from scratch on the same scenes in the same processor seconds, judged by pycocotools.

    python tests/benchmarks/detection.py --epochs 8
    python tests/benchmarks/detection.py --epochs 24 --seeds 3
    python tests/benchmarks/detection.py --epochs 80

The scenes are those of `c.Shapes(seed=0, image_size=(96, 96))`: 0 to 1,499 to train, 1,500 to 1,799 to validate. Task,
network, augmentation and training are those of `pipelines/shapes_detection.py`, except for the number of epochs. The trained
network is exported, and the SavedModel answers the encoded images. pycocotools judges these answers.

"seconds" is processor time of the whole process, children included: imports, training, the validation after each epoch and
the export, without the making of the scenes and the judgement. `--latency` also prints the milliseconds of one image.
"""

import argparse
import contextlib
import io
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from kerasvision import config as c
from kerasvision.config.experiment import Experiment
from kerasvision.config.loading import load_experiment
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.sources.shape_scenes import make_scene
from kerasvision.data.sources.shapes import scene_png
from kerasvision.data.transform import ImageTransform
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.tasks.base import make_task
from kerasvision.training.fit import fit

SIDE = 96
SCENES = c.Shapes(count=1800, image_size=(SIDE, SIDE), seed=0)
SPLITS = {"train": range(1500), "validation": range(1500, 1800)}
PIPELINE = Path(__file__).parents[2] / "pipelines" / "shapes_detection.py"
LATENCY_QUERIES = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--latency", action="store_true", help="also time one image")
    parser.add_argument("--set", action="append", default=[], dest="overrides", help="another setting, as in `run --set`")
    arguments = parser.parse_args()
    imports = processor_seconds()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        examples = scenes(Path(folder) / "data")
        for seed in range(arguments.seeds):
            changes = [f"training.epochs={arguments.epochs}", f"training.seed={seed}", *arguments.overrides]
            experiment = load_experiment(PIPELINE, overrides=changes)
            began = processor_seconds()
            weights, saved_model = trained(experiment, examples, Path(folder) / f"model{seed}")
            seconds = processor_seconds() - began + imports
            found.append((average_precision(saved_model, examples), seconds))
            print(f"seed {seed}: AP {found[-1][0]:.4f} after {seconds:.0f} s; {weights:,} weights", flush=True)
            if arguments.latency:
                print(f"one image: {latency(saved_model, examples):.2f} ms")
    for name, values in zip(("AP", "seconds"), zip(*found, strict=True), strict=True):
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f"{name}: {statistics.mean(values):.4f} +- {deviation:.4f} (n={len(values)})")


def scenes(folder: Path) -> ExampleSet:
    """The scenes of both splits."""

    def rows(split):
        for number in SPLITS[split]:
            shapes = make_scene(SCENES, number).shapes
            objects = [
                {
                    "bbox": tuple(side / SIDE for side in shape.box),
                    "label": shape.name,
                    "crowd": False,
                    "area": float(shape.area),
                }
                for shape in shapes
            ]
            yield Example(str(number), scene_png(SCENES, number), objects=objects)

    write_examples(rows, splits=SPLITS, classes=(), object_classes=SCENES.classes, folder=folder)
    return ExampleSet(folder)


def trained(experiment: Experiment, examples: ExampleSet, folder: Path):
    """The number of weights, and the signature of the exported model that takes encoded images."""
    settings = TrainerSettings(
        task=experiment.task, model=experiment.model, training=experiment.training, augment=experiment.augment
    )
    transform = ImageTransform.fit(experiment.transform, examples.dataset("train").map(lambda example: example["image"]))
    network = fit(settings, examples=examples, classes=SCENES.classes, transform=transform).model
    export_saved_model(network, task=make_task(settings.task, SCENES.classes), transform=transform, folder=folder)
    return network.count_params(), tf.saved_model.load(str(folder)).signatures["serving_default"]


def average_precision(saved_model, examples: ExampleSet) -> float:
    """AP of the served answers for the validation scenes, by pycocotools."""
    found = []
    for batch in examples.dataset("validation").ragged_batch(50):
        answers = {name: value.numpy() for name, value in saved_model(image_bytes=batch["image"]).items()}
        for row, name in enumerate(batch["id"].numpy()):
            for place in range(answers["count"][row]):
                top, left, bottom, right = (answers["boxes"][row, place].astype(float) * SIDE).tolist()
                found.append(
                    {
                        "image_id": int(name),
                        "category_id": int(answers["class_numbers"][row, place]) + 1,
                        "bbox": [left, top, right - left, bottom - top],
                        "score": float(answers["scores"][row, place]),
                    }
                )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = annotations()
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(found), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[0])


def annotations():
    """The validation scenes in COCO's form, from the scenes themselves."""
    rows = []
    for number in SPLITS["validation"]:
        for shape in make_scene(SCENES, number).shapes:
            top, left, bottom, right = map(float, shape.box)
            box = {"bbox": [left, top, right - left, bottom - top], "area": float(shape.area), "iscrowd": 0}
            rows.append({"id": len(rows) + 1, "image_id": number, "category_id": category(shape.name), **box})
    return {
        "images": [{"id": number, "width": SIDE, "height": SIDE} for number in SPLITS["validation"]],
        "categories": [{"id": category(name), "name": name} for name in SCENES.classes],
        "annotations": rows,
    }


def category(name: str) -> int:
    return SCENES.classes.index(name) + 1


def latency(saved_model, examples: ExampleSet) -> float:
    """The median milliseconds on the clock for one encoded image."""
    image = tf.stack([next(iter(examples.dataset("validation")))["image"]])
    milliseconds = []
    for _ in range(LATENCY_QUERIES):
        began = time.perf_counter()
        saved_model(image_bytes=image)["boxes"].numpy()
        milliseconds.append(1000 * (time.perf_counter() - began))
    return float(np.median(milliseconds))


def processor_seconds() -> float:
    """Of this process since it began, and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
