"""The pre-activation networks: sizes and costs by hand, where each layout strides, which map a level is, how they start."""

import functools
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.lookup import MODELS
from kerasvision.models import build
from kerasvision.models.resnet import Depth
from kerasvision.models.resnet_v2 import resnet18_v2, resnet50_v2, resnet_v2
from kerasvision.models.summary import layer_table
from kerasvision.models.table import NETWORKS

LAYOUTS = pytest.mark.parametrize("layout", ["torchvision", "paper", "keras"])
# One block per stage.
SHORT_18 = functools.partial(resnet_v2, Depth("resnet18_v2", (1, 1, 1, 1), bottlenecks=False))
ROWS = [row for row in NETWORKS if row.family == "resnet_v2"]


def random_images(side, count=4):
    return np.random.default_rng(0).normal(size=(count, side, side, 3)).astype("float32")


def stage_multiply_adds(width, *, channels, sides):
    """Of bottlenecks, one per entry of `sides`: where the first 1x1 convolution runs, and where the others do."""
    total = 0
    for first_side, side in sides:
        projection = side**2 * channels * 4 * width if channels != 4 * width else 0
        total += first_side**2 * channels * width + side**2 * (9 * width * width + width * 4 * width) + projection
        channels = 4 * width
    return total


@pytest.mark.parametrize(
    ("layout", "sides", "gmacs"),
    [
        (
            "torchvision",
            ([(56, 56)] * 3, [(56, 28)] + [(28, 28)] * 3, [(28, 14)] + [(14, 14)] * 5, [(14, 7)] + [(7, 7)] * 2),
            "4.089",
        ),
        ("paper", ([(56, 56)] * 3, [(28, 28)] * 4, [(14, 14)] * 6, [(7, 7)] * 3), "3.858"),
        (
            "keras",
            ([(56, 56)] * 2 + [(56, 28)], [(28, 28)] * 3 + [(28, 14)], [(14, 14)] * 5 + [(14, 7)], [(7, 7)] * 3),
            "3.482",
        ),
    ],
)
@pytest.mark.usefixtures("shapes_only")
def test_resnet50_v2_costs_what_a_hand_count_says(layout, sides, gmacs):
    stem = 112 * 112 * 64 * (7 * 7 * 3)
    stages = (
        stage_multiply_adds(64, channels=64, sides=sides[0])
        + stage_multiply_adds(128, channels=256, sides=sides[1])
        + stage_multiply_adds(256, channels=512, sides=sides[2])
        + stage_multiply_adds(512, channels=1024, sides=sides[3])
    )
    table = layer_table(resnet50_v2(image_shape=(224, 224, 3), num_classes=1000, layout=layout))
    assert table.multiply_adds == stem + stages + 2048 * 1000
    assert f"{table.multiply_adds / 1e9:.3f}" == gmacs
    assert gmacs in resnet50_v2.__doc__


@pytest.mark.usefixtures("shapes_only")
def test_biases_of_layout_keras_are_the_stems_and_two_kinds_of_each_stage():
    stem, last, projections = 64, 3 * 256 + 4 * 512 + 6 * 1024 + 3 * 2048, 256 + 512 + 1024 + 2048
    assert 25_549_352 + stem + last + projections == 25_568_360  # trainable, with keras.applications' 25,613,800 in all
    table = layer_table(resnet50_v2(image_shape=(32, 32, 3), num_classes=1000, layout="keras"))
    assert (table.trainable_weights, table.total_weights) == (25_568_360, 25_613_800)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_docstring_states_the_published_size(row):
    text = inspect.getdoc(MODELS.load(row.name))
    assert f"{row.figures[0].trainable_weights:,} trainable weights" in text
    for figure in row.figures:
        assert f"{figure.total_weights:,} weights in all" in " ".join(text.split())


@pytest.mark.parametrize("name", ["resnet18_v2", "resnet34_v2", "resnet50_v2"])
@pytest.mark.usefixtures("shapes_only")
def test_depth_in_the_name_counts_convolutions_and_the_dense_layer(name):
    model = build(name, image_shape=(32, 32, 3), num_classes=10)
    weighted = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)]
    depth = int(name.removeprefix("resnet").removesuffix("_v2"))
    assert len([name for name in weighted if "shortcut" not in name]) == depth


