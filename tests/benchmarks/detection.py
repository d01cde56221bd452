"""A detector against YOLO11n: trained from scratch on the same scenes in the same processor seconds, judged by pycocotools.

    python tests/benchmarks/detection.py --epochs 8
    python tests/benchmarks/detection.py --epochs 24 --seeds 3
    python tests/benchmarks/detection.py --epochs 80
    python tests/benchmarks/detection.py --networks rcnn fast_rcnn faster_rcnn ssd yolo fcos --seconds 250 --seeds 3

The scenes are those of `c.Shapes(seed=0, image_size=(96, 96))`: 0 to 1,499 to train, 1,500 to 1,799 to validate. Task,
network, augmentation and training are those of `pipelines/shapes_detection.py`, except for the number of epochs. The trained
network is exported, and the SavedModel answers the encoded images. pycocotools judges these answers.

`--networks` compares networks of ours: each one learns from the same seeds for as many epochs as end nearest to `--seconds`,
or for `--epochs` of them. How long an epoch takes is measured before: the second of three epochs of each network. Means and
the differences of each network from the one before it have 95 % intervals of Student's t over the seeds. `SETTINGS` are
those in which a network differs from the pipeline file; a network that is not in it has that file's options.

"seconds" is processor time of the whole process, children included: imports, training, the validation after each epoch and
the export, without the making of the scenes and the judgement. `--latency` also prints the milliseconds of one image.
"""

import argparse
import contextlib
import io
import itertools
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
from scipy import stats

from kerasvision import config as c
from kerasvision.config.experiment import Experiment
from kerasvision.config.loading import load_experiment
from kerasvision.config.overrides import with_overrides
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
EPOCHS, TRIAL_EPOCHS = 8, 3
_SMALL = '"backbone": "resnet18", "width": 0.25'
# One map of 12 x 12 cells for the images, and of 6 x 6 for R-CNN's crops: half a side of the image, as 227 of about 500.
_REGIONS = '"backbone": "resnet9", "width": 0.25'
_WINDOWS = f'{_REGIONS}, "proposals": 64, "window_sides": [14, 22, 34, 50]'
_ANCHORS = f'{_REGIONS}, "proposals": 64, "candidates": 150, "anchor_sizes": [14, 28, 48], "channels": 64'
_HEAD = '"hidden": 128, "pooled": 5'
_PYRAMID = f'{_SMALL}, "levels": "p3-p5", "anchor_strides": 3.0, "proposals": 100, "candidates": 300, "channels": 48'
_OPTIONS = {
    "rcnn": f'{_WINDOWS}, "crop": 48',
    "fast_rcnn": f'{_WINDOWS}, {_HEAD}, "dropout": 0.0',
    "faster_rcnn": f'{_ANCHORS}, {_HEAD}, "dropout": 0.0',
    "faster_rcnn_fpn": f"{_PYRAMID}, {_HEAD}",
    "rfcn": f'{_ANCHORS}, "proposal_channels": 64, "bins": 3',
}
_TWO_STAGES = {
    name: (f"model.name={name}", f"model.options={{{options}}}", "training.optimizer.learning_rate=0.003")
    for name, options in _OPTIONS.items()
}
SETTINGS = {
    **_TWO_STAGES,
    "retinanet": ("model.name=retinanet",),
    "ssd": (
        "model.name=ssd",
        f'model.options={{{_SMALL}, "channels": 64, "levels": "p3-p6", "smallest": 0.15, "largest": 0.8}}',
        "training.optimizer.learning_rate=0.004",
    ),
    "yolo": (
        "model.name=yolo",
        f'model.options={{{_SMALL}, "channels": 64, "level": "c4"}}',
        "training.optimizer.learning_rate=0.004",
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, help="8 by default")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--networks", nargs="+", help="compare these networks of ours")
    parser.add_argument("--seconds", type=float, help="with --networks: of processor time for each training")
    parser.add_argument("--latency", action="store_true", help="also time one image")
    parser.add_argument("--set", action="append", default=[], dest="overrides", help="another setting, as in `run --set`")
    arguments = parser.parse_args()
    if arguments.seconds and (arguments.epochs or not arguments.networks):
        parser.error("--seconds requires --networks, and replaces --epochs")
    imports = processor_seconds()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        examples = scenes(Path(folder) / "data")
        if arguments.networks:
            compare(arguments, examples, Path(folder), imports)
            return
        for seed in range(arguments.seeds):
            changes = [f"training.epochs={arguments.epochs or EPOCHS}", f"training.seed={seed}", *arguments.overrides]
            experiment = load_experiment(PIPELINE, overrides=changes)
            found.append(measured(f"seed {seed}", experiment, examples, Path(folder) / f"model{seed}", imports))
            if arguments.latency:
                print(f"one image: {latency(found[-1][2], examples):.2f} ms")
    found = [one[:2] for one in found]
    for name, values in zip(("AP", "seconds"), zip(*found, strict=True), strict=True):
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f"{name}: {statistics.mean(values):.4f} +- {deviation:.4f} (n={len(values)})")


