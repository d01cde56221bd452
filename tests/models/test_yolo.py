"""YOLO: the layers of figure 3, the answers of its cells, and those on other backbones. `test_figures` has the sizes."""

import keras
import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models import build

SMALL = {"backbone": "resnet9", "width": 0.125, "channels": 8, "depth": 1}


@pytest.fixture(scope="module")
def convolutions():
    """The 24 convolutions of YOLO at 448 x 448 pixels, and how often the map was pooled before each."""
    from conftest import without_values

    with without_values():
        network = build("yolo_v1", image_shape=(448, 448, 3), num_classes=None)
    found, pools = [], 0
    for layer in network.layers:
        pools += isinstance(layer, keras.layers.MaxPooling2D)
        if isinstance(layer, keras.layers.Conv2D):
            found.append((layer, pools))
    return network, found


def test_convolutions_are_those_of_the_figure(convolutions):
    _, found = convolutions
    assert [(layer.kernel_size[0], layer.filters) for layer, _ in found] == [
        (7, 64), (3, 192), (1, 128), (3, 256), (1, 256), (3, 512),
        (1, 256), (3, 512), (1, 256), (3, 512), (1, 256), (3, 512), (1, 256), (3, 512), (1, 512), (3, 1024),
        (1, 512), (3, 1024), (1, 512), (3, 1024), (3, 1024), (3, 1024), (3, 1024), (3, 1024),
    ]  # fmt: skip
    assert [number for number, (layer, _) in enumerate(found, start=1) if layer.strides == (2, 2)] == [1, 22]
    assert [pools for _, pools in found] == [0, 1, *[2] * 4, *[3] * 10, *[4] * 8]
    # The authors' count, without the dense layers.
    assert sum(layer.count_params() for layer, _ in found) == 60_155_968


def test_maps_have_the_sides_of_the_figure(convolutions):
    network, _ = convolutions
    assert {level: x.shape[1:] for level, x in network.output.items()} == {
        "c1": (224, 224, 64), "c2": (112, 112, 192), "c3": (56, 56, 512), "c4": (28, 28, 1024), "c5": (14, 14, 1024),
        "c6": (7, 7, 1024),
    }  # fmt: skip


@pytest.mark.usefixtures("shapes_only")
def test_seven_by_seven_cells_have_thirty_numbers_each_from_4096_hidden_units():
    network = build("yolo_v1", image_shape=(448, 448, 3), num_classes=20, width=1 / 64)
    assert {name: x.shape[1:] for name, x in network.output.items()} == {
        "p6_class_scores": (7, 7, 20), "p6_cell_boxes": (7, 7, 10)
    }  # fmt: skip
    assert network.get_layer("hidden_dense").units == 4096
    assert network.get_layer("dropout").rate == 0.5
    leaky = [layer for layer in network.layers if isinstance(layer, keras.layers.LeakyReLU)]
    assert [layer.negative_slope for layer in leaky] == [0.1] * 25


def test_a_dense_layer_answers_for_each_cell_in_the_order_of_its_numbers():
    network = build("yolo", image_shape=(16, 24, 3), num_classes=5, **SMALL, hidden=4)
    # 2 x 3 cells of 5 classes. Only the bias of the third class of the cell in row 1 and column 2 is not 0.
    layer = network.get_layer("class_scores")
    layer.kernel.assign(np.zeros(layer.kernel.shape))
    bias = np.zeros(2 * 3 * 5)
    bias[(1 * 3 + 2) * 5 + 2] = 1
    layer.bias.assign(bias)
    found = network(np.zeros((1, 16, 24, 3), "float32"))["p3_class_scores"].numpy()
    assert np.argwhere(found).tolist() == [[0, 1, 2, 2]]


@pytest.mark.usefixtures("shapes_only")
def test_a_finer_level_has_smaller_cells_and_a_cell_may_have_one_box():
    network = build("yolo", image_shape=(16, 24, 3), num_classes=5, **SMALL, level="c2", boxes_per_cell=1)
    assert {name: x.shape[1:] for name, x in network.output.items()} == {
        "p2_class_scores": (4, 6, 5), "p2_cell_boxes": (4, 6, 5)
    }  # fmt: skip


@pytest.mark.usefixtures("shapes_only")
@pytest.mark.parametrize(
    ("name", "image", "options", "message"),
    [
        ("yolo_v1", (448, 450), {}, r"sides are multiples of 64, the side of a cell; received \(448, 450\)"),
        ("yolo", (60, 64), SMALL, "sides are multiples of 8, .* or choose a finer level"),
        ("yolo", (None, None), SMALL, "all its images must have one size"),
        ("yolo", (64, 64), {**SMALL, "level": "c5"}, "one of the backbone, which has c0, c1, c2, c3; received 'c5'"),
        ("yolo", (64, 64), {**SMALL, "hidden": 0}, "hidden must be a positive integer, or None"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_rule(name, image, options, message):
    with pytest.raises(ConfigError, match=message):
        build(name, image_shape=(*image, 3), num_classes=5, **options)


def test_yolo_of_a_file_keeps_its_head_for_the_same_classes(tmp_path):
    from kerasvision.models.saved import save_network

    options = {"image_shape": (64, 64, 3), "num_classes": 2, "width": 1 / 64}
    narrow = pytest.MonkeyPatch()
    with narrow.context() as patch:
        patch.setattr("kerasvision.models.yolo._HIDDEN", 8)
        old = build("yolo_v1", **options)
        save_network(old, tmp_path / "own.keras", names=("cat", "dog"))
        new = build("yolo_v1", **options, weights=str(tmp_path / "own.keras"), classes=("cat", "dog"))
    for ours, theirs in zip(new.weights, old.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_backbone_whose_cells_do_not_cover_the_image_is_refused():
    # AlexNet adds no border: 256 pixels become 6 cells of stride 32, which end at pixel 192.
    with pytest.raises(ConfigError, match="yolo requires a map of 8 x 8 cells at level c5; received one of 6 x 6 from"):
        build("yolo", image_shape=(256, 256, 3), num_classes=5, backbone="alexnet", channels=8, depth=1)
