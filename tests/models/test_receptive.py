"""Receptive fields against published ones, and by hand."""

import math

import keras
import pytest
from keras import layers

from kerasvision.models import build
from kerasvision.models.box_levels import box_levels
from kerasvision.models.receptive import receptive_fields

pytestmark = pytest.mark.usefixtures("shapes_only")


def test_vgg16_sees_212_pixels_after_its_last_pooling():
    # Araujo et al., 2019, table 1. The map of conv4_3, before the fourth pooling, sees 92.
    found = receptive_fields(build("vgg16", image_shape=(64, 64, 3), num_classes=None, width=1 / 64))
    assert {level: (field.size, field.step) for level, (field, _) in found.items()} == {
        "c1": (6, 2), "c2": (16, 4), "c3": (44, 8), "c4": (100, 16), "c5": (212, 32)
    }  # fmt: skip


def test_norms_over_channels_do_not_widen_what_alexnet_sees():
    # Araujo et al., 2019, table 1: 195 pixels after the last pooling, along both axes.
    found = receptive_fields(build("alexnet_2012", image_shape=(227, 227, 3), num_classes=None))
    assert [tuple(field) for field in found["c5"]] == [(195, 32), (195, 32)]


def test_layers_inside_a_model_count():
    image = keras.Input((32, 32, 3))
    stem = keras.Sequential([layers.Conv2D(4, 4, 4), layers.LayerNormalization()])(image)  # 4 x 4, step 4
    inner = keras.Input((8, 8, 4))
    block = keras.Model(inner, layers.DepthwiseConv2D(7, padding="same")(inner))
    found = receptive_fields(keras.Model(image, {"stem": stem, "twice": block(block(stem))}))
    assert found["stem"][0] == (4, 4)
    assert found["twice"][0] == (4 + 2 * 6 * 4, 4)


def test_dilation_enlarging_and_sums_count():
    image = keras.Input((32, 32, 3))
    wide = layers.Conv2D(1, (3, 1), padding="same", dilation_rate=(4, 1))(image)  # 9 x 1
    half = layers.Conv2D(1, 3, 2, "same")(image)  # 3 x 3, step 2
    narrow = layers.Conv2D(1, 3, padding="same")(half)  # 7 x 7
    larger = layers.UpSampling2D(2)(narrow)
    both = layers.Add()([wide, larger])
    last = layers.Conv2D(1, 3)(both)
    each = layers.Dense(2)(layers.SeparableConv2D(1, 3)(both))  # a dense layer sees each cell alone
    whole = layers.Dense(2)(layers.Flatten()(last))
    found = receptive_fields(keras.Model(image, {"both": both, "last": last, "each": each, "whole": whole}))
    assert [tuple(field) for field in found["both"]] == [(9, 1), (7, 1)]
    assert [tuple(field) for field in found["last"]] == [(11, 1), (9, 1)]
    assert [tuple(field) for field in found["each"]] == [(11, 1), (9, 1)]
    assert math.isinf(found["whole"][0].size)


def test_maps_of_ssd300_see_more_and_more():
    # conv4_3 sees 92 pixels, and the 3x3 answer two cells of 8 more.
    levels = box_levels(build("ssd300", image_shape=(300, 300, 3), num_classes=3, width=1 / 64))
    assert [(one.level, one.cells[0], one.boxes) for one in levels] == [
        ("p3", 38, 4), ("p4", 19, 6), ("p5", 10, 6), ("p6", 5, 6), ("s100", 3, 4), ("s300", 1, 4)
    ]  # fmt: skip
    assert levels[0].shapes == "21x21, 30.7x30.7, 14.8x29.7, 29.7x14.8"
    sizes = [int(one.field.partition(" ")[0]) for one in levels]
    assert sizes[0] == 92 + 2 * 8
    assert sizes == sorted(sizes)


def test_cells_of_a_dense_layer_see_the_whole_image_and_other_networks_have_no_boxes():
    small = {"backbone": "resnet9", "width": 0.125, "channels": 8, "depth": 1, "hidden": 4}
    (level,) = box_levels(build("yolo", image_shape=(16, 24, 3), num_classes=5, **small))
    assert (level.field, level.shapes, level.boxes) == ("the image", "2 boxes of any shape", 2)
    assert box_levels(build("lenet5", image_shape=(28, 28, 1), num_classes=5)) == ()
    assert box_levels(build("lenet5", image_shape=(28, 28, 1), num_classes=None)) == ()
