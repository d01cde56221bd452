"""GoogLeNet against table 1 of the paper, hand counts and a module in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.models.blocks import conv_relu
from kerasvision.models.googlenet import googlenet, inception
from kerasvision.models.summary import layer_table

# Table 1: module -> side and channels of its input, and #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
TABLE_1 = {
    "3a": (28, 192, 64, 96, 128, 16, 32, 32),
    "3b": (28, 256, 128, 128, 192, 32, 96, 64),
    "4a": (14, 480, 192, 96, 208, 16, 48, 64),
    "4b": (14, 512, 160, 112, 224, 24, 64, 64),
    "4c": (14, 512, 128, 128, 256, 24, 64, 64),
    "4d": (14, 512, 112, 144, 288, 32, 64, 64),
    "4e": (14, 528, 256, 160, 320, 32, 128, 128),
    "5a": (7, 832, 256, 160, 320, 32, 128, 128),
    "5b": (7, 832, 384, 192, 384, 48, 128, 128),
}
OUTPUTS = {
    "3a": (28, 28, 256),
    "3b": (28, 28, 480),
    "4a": (14, 14, 512),
    "4b": (14, 14, 512),
    "4c": (14, 14, 512),
    "4d": (14, 14, 528),
    "4e": (14, 14, 832),
    "5a": (7, 7, 832),
    "5b": (7, 7, 1024),
}


def random_images(side, count=4, channels=3):
    return np.random.default_rng(0).normal(size=(count, side, side, channels)).astype("float32")


@pytest.fixture(scope="module")
def backbone():
    return googlenet(image_shape=(224, 224, 3), num_classes=None)


@pytest.fixture(scope="module")
def small():
    """For 10 classes, with auxiliary heads, on the smallest images that these heads accept."""
    keras.utils.set_random_seed(0)
    return googlenet(image_shape=(65, 65, 3), num_classes=10, auxiliary_heads=True, dropout=0.0)


# --- Sizes and shapes


def test_maps_have_the_shapes_of_table_1(backbone):
    levels = {level: feature_map.shape[1:] for level, feature_map in backbone.output.items()}
    assert levels == {
        "c1": (112, 112, 64),
        "c2": (56, 56, 192),
        "c3": OUTPUTS["3b"],
        "c4": OUTPUTS["4e"],
        "c5": OUTPUTS["5b"],
    }
    assert {module: backbone.get_layer(f"inception{module}").output.shape[1:] for module in OUTPUTS} == OUTPUTS


def test_every_module_has_the_weights_and_the_cost_of_a_hand_count(backbone):
    rows = layer_table(backbone).rows
    for module, (side, channels, one, reduce3, three, reduce5, five, pool) in TABLE_1.items():
        kernels = channels * (one + reduce3 + reduce5 + pool) + 9 * reduce3 * three + 25 * reduce5 * five
        own = [row for row in rows if row.name.startswith(f"inception{module}")]
        assert sum(row.weights for row in own) == kernels + one + reduce3 + three + reduce5 + five + pool
        assert sum(row.multiply_adds for row in own) == side * side * kernels


@pytest.mark.usefixtures("shapes_only")
def test_the_whole_costs_1_58_giga_multiply_adds_by_hand():
    # The paper says "1.5 billion" (section 1): its table counts 34 M for the first convolution, which takes 118 M.
    stem = 112 * 112 * 64 * (7 * 7 * 3) + 56 * 56 * (64 * 64 + 192 * 9 * 64)
    modules = sum(
        side**2 * (channels * (one + reduce3 + reduce5 + pool) + 9 * reduce3 * three + 25 * reduce5 * five)
        for side, channels, one, reduce3, three, reduce5, five, pool in TABLE_1.values()
    )
    table = layer_table(googlenet(image_shape=(224, 224, 3), num_classes=1000))
    assert table.multiply_adds == stem + modules + 1024 * 1000
    assert round(table.multiply_adds / 1e9, 2) == 1.58


@pytest.mark.usefixtures("shapes_only")
def test_auxiliary_heads_have_the_weights_of_section_5():
    model = googlenet(image_shape=(224, 224, 3), num_classes=1000, auxiliary_heads=True)
    assert {name: logits.shape for name, logits in model.output.items()} == dict.fromkeys(
        ["logits", "auxiliary1", "auxiliary2"], (None, 1000)
    )
    assert model.get_layer("auxiliary1_pool").output.shape[1:] == (4, 4, 512)
    assert model.get_layer("auxiliary2_pool").output.shape[1:] == (4, 4, 528)
    for name, channels, published in [("auxiliary1", 512, 3_188_840), ("auxiliary2", 528, 3_190_888)]:
        weights = sum(layer.count_params() for layer in model.layers if layer.name.startswith(name))
        by_hand = channels * 128 + 128 + (4 * 4 * 128) * 1024 + 1024 + 1024 * 1000 + 1000
        assert weights == by_hand == published


# --- What is computed


def convolve(x, kernel, bias):
    border = kernel.shape[0] // 2
    bordered = np.pad(x, ((0, 0), (border, border), (border, border), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(bordered, kernel.shape[:2], axis=(1, 2))
    return np.maximum(np.einsum("nhwcij,ijco->nhwo", windows, kernel) + bias, 0)


def test_module_equals_figure_2b_in_numpy():
    image = keras.Input((6, 6, 4))
    model = keras.Model(image, inception(image, widths=(2, 3, 4, 1, 5, 6), unit=conv_relu, name="module"))
    generator = np.random.default_rng(0)
    model.set_weights([generator.normal(size=weight.shape) for weight in model.weights])
    x = generator.normal(size=(2, 6, 6, 4)).astype("float32")

    def weights(branch):
        return [weight.numpy().astype(float) for weight in model.get_layer(f"module_{branch}_conv").weights]

    bordered = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    largest = np.lib.stride_tricks.sliding_window_view(bordered, (3, 3), axis=(1, 2)).max(axis=(-2, -1))
    branches = [
        convolve(x, *weights("1x1")),
        convolve(convolve(x, *weights("3x3_reduce")), *weights("3x3")),
        convolve(convolve(x, *weights("5x5_reduce")), *weights("5x5")),
        convolve(largest, *weights("pool_proj")),
    ]
    np.testing.assert_allclose(model(x), np.concatenate(branches, axis=-1), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_every_weight_gets_a_gradient_from_the_three_heads(small):
    with tf.GradientTape() as tape:
        logits = small(random_images(65, count=8), training=True)
        targets = np.arange(8)
        loss = sum(keras.losses.sparse_categorical_crossentropy(targets, one, from_logits=True) for one in logits.values())
    for weight, gradient in zip(small.trainable_weights, tape.gradient(loss, small.trainable_weights), strict=True):
        assert np.abs(gradient).max() > 1e-6, weight.path


@pytest.mark.slow
def test_network_with_heads_is_the_same_after_saving(small, tmp_path):
    small.save(tmp_path / "small.keras")
    loaded = keras.saving.load_model(tmp_path / "small.keras")(random_images(65))
    for name, logits in small(random_images(65)).items():
        np.testing.assert_allclose(loaded[name], logits, rtol=1e-4, atol=1e-5)


def test_activations_keep_their_size_through_all_modules_at_the_start(small):
    names = ["conv1_relu", "inception3a", "inception4a", "inception5b", "logits"]
    outputs = keras.Model(small.input, [small.get_layer(name).output for name in names])(random_images(65))
    sizes = [float(np.std(output)) for output in outputs]
    # With a variance of 2 / fan_out, as in ResNet, the last one is some 150.
    assert max(sizes) < 20 and min(sizes) > 0.1, sizes


# --- Options


@pytest.mark.parametrize("synchronized", [False, True])
@pytest.mark.usefixtures("shapes_only")
def test_batch_norm_follows_every_convolution_and_takes_the_place_of_its_bias(synchronized):
    model = googlenet(
        image_shape=(65, 65, 3), num_classes=10, auxiliary_heads=True, batch_norm=True, synchronized=synchronized
    )
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms) == len(convolutions) == 3 + 9 * 6 + 2
    assert not any(convolution.use_bias for convolution in convolutions)
    assert {(norm.momentum, norm.epsilon, norm.synchronized) for norm in norms} == {(0.9, 1e-5, synchronized)}


@pytest.mark.parametrize(
    ("options", "rates"),
    [({}, [0.4, 0.7, 0.7]), ({"dropout": 0.2}, [0.2, 0.7, 0.7]), ({"dropout": 0.0}, [0.0, 0.0, 0.0])],
)
@pytest.mark.usefixtures("shapes_only")
def test_dropout_is_the_papers_and_zero_turns_off_that_of_the_heads_too(options, rates):
    model = googlenet(image_shape=(65, 65, 1), num_classes=2, auxiliary_heads=True, **options)
    names = ["dropout", "auxiliary1_dropout", "auxiliary2_dropout"]
    assert [model.get_layer(name).rate for name in names] == rates


@pytest.mark.usefixtures("shapes_only")
def test_backbone_has_no_heads():
    model = googlenet(image_shape=(32, 32, 3), num_classes=None, auxiliary_heads=True)
    assert set(model.output) == {"c1", "c2", "c3", "c4", "c5"}
    assert not [layer.name for layer in model.layers if "auxiliary" in layer.name]


@pytest.mark.parametrize("image_shape", [(64, 65, 3), (65, 64, 3)])
@pytest.mark.usefixtures("shapes_only")
def test_image_that_leaves_an_auxiliary_head_nothing_to_pool_is_refused(image_shape):
    with pytest.raises(ConfigError, match=r"at least 65 x 65 pixels; received .*\. Resize .* set auxiliary_heads=False"):
        googlenet(image_shape=image_shape, num_classes=10, auxiliary_heads=True)
    assert googlenet(image_shape=image_shape, num_classes=10).output.shape == (None, 10)


def test_dropout_of_everything_is_refused():
    with pytest.raises(ConfigError, match=r"dropout must lie in \[0, 1\); received 1.0"):
        googlenet(image_shape=(32, 32, 3), num_classes=10, dropout=1.0)
