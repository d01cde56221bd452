"""AlexNet against a second implementation in NumPy, and against the figures of the paper and of d2l."""

import keras
import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models.alexnet import alexnet, alexnet_2012, response_norm
from kerasvision.models.summary import layer_table

SMALLEST = (67, 67, 3)
BUILDERS = pytest.mark.parametrize("builder", [alexnet, alexnet_2012])


def convolve(x, kernel, bias, stride=1, pad=0, groups=1):
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    windows = np.split(windows, groups, axis=3)
    kernels = np.split(kernel, groups, axis=3)
    parts = [np.einsum("nhwcij,ijco->nhwo", *pair, optimize=True) for pair in zip(windows, kernels, strict=True)]
    return np.maximum(np.concatenate(parts, axis=-1) + bias, 0)


def pool(x):
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2]
    return windows.max(axis=(-2, -1))


def response_norm_in_numpy(a, k=2.0, n=5, alpha=1e-4, beta=0.75):
    """The formula of section 3.3, letter by letter."""
    b, N = np.empty_like(a), a.shape[-1]
    for i in range(N):
        total = sum(a[..., j] ** 2 for j in range(max(0, i - n // 2), min(N - 1, i + n // 2) + 1))
        b[..., i] = a[..., i] / (k + alpha * total) ** beta
    return b


def alexnet_in_numpy(x, weights, groups, norm):
    kernels, biases = weights[::2], weights[1::2]
    x = pool(norm(convolve(x, kernels[0], biases[0], stride=4)))
    x = pool(norm(convolve(x, kernels[1], biases[1], pad=2, groups=groups)))
    x = convolve(x, kernels[2], biases[2], pad=1)
    x = convolve(x, kernels[3], biases[3], pad=1, groups=groups)
    x = pool(convolve(x, kernels[4], biases[4], pad=1, groups=groups))
    x = np.maximum(x.reshape(len(x), -1) @ kernels[5] + biases[5], 0)
    x = np.maximum(x @ kernels[6] + biases[6], 0)
    return x @ kernels[7] + biases[7]


@pytest.mark.parametrize(
    ("builder", "groups", "norm"),
    [pytest.param(alexnet, 1, lambda x: x, marks=pytest.mark.slow), (alexnet_2012, 2, response_norm_in_numpy)],
)
def test_logits_equal_numpys(builder, groups, norm):
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    model = builder(image_shape=SMALLEST, num_classes=10)
    # A hundred times the usual contrast, so that the norms have something to do.
    images = 100 * generator.normal(size=(2, *SMALLEST))
    for weight in model.weights:
        weight.assign_add(generator.normal(0.0, 0.01, weight.shape))
    expected = alexnet_in_numpy(images, [weight.numpy() for weight in model.weights], groups, norm)
    np.testing.assert_allclose(model(images.astype("float32")), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("constants", [{}, {"k": 1.0, "n": 3, "alpha": 0.1, "beta": 0.5}])
def test_response_norm_equals_a_loop_over_channels(constants):
    maps = np.random.default_rng(0).normal(0.0, 100.0, (2, 3, 4, 7)).astype("float32")
    image = keras.Input((3, 4, 7))
    model = keras.Model(image, response_norm(image, **constants, name="norm"))
    np.testing.assert_allclose(model(maps), response_norm_in_numpy(maps, **constants), rtol=1e-5)


def test_response_norm_of_a_hand_count():
    # Channels 0, 1, 2, 3: the neighbours of channel 0 are 0, 1 and 2, whose squares sum to 5; for every other channel, 14.
    image = keras.Input((1, 1, 4))
    model = keras.Model(image, response_norm(image, k=2.0, n=5, alpha=1.0, beta=0.5, name="norm"))
    normed = model(np.arange(4.0, dtype="float32").reshape(1, 1, 1, 4)).numpy().ravel()
    np.testing.assert_allclose(normed, [0 / 7**0.5, 1 / 4, 2 / 4, 3 / 4], rtol=1e-6)


def test_response_norm_keeps_its_divisor_precise_under_a_mixed_policy():
    # The squares sum to 30: in bfloat16 the divisor 2.003 is 2.
    maps = np.full((1, 1, 1, 5), 6**0.5, "float32")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        image = keras.Input((1, 1, 5))
        normed = response_norm(image, name="norm")
        divisor = keras.Model(image, [normed, keras.Model(image, normed).get_layer("norm_rescale").output])
    finally:
        keras.config.set_dtype_policy("float32")
    outputs = divisor(maps)
    assert [output.dtype.name for output in outputs] == ["bfloat16", "float32"]
    np.testing.assert_allclose(outputs[1].numpy().ravel()[2], 2.003, rtol=1e-6)


# Inputs x outputs + outputs, as d2l prints them layer by layer.
@pytest.mark.parametrize(
    ("layer", "output_shape", "weights"),
    [
        ("layer1_conv", (54, 54, 96), 11 * 11 * 1 * 96 + 96),
        ("layer1_pool", (26, 26, 96), 0),
        ("layer2_conv", (26, 26, 256), 5 * 5 * 96 * 256 + 256),
        ("layer2_pool", (12, 12, 256), 0),
        ("layer3_conv", (12, 12, 384), 3 * 3 * 256 * 384 + 384),
        ("layer4_conv", (12, 12, 384), 3 * 3 * 384 * 384 + 384),
        ("layer5_conv", (12, 12, 256), 3 * 3 * 384 * 256 + 256),
        ("layer5_pool", (5, 5, 256), 0),
    ],
)
@pytest.mark.usefixtures("shapes_only")
def test_each_layer_has_the_shape_and_the_weights_of_d2l(layer, output_shape, weights):
    layer = alexnet(image_shape=(224, 224, 1), num_classes=None).get_layer(layer)
    assert layer.output.shape[1:] == output_shape
    assert layer.count_params() == weights


@pytest.mark.usefixtures("shapes_only")
def test_single_stream_costs_what_a_hand_count_says():
    model = alexnet(image_shape=(224, 224, 3), num_classes=1000)
    first = 54**2 * 96 * (11 * 11 * 3) + 26**2 * 256 * (5 * 5 * 96)
    others = 12**2 * (384 * (3 * 3 * 256) + 384 * (3 * 3 * 384) + 256 * (3 * 3 * 384))
    dense = 5 * 5 * 256 * 4096 + 4096 * 4096 + 4096 * 1000
    assert layer_table(model).multiply_adds == first + others + dense
    assert round((first + others + dense) / 1e9, 3) == 1.010


@pytest.mark.usefixtures("shapes_only")
def test_network_of_2012_has_the_weights_and_the_cost_of_a_hand_count():
    # Every second channel belongs to the other group, which layers 2, 4 and 5 do not see.
    kernels = {1: (55, 11 * 11 * 3, 96), 2: (27, 5 * 5 * 48, 256), 3: (13, 3 * 3 * 256, 384)}
    kernels |= {4: (13, 3 * 3 * 192, 384), 5: (13, 3 * 3 * 192, 256)}
    kernels |= {6: (1, 6 * 6 * 256, 4096), 7: (1, 4096, 4096), 8: (1, 4096, 1000)}
    weights = sum((inputs + 1) * outputs for _, inputs, outputs in kernels.values())
    multiply_adds = sum(side**2 * inputs * outputs for side, inputs, outputs in kernels.values())
    table = layer_table(alexnet_2012(image_shape=(227, 227, 3), num_classes=1000))
    assert table.trainable_weights == table.total_weights == weights == 60_965_224
    assert table.multiply_adds == multiply_adds == 724_406_816


def test_paper_starts_at_deviation_001_and_at_biases_of_one_where_section_5_says():
    keras.utils.set_random_seed(0)
    model = alexnet_2012(image_shape=SMALLEST, num_classes=10, initialization="paper")
    weighted = {layer.name: layer for layer in model.layers if layer.weights}
    assert {name: set(layer.bias.numpy()) for name, layer in weighted.items()} == {
        "layer1_conv": {0.0},
        "layer2_conv": {1.0},
        "layer3_conv": {0.0},
        "layer4_conv": {1.0},
        "layer5_conv": {1.0},
        "hidden1_dense": {1.0},
        "hidden2_dense": {1.0},
        "logits": {0.0},
    }
    for layer in weighted.values():
        np.testing.assert_allclose(layer.kernel.numpy().std(), 0.01, rtol=0.02)
    # A model made from its description also starts that way.
    again = keras.models.clone_model(model).get_layer("layer2_conv")
    np.testing.assert_allclose([again.kernel.numpy().std(), again.bias.numpy().mean()], [0.01, 1.0], rtol=0.02)


@BUILDERS
def test_convolutions_start_as_he_normal_where_not_said_otherwise(builder):
    keras.utils.set_random_seed(0)
    model = builder(image_shape=SMALLEST, num_classes=None)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            height, width, _, filters = layer.kernel.shape
            np.testing.assert_allclose(layer.kernel.numpy().std(), (2 / (height * width * filters)) ** 0.5, rtol=0.04)
            assert not layer.bias.numpy().any()


@BUILDERS
def test_dropout_acts_on_both_hidden_layers_and_is_a_half_where_not_said_otherwise(builder):
    for options, rate in [({}, 0.5), ({"dropout": 0.25}, 0.25)]:
        model = builder(image_shape=SMALLEST, num_classes=2, **options)
        dropped = {layer.name: layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
        assert dropped == {"hidden1_dropout": rate, "hidden2_dropout": rate}


def test_two_models_of_a_process_have_one_description():
    # The powers in the norms are not layers, and Keras would number them through the process.
    one, other = (alexnet_2012(image_shape=SMALLEST, num_classes=None) for _ in range(2))
    assert one.get_config() == other.get_config()
    operations = [operation.name for operation in one.operations if not isinstance(operation, keras.Layer)]
    assert operations == ["layer1_norm_power", "layer2_norm_power"]


@pytest.mark.parametrize(
    ("builder", "options", "message"),
    [
        (alexnet, {"dropout": 1.0}, r"dropout must lie in \[0, 1\); received 1.0"),
        (alexnet_2012, {"dropout": -0.1}, r"dropout must lie in \[0, 1\); received -0.1"),
        (alexnet_2012, {"initialization": "papper"}, "no initialization 'papper'; did you mean 'paper'?"),
    ],
)
def test_what_cannot_be_built_is_said(builder, options, message):
    with pytest.raises(ConfigError, match=message):
        builder(image_shape=SMALLEST, num_classes=None, **options)
