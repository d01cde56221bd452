"""What `new` chooses for images with label maps."""

from collections import Counter
from pathlib import Path

import pytest

from kerasvision import config as c
from kerasvision.data.maps_look import MapsLook
from kerasvision.data.recipes_maps import choose_for_maps
from kerasvision.data.scaffold import pipeline_text
from kerasvision.errors import DataError


def look(images=1000, *, side=640, shares=None, given=None, is_grey=False):
    shares = shares or {"road": 0.7, "car": 0.3}
    return MapsLook(
        images=Path("streets"),
        source=c.Masks(path="streets"),
        counts=Counter(dict.fromkeys(shares, 10)),
        shares=shares,
        ignored={},
        looked=10,
        total=images,
        given=given or {"": images},
        faults=(),
        sides=(side,),
        is_grey=is_grey,
    )


def chosen(one, network=None):
    """The text of the pipeline file that is written, and its settings."""
    text = pipeline_text("new", look=one, recipe=choose_for_maps(one, network=network))
    space = {}
    exec(compile(text, "new.py", "exec"), space)
    return " ".join(text.replace("#", "").split()), space["EXPERIMENT"]


@pytest.mark.parametrize(("side", "expected"), [(640, 192), (100, 128), (64, 64), (10, 32)])
def test_the_image_size_follows_the_photos_in_steps_of_32(side, expected):
    _, experiment = chosen(look(side=side))
    assert experiment.transform.image_size == (expected, expected)
    assert (experiment.transform.fit, experiment.model.name) == ("pad", "unet")


def test_photos_begin_with_installed_weights():
    text, experiment = chosen(look(is_grey=True), "efficientnet_lite0")
    assert "It trains FCN-8s on efficientnet_lite0, which begins with ImageNet weights, at 320 x 320 pixels" in text
    assert (experiment.model.name, experiment.model.weights) == ("fcn8s", "imagenet")
    assert experiment.model.options["backbone"] == "efficientnet_lite0"
    assert (experiment.transform.image_size, experiment.transform.color_mode) == ((320, 320), "rgb")


def test_small_images_are_trained_from_nothing_though_weights_are_installed():
    text, experiment = chosen(look(side=96), "efficientnet_lite0")
    assert (experiment.model.name, experiment.model.weights) == ("unet", None)
    assert "too few for networks made for photos" in text


def test_the_gate_is_above_what_the_commonest_class_alone_reaches():
    """Its IoU is 0.7 and that of the other class 0: a mean of 0.35."""
    text, experiment = chosen(look())
    assert experiment.gate.rules[0].value == 0.4
    assert "answers every pixel with road has about 0.35" in text


def test_classes_that_are_only_numbers_are_explained():
    assert "class_names or table in the source" in chosen(look(shares={"0": 0.9, "1": 0.1}))[0]
    assert "class_names" not in chosen(look())[0]


def test_grey_images_stay_grey():
    _, experiment = chosen(look(is_grey=True))
    assert (experiment.transform.color_mode, len(experiment.augment)) == ("grayscale", 1)


def test_the_splits_of_the_folder_are_kept():
    text, _ = chosen(look(given={"train": 80, "test": 20}))
    assert "The folder's own test images are kept. 20 test images judge the network" in text


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (look(shares={"road": 1.0}), "at least two classes of pixels are required; received 'road'"),
        (look(images=1), "images to train on, and images to judge by; received 'train "),
    ],
)
def test_too_little_is_refused(one, message):
    with pytest.raises(DataError, match=message):
        choose_for_maps(one, network=None)
