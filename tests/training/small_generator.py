"""A tiny GAN and some images of dots for it: what training promises holds for two networks and their noise too."""

import numpy as np

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.training.fit import fit

SIDE = 16
NAMES = ("left", "right")
# 24 images in batches of 8, and 6 to validate: a quarter of that batch are copies.
SPLITS = {"train": range(24), "validation": range(24, 30), "test": range(30, 36)}
STEPS = 3
MODELS = {"adversarial": "dcgan", "elbo": "vae"}


def dot(number):
    """A bright square in the left or the right half, uint8 (16, 16)."""
    random = np.random.default_rng(number)
    picture = random.integers(0, 60, (SIDE, SIDE)).astype(np.uint8)
    top, left = random.integers(0, 12), random.integers(0, 4) + 8 * (number % 2)
    picture[top : top + 4, left : left + 4] = 255
    return picture


def write_dots(folder):
    def rows(split):
        return [(f"{number:02d}", encode_png(dot(number)), NAMES[number % 2]) for number in SPLITS[split]]

    write_examples(rows, splits=SPLITS, classes=NAMES, folder=folder / "data")


def trainer_settings(*, loss="adversarial", **training):
    defaults = {"epochs": 3, "batch_size": 8, "optimizer": c.Adam(learning_rate=1e-3, beta_1=0.5), "xla": "off"}
    return TrainerSettings(
        task=c.Generation(loss=loss, conditional=True, latent_size=4),
        model=c.Model(name=MODELS[loss], options={"channels": 4}),
        training=c.Training(**{**defaults, **training}),
        augment=(),
    )


def fitted(folder, *, on=None, work=None, loss="adversarial", **training):
    """Fits on the images in `folder`. `on` is a strategy of tf.distribute."""
    return fit(
        trainer_settings(loss=loss, **training),
        examples=ExampleSet(folder / "data"),
        classes=NAMES,
        transform=ImageTransform(c.Transform(image_size=(SIDE, SIDE), color_mode="grayscale"), (0.0,), (1.0,)),
        work=work,
        strategy=on,
    )