def compare(arguments, examples: ExampleSet, folder: Path, imports: float) -> None:
    """Trains each network with each seed, and prints how much better each one is than the one before it."""
    chosen = {name: chosen_experiment(name, arguments.overrides) for name in arguments.networks}
    epochs = dict.fromkeys(chosen, arguments.epochs or EPOCHS)
    if arguments.seconds:
        for name, experiment in chosen.items():
            epochs[name] = epochs_in(arguments.seconds - imports, experiment, examples, folder / f"{name}-trial")
            print(f"{name}: {epochs[name]} epochs in {arguments.seconds:.0f} s", flush=True)
    found = {name: [] for name in chosen}
    for seed in range(arguments.seeds):
        for name in chosen:
            experiment = with_overrides(chosen[name], (f"training.epochs={epochs[name]}", f"training.seed={seed}"))
            score, seconds, _ = measured(f"{name}, seed {seed}", experiment, examples, folder / f"{name}-{seed}", imports)
            found[name].append((score, seconds))
    scores = {name: np.array([score for score, _ in figures]) for name, figures in found.items()}
    for name, values in scores.items():
        seconds = statistics.mean(seconds for _, seconds in found[name])
        print(f"{name}: AP {interval(values)}; {epochs[name]} epochs, {seconds:.0f} s")
    for first, second in itertools.pairwise(scores):
        print(f"{second} - {first}: {interval(scores[second] - scores[first])}")


def chosen_experiment(name: str, overrides) -> Experiment:
    """The pipeline file's experiment with another network, and then with other settings, also of that network's options."""
    return with_overrides(load_experiment(PIPELINE, overrides=SETTINGS.get(name, (f"model.name={name}",))), overrides)


def epochs_in(seconds: float, experiment: Experiment, examples: ExampleSet, folder: Path) -> int:
    """The number of epochs whose training, with the export, ends nearest to these processor seconds; at least 1."""
    began, ends = processor_seconds(), []
    trial = with_overrides(experiment, [f"training.epochs={TRIAL_EPOCHS}"])
    # It is called after each epoch but the last, and never ends the training.
    fitted(trial, examples, folder, should_stop=lambda history: ends.append(processor_seconds()))
    epoch = ends[1] - ends[0]
    once = processor_seconds() - began - TRIAL_EPOCHS * epoch
    return max(1, round((seconds - once) / epoch))


def interval(values: np.ndarray) -> str:
    """The mean with its 95 % interval over the seeds."""
    if len(values) == 1:
        return f"{values[0]:.4f} (1 seed)"
    low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
    return f"{values.mean():.4f} ({low:.4f} to {high:.4f}, n={len(values)})"


def measured(title: str, experiment: Experiment, examples: ExampleSet, folder: Path, imports: float):
    """Trains and judges: the average precision, the processor seconds with those of the imports, and the exported model."""
    began = processor_seconds()
    result, saved_model = fitted(experiment, examples, folder)
    seconds = processor_seconds() - began + imports
    score = average_precision(saved_model, examples)
    recall = result.history.get("val_proposal_recall_100")
    proposed = "" if recall is None else f"; recall of the proposals {recall.iloc[-1]:.4f}"
    print(f"{title}: AP {score:.4f} after {seconds:.0f} s; {result.model.count_params():,} weights{proposed}", flush=True)
    return score, seconds, saved_model


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


def fitted(experiment: Experiment, examples: ExampleSet, folder: Path, **how):
    """The training's result, and the signature of the exported model that takes encoded images. `how` is for `fit`."""
    settings = TrainerSettings(
        task=experiment.task, model=experiment.model, training=experiment.training, augment=experiment.augment
    )
    transform = ImageTransform.fit(experiment.transform, examples.dataset("train").map(lambda example: example["image"]))
    result = fit(settings, examples=examples, classes=SCENES.classes, transform=transform, **how)
    export_saved_model(result.model, task=make_task(settings.task, SCENES.classes), transform=transform, folder=folder)
    # All that the function needs lives as long as the loaded model, which the signature keeps.
    return result, tf.saved_model.load(str(folder)).signatures["serving_default"]


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
