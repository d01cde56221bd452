"""The pictures of reasons on the page, for a network whose numbers are set by hand: it adds up the bright pixels."""

import base64
import io
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.evaluation.reasons import reasons
from kerasvision.models.saved import save_network
from kerasvision.tasks.base import make_task

CLASSES = ("dark", "bright")
TRANSFORM = ImageTransform(c.Transform(image_size=(8, 8), color_mode="grayscale", scale="zero_to_one"), (0.0,), (1.0,))
TASK = make_task(c.Classification(), CLASSES)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """A test image of 16 x 8 pixels with the left half black and the right half white, and one the other way round."""
    half = np.zeros((8, 16), np.uint8)
    half[:, 8:] = 255
    rows = {"test": [("right.png", encode_png(half), "bright"), ("left.png", encode_png(half[:, ::-1]), "bright")]}
    folder = tmp_path_factory.mktemp("halves") / "data"
    write_examples(lambda split: rows[split], splits=rows, classes=CLASSES, folder=folder)
    return ExampleSet(folder)


def saved(network, folder):
    save_network(network, folder / "model.keras", names=CLASSES)
    return folder / "model.keras"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """The number of the class bright is the mean of the image; that of dark is the mean of its negative."""
    image = keras.Input((8, 8, 1))
    maps = keras.layers.Conv2D(2, 1, name="maps")(image)
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(maps)))
    model.layers[1].set_weights([np.array([1.0, -1.0]).reshape(1, 1, 1, 2), np.array([0.0, 1.0])])
    model.layers[-1].set_weights([np.array([[0.0, 1.0], [1.0, 0.0]]), np.zeros(2)])
    return saved(model, tmp_path_factory.mktemp("network"))


def rows(*answers):
    return pd.DataFrame(answers, columns=["id", "label", "predicted"])


def pixels(url):
    _, _, data = url.partition("base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


def test_a_wrong_answer_shows_what_speaks_for_it_and_what_for_the_right_label(examples, network):
    asked = rows(("left.png", "bright", "dark"), ("right.png", "bright", "bright"))
    found = reasons(asked, task=TASK, network=network, examples=examples, transform=TRANSFORM)
    assert {name: [text for text, _ in shown] for name, shown in found.items()} == {
        "left.png": ["for dark", "for bright"],
        "right.png": ["for bright"],
    }
    dark, bright = (pixels(url) for _, url in found["left.png"])
    assert dark.shape == (56, 112, 3)  # seven times as large
    # White on the left, black on the right. Under 70 % red, white is (255, 77, 77) and black (178, 0, 0).
    for shown, left, right in ((dark, (255, 255, 255), (178, 0, 0)), (bright, (255, 77, 77), (0, 0, 0))):
        assert np.abs(shown[28, 5] - left).max() < 12 and np.abs(shown[28, 106] - right).max() < 12


def test_the_most_wrong_tags_and_values_are_explained(examples, network):
    some = {"network": network, "examples": examples, "transform": TRANSFORM}
    answered = {"id": ["left.png", "right.png"], "answered": [["dark"], ["bright"]], "missed": [["bright"], []]}
    tags = pd.DataFrame({**answered, "false": [["dark"], []]})
    found = reasons(tags, task=make_task(c.MultiLabel(), CLASSES), **some)
    assert {name: [text for text, _ in shown] for name, shown in found.items()} == {
        "left.png": ["for dark, which is false", "for bright, which was missed"],
        "right.png": ["for bright"],
    }
    # White, on the left, speaks for bright alone.
    dark, bright = (pixels(url)[28, 5] for _, url in found["left.png"])
    assert np.abs(dark - (255, 255, 255)).max() < 12 and np.abs(bright - (255, 77, 77)).max() < 12
    numbers = {"truth[dark]": [1.0], "answer[dark]": [1.1], "truth[bright]": [1.0], "answer[bright]": [2.0]}
    found = reasons(pd.DataFrame({"id": ["left.png"], **numbers}), task=make_task(c.Regression(), CLASSES), **some)
    ((text, url),) = found["left.png"]
    assert text == "what raises bright" and np.abs(pixels(url)[28, 5] - (255, 77, 77)).max() < 12


def test_without_questions_or_maps_there_are_no_pictures(examples, network, tmp_path):
    asked = rows(("left.png", "bright", "dark"))
    some = {"examples": examples, "transform": TRANSFORM}
    assert reasons(asked[:0], task=TASK, network=Path("nowhere.keras"), **some) == {}
    # A task asks nothing by default, and the network is not loaded.
    silent = make_task(c.Detection(), CLASSES)
    assert reasons(asked, task=silent, network=Path("nowhere.keras"), **some) == {}
    linear = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    assert reasons(asked, task=TASK, network=saved(linear, tmp_path), **some) == {}
