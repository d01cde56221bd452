"""The feature pyramid: sizes at every stride, the sum from the top down by hand, and what it refuses."""

import keras
import numpy as np
import pytest

from kerasvision.config.network_options import level_numbers
from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.pyramid import enlarged, pyramid


def doubled(shape, like, name="p3"):
    """`enlarged` as a model."""
    x, wanted = keras.Input(shape), keras.Input(like)
    return keras.Model([x, wanted], enlarged(x, like=wanted, name=name))


def rows_of(shape, like):
    """Which row of the map each row of the enlarged map repeats."""
    x = np.tile(np.arange(shape[0], dtype="float32")[:, None, None], (1, *shape[1:]))[None]
    larger = doubled(shape, like)([x, np.zeros((1, *like), "float32")])
    assert larger.shape == (1, *like[:2], shape[2])
    return larger[0, :, 0, 0].numpy().tolist()


@pytest.mark.parametrize(
    ("height", "like", "expected"),
    [
        (2, 4, [0, 0, 1, 1]),
        (3, 5, [0, 0, 1, 1, 2]),  # ceil(5 / 2): the backbone kept the odd row
        (1, 1, [0]),
        (2, 5, [0, 0, 1, 1, 1]),  # floor(5 / 2): the backbone dropped it
        (2, 7, [0, 0, 1, 1, 1, 1, 1]),
    ],
)
def test_a_map_is_enlarged_by_its_nearest_neighbours_to_even_and_odd_sizes(height, like, expected):
    assert rows_of((height, 2, 1), (like, 4, 1)) == expected


def test_columns_and_rows_are_cut_or_repeated_each_for_itself():
    assert doubled((3, 2, 2), (5, 7, 1)).output_shape == (None, 5, 7, 2)
    assert doubled((3, 3, 2), (5, 6, 1)).output_shape == (None, 5, 6, 2)
    assert doubled((3, 2, 2), (6, 5, 1)).output_shape == (None, 6, 5, 2)


def small_pyramid(levels="p3-p6"):
    """The pyramid of maps with one channel, whose every weight is 1 and whose every bias is 0."""
    maps = {"c3": keras.Input((4, 4, 1), name="c3"), "c4": keras.Input((2, 2, 1), name="c4")}
    model = keras.Model(maps, pyramid(maps, levels=levels, channels=1))
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.weights
            layer.set_weights([np.ones(kernel.shape), np.zeros(bias.shape)])
    return model


def test_each_level_is_its_lateral_plus_the_levels_above_through_a_3x3_convolution():
    c3, c4 = np.zeros((1, 4, 4, 1), "float32"), np.zeros((1, 2, 2, 1), "float32")
    c3[0, 3, 3], c4[0, 0, 0] = 5, 1
    levels = {name: value[0, :, :, 0].numpy().tolist() for name, value in small_pyramid()({"c3": c3, "c4": c4}).items()}
    # p4: the single 1 is in the window of every cell. p3: the 1 fills the upper left quarter, the 5 is its own.
    assert levels["p4"] == [[1, 1], [1, 1]]
    assert levels["p3"] == [[4, 4, 2, 0], [4, 4, 2, 0], [2, 2, 6, 5], [0, 0, 5, 5]]
    # p5: the four 1s of p4 in one window; p6: the 4 of p5.
    assert (levels["p5"], levels["p6"]) == ([[4]], [[4]])


def test_a_relu_stands_before_every_made_level_but_the_first():
    names = [layer.name for layer in small_pyramid("p3-p7").layers]
    assert [name for name in names if name.endswith("_relu")] == ["p6_relu", "p7_relu"]


@pytest.mark.parametrize(
    "backbone", ["resnet18", "resnet9", "vgg11", "googlenet", "inception_v3", "densenet_small", "keras/mobilenet"]
)
@pytest.mark.usefixtures("shapes_only")
def test_any_backbone_gives_every_level_its_size(backbone):
    maps = build(backbone, image_shape=(111, 150, 3), num_classes=None).output
    found = pyramid(maps, levels="p3-p7", channels=4)
    assert list(found) == ["p3", "p4", "p5", "p6", "p7"]
    for level, x in found.items():
        in_backbone = maps.get(level.replace("p", "c"))
        below = found.get(f"p{int(level[1]) - 1}")
        expected = in_backbone.shape[1:3] if in_backbone is not None else tuple(-(-size // 2) for size in below.shape[1:3])
        assert x.shape == (None, *expected, 4)


def test_images_of_any_size_have_maps_of_any_size():
    network = build("resnet9", image_shape=(None, None, 3), num_classes=None, width=0.125)
    model = keras.Model(network.input, pyramid(network.output, levels="p2-p4", channels=4))
    for height, width in ((16, 24), (8, 40)):
        found = model(np.zeros((1, height, width, 3), "float32"))
        assert {level: x.shape[1:3] for level, x in found.items()} == {
            "p2": (height // 4, width // 4),
            "p3": (height // 8, width // 8),
            "p4": (-(-height // 16), -(-width // 16)),
        }


@pytest.mark.parametrize("levels", ["p3", "p5-p3", "3-5", "p3-p10", "c3-c5", ""])
def test_levels_of_another_form_are_refused(levels):
    with pytest.raises(ConfigError, match="levels must have the form 'p3-p7'"):
        level_numbers(levels)


@pytest.mark.parametrize("levels", ["p1-p4", "p5-p6"])
def test_levels_that_the_backbone_lacks_are_refused(levels):
    with pytest.raises(ConfigError, match="levels must begin with levels of the backbone, which has c3, c4"):
        small_pyramid(levels)
