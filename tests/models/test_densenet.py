"""The densely connected networks against table 1 of the paper, torchvision and Dive into Deep Learning, and by hand."""

import functools
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.lookup import MODELS
from kerasvision.models import build
from kerasvision.models.densenet import Depth, densenet, densenet121, densenet_small
from kerasvision.models.summary import layer_table
from kerasvision.models.table import NETWORKS

# Stages of two layers.
SHORT_121 = functools.partial(densenet, Depth("densenet121", (2, 2, 2, 2)))
# What `dense_maps` does for every network shows in the smallest.
SLOW_121 = pytest.param(densenet121, marks=pytest.mark.slow)


def random_images(side, channels=3, count=2):
    return np.random.default_rng(0).normal(size=(count, side, side, channels)).astype("float32")


@pytest.mark.parametrize("name", [row.name for row in NETWORKS if row.family == "densenet"])
def test_docstring_states_the_published_size(name):
    figure = next(row for row in NETWORKS if row.name == name).figures[0]
    text = inspect.getdoc(MODELS.load(name))
    assert f"{figure.trainable_weights:,} trainable weights" in text
    assert f"{figure.giga_multiply_adds} GMACs" in text or not figure.giga_multiply_adds


def dense_stage(side, channels, count):
    """Multiply-adds of `count` layers at `side` x `side`: 1x1 to 128 channels, 3x3 to 32."""
    return sum(side**2 * ((channels + 32 * i) * 128 + 3 * 3 * 128 * 32) for i in range(count))


@pytest.mark.usefixtures("shapes_only")
def test_densenet121_costs_what_a_hand_count_and_torchvision_say():
    table = layer_table(densenet121(image_shape=(224, 224, 3), num_classes=1000))
    stem = 112 * 112 * 64 * (7 * 7 * 3)
    stages = dense_stage(56, 64, 6) + dense_stage(28, 128, 12) + dense_stage(14, 256, 24) + dense_stage(7, 512, 16)
    transitions = 56 * 56 * 256 * 128 + 28 * 28 * 512 * 256 + 14 * 14 * 1024 * 512
    assert table.multiply_adds == stem + stages + transitions + 1024 * 1000
    assert f"{table.multiply_adds / 1e9:.3f}" == "2.834"


@pytest.mark.parametrize("name", ["densenet121", pytest.param("densenet169", marks=pytest.mark.slow)])
@pytest.mark.usefixtures("shapes_only")
def test_depth_in_the_name_counts_convolutions_and_the_dense_layer(name):
    model = build(name, image_shape=(32, 32, 3), num_classes=10)
    weighted = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)]
    assert len(weighted) == int(name.removeprefix("densenet"))


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("densenet121", {"c2": (56, 56, 256), "c3": (28, 28, 512), "c4": (14, 14, 1024), "c5": (7, 7, 1024)}),
        ("densenet_small", {"c2": (56, 56, 192), "c3": (28, 28, 224), "c4": (14, 14, 240), "c5": (7, 7, 248)}),
    ],
)
@pytest.mark.usefixtures("shapes_only")
def test_maps_have_the_shapes_of_table_1(name, shapes):
    maps = build(name, image_shape=(224, 224, 3), num_classes=None).output
    assert {level: feature_map.shape[1:] for level, feature_map in maps.items()} == shapes