@LAYOUTS
@pytest.mark.usefixtures("shapes_only")
def test_maps_have_the_shapes_of_the_first_paper_in_every_layout(layout):
    maps = resnet50_v2(image_shape=(224, 224, 3), num_classes=None, layout=layout).output
    shapes = {level: feature_map.shape[1:] for level, feature_map in maps.items()}
    assert shapes == {"c2": (56, 56, 256), "c3": (28, 28, 512), "c4": (14, 14, 1024), "c5": (7, 7, 2048)}


# As keras.applications' source has it; "conv2_block3_out" there is the sum that ends stage 2.
@pytest.mark.parametrize(
    ("layout", "sides"), [("torchvision", [56, 28, 14, 7]), ("paper", [56, 28, 14, 7]), ("keras", [28, 14, 7, 7])]
)
@pytest.mark.usefixtures("shapes_only")
def test_stages_end_where_the_layout_says(layout, sides):
    backbone = resnet50_v2(image_shape=(224, 224, 3), num_classes=None, layout=layout)
    ends = [
        backbone.get_layer(f"stage{level}_block{count}_add").output
        for level, count in zip((2, 3, 4, 5), (3, 4, 6, 3), strict=True)
    ]
    channels = (256, 512, 1024, 2048)
    assert [end.shape[1:] for end in ends] == [(side, side, c) for side, c in zip(sides, channels, strict=True)]


@pytest.mark.parametrize(
    ("layout", "readers"),
    [
        (
            "torchvision",
            ["stage3_block1_preact_relu", "stage4_block1_preact_relu", "stage5_block1_preact_relu", "final_relu"],
        ),
        ("keras", ["stage2_block3_preact_relu", "stage3_block4_preact_relu", "stage4_block6_preact_relu", "final_relu"]),
    ],
)
@pytest.mark.usefixtures("shapes_only")
def test_map_of_a_level_is_what_the_next_strided_block_reads(layout, readers):
    backbone = resnet50_v2(image_shape=(64, 64, 3), num_classes=None, layout=layout)
    for level, name in zip(("c2", "c3", "c4", "c5"), readers, strict=True):
        reader = backbone.get_layer(name)
        assert isinstance(reader, keras.layers.ReLU)
        assert backbone.output[level] is reader.output


# (first 1x1, 3x3, last 1x1)
@pytest.mark.parametrize(
    ("layout", "blocks", "strides"),
    [
        ("torchvision", ["stage3_block1", "stage4_block1", "stage5_block1"], [1, 2, 1]),
        ("paper", ["stage3_block1", "stage4_block1", "stage5_block1"], [2, 1, 1]),
        ("keras", ["stage2_block3", "stage3_block4", "stage4_block6"], [1, 2, 1]),
    ],
)
@pytest.mark.usefixtures("shapes_only")
def test_layout_says_where_the_stride_is(layout, blocks, strides):
    backbone = resnet50_v2(image_shape=(32, 32, 3), num_classes=None, layout=layout)
    for block in blocks:
        assert [backbone.get_layer(f"{block}_conv{number}").strides[0] for number in (1, 2, 3)] == strides
    strided = {layer.name[:13] for layer in backbone.layers if getattr(layer, "strides", (1, 1))[0] == 2}
    assert strided == {"stem_conv", "stem_pool", *blocks}


@LAYOUTS
@pytest.mark.usefixtures("shapes_only")
def test_without_bottlenecks_the_first_3x3_of_the_same_block_strides(layout):
    block = "stage2_block2" if layout == "keras" else "stage3_block1"
    backbone = resnet18_v2(image_shape=(64, 64, 3), num_classes=None, layout=layout)
    assert [backbone.get_layer(f"{block}_conv{number}").strides[0] for number in (1, 2)] == [2, 1]
    assert [feature_map.shape[1] for feature_map in backbone.output.values()] == [16, 8, 4, 2]


@pytest.mark.parametrize("side", [32, 33])
def test_shortcut_of_layout_keras_keeps_every_second_pixel_of_the_sum(side):
    backbone = resnet18_v2(image_shape=(side, side, 3), num_classes=None, layout="keras", zero_init_last_conv=True)
    outputs = [backbone.get_layer(f"stage2_block{number}_add").output for number in (1, 2)]
    before, after = keras.Model(backbone.input, outputs)(random_images(side))
    np.testing.assert_array_equal(after, before[:, ::2, ::2])


