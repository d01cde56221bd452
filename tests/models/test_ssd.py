"""SSD: the maps, boxes and layers of SSD300, and the same head on other backbones. `test_figures` compares the sizes."""

import re

import keras
import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.anchors import default_boxes, sides_in

NARROW = {"width": 1 / 64}
SMALL = {"backbone": "resnet9", "width": 0.125, "levels": "p2-p4", "channels": 8}
# Cells along a side and boxes in a cell: Liu et al., 2016, figure 2 and section 3.1.
CELLS, BOXES = (38, 19, 10, 5, 3, 1), (4, 6, 6, 6, 4, 4)


def offsets(network):
    """Level -> cells along both axes, and the sides of the boxes of a cell."""
    found = {}
    for name, x in network.output.items():
        if match := re.fullmatch(r"([^_]+)_offsets(_.*)", name):
            found[match[1]] = tuple(x.shape[1:3]), sides_in(match[2])
    return found


@pytest.fixture(scope="module")
def narrow():
    """SSD300 at a 64th of its width."""
    keras.utils.set_random_seed(0)
    return build("ssd300", image_shape=(300, 300, 3), num_classes=3, **NARROW)


def test_six_maps_have_8732_boxes(narrow):
    maps = offsets(narrow)
    assert [*maps] == ["p3", "p4", "p5", "p6", "s100", "s300"]
    assert [shape for shape, _ in maps.values()] == [(cells, cells) for cells in CELLS]
    assert [len(sides) for _, sides in maps.values()] == [*BOXES]
    shapes, sides = ({level: parts[part] for level, parts in maps.items()} for part in (0, 1))
    assert default_boxes(shapes, sides).shape == (8732, 4)


def test_boxes_have_the_scales_of_torchvision_and_are_no_larger_than_the_image(narrow):
    maps = offsets(narrow)
    squares = [sides[0].tolist() for _, sides in maps.values()]
    np.testing.assert_allclose(squares, [[side, side] for side in (21, 45, 99, 153, 207, 261)], rtol=1e-5)
    # Of the last map: 0.87 * 300; the root of 0.87 * 1.05, times 300; and 261 * 2 ** 0.5 = 369, which is cut to 300.
    expected = [(261, 261), (286.731, 286.731), (184.555, 300), (300, 184.555)]
    np.testing.assert_allclose(maps["s300"][1], expected, rtol=1e-5)


def test_cells_lie_eight_pixels_apart_on_the_first_map_and_in_the_middle_of_the_image_on_the_last(narrow):
    maps = offsets(narrow)
    first = default_boxes({"p3": (38, 38)}, {"p3": maps["p3"][1][:1]})
    assert first[[0, 1, 38, -1]].tolist() == [
        [-6.5, -6.5, 14.5, 14.5], [-6.5, 1.5, 14.5, 22.5], [1.5, -6.5, 22.5, 14.5], [289.5, 289.5, 310.5, 310.5]
    ]  # fmt: skip
    last = default_boxes({"s300": (1, 1)}, {"s300": maps["s300"][1][:1]})
    assert last.tolist() == [[19.5, 19.5, 280.5, 280.5]]


def test_conv4_3_has_length_twenty_in_each_cell_at_the_start(narrow):
    conv4_3 = narrow.get_layer("conv4_3_unit")
    model = keras.Model(narrow.input, [conv4_3.input, narrow.get_layer("conv4_3_scale").output])
    x, found = (part.numpy() for part in model(np.random.default_rng(0).normal(size=(1, 300, 300, 3)).astype("float32")))
    length = np.sqrt((x.astype(float) ** 2).sum(axis=-1))
    assert (length > 0).mean() > 0.9
    np.testing.assert_allclose(np.sqrt((found.astype(float) ** 2).sum(axis=-1))[length > 0], 20, rtol=1e-5)
    np.testing.assert_allclose(found[length > 0], (20 * x / length[..., None])[length > 0], rtol=1e-4)


def test_dense_layers_of_vgg_are_a_dilated_convolution_and_one_of_1x1(narrow):
    conv6, conv7 = narrow.get_layer("conv6_conv"), narrow.get_layer("conv7_conv")
    assert (conv6.kernel_size, conv6.dilation_rate, conv7.kernel_size) == ((3, 3), (6, 6), (1, 1))
    # 1024 channels at a 64th of the width.
    assert conv6.output.shape[1:] == conv7.output.shape[1:] == (19, 19, 16)
    assert narrow.get_layer("block5_pool_kept").strides == (1, 1)


