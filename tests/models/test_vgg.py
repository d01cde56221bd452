"""The VGG networks against keras.applications, torchvision's counts and the figures of the paper."""

import keras
import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models.summary import layer_table
from kerasvision.models.vgg import vgg11, vgg13, vgg16, vgg19

SMALLEST = (32, 32, 3)


def images(count=4):
    return np.random.default_rng(0).normal(size=(count, *SMALLEST)).astype("float32")


def of_type(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


# `test_keras_layers` compares VGG-16 with them in every run, with weights from a file.
@pytest.mark.slow
@pytest.mark.parametrize(("builder", "theirs"), [(vgg16, "VGG16"), (vgg19, "VGG19")])
def test_logits_equal_those_of_keras_applications(builder, theirs):
    build_theirs = getattr(keras.applications, theirs)
    theirs = build_theirs(weights=None, input_shape=SMALLEST, classes=10, classifier_activation=None)
    ours = builder(image_shape=SMALLEST, num_classes=10)
    ours.set_weights(theirs.get_weights())
    expected = theirs(images()).numpy()
    np.testing.assert_allclose(ours(images()), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("builder", [vgg11, vgg13, vgg16, vgg19])
@pytest.mark.usefixtures("shapes_only")
def test_number_in_the_name_counts_convolutions_and_dense_layers(builder):
    model = builder(image_shape=SMALLEST, num_classes=10, width=0.25)
    weighted = of_type(model, keras.layers.Conv2D | keras.layers.Dense)
    assert len(weighted) == int(builder.__name__.removeprefix("vgg"))


@pytest.mark.usefixtures("shapes_only")
def test_maps_are_the_poolings_of_table_1():
    backbone = vgg11(image_shape=(224, 224, 3), num_classes=None)
    shapes = {level: feature_map.shape[1:] for level, feature_map in backbone.output.items()}
    assert shapes == {
        "c1": (112, 112, 64),
        "c2": (56, 56, 128),
        "c3": (28, 28, 256),
        "c4": (14, 14, 512),
        "c5": (7, 7, 512),
    }
    assert all(backbone.output[f"c{level}"] is backbone.get_layer(f"block{level}_pool").output for level in (1, 2, 3, 4, 5))


@pytest.mark.usefixtures("shapes_only")
def test_norms_add_a_scale_an_offset_and_two_statistics_per_channel():
    channels = 64 + 128 + 2 * 256 + 4 * 512
    with_norms, plain = (
        layer_table(vgg11(image_shape=SMALLEST, num_classes=None, batch_norm=choice)) for choice in (True, False)
    )
    # As torchvision counts vgg11_bn: the convolutions keep their biases.
    assert with_norms.trainable_weights - plain.trainable_weights == 2 * channels == 132_868_840 - 132_863_336
    assert with_norms.total_weights - with_norms.trainable_weights == 2 * channels == 5_504


@pytest.mark.usefixtures("shapes_only")
def test_each_norm_stands_between_a_convolution_and_its_relu():
    model = vgg16(image_shape=SMALLEST, num_classes=None, batch_norm=True, width=0.25)
    order = [layer.name.partition("_")[2] for layer in model.layers if layer.name.startswith("block3")]
    assert order == ["conv1", "norm1", "relu1", "conv2", "norm2", "relu2", "conv3", "norm3", "relu3", "pool"]
    assert not of_type(vgg16(image_shape=SMALLEST, num_classes=None, width=0.25), keras.layers.BatchNormalization)


def test_bias_in_front_of_a_norm_changes_nothing_in_training():
    # Why its row in the conformance catalogue calls these biases idle.
    keras.utils.set_random_seed(0)
    model = vgg11(image_shape=SMALLEST, num_classes=10, batch_norm=True, width=1 / 64, dropout=0.0)
    before = model(images(), training=True).numpy()
    for layer in of_type(model, keras.layers.Conv2D):
        layer.bias.assign_add(np.ones(layer.bias.shape))
    np.testing.assert_allclose(model(images(), training=True), before, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("synchronized", [False, True])
@pytest.mark.usefixtures("shapes_only")
def test_every_norm_follows_torchvisions_constants_and_the_option(synchronized):
    model = vgg13(image_shape=SMALLEST, num_classes=None, batch_norm=True, synchronized=synchronized, width=0.25)
    norms = of_type(model, keras.layers.BatchNormalization)
    assert len(norms) == 10
    assert {(norm.momentum, norm.epsilon, norm.synchronized) for norm in norms} == {(0.9, 1e-5, synchronized)}


@pytest.mark.parametrize(
    ("width", "channels"),
    [(0.25, [16, 32, 64, 128, 128]), (1.5, [96, 192, 384, 768, 768]), (1 / 64, [1, 2, 4, 8, 8])],
)
@pytest.mark.usefixtures("shapes_only")
def test_width_multiplies_the_channels_of_the_convolutions(width, channels):
    maps = vgg11(image_shape=SMALLEST, num_classes=None, width=width).output
    assert [feature_map.shape[-1] for feature_map in maps.values()] == channels


@pytest.mark.usefixtures("shapes_only")
def test_dropout_acts_on_both_hidden_layers_and_is_a_half_where_not_said_otherwise():
    for options, rate in [({}, 0.5), ({"dropout": 0.25}, 0.25)]:
        model = vgg11(image_shape=SMALLEST, num_classes=2, width=0.25, **options)
        dropped = {layer.name: layer.rate for layer in of_type(model, keras.layers.Dropout)}
        assert dropped == {"hidden1_dropout": rate, "hidden2_dropout": rate}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\); received 1.0"),
        ({"width": 0.0}, "width must be at least 1/64.*received 0.0"),
        ({"width": -1.0}, "width must be at least 1/64.*received -1.0"),
    ],
)
def test_what_cannot_be_built_is_said(options, message):
    with pytest.raises(ConfigError, match=message):
        vgg11(image_shape=SMALLEST, num_classes=None, **options)