# The channels after each transition.
@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("densenet121", (128, 256, 512)),
        pytest.param("densenet169", (128, 256, 640), marks=pytest.mark.slow),
        pytest.param("densenet201", (128, 256, 896), marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("shapes_only")
def test_transition_halves_channels_and_pixels(name, channels):
    backbone = build(name, image_shape=(64, 64, 3), num_classes=None)
    outputs = [backbone.get_layer(f"transition{level}_pool").output.shape[1:] for level in (2, 3, 4)]
    assert outputs == [(side, side, count) for side, count in zip((8, 4, 2), channels, strict=True)]


@pytest.mark.parametrize("builder", [SLOW_121, densenet_small])
@pytest.mark.usefixtures("shapes_only")
def test_map_of_a_level_is_read_by_its_transition_and_the_last_one_by_the_head(builder):
    model = builder(image_shape=(64, 64, 3), num_classes=10)
    backbone = builder(image_shape=(64, 64, 3), num_classes=None)
    names = ["transition2_relu", "transition3_relu", "transition4_relu", "final_relu"]
    for level, name in zip(("c2", "c3", "c4", "c5"), names, strict=True):
        assert backbone.output[level] is backbone.get_layer(name).output
    for level in (2, 3, 4):
        assert model.get_layer(f"transition{level}_conv").input is model.get_layer(f"transition{level}_relu").output
    assert model.get_layer("pool").input is model.get_layer("final_relu").output


def test_layer_reads_all_that_came_before_it_and_lays_32_channels_beside():
    backbone = densenet_small(image_shape=(32, 32, 3), num_classes=None)
    names = ["stem_pool", *(f"stage2_layer{n}_{part}" for n in (1, 2, 3, 4) for part in ("conv1", "concat"))]
    outputs = keras.Model(backbone.input, [backbone.get_layer(name).output for name in names])(random_images(32))
    made = dict(zip(names, outputs, strict=True))
    own = [made[f"stage2_layer{n}_conv1"] for n in (1, 2, 3, 4)]
    assert {feature_map.shape[-1] for feature_map in own} == {32}
    np.testing.assert_array_equal(made["stage2_layer4_concat"], np.concatenate([made["stem_pool"], *own], axis=-1))
    assert backbone.get_layer("stage2_layer4_norm1").input is backbone.get_layer("stage2_layer3_concat").output


def test_transition_equals_numpys():
    backbone = densenet_small(image_shape=(32, 32, 3), num_classes=None)
    names = ["transition2_relu", "transition2_pool"]
    before, after = keras.Model(backbone.input, [backbone.get_layer(name).output for name in names])(random_images(32))
    kernel = backbone.get_layer("transition2_conv").kernel.numpy()[0, 0]
    n, height, width, channels = before.shape
    mixed = (before.numpy() @ kernel).reshape(n, height // 2, 2, width // 2, 2, channels // 2)
    np.testing.assert_allclose(after, mixed.mean(axis=(2, 4)), rtol=1e-4, atol=1e-5)


@pytest.fixture
def float64():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.mark.slow
def test_biases_of_dive_into_deep_learning_are_904_and_have_no_gradient(float64):
    # 64 of the stem, 32 of each layer, half the channels at each transition.
    assert 64 + 16 * 32 + 192 // 2 + 224 // 2 + 240 // 2 == 904 == 758_226 - 757_322
    keras.utils.set_random_seed(0)
    model = densenet_small(image_shape=(64, 64, 1), num_classes=10, bias=True)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert sum(layer.bias.shape[0] for layer in convolutions) == 904
    with tf.GradientTape() as tape:
        logits = model(random_images(64, channels=1, count=8), training=True)
        loss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(np.arange(8), logits, from_logits=True))
    found = tape.gradient(loss, [(layer.kernel.value, layer.bias.value) for layer in convolutions])
    assert min(np.abs(kernel).max() for kernel, _ in found) > 1e-4
    assert max(np.abs(bias).max() for _, bias in found) < 1e-12


def test_convolutions_start_as_he_normal_of_their_fan_in_as_torchvisions():
    keras.utils.set_random_seed(0)
    model = densenet(Depth("densenet121", (2, 2, 2, 2)), image_shape=(32, 32, 3), num_classes=10)
    kernels = [layer.kernel.numpy() for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    for kernel in kernels:
        height, width, channels, _ = kernel.shape
        np.testing.assert_allclose(kernel.std(), (2 / (height * width * channels)) ** 0.5, rtol=0.05)
    assert len({kernel.tobytes() for kernel in kernels}) == len(kernels) == 1 + 2 * 8 + 3


@pytest.mark.parametrize(
    ("builder", "options", "constants"),
    [
        (SHORT_121, {}, (0.9, 1e-5, False)),
        (SHORT_121, {"layout": "keras", "synchronized": True}, (0.99, 1.001e-5, True)),
        (densenet_small, {"synchronized": True}, (0.9, 1e-5, True)),
    ],
)
@pytest.mark.usefixtures("shapes_only")
def test_options_reach_every_norm(builder, options, constants):
    model = builder(image_shape=(32, 32, 3), num_classes=10, **options)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(norm.momentum, norm.epsilon, norm.synchronized) for norm in norms} == {constants}


@pytest.mark.parametrize("builder", [SHORT_121, densenet_small])
@pytest.mark.usefixtures("shapes_only")
def test_dropout_reaches_the_head(builder):
    assert builder(image_shape=(32, 32, 3), num_classes=10, dropout=0.3).get_layer("dropout").rate == 0.3


@pytest.mark.usefixtures("shapes_only")
def test_what_cannot_be_built_is_said():
    with pytest.raises(ConfigError, match="densenet121 has no layout 'paper'; choose from keras, torchvision"):
        densenet121(image_shape=(32, 32, 3), num_classes=10, layout="paper")
    with pytest.raises(ConfigError, match=r"dropout must lie in \[0, 1\); received -0.1"):
        densenet_small(image_shape=(32, 32, 3), num_classes=10, dropout=-0.1)