def test_shortcut_to_more_channels_reads_the_sum_after_norm_and_relu():
    backbone = resnet18_v2(image_shape=(32, 32, 3), num_classes=None)
    reader, projection = (backbone.get_layer(f"stage3_block1_{name}") for name in ("preact_relu", "shortcut_conv"))
    assert projection.input is reader.output
    assert backbone.get_layer("stage2_block1_add").input[1] is backbone.get_layer("stem_pool").output


def test_sum_passes_from_the_stem_to_the_last_norm_through_additions_alone_within_a_stage():
    # With every last convolution at zero, stage 2 returns the pooled stem unchanged.
    backbone = resnet18_v2(image_shape=(32, 32, 3), num_classes=None, zero_init_last_conv=True)
    outputs = [backbone.get_layer(name).output for name in ("stem_pool", "stage2_block2_add")]
    stem, end = keras.Model(backbone.input, outputs)(random_images(32))
    np.testing.assert_array_equal(end, stem)


@pytest.mark.parametrize(
    ("depth", "last"),
    [
        (Depth("resnet18_v2", (1, 2, 1, 1), bottlenecks=False), "conv2"),
        (Depth("resnet50_v2", (1, 2, 1, 1), bottlenecks=True), "conv3"),
    ],
)
def test_zero_init_of_the_last_convolution_touches_no_other_layer(depth, last):
    model = resnet_v2(depth, image_shape=(32, 32, 3), num_classes=10, zero_init_last_conv=True)
    zeros = {layer.name for layer in model.layers if hasattr(layer, "kernel") and not layer.kernel.numpy().any()}
    assert zeros == {f"stage{i + 2}_block{number}_{last}" for i in range(4) for number in range(1, depth.blocks[i] + 1)}


def gradients(model):
    with tf.GradientTape() as tape:
        logits = model(random_images(32, count=8), training=True)
        loss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(np.arange(8), logits, from_logits=True))
    found = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    return {weight.path: np.abs(gradient).max() for weight, gradient in zip(model.trainable_weights, found, strict=True)}


def test_convolution_that_starts_at_zero_gets_a_gradient():
    found = gradients(SHORT_18(image_shape=(32, 32, 3), num_classes=10, zero_init_last_conv=True))
    assert all(found[f"stage{level}_block1_conv2/kernel"] > 1e-6 for level in (2, 3, 4, 5))


@pytest.fixture
def float64():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def test_biases_of_the_blocks_of_layout_keras_have_no_gradient(float64):
    # Every layer that reads the sum subtracts its mean, so these biases get no gradient.
    keras.utils.set_random_seed(0)
    found = gradients(SHORT_18(image_shape=(32, 32, 3), num_classes=10, layout="keras"))
    biases = {path: size for path, size in found.items() if path.endswith("/bias") and path.startswith("stage")}
    assert len(biases) == 4 + 3  # one block and, but for the first stage, one shortcut in each stage
    assert max(biases.values()) < 1e-12
    assert found["stem_conv/bias"] > 1e-4  # the border of the pooling has none


@pytest.mark.parametrize("synchronized", [False, True])
@pytest.mark.parametrize(
    ("layout", "momentum", "epsilon"), [("torchvision", 0.9, 1e-5), ("paper", 0.9, 1e-5), ("keras", 0.99, 1.001e-5)]
)
@pytest.mark.usefixtures("shapes_only")
def test_layout_and_option_reach_every_norm(layout, momentum, epsilon, synchronized):
    model = resnet18_v2(image_shape=(32, 32, 3), num_classes=10, layout=layout, synchronized=synchronized)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(norm.momentum, norm.epsilon, norm.synchronized) for norm in norms} == {(momentum, epsilon, synchronized)}


@pytest.mark.usefixtures("shapes_only")
def test_dropout_reaches_the_head():
    assert resnet18_v2(image_shape=(32, 32, 3), num_classes=10, dropout=0.3).get_layer("dropout").rate == 0.3


@pytest.mark.usefixtures("shapes_only")
def test_what_cannot_be_built_is_said():
    with pytest.raises(
        ConfigError, match="resnet18_v2 has no layout 'torch'; did you mean|resnet18_v2 has no layout 'torch'; choose"
    ):
        resnet18_v2(image_shape=(32, 32, 3), num_classes=10, layout="torch")
    with pytest.raises(ConfigError, match=r"dropout must lie in \[0, 1\); received 1"):
        resnet18_v2(image_shape=(32, 32, 3), num_classes=10, dropout=1)
