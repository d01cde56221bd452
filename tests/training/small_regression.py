"""A tiny network of numbers and some grey images for it: what training promises holds for numbers too."""

import numpy as np

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.training.fit import fit

SIDE = 28
# 24 images in batches of 8, and 6 to validate: a quarter of that batch are copies.
SPLITS = {"train": range(24), "validation": range(24, 30), "test": range(30, 42)}
# A large unit and a small one, far from zero.
NAMES = ("brightness", "half")
STEPS = 3
MODEL = c.Model(name="lenet5", options={"activation": "relu", "pooling": "max"})


def numbers_of(number):
    """The image's brightness in a large unit, and which half is brighter; the second is missing in every fifth image."""
    level, half = 40 + 170 * ((number * 7) % 42) / 41, number % 2
    return level, half, (1e6 + 1000 * level, np.nan if number % 5 == 0 else 2000.0 + half)


def write_images(folder):
    """Grey images whose upper or lower half is a little brighter."""

    def rows(split):
        for number in SPLITS[split]:
            level, half, values = numbers_of(number)
            pixels = np.full((SIDE, SIDE), level, np.uint8)
            pixels[: SIDE // 2] += np.uint8(30 * half)
            yield Example(f"{number:02d}", encode_png(pixels), values=values)

    write_examples(rows, splits=SPLITS, classes=(), value_names=NAMES, folder=folder / "data")


def transform():
    settings = c.Transform(image_size=(SIDE, SIDE), color_mode="grayscale")
    return ImageTransform(settings, (0.5,), (0.25,))


def trainer_settings(*, task=None, model=MODEL, augment=(), **training):
    defaults = {"epochs": 3, "batch_size": 8, "optimizer": c.Adam(learning_rate=3e-3), "xla": "off"}
    return TrainerSettings(
        task=task or c.Regression(), model=model, training=c.Training(**{**defaults, **training}), augment=augment
    )


def fitted(folder, *, on=None, work=None, **settings):
    """Fits on the images in `folder`. `on` is a strategy of tf.distribute."""
    return fit(
        trainer_settings(**settings),
        examples=ExampleSet(folder / "data"),
        classes=NAMES,
        transform=transform(),
        work=work,
        strategy=on,
    )
