"""The table of layers: what it counts, by hand and against published figures."""

import keras
import pytest

from kerasvision.models import build
from kerasvision.models.summary import layer_table


def test_every_layer_of_lenet5_costs_what_a_hand_count_says():
    table = layer_table(build("lenet5", image_shape=(28, 28, 1), num_classes=10))
    assert {row.name: row.multiply_adds for row in table.rows} == {
        "image": 0,
        "conv1": 28 * 28 * 6 * (5 * 5 * 1),
        "pool1": 0,
        "conv2": 10 * 10 * 16 * (5 * 5 * 6),
        "pool2": 0,
        "flatten": 0,
        "dense1": 400 * 120,
        "dense2": 120 * 84,
        "logits": 84 * 10,
    }
    assert table.multiply_adds == 416_520


def test_rows_run_from_the_image_to_the_logits():
    rows = layer_table(build("lenet5", image_shape=(28, 28, 1), num_classes=10)).rows
    assert (rows[0].name, rows[0].type, rows[0].output_shape) == ("image", "InputLayer", (28, 28, 1))
    assert (rows[-1].name, rows[-1].type, rows[-1].output_shape) == ("logits", "Dense", (10,))


def stage_costs(side, width, same_convolutions):
    """A stage that halves the side and doubles the width: one convolution from half the width, the rest at `width`."""
    return side * side * width * (3 * 3 * width // 2 + same_convolutions * 3 * 3 * width)


@pytest.mark.usefixtures("shapes_only")
def test_resnet18_costs_what_a_hand_count_and_torchvision_say():
    table = layer_table(build("resnet18", image_shape=(224, 224, 3), num_classes=1000))
    stem = 112 * 112 * 64 * (7 * 7 * 3)
    first = 4 * 56 * 56 * 64 * (3 * 3 * 64)
    others = stage_costs(28, 128, 3) + stage_costs(14, 256, 3) + stage_costs(7, 512, 3)
    projections = 28 * 28 * 128 * 64 + 14 * 14 * 256 * 128 + 7 * 7 * 512 * 256
    assert table.multiply_adds == stem + first + others + projections + 512 * 1000
    assert round(table.multiply_adds / 1e9, 3) == 1.814  # torchvision's figure, in giga
    assert (table.trainable_weights, table.total_weights) == (11_689_512, 11_699_112)


@pytest.mark.usefixtures("shapes_only")
def test_resnet20_costs_what_a_hand_count_says():
    table = layer_table(build("resnet20", image_shape=(32, 32, 3), num_classes=10))
    stem = 32 * 32 * 16 * (3 * 3 * 3)
    first = 6 * 32 * 32 * 16 * (3 * 3 * 16)
    others = stage_costs(16, 32, 5) + stage_costs(8, 64, 5)
    assert table.multiply_adds == stem + first + others + 64 * 10
    assert round(table.multiply_adds / 1e6, 1) == 40.6
    statistics = 2 * (7 * 16 + 6 * 32 + 6 * 64)
    assert (table.trainable_weights, table.total_weights) == (269_722, 269_722 + statistics)


def test_grouped_convolution_costs_one_group_per_output():
    image = keras.Input((8, 8, 4))
    model = keras.Model(image, keras.layers.Conv2D(6, 3, groups=2)(image))
    assert layer_table(model).rows[1].multiply_adds == 6 * 6 * 6 * (3 * 3 * 2)


def test_moving_statistics_are_weights_that_do_not_train():
    row = layer_table(keras.Sequential([keras.Input((4, 4, 3)), keras.layers.BatchNormalization()])).rows[0]
    assert (row.weights, row.trainable_weights) == (4 * 3, 2 * 3)


def test_model_inside_a_model_is_one_row_that_counts_all_of_it():
    backbone = build("lenet5", image_shape=(28, 28, 1), num_classes=None)
    image = keras.Input((28, 28, 1))
    row = layer_table(keras.Model(image, keras.layers.Flatten()(backbone(image)["c2"]))).rows[1]
    assert row.output_shape == {"c1": (14, 14, 6), "c2": (5, 5, 16)}
    assert (row.weights, row.multiply_adds) == (156 + 2_416, 117_600 + 240_000)


def test_outputs_take_four_bytes_a_number_or_two_where_bfloat16_computes():
    image = keras.Input((8, 8, 3))
    for dtype, size in ("float32", 4), ("bfloat16", 2):
        table = layer_table(keras.Model(image, keras.layers.Conv2D(6, 3, dtype=dtype)(image)))
        assert table.rows[1].output_bytes == 6 * 6 * 6 * size