def test_ssd300_begins_with_the_weights_of_vgg(small_vgg16):
    kernel = "block3_conv2/block3_conv2/kernel:0"
    file = small_vgg16(lambda opened: opened[kernel].__setitem__((0, 1, 2, 3), 5.0))
    model = build("ssd300", image_shape=(268, 268, 3), num_classes=3, weights=str(file), **NARROW)
    expected = np.zeros((3, 3, 4, 4))
    expected[0, 1, 2, 3] = 5
    np.testing.assert_array_equal(model.get_layer("block3_conv2").kernel, expected)
    assert model.get_layer("scaling").scale == [255.0] * 3
    assert np.abs(model.get_layer("conv6_conv").kernel.numpy()).max() > 0


@pytest.mark.usefixtures("shapes_only")
@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        ((300, 320), {}, r"ssd300 reads square images of at least 268 pixels; received \(300, 320\)"),
        ((267, 267), {}, "ssd300 reads images of at least 268 x 268 pixels"),
        ((300, 300), {"backbone": "resnet18"}, "ssd300 is built on a VGG network; received 'resnet18'. Choose ssd"),
    ],
)
def test_what_ssd300_cannot_read_is_refused(image, options, message):
    with pytest.raises(ConfigError, match=message):
        build("ssd300", image_shape=(*image, 3), num_classes=3, **options)


@pytest.mark.usefixtures("shapes_only")
def test_any_backbone_has_boxes_of_evenly_spaced_sizes():
    options = {**SMALL, "levels": "p2-p5", "smallest": 0.25, "largest": 1.0, "ratios": (4,)}
    maps = offsets(build("ssd", image_shape=(64, 96, 3), num_classes=5, **options))
    assert {level: shape for level, (shape, _) in maps.items()} == {
        "p2": (16, 24), "p3": (8, 12), "p4": (4, 6), "p5": (2, 3)
    }  # fmt: skip
    # A quarter, a half, three quarters and all of 64 pixels.
    assert [sides[0].tolist() for _, sides in maps.values()] == [[16, 16], [32, 32], [48, 48], [64, 64]]
    # The root of 16 * 32; and half and twice 16.
    np.testing.assert_allclose(maps["p2"][1], [(16, 16), (22.6274, 22.6274), (8, 32), (32, 8)], rtol=1e-5)
    # Twice 64 is cut to the image; the next size would be 80.
    np.testing.assert_allclose(maps["p5"][1], [(64, 64), (64, 71.5542), (32, 96), (64, 32)], rtol=1e-5)


@pytest.mark.usefixtures("shapes_only")
def test_cells_of_a_map_that_does_not_divide_the_image_lie_evenly_in_it():
    # Maps of 25 x 13, 12 x 6 and 6 x 3 cells.
    maps = offsets(build("ssd", image_shape=(100, 52, 3), num_classes=5, **SMALL))
    assert [*maps] == ["p2", "s8.33333x8.66667", "s16.6667x17.3333"]


@pytest.mark.usefixtures("shapes_only")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": "p5-p6"}, "levels must begin with levels of the backbone, which has c0, c1, c2, c3; received 'p5-p6'"),
        ({"image_shape": (None, None, 3)}, "all its images must have one size"),
        ({"ratios": "1-2"}, "ratios must be different numbers above 1"),
    ],
)
def test_what_ssd_cannot_be_built_on_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        build("ssd", **{"image_shape": (64, 64, 3), "num_classes": 5, **SMALL, **options})


def test_levels_whose_maps_have_one_size_are_refused():
    # 64 pixels: the maps of p6 and p7 have one cell each.
    options = {"backbone": "resnet18", "width": 0.125, "channels": 8}
    with pytest.raises(ConfigError, match=r"levels='p3-p7', whose maps have 8 x 8, 4 x 4, 2 x 2, 1 x 1, 1 x 1 cells"):
        build("ssd", image_shape=(64, 64, 3), num_classes=5, **options)
    assert len(build("ssd", image_shape=(64, 64, 3), num_classes=5, levels="p3-p6", **options).output) == 4 * 3
