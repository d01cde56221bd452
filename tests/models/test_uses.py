"""The calls of layers for one image, where a network puts several rows for an image into the batch."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasvision.models import build
from kerasvision.models.summary import layer_table
from kerasvision.models.uses import uses_of

pytestmark = pytest.mark.usefixtures("shapes_only")


def test_rcnn_runs_its_backbone_once_per_window_and_costs_what_a_hand_count_says():
    """The convolutions of AlexNet without groups, on crops of 227 x 227; then 5 numbers for each of 21 classes."""
    table = layer_table(build("rcnn", image_shape=(256, 256, 3), num_classes=20))
    one_crop = (
        55 * 55 * 96 * (11 * 11 * 3)
        + 27 * 27 * 256 * (5 * 5 * 96)
        + 13 * 13 * 384 * (3 * 3 * 256)
        + 13 * 13 * 384 * (3 * 3 * 384)
        + 13 * 13 * 256 * (3 * 3 * 384)
    )
    assert one_crop == 1_076_634_144
    assert table.multiply_adds == 300 * (one_crop + 256 * 5 * 21) == 322_998_307_200
    first = next(row for row in table.rows if row.name == "layer1_conv")
    assert (first.output_shape, first.output_bytes) == ((300, 55, 55, 96), 300 * 55 * 55 * 96 * 4)


def test_fast_rcnn_runs_its_backbone_once_and_its_dense_layers_once_per_region():
    small = {"backbone": "resnet9", "width": 0.125, "window_sides": (16, 32), "hidden": 8, "pooled": 3}
    costs = [
        {
            row.name: row.multiply_adds
            for row in layer_table(build("fast_rcnn", image_shape=(64, 64, 3), num_classes=4, proposals=count, **small)).rows
        }
        for count in (5, 10)
    ]
    of_regions = {name for name in costs[0] if costs[1][name] != costs[0][name]}
    assert of_regions == {"region_hidden1", "region_hidden2", "class_logits", "region_deltas"}
    # The last map of a ResNet-9 of an eighth of its width has 64 channels.
    assert costs[0]["region_hidden1"] == 5 * (3 * 3 * 64) * 8
    assert all(costs[1][name] == 2 * costs[0][name] for name in of_regions)


def test_rows_of_one_image_that_come_together_again_count_once():
    image = keras.Input((8, 6, 4))
    tiles = layers.Conv2D(5, 3, padding="same", name="of_tiles")(ops.reshape(image, (-1, 2, 6, 4)))
    whole = layers.Conv2D(2, 1, name="of_image")(ops.reshape(tiles, (-1, 8, 6, 5)))
    rows = {row.name: row for row in layer_table(keras.Model(image, whole)).rows}
    assert (rows["of_tiles"].output_shape, rows["of_image"].output_shape) == ((4, 2, 6, 5), (8, 6, 2))
    assert rows["of_tiles"].multiply_adds == 4 * 2 * 6 * 5 * (3 * 3 * 4)
    assert rows["of_image"].multiply_adds == 8 * 6 * 2 * 5


def test_a_model_inside_counts_for_the_rows_and_the_size_that_it_is_called_with():
    any_size = keras.Input((None, None, 3))
    block = keras.Model(any_size, layers.Conv2D(2, 3, padding="same")(any_size), name="block")
    image = keras.Input((8, 4, 3))
    halves = layers.Flatten()(block(ops.reshape(image, (-1, 4, 4, 3))))
    model = keras.Model(image, [block(image), halves])
    row = next(row for row in layer_table(model).rows if row.name == "block")
    assert row.multiply_adds == (8 * 4 + 2 * 4 * 4) * 2 * (3 * 3 * 3)


def test_a_layer_that_several_levels_share_shows_the_map_that_it_was_called_with_first():
    small = {"backbone": "resnet9", "width": 0.125, "levels": "p2-p3", "channels": 8, "depth": 1, "norm": "none"}
    rows = layer_table(build("fcos", image_shape=(32, 32, 3), num_classes=4, **small)).rows
    shared = next(row for row in rows if row.name == "box_tower1_conv")
    assert (shared.output_shape, shared.multiply_adds) == ((8, 8, 8), (8 * 8 + 4 * 4) * 8 * (3 * 3 * 8))


def test_the_shapes_of_a_use_are_those_of_a_batch_of_one_image():
    small = {"backbone": "resnet9", "width": 0.125, "proposals": 6, "window_sides": (8, 16), "crop": 16}
    model = build("rcnn", image_shape=(32, 48, 3), num_classes=4, **small)
    watched = [layer for layer in model.layers if layer.weights]
    seen = keras.Model(model.input, [layer.output for layer in watched])(np.zeros((1, 32, 48, 3), "float32"))
    uses = uses_of(model)
    assert [uses[id(layer)][0].outputs[0].shape for layer in watched] == [tuple(one.shape) for one in seen]


def test_captions_of_unknown_number_count_as_one_and_layers_of_bfloat16_take_half_the_memory():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        small = {"backbone": "resnet9", "width": 0.125, "max_length": 4, "embedding": 6, "units": 8}
        model = build("show_and_tell", image_shape=(16, 16, 3), num_classes=10, **small)
    finally:
        keras.config.set_dtype_policy("float32")
    rows = {row.name: row for row in layer_table(model).rows}
    assert (rows["decoder_words"].output_shape, rows["decoder_words"].output_bytes) == ((None, 5, 6), 5 * 6 * 2)
    assert rows["logits"].multiply_adds == 5 * 8 * 10
