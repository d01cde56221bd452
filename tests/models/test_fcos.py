"""FCOS: what it answers for each level of the pyramid, from which tower, and which options it has."""

import keras
import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.fcos import fcos_head
from kerasvision.models.towers import shared_block

SMALL = {"backbone": "resnet9", "width": 0.125, "levels": "p3-p5", "channels": 32, "depth": 2}
IMAGE_SHAPE = (32, 64, 3)


def fcos(*, num_classes=5, **options):
    keras.utils.set_random_seed(0)
    return build("fcos", image_shape=IMAGE_SHAPE, num_classes=num_classes, **{**SMALL, **options})


def head(norm="group", **options):
    """The head alone on two levels of equal size."""
    levels = {level: keras.Input((4, 4, 8), name=level) for level in ("p3", "p4")}
    settings = {"num_classes": 5, "channels": 8, "depth": 1, "distances": "relu", "synchronized": False}
    return keras.Model(levels, fcos_head(levels, norm=norm, **{**settings, **options}))


def images(count=2):
    return np.random.default_rng(0).normal(size=(count, *IMAGE_SHAPE)).astype("float32")


@pytest.fixture(scope="module")
def answers():
    return fcos()(images())


def test_each_level_has_logits_distances_and_a_centerness_for_each_cell(answers):
    assert {name: answer.shape.as_list()[1:] for name, answer in answers.items()} == {
        "p3_class_logits": [4, 8, 5],
        "p3_distances": [4, 8, 4],
        "p3_centerness": [4, 8, 1],
        "p4_class_logits": [2, 4, 5],
        "p4_distances": [2, 4, 4],
        "p4_centerness": [2, 4, 1],
        "p5_class_logits": [1, 2, 5],
        "p5_distances": [1, 2, 4],
        "p5_centerness": [1, 2, 1],
    }


def test_every_class_begins_at_a_probability_of_about_one_percent(answers):
    chances = 1 / (1 + np.exp(-answers["p3_class_logits"]))
    np.testing.assert_allclose(chances, 0.01, atol=0.005)


@pytest.mark.parametrize("distances", ["relu", "exp"])
def test_distances_are_never_negative(distances):
    model = head(distances=distances)
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 8)).astype("float32")
    found = model({"p3": x, "p4": 100 * x})["p4_distances"].numpy()
    assert found.min() >= 0
    assert found.max() > 0
    # Without any weight, exp gives one stride, and relu gives nothing.
    conv = model.get_layer("distances")
    conv.set_weights([np.zeros_like(weight) for weight in conv.get_weights()])
    assert np.unique(model({"p3": x, "p4": x})["p3_distances"]).tolist() == [{"relu": 0.0, "exp": 1.0}[distances]]


@pytest.mark.parametrize(("norm", "is_shared"), [("group", True), ("none", True), ("batch", False)])
def test_levels_share_every_weight_but_those_of_batch_normalisation(norm, is_shared):
    model = head(norm)
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 8)).astype("float32")
    alike = model({"p3": x, "p4": x})
    np.testing.assert_array_equal(alike["p3_class_logits"], alike["p4_class_logits"])
    own = sorted(layer.name for layer in model.layers if layer.name.startswith("p4_") and layer.weights)
    assert own == ([] if is_shared else ["p4_box_tower1_norm", "p4_class_tower1_norm"])
    for name in own:
        model.get_layer(name).moving_mean.assign_add(np.ones(8))
    changed = model({"p3": x, "p4": x})
    np.testing.assert_array_equal(changed["p3_distances"], alike["p3_distances"])
    assert (changed["p4_centerness"].numpy() == alike["p4_centerness"].numpy()).all() == is_shared


def test_centerness_comes_from_the_tower_of_the_distances():
    model = head()
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 8)).astype("float32")
    before = model({"p3": x, "p4": x})
    model.get_layer("box_tower1_conv").kernel.assign_add(np.ones((3, 3, 8, 8)))
    after = model({"p3": x, "p4": x})
    assert {name for name in before if (before[name].numpy() != after[name].numpy()).any()} == {
        "p3_distances",
        "p4_distances",
        "p3_centerness",
        "p4_centerness",
    }


def test_for_images_of_any_size_it_answers_as_for_those_of_one():
    one_size = fcos()
    any_size = build("fcos", image_shape=(None, None, 3), num_classes=5, **SMALL)
    any_size.set_weights(one_size.get_weights())
    found = any_size(images())
    for name, expected in one_size(images()).items():
        np.testing.assert_allclose(found[name], expected, rtol=0, atol=1e-6)


def test_a_small_detector_for_96_pixels_has_less_than_a_million_weights():
    options = {"backbone": "resnet9", "width": 0.25, "levels": "p3-p5", "channels": 64, "depth": 2}
    assert build("fcos", image_shape=(96, 96, 3), num_classes=8, **options).count_params() < 1_000_000


def test_without_classes_it_is_the_backbone_with_its_options():
    backbone = fcos(num_classes=None)
    own = build("resnet9", image_shape=IMAGE_SHAPE, num_classes=None, width=0.125)
    assert sorted(backbone.output) == ["c0", "c1", "c2", "c3"]
    assert backbone.count_params() == own.count_params()


@pytest.mark.parametrize("name", ["fcos", "retinanet"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": "p3"}, "levels must have the form 'p3-p7', the first and the last level; received 'p3'"),
        ({"levels": "p4-p5"}, "levels must begin with levels of the backbone, which has c0, c1, c2, c3; received 'p4-p5'"),
        ({"norm": "layer"}, "has no norm 'layer'; choose from batch, group, none"),
        ({"depth": 0}, "depth must be a positive integer; received 0"),
        ({"channels": 1.5}, "channels must be a positive integer; received 1.5"),
        ({"width": 64}, "width is a factor on the channels of the backbone, at most 16; received 64"),
        ({"backbone": "resnet20"}, "resnet20 has no option 'width'"),
        ({"backbone": "fcos"}, "must not be built on another backbone"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_rule(name, options, message):
    with pytest.raises(ConfigError, match=message):
        build(name, image_shape=IMAGE_SHAPE, num_classes=5, **{**SMALL, **options})


@pytest.mark.parametrize(("channels", "groups"), [(256, 32), (64, 8), (8, 1), (12, 3)])
def test_a_group_has_eight_channels_or_a_divisor_of_both(channels, groups):
    x = keras.Input((4, 4, channels))
    block = shared_block(channels=channels, norm="group", synchronized=False, name="block")
    assert keras.Model(x, block(x, "p3")).get_layer("block_norm").groups == groups


def test_distances_of_another_kind_are_refused():
    with pytest.raises(ConfigError, match="fcos has no distances 'softplus'; choose from exp, relu"):
        fcos(distances="softplus")
