"""Inception v3 against keras.applications, weight by weight and logit by logit, and against table 1 of the paper."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.models.inception import inception_v3


def random_images(*shape, count=2):
    return np.random.default_rng(0).normal(size=(count, *shape)).astype("float32")


def unlike_the_start(weight, generator):
    """Values with which no norm is the identity, so that two swapped norms are noticed."""
    if weight.name == "moving_variance":
        return generator.uniform(0.5, 1.5, weight.shape)
    if weight.name == "kernel":
        return generator.normal(0, (2 / np.prod(weight.shape[:-1])) ** 0.5, weight.shape)
    return generator.normal(0, 0.1, weight.shape)


@pytest.fixture(scope="module")
def small():
    """For 10 classes, with the auxiliary head, on the smallest images that this head accepts."""
    keras.utils.set_random_seed(0)
    return inception_v3(image_shape=(107, 107, 3), num_classes=10, auxiliary_heads=True, dropout=0.0)


# --- Against keras.applications


# `test_keras_layers` compares the two in every run, with weights from a file and a square image.
@pytest.mark.slow
def test_with_the_weights_of_keras_applications_in_their_order_the_logits_are_the_same():
    shape = (140, 108, 3)  # leaves 3 x 2 pixels of the last map
    theirs = keras.applications.InceptionV3(weights=None, input_shape=shape, classes=10, classifier_activation=None)
    ours = inception_v3(image_shape=shape, num_classes=10)
    generator = np.random.default_rng(0)
    theirs.set_weights([unlike_the_start(weight, generator) for weight in theirs.weights])
    ours.set_weights(theirs.get_weights())
    expected = theirs(random_images(*shape), training=False)
    assert np.std(expected) > 0.1
    np.testing.assert_allclose(ours(random_images(*shape), training=False), expected, rtol=1e-3, atol=1e-4)


# --- Sizes and shapes


@pytest.mark.usefixtures("shapes_only")
def test_maps_have_the_shapes_of_table_1():
    backbone = inception_v3(image_shape=(299, 299, 3), num_classes=None)
    assert {level: feature_map.shape[1:] for level, feature_map in backbone.output.items()} == {
        "c1": (147, 147, 64),
        "c2": (71, 71, 192),
        "c3": (35, 35, 288),
        "c4": (17, 17, 768),
        "c5": (8, 8, 2048),
    }
    assert backbone.get_layer("conv1_relu").output.shape[1:] == (149, 149, 32)
    assert backbone.get_layer("conv4_relu").output.shape[1:] == (73, 73, 80)
    # The paper's table lists the input of each module; this is the output, which torchvision passes on to the next.
    channels = [256, 288, 288, 768, 768, 768, 768, 768, 1280, 2048, 2048]
    assert [backbone.get_layer(f"mixed{number}").output.shape[-1] for number in range(11)] == channels


@pytest.mark.usefixtures("shapes_only")
def test_weights_with_the_auxiliary_head_are_torchvisions_less_the_scales():
    model = inception_v3(image_shape=(299, 299, 3), num_classes=1000, auxiliary_heads=True)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    scales = sum(norm.beta.shape[0] for norm in norms)
    trainable = sum(np.prod(weight.shape) for weight in model.trainable_weights)
    head = 768 * 128 + 128 + 5 * 5 * 128 * 768 + 768 + 768 * 1000 + 1000
    assert scales == (23_851_784 - 23_817_352) // 2 + 128 + 768 == 18_112
    assert trainable == 23_817_352 + head == 27_161_264 - scales
    assert model.get_layer("auxiliary_pool").output.shape[1:] == (5, 5, 768)  # figure 8
    assert model.get_layer("auxiliary_5x5_relu").output.shape[1:] == (1, 1, 768)


@pytest.mark.usefixtures("shapes_only")
def test_maps_are_rectangles_where_the_image_is_one():
    maps = inception_v3(image_shape=(75, 139, 1), num_classes=None).output
    # 139 - 75 pixels are 64: 64 / 32 more at level 5.
    assert maps["c5"].shape == (None, 1, 3, 2048)


# --- The auxiliary head


@pytest.mark.parametrize(
    ("side", "pooled", "kernel"),
    [
        (107, 1, (1, 1)),
        pytest.param(203, 3, (3, 3), marks=pytest.mark.slow),
        pytest.param(299, 5, (5, 5), marks=pytest.mark.slow),
        (395, 7, (5, 5)),
    ],
)
@pytest.mark.usefixtures("shapes_only")
def test_kernel_of_the_auxiliary_head_is_no_larger_than_its_map(side, pooled, kernel):
    head = inception_v3(image_shape=(side, side, 3), num_classes=2, auxiliary_heads=True)
    assert head.get_layer("auxiliary_pool").output.shape[1:3] == (pooled, pooled)
    assert head.get_layer("auxiliary_5x5_conv").kernel_size == kernel
    assert head.output["auxiliary"].shape == (None, 2)


@pytest.mark.slow
def test_every_weight_gets_a_gradient_from_both_heads(small):
    with tf.GradientTape() as tape:
        logits = small(random_images(107, 107, 3, count=8), training=True)
        targets = np.arange(8)
        loss = sum(keras.losses.sparse_categorical_crossentropy(targets, one, from_logits=True) for one in logits.values())
    for weight, gradient in zip(small.trainable_weights, tape.gradient(loss, small.trainable_weights), strict=True):
        assert np.abs(gradient).max() > 1e-6, weight.path


@pytest.mark.usefixtures("shapes_only")
def test_image_that_leaves_the_auxiliary_head_nothing_to_pool_is_refused():
    with pytest.raises(ConfigError, match=r"at least 107 x 107 pixels; received \(106, 120, 3\).*auxiliary_heads=False"):
        inception_v3(image_shape=(106, 120, 3), num_classes=10, auxiliary_heads=True)


@pytest.mark.usefixtures("shapes_only")
def test_backbone_has_no_heads():
    model = inception_v3(image_shape=(75, 75, 3), num_classes=None, auxiliary_heads=True)
    assert not [layer.name for layer in model.layers if "auxiliary" in layer.name]


# --- Options


@pytest.mark.usefixtures("shapes_only")
def test_norms_have_no_scale_and_follow_the_option(small):
    synchronized = inception_v3(image_shape=(75, 75, 3), num_classes=10, synchronized=True)
    for model, option, count in [(small, False, 94 + 2), (synchronized, True, 94)]:
        norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        seen = {(norm.momentum, norm.epsilon, norm.scale, norm.center, norm.synchronized) for norm in norms}
        assert len(norms) == count
        assert seen == {(0.9, 1e-3, False, True, option)}


@pytest.mark.usefixtures("shapes_only")
def test_dropout_stands_before_the_logits():
    model = inception_v3(image_shape=(75, 75, 1), num_classes=2, dropout=0.5)
    assert model.get_layer("dropout").rate == 0.5
    assert model.get_layer("dropout").output is model.get_layer("logits").input


def test_dropout_of_everything_is_refused():
    with pytest.raises(ConfigError, match=r"dropout must lie in \[0, 1\); received 1.0"):
        inception_v3(image_shape=(75, 75, 3), num_classes=10, dropout=1.0)
