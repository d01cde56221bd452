"""The losses of a box compared: a localizer learns one object per scene by each of them, from the same seeds.

    python tests/benchmarks/localization.py --epochs 20 --seeds 3
    python tests/benchmarks/localization.py --losses l2 giou --epochs 2

The scenes are those of `c.Shapes(seed=0, image_size=(64, 64), max_objects=1)`: 0 to 1,499 to train, 1,500 to 1,799 to
validate. The network is a `localizer` on ResNet-18 with a quarter of its channels, without a class, so that its loss is that
of the box alone. Its flattened last map has 2 x 2 cells. The scores are those of the last epoch on the validation scenes:
`mean_iou`, and the share of boxes with an IoU of at least 0.5 and 0.75. Means have 95 % intervals of Student's t over the
seeds, and so have the differences from the first loss. "s" is processor time of the training.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from scipy import stats

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.sources.shape_scenes import make_scene
from kerasvision.data.sources.shapes import scene_png
from kerasvision.data.transform import ImageTransform
from kerasvision.evaluation.predictions import predict_split_from_pixels
from kerasvision.tasks.base import make_task
from kerasvision.training.fit import fit

SIDE = 64
SCENES = c.Shapes(count=1800, image_size=(SIDE, SIDE), max_objects=1, seed=0)
SPLITS = {"train": range(1500), "validation": range(1500, 1800)}
LOSSES = ("l2", "smooth_l1", "iou", "giou", "diou", "ciou")
METRICS = ("mean_iou", "iou_50", "iou_75")
MODEL = c.Model(
    name="localizer", options={"backbone": "resnet18", "width": 0.25, "pooling": "flatten", "class_logits": False}
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=LOSSES)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        examples = scenes(Path(folder) / "data")
        found = {loss: [] for loss in arguments.losses}
        for seed in range(arguments.seeds):
            for loss in arguments.losses:
                began = time.process_time()
                scores = trained(loss, examples, epochs=arguments.epochs, seed=seed)
                seconds = time.process_time() - began
                found[loss].append([scores[metric] for metric in METRICS])
                text = ", ".join(f"{metric} {scores[metric]:.4f}" for metric in METRICS)
                print(f"{loss}, seed {seed}: {text} after {seconds:.0f} s", flush=True)
    tables = {loss: np.array(rows) for loss, rows in found.items()}
    first = tables[arguments.losses[0]]
    print("| loss |", " | ".join(METRICS), "| mean_iou less that of", arguments.losses[0], "|")
    for loss, rows in tables.items():
        means = " | ".join(map(interval, rows.T))
        print(f"| {loss} | {means} | {interval((rows - first)[:, 0])} |")


def scenes(folder: Path) -> ExampleSet:
    """The scenes of both splits."""

    def rows(split):
        for number in SPLITS[split]:
            (shape,) = make_scene(SCENES, number).shapes
            box = tuple(side / SIDE for side in shape.box)
            thing = {"bbox": box, "label": shape.name, "crowd": False, "area": float(shape.area)}
            yield Example(str(number), scene_png(SCENES, number), objects=[thing])

    write_examples(rows, splits=SPLITS, classes=(), object_classes=SCENES.classes, folder=folder)
    return ExampleSet(folder)


def trained(loss: str, examples: ExampleSet, *, epochs: int, seed: int):
    """The scores on the validation scenes after a training with this loss."""
    training = c.Training(
        epochs=epochs,
        batch_size=32,
        optimizer=c.AdamW(learning_rate=0.002, weight_decay=0.05),
        schedule="cosine",
        warmup_epochs=min(1, epochs - 1),
        seed=seed,
        xla="off",
    )
    settings = TrainerSettings(task=c.Localization(loss=loss), model=MODEL, training=training, augment=(c.RandomFlip(),))
    chosen = c.Transform(image_size=(SIDE, SIDE), scale="zero_mean")
    transform = ImageTransform.fit(chosen, examples.dataset("train").map(lambda example: example["image"]))
    network = fit(settings, examples=examples, classes=SCENES.classes, transform=transform).model
    task = make_task(settings.task, SCENES.classes)
    answer = task.predictor(network)
    predicted = predict_split_from_pixels(
        examples,
        split="validation",
        task=task,
        transform=transform,
        predict=lambda pixels: answer(transform.scaled(pixels)),
    )
    return task.judge(ids=predicted.ids, truth=predicted.truth, predictions=predicted.predictions).scores


def interval(values: np.ndarray) -> str:
    """The mean with its 95 % interval over the seeds; with one seed the value."""
    if len(values) == 1:
        return f"{values[0]:.4f}"
    spread = stats.sem(values)
    if spread == 0:
        return f"{values.mean():.4f}"
    low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=spread)
    return f"{values.mean():.4f} ({low:.4f} to {high:.4f})"


if __name__ == "__main__":
    main()
