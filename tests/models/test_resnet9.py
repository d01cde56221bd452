"""ResNet-9: its size, its maps, and what a residual pair adds."""

import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models.resnet9 import resnet9
from kerasvision.models.summary import layer_table


def weights_by_hand(channels, width):
    """A stem, three layers, a residual pair after the first and third: 3x3 kernels, a scale and a shift per channel."""
    pairs = [(channels, width), (width, 2 * width), *[(2 * width, 2 * width)] * 2]
    pairs += [(2 * width, 4 * width), (4 * width, 8 * width), *[(8 * width, 8 * width)] * 2]
    return sum(9 * before * after + 2 * after for before, after in pairs) + 8 * width * 10 + 10


@pytest.mark.parametrize(("width", "channels", "side"), [(1.0, 3, 32), (0.25, 1, 28)])
def test_size_is_that_of_a_hand_count(width, channels, side):
    table = layer_table(resnet9(image_shape=(side, side, channels), num_classes=10, width=width))
    assert table.trainable_weights == weights_by_hand(channels, round(64 * width))


def test_a_quarter_of_the_width_costs_17_million_multiply_adds_at_28_pixels():
    stem = 28 * 28 * 9 * 16
    layer1 = 28 * 28 * 9 * 16 * 32 + 2 * 14 * 14 * 9 * 32 * 32
    layer2 = 14 * 14 * 9 * 32 * 64
    layer3 = 7 * 7 * 9 * 64 * 128 + 2 * 3 * 3 * 9 * 128 * 128
    table = layer_table(resnet9(image_shape=(28, 28, 1), num_classes=10, width=0.25))
    assert table.multiply_adds == stem + layer1 + layer2 + layer3 + 128 * 10


def test_maps_halve_three_times():
    maps = resnet9(image_shape=(32, 32, 3), num_classes=None).output
    shapes = {level: tuple(each.shape[1:]) for level, each in maps.items()}
    assert shapes == {"c0": (32, 32, 64), "c1": (16, 16, 128), "c2": (8, 8, 256), "c3": (4, 4, 512)}


def test_a_residual_pair_never_lowers_a_value():
    network = resnet9(image_shape=(16, 16, 1), num_classes=None, width=0.125)
    before, after = network.get_layer("layer1_relu").output, network.get_layer("layer1_add").output
    before, after = type(network)(network.input, [before, after])(np.random.default_rng(0).random((2, 16, 16, 1), "float32"))
    assert np.all(after >= before) and np.any(after > before)


@pytest.mark.parametrize("width", [0.01, float("nan")])
def test_no_channels_are_refused(width):
    with pytest.raises(ConfigError, match="width must be at least 1/64"):
        resnet9(image_shape=(32, 32, 3), num_classes=10, width=width)
