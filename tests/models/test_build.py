"""Networks by name: what `build` accepts, what it rejects, and with which message."""

import subprocess
import sys

import pytest

from kerasvision.config.fitting_weights import levels_of
from kerasvision.errors import ConfigError
from kerasvision.introspection import keywords, module_file
from kerasvision.lookup import MODELS
from kerasvision.models import build
from kerasvision.models.table import NETWORKS, find, usual

GREY, RGB = (28, 28, 1), (32, 32, 3)


def test_planning_imports_neither_keras_nor_tensorflow():
    program = "import sys, kerasvision.models.table; print({'keras', 'tensorflow'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "set()"


def test_table_and_lookup_know_the_same_networks():
    assert [row.name for row in NETWORKS] == list(MODELS)


@pytest.mark.parametrize("name", list(MODELS))
def test_family_of_a_network_is_its_file(name):
    assert module_file(MODELS.path(name)).stem == find(name).family


ALONE = [name for name in MODELS if "backbone" not in keywords(MODELS.path(name))]
# One network of each file, the first or a small one; the others are slow.
ONE_EACH = ({find(name).family: name for name in reversed(ALONE)} | {"densenet": "densenet_small"}).values()


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in ONE_EACH else pytest.mark.slow) for name in ALONE])
@pytest.mark.usefixtures("shapes_only")
def test_levels_that_settings_may_name_are_those_of_the_network(name):
    side = max(64, find(name).smallest_side)
    maps = build(name, image_shape=(side, side, 3), num_classes=None).output
    if name == "unet":  # its option `depth` says how many it has
        assert levels_of(name) is None
    else:
        assert levels_of(name) == tuple(maps)


def test_usual_images_are_the_papers_and_unknown_for_a_plugged_in_network():
    for name, image_shape, num_classes in [("lenet5", (28, 28, 1), 10), ("resnet18", (224, 224, 3), 1000)]:
        assert (usual(name).image_shape, usual(name).num_classes) == (image_shape, num_classes)
    with pytest.raises(ConfigError, match="ours:network has no usual image shape and no usual number of classes"):
        usual("ours:network")


def test_dotted_path_builds_the_same_network_as_the_name():
    by_path = build("kerasvision.models.lenet:lenet5", image_shape=GREY, num_classes=3)
    by_name = build("lenet5", image_shape=GREY, num_classes=3)
    assert by_path.get_config() == by_name.get_config()


def test_options_reach_the_builder():
    model = build("lenet5", image_shape=GREY, num_classes=10, activation="tanh")
    assert model.get_layer("conv1").activation.__name__ == "tanh"


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_grey_colour_and_opacity_are_accepted(channels):
    assert build("lenet5", image_shape=(28, 28, channels), num_classes=2).input_shape == (None, 28, 28, channels)


@pytest.mark.parametrize(
    ("name", "image_shape", "num_classes", "options", "message"),
    [
        ("lenet6", GREY, 10, {}, "no model is named 'lenet6'; did you mean 'lenet5'?"),
        ("lenet5", GREY, 10, {"poling": "max"}, "lenet5 has no option 'poling'; did you mean 'pooling'?"),
        ("lenet5", GREY, 10, {"pooling": "avarage"}, "lenet5 has no pooling 'avarage'; did you mean 'average'?"),
        ("lenet5", GREY, 10, {"activation": "swish"}, "'swish'; choose from elu, leaky_relu, maxout, relu, sigmoid, tanh"),
        ("resnet18", RGB, 10, {"dropout": 1.0}, r"dropout must lie in \[0, 1\); received 1.0"),
        ("resnet18", (32, 32, 2), 10, {}, r"one of 1 \(grey\), 3 \(RGB\), 4 \(RGB and opacity\); received"),
        ("resnet18", (32, 31, 3), 10, {}, r"at least 32 x 32 pixels; received \(32, 31\)"),
        ("lenet5", (28, 28), 10, {}, r"height, width, channels; received \(28, 28\)"),
        ("lenet5", (28.0, 28, 1), 10, {}, r"three positive integers.*received \(28.0, 28, 1\)"),
        ("lenet5", (None, None, 1), 10, {}, "lenet5 flattens its last map, so all its images must have one size"),
        ("resnet9", (None, 32, 1), 10, {}, "three positive integers.*For images of any size, set height and width to None"),
        ("resnet9", (None, None, 2), 10, {}, r"one of 1 \(grey\), 3 \(RGB\), 4"),
        ("googlenet", (None, None, 3), 10, {"auxiliary_heads": True}, "auxiliary heads require images of one size"),
        (
            "show_attend_tell",
            (None, None, 3),
            10,
            {"attention_maps": True},
            "attention_maps=True requires images of one size",
        ),
        ("localizer", (None, None, 3), 10, {"pooling": "flatten"}, "pooling='flatten' requires images of one size"),
        ("lenet5", GREY, 0, {}, "num_classes must be a positive integer, or None for the backbone; received 0"),
        ("lenet5", GREY, 2.0, {}, "num_classes must be a positive integer.*received 2.0"),
        ("lenet5", GREY, True, {}, "num_classes must be a positive integer.*received True"),
    ],
)
def test_what_cannot_be_built_is_said_with_the_way_out(name, image_shape, num_classes, options, message):
    with pytest.raises(ConfigError, match=message):
        build(name, image_shape=image_shape, num_classes=num_classes, **options)


def test_a_builder_that_returns_no_network_is_named(tmp_path, monkeypatch):
    (tmp_path / "forgetful.py").write_text("def net(*, image_shape, num_classes): pass")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="forgetful:net must return a keras.Model; received 'NoneType'"):
        build("forgetful:net", image_shape=GREY, num_classes=10)


@pytest.mark.parametrize("name", [name for name in MODELS if find(name).smallest_side > 1])
def test_one_pixel_less_than_the_smallest_image_is_refused(name):
    smallest = find(name).smallest_side
    with pytest.raises(ConfigError, match=f"resize the images to {smallest} x {smallest} or more".capitalize()):
        build(name, image_shape=(smallest, smallest - 1, 3), num_classes=10)
