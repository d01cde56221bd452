"""A network of tags that was killed in training ends as if it was not, and MixUp and class weights go with it."""

import numpy as np
import pandas as pd
import pytest

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.training.fit import fit
from kerasvision.training.step import TrainStep

NAMES = ("bright", "left", "right")
STEPS = 3


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Grey images of 32 x 32 whose halves are bright or dark; the tags say which, and some images have none."""
    random = np.random.default_rng(0)

    def rows(split):
        for number in range(24 if split == "train" else 8):
            left, right = random.random(2) < 0.5
            pixels = np.repeat([[80 + 120 * left, 80 + 120 * right]], 16, axis=1).repeat(32, axis=0)
            pixels = (pixels + random.normal(0, 20, pixels.shape)).clip(0, 255).astype(np.uint8)
            tags = [name for name, has in (("left", left), ("right", right), ("bright", left and right)) if has]
            yield Example(f"{split} {number}", encode_png(pixels), tags=tags)

    folder = tmp_path_factory.mktemp("tagged") / "data"
    write_examples(rows, splits=["train", "validation"], classes=(), tag_classes=NAMES, folder=folder)
    return folder


def fitted(folder, work, **training):
    settings = TrainerSettings(
        task=c.MultiLabel(loss="asymmetric", class_weights="balanced"),
        model=c.Model(name="lenet5"),
        training=c.Training(epochs=2, batch_size=8, optimizer=c.Adam(learning_rate=1e-3), xla="off", **training),
        augment=(c.MixUp(probability=0.5),),
    )
    transform = ImageTransform(c.Transform(image_size=(32, 32), color_mode="grayscale"), (0.5,), (1.0,))
    return fit(settings, examples=ExampleSet(folder), classes=NAMES, transform=transform, work=work)


@pytest.mark.slow
def test_a_training_that_was_killed_ends_as_if_it_was_not(images, tmp_path, monkeypatch):
    settings = {"keep": "best", "best_metric": "mean_average_precision", "checkpoint_minutes": 1e-6, "steps_per_call": 1}
    whole = fitted(images, tmp_path / "whole", **settings)
    left, run = iter(range(STEPS + 1)), TrainStep.run
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TrainStep, "run", lambda *args: run(*args) if next(left, None) is not None else _die())
        fitted(images, tmp_path / "killed", **settings)
    resumed = fitted(images, tmp_path / "killed", **settings)
    pd.testing.assert_frame_equal(resumed.history, whole.history, check_exact=True)
    assert 0 < whole.history["val_mean_average_precision"].iloc[-1] <= 1
    for weight, same in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)


def _die():
    raise KeyboardInterrupt
