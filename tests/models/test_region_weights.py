"""Which layers a two-stage detector takes from the file of another one."""

import keras
import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.saved import save_network

IMAGE_SHAPE = (32, 32, 3)
HEAD = {"backbone": "resnet9", "width": 0.0625, "proposals": 4, "hidden": 8, "pooled": 3, "dropout": 0.0}
OPTIONS = {
    "fast_rcnn": {**HEAD, "window_sides": (8, 16)},
    "faster_rcnn": {**HEAD, "anchor_sizes": (8, 16), "channels": 8, "candidates": 20},
}
NAMES = ("circle", "square")
SECOND_STAGE = {"region_hidden1", "region_hidden2", "class_logits", "region_deltas"}
FIRST_STAGE = {"proposal_conv", "objectness", "anchor_deltas"}


def made(name, *, seed, classes=NAMES, **options):
    keras.utils.set_random_seed(seed)
    own = {**OPTIONS[name], **options}
    return build(name, image_shape=IMAGE_SHAPE, num_classes=len(classes), classes=classes, **own)


def same(model, source):
    """The layers whose kernels are equal, and not zeros."""
    theirs = {layer.name: layer.get_weights()[0] for layer in source.layers if layer.weights}
    return {
        layer.name
        for layer in model.layers
        if layer.weights and layer.name in theirs and np.array_equal(layer.get_weights()[0], theirs[layer.name])
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Network -> it, with no weight as it began, and its file."""
    folder, found = tmp_path_factory.mktemp("trained"), {}
    for name in OPTIONS:
        model, random = made(name, seed=1), np.random.default_rng(1)
        for weight in model.trainable_weights:
            weight.assign_add(random.normal(0, 0.1, weight.shape))
        save_network(model, folder / f"{name}.keras", names=NAMES)
        found[name] = model, str(folder / f"{name}.keras")
    return found


def layers(model):
    return {layer.name for layer in model.layers if layer.weights}


@pytest.mark.parametrize("name", OPTIONS)
def test_of_its_own_file_a_detector_takes_everything(name, trained):
    source, file = trained[name]
    assert same(made(name, seed=2, weights=file), source) == layers(source)


@pytest.mark.parametrize(("name", "other"), [("faster_rcnn", "fast_rcnn"), ("fast_rcnn", "faster_rcnn")])
def test_of_the_other_detector_it_takes_the_backbone_and_the_second_stage(name, other, trained, capsys):
    source, file = trained[other]
    model = made(name, seed=2, weights=file)
    assert same(model, source) == layers(model) - FIRST_STAGE
    assert f"{name} begins with the backbone and the second stage of {file}" in capsys.readouterr().err


def test_other_classes_begin_fresh_and_all_other_layers_are_taken(trained, capsys):
    source, file = trained["faster_rcnn"]
    for classes in (("square", "circle"), ("circle", "square", "star")):
        model = made("faster_rcnn", seed=2, classes=classes, weights=file)
        assert same(model, source) == layers(source) - {"class_logits", "region_deltas"}
    assert "its classes begin fresh" in capsys.readouterr().err


def test_the_backbone_alone_is_that_of_the_file(trained):
    source, file = trained["faster_rcnn"]
    backbone = build("faster_rcnn", image_shape=IMAGE_SHAPE, num_classes=None, weights=file, **OPTIONS["faster_rcnn"])
    assert same(backbone, source) == layers(backbone) == layers(source) - FIRST_STAGE - SECOND_STAGE


def test_other_options_than_those_of_the_file_are_refused(trained):
    with pytest.raises(ConfigError, match="does not fit at layer 'region_hidden1'"):
        made("faster_rcnn", seed=2, weights=trained["fast_rcnn"][1], hidden=16)
