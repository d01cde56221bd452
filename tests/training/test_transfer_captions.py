"""On a frozen backbone, a captioner's decoder learns, the backbone does not change, and kept maps give the same weights."""

import keras
import numpy as np
import pytest

from kerasvision import config as c
from kerasvision import models
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.training.fit import fit
from kerasvision.training.transfer import freeze, map_makers

NAMES = ("[padding]", "[unknown]", "[start]", "[end]", "dark", "bright", "a", "square")
SMALL = {"backbone": "lenet5", "embedding": 6, "units": 5, "dropout": 0.0}
CLOSE = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    """32 training and 8 validation images with one or two captions each, and their transform."""
    random, folder = np.random.default_rng(0), tmp_path_factory.mktemp("squares") / "data"

    def rows(split):
        for number in range(32 if split == "train" else 8):
            bright = number % 2
            pixels = random.integers(0, 100, (16, 16)) + 150 * bright
            captions = [f"a {('dark', 'bright')[bright]} square"] + [("dark", "bright")[bright]] * (number % 3 == 0)
            yield Example(f"{split}{number:02d}", encode_png(pixels.astype(np.uint8)), captions=captions)

    write_examples(rows, splits=("train", "validation"), classes=(), folder=folder, captions=True)
    examples = ExampleSet(folder)
    settings = c.Transform(image_size=(16, 16), color_mode="grayscale")
    images = examples.dataset("train").map(lambda example: example["image"])
    return examples, ImageTransform.fit(settings, images)


@pytest.fixture
def run(squares):
    """Fits a captioner on `squares` for an epoch."""

    def fitted(name, *, task=None, **training):
        settings = TrainerSettings(
            task=c.Captioning(max_length=3, **task or {}),
            model=c.Model(name=name, options=SMALL | ({"attention": 4} if name == "show_attend_tell" else {})),
            training=c.Training(epochs=1, batch_size=8, optimizer=c.Sgd(learning_rate=0.1), seed=3, **training),
            augment=(),
        )
        return fit(settings, examples=squares[0], classes=NAMES, transform=squares[1]).model

    return fitted


def by_layer(network):
    return {layer.name: layer.get_weights() for layer in network.layers if layer.weights}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["show_and_tell", "show_attend_tell"])
def test_maps_taken_once_end_at_the_weights_of_maps_taken_in_each_step(run, name):
    each_step, once = (run(name, freeze="backbone", features=features) for features in ("each_step", "once"))
    assert [tuple(part.shape) for part in once.inputs] == [(None, 16, 16, 1), (None, None, 4)]
    keras.utils.set_random_seed(3)
    start = by_layer(
        models.build(
            name,
            image_shape=(16, 16, 1),
            num_classes=8,
            max_length=3,
            **SMALL | ({"attention": 4} if "attend" in name else {}),
        )
    )
    moved = set()
    for layer, weights in by_layer(once).items():
        for weight, same, before in zip(weights, by_layer(each_step)[layer], start[layer], strict=True):
            np.testing.assert_allclose(weight, same, **CLOSE, err_msg=layer)
            moved |= {layer} if (weight != before).any() else set()
    # The attention weights may not have changed yet: with so few pixels, the positions are almost alike.
    assert {"decoder_words", "logits"} <= moved
    assert all(layer.startswith(("decoder_", "logits")) for layer in moved)


# The test above trains the first of them in the default suite.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["show_and_tell", "show_attend_tell"])
def test_a_captioner_that_hears_its_own_words_learns_from_maps_taken_once(run, name):
    task = {"scheduled_sampling": 0.5, "sampling_steps": 1}
    network = run(name, task=task, freeze="backbone", features="once")
    assert [layer.name for layer in network.layers if layer.name == "own_words"] == []
    assert all(np.isfinite(weight).all() for weights in by_layer(network).values() for weight in weights)


def test_levels_of_a_captioner_are_its_backbones():
    model = c.Model(name="show_and_tell", options={"backbone": "lenet5"})
    assert map_makers(model, image_shape=(28, 28, 1)) == {"c1": "pool1", "c2": "pool2"}  # by hand, from lenet.py


def test_a_captioner_that_looks_at_an_inner_level_is_frozen_up_to_it():
    options = {**SMALL, "backbone": "resnet9", "width": 0.125, "attention": 4, "level": "c2", "max_length": 3}
    network = models.build("show_attend_tell", image_shape=(16, 16, 3), num_classes=8, **options)
    model = c.Model(name="show_attend_tell", options=options)
    frozen = freeze(network, model=model, level="backbone", image_shape=(16, 16, 3))
    assert frozen.output.shape == (None, 4, 4, 32)
    assert not [
        layer.name
        for layer in network.layers
        if layer.weights and layer.trainable and not layer.name.startswith(("decoder_", "logits"))
    ]
