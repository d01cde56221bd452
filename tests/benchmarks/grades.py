"""Grades as five classes against grades as one number: cs231n's advice to prefer a softmax over an L2 loss, measured.

    python tests/benchmarks/grades.py

The grade of a generated scene, 1 to 5, is the fifth of the sizes that its shape is in. The same network, LeNet-5, learns it
from the same 1,000 scenes of 32 x 32: as one of five classes, and as a number, which is rounded. Printed are the share of
right grades and the mean distance on 500 other scenes: the mean over the seeds of the training, and the 95 % interval of
that mean by Student's t. The scenes are the same for all seeds.

Source of the advice: https://cs231n.github.io/neural-networks-2/#losses.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from scipy import stats

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.sources.shape_scenes import make_scene
from kerasvision.data.sources.shapes import numbers_of, scene_png
from kerasvision.data.transform import ImageTransform
from kerasvision.tasks.base import make_task
from kerasvision.training.fit import fit

SCENES = c.Shapes(count=1500, image_size=(32, 32), max_objects=1)
TRAIN = 1000
GRADES = ("1", "2", "3", "4", "5")
WAYS = {
    "five classes": c.Classification(),
    "a number, l2": c.Regression(),
    "a number, l1": c.Regression(loss="l1"),
    "a number, huber": c.Regression(loss="huber"),
}


def write_scenes(folder):
    """The scenes with their grades as labels and as numbers."""
    sizes = [numbers_of(make_scene(SCENES, number), ("area",))["area"] for number in range(SCENES.count)]
    grades = 1 + np.searchsorted(np.quantile(sizes[:TRAIN], [0.2, 0.4, 0.6, 0.8]), sizes)

    def rows(split):
        for number in range(TRAIN) if split == "train" else range(TRAIN, SCENES.count):
            grade = int(grades[number])
            yield Example(f"{number:04d}", scene_png(SCENES, number), str(grade), values=(float(grade),))

    write_examples(rows, splits=("train", "test"), classes=GRADES, value_names=("grade",), folder=folder)


def answered(settings, examples, seed):
    """The grades that a network answers for the test scenes, int (N,)."""
    training = c.Training(
        epochs=20, batch_size=32, optimizer=c.Adam(learning_rate=2e-3), schedule="cosine", seed=seed, precision="float32"
    )
    model = c.Model(name="lenet5", options={"activation": "relu", "pooling": "max"})
    transform = ImageTransform(c.Transform(image_size=SCENES.image_size), (0.5,) * 3, (0.25,) * 3)
    is_number = isinstance(settings, c.Regression)
    names = ("grade",) if is_number else GRADES
    trainer = TrainerSettings(task=settings, model=model, training=training, augment=())
    fitted = fit(trainer, examples=examples, classes=names, transform=transform)
    predict = make_task(settings, names).predictor(fitted.model)
    images = [transform(one["image"]) for one in examples.dataset("test")]
    answers = predict(tf.stack(images))
    if is_number:
        return np.clip(np.rint(answers["values"].numpy()[:, 0]), 1, 5).astype(int)
    return 1 + answers["scores"].numpy().argmax(axis=1)


def shown(values):
    """The mean over the seeds and its interval: `0.575 (0.551 to 0.599)`."""
    low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


def main():
    """Trains each way with each seed, and prints a table with a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="how many trainings of each way, at least 2")
    seeds, rows = parser.parse_args().seeds, []
    if seeds < 2:
        parser.error("an interval requires at least two seeds")
    with tempfile.TemporaryDirectory() as folder:
        write_scenes(Path(folder) / "data")
        examples = ExampleSet(Path(folder) / "data")
        truth = np.array([1 + int(one["label"]) for one in examples.dataset("test").as_numpy_iterator()])
        for name, settings in WAYS.items():
            apart = np.array([np.abs(answered(settings, examples, seed) - truth) for seed in range(seeds)])
            rows.append((name, shown((apart == 0).mean(axis=1)), shown(apart.mean(axis=1))))
    print("", "| learned as | right grades | mean distance |", "|---|---|---|", sep="\n")
    print(*(f"| {' | '.join(row)} |" for row in rows), sep="\n")


if __name__ == "__main__":
    main()
