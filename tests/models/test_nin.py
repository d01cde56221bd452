"""Network in Network against a second implementation in NumPy, and against the figures of d2l."""

import keras
import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models.nin import nin
from kerasvision.models.summary import layer_table

SMALLEST = (67, 67, 3)


def block(x, weights, stride=1, pad=0):
    kernel, bias, mlp1, bias1, mlp2, bias2 = weights
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    x = np.maximum(np.einsum("nhwcij,ijco->nhwo", windows, kernel, optimize=True) + bias, 0)
    x = np.maximum(x @ mlp1[0, 0] + bias1, 0)
    return np.maximum(x @ mlp2[0, 0] + bias2, 0)


def pool(x):
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2]
    return windows.max(axis=(-2, -1))


def test_logits_equal_numpys():
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    model = nin(image_shape=(99, 99, 3), num_classes=10)  # the last map is 2 x 2, so that there is something to average
    for weight in model.weights:
        weight.assign_add(generator.normal(0.0, 0.01, weight.shape))
    weights = [weight.numpy() for weight in model.weights]
    images = generator.normal(size=(2, 99, 99, 3))
    x = pool(block(images, weights[:6], stride=4))
    x = pool(block(x, weights[6:12], pad=2))
    x = pool(block(x, weights[12:18], pad=1))
    expected = block(x, weights[18:], pad=1).mean(axis=(1, 2))
    np.testing.assert_allclose(model(images.astype("float32")), expected, rtol=1e-4, atol=1e-4)
    assert expected.any()


# Three convolutions per block; inputs x outputs + outputs.
@pytest.mark.parametrize(
    ("part", "output_shape", "weights"),
    [
        ("block1", (54, 54, 96), (11 * 11 * 1 * 96 + 96) + 2 * (96 * 96 + 96)),
        ("block1_pool", (26, 26, 96), 0),
        ("block2", (26, 26, 256), (5 * 5 * 96 * 256 + 256) + 2 * (256 * 256 + 256)),
        ("block2_pool", (12, 12, 256), 0),
        ("block3", (12, 12, 384), (3 * 3 * 256 * 384 + 384) + 2 * (384 * 384 + 384)),
        ("block3_pool", (5, 5, 384), 0),
        ("dropout", (5, 5, 384), 0),
        ("block4", (5, 5, 10), (3 * 3 * 384 * 10 + 10) + 2 * (10 * 10 + 10)),
        ("logits", (10,), 0),
    ],
)
@pytest.mark.usefixtures("shapes_only")
def test_each_block_has_the_shape_and_the_weights_of_d2l(part, output_shape, weights):
    rows = [row for row in layer_table(nin(image_shape=(224, 224, 1), num_classes=10)).rows if row.name.startswith(part)]
    rows = [row for row in rows if part.endswith("pool") or not row.name.endswith("pool")]
    assert rows[-1].output_shape == output_shape
    assert sum(row.weights for row in rows) == weights


@pytest.mark.usefixtures("shapes_only")
def test_nin_costs_what_a_hand_count_says():
    table = layer_table(nin(image_shape=(224, 224, 3), num_classes=1000))
    blocks = [
        54**2 * 96 * (11 * 11 * 3 + 96 + 96),
        26**2 * 256 * (5 * 5 * 96 + 256 + 256),
        12**2 * 384 * (3 * 3 * 256 + 384 + 384),
        5**2 * 1000 * (3 * 3 * 384 + 1000 + 1000),
    ]
    assert table.multiply_adds == sum(blocks)
    assert round(sum(blocks) / 1e9, 3) == 0.966


def test_every_convolution_has_a_relu_and_so_no_logit_is_negative():
    model = nin(image_shape=SMALLEST, num_classes=10)
    convolutions = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    relus = [layer.name for layer in model.layers if isinstance(layer, keras.layers.ReLU)]
    assert len(convolutions) == 12
    assert [name.removesuffix("_relu") for name in relus] == [name.removesuffix("_conv") for name in convolutions]
    logits = model(np.random.default_rng(0).normal(size=(8, *SMALLEST)).astype("float32")).numpy()
    assert logits.min() >= 0 < logits.max()


def test_dropout_acts_on_the_last_pooling_and_is_a_half_where_not_said_otherwise():
    for options, rate in [({}, 0.5), ({"dropout": 0.25}, 0.25)]:
        model = nin(image_shape=SMALLEST, num_classes=2, **options)
        dropouts = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
        assert [layer.rate for layer in dropouts] == [rate]
        assert dropouts[0].input is model.get_layer("block3_pool").output


def test_dropout_of_everything_is_refused():
    with pytest.raises(ConfigError, match=r"dropout must lie in \[0, 1\); received 1.0"):
        nin(image_shape=SMALLEST, num_classes=10, dropout=1.0)
