"""FCNs: the strides of figure 3, the head of torchvision, and what they refuse. `test_figures` compares their sizes."""

from functools import partial

import keras
import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.scaling import scaled, scaling

SMALL = {"backbone": "vgg11", "width": 1 / 16, "dropout": 0.0}
DILATED = {"backbone": "resnet18", "width": 1 / 32, "dropout": 0.0, "output_stride": 16}


def images(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")


def moved(model):
    """The same model, now with no weight at its initial value."""
    random = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign_add(random.normal(0, 0.1, weight.shape))
    return model


@pytest.mark.parametrize(
    ("name", "kernels"),
    [
        ("fcn32s", {"logits": 64}),
        ("fcn16s", {"score5_up": 4, "logits": 32}),
        ("fcn8s", {"score5_up": 4, "score4_up": 4, "logits": 16}),
    ],
)
@pytest.mark.usefixtures("shapes_only")
def test_kernels_are_those_of_the_published_networks(name, kernels):
    network = build(name, image_shape=(64, 64, 3), num_classes=21, **SMALL)
    transposed = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2DTranspose)]
    assert {layer.name: layer.kernel_size[0] for layer in transposed} == kernels


def test_an_fcn_begins_with_the_answers_of_its_coarsest_map():
    network = build("fcn8s", image_shape=(64, 64, 3), num_classes=3, **SMALL)
    for level in (3, 4):
        assert not np.any(network.get_layer(f"score{level}").kernel)
    assert np.any(network.get_layer("score5").kernel)


def test_fcn_8s_adds_the_scores_of_each_level_enlarged_to_the_next():
    network = moved(build("fcn8s", image_shape=(64, 96, 3), num_classes=3, upsampling="fixed", **SMALL))
    maps = keras.Model(network.input, {f"c{level}": network.get_layer(f"block{level}_pool").output for level in (3, 4)})
    scores = keras.Model(network.input, network.get_layer("score5").output)
    image = images(1, 64, 96, 3)
    total, resize = scores(image), keras.ops.image.resize
    for level in (4, 3):
        own = network.get_layer(f"score{level}")
        finer = np.tensordot(maps(image)[f"c{level}"], own.kernel[0, 0], 1) + own.bias
        total = resize(total, finer.shape[1:3]) + finer
    np.testing.assert_allclose(network(image), resize(total, (64, 96)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("backbone", ["vgg11", "resnet18"])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (47, 100), (64, 33)])
@pytest.mark.usefixtures("shapes_only")
def test_every_pixel_of_any_image_gets_its_logits(backbone, height, width):
    options = {"image_shape": (height, width, 3), "num_classes": 4, "width": 1 / 16}
    assert build("fcn8s", backbone=backbone, **options).output_shape == (None, height, width, 4)


@pytest.mark.usefixtures("shapes_only")
def test_vggs_dense_layers_become_convolutions_eight_times_as_wide_as_its_maps():
    shape = {"image_shape": (64, 64, 3), "num_classes": 2}
    network = build("fcn32s", backbone="vgg11", width=0.25, **shape)
    hidden = [network.get_layer(f"hidden{number}_conv") for number in (1, 2)]
    assert [layer.kernel.shape for layer in hidden] == [(7, 7, 128, 1024), (1, 1, 1024, 1024)]

    def names(network):
        return {layer.name for layer in network.layers}

    assert "hidden1_conv" not in names(build("fcn32s", backbone="resnet18", width=0.25, **shape))
    assert "hidden1_conv" not in names(build("fcn32s", backbone="vgg11", width=0.25, hidden=0, **shape))
    on_resnet = build("fcn32s", backbone="resnet18", width=0.25, hidden=6, **shape)
    assert on_resnet.get_layer("hidden2_conv").kernel.shape == (1, 1, 6, 6)


@pytest.mark.usefixtures("shapes_only")
def test_an_auxiliary_head_scores_c4_and_can_be_left_out():
    network = build("fcn", image_shape=(64, 90, 3), num_classes=5, auxiliary_head=True, **DILATED)
    assert {name: logits.shape for name, logits in network.output.items()} == {
        "logits": (None, 64, 90, 5),
        "auxiliary_logits": (None, 64, 90, 5),
    }
    alone = keras.Model(network.input, network.output["logits"])
    assert not any(layer.name.startswith("auxiliary") for layer in alone.layers)
    plain = build("fcn", image_shape=(64, 90, 3), num_classes=5, **DILATED)
    assert [layer.name for layer in alone.layers if layer.weights] == [layer.name for layer in plain.layers if layer.weights]


@pytest.mark.parametrize("name", [pytest.param("fcn", marks=pytest.mark.slow), "deeplab_v3"])
def test_unknown_sizes_give_the_same_logits(name):
    options = {"num_classes": 3, "auxiliary_head": True, **DILATED}
    known = moved(build(name, image_shape=(64, 96, 3), **options))
    any_size = build(name, image_shape=(None, None, 3), **options)
    any_size.set_weights(known.get_weights())
    image = images(2, 64, 96, 3)
    for logits, expected in zip(any_size(image).values(), known(image).values(), strict=True):
        np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("fcn8s", {"backbone": "resnet9"}, "fcn8s scores level c5; its backbone has c0, c1, c2, c3. Choose a backbone"),
        ("fcn8s", {"upsampling": "nearest"}, "fcn8s has no upsampling 'nearest'; choose from fixed, learned"),
        ("fcn8s", {"hidden": -1}, "hidden must be a whole number of channels, 0 for no hidden convolutions; received -1"),
        ("fcn16s", {"dropout": 1.0}, r"dropout must lie in \[0, 1\)"),
        ("fcn32s", {"backbone": "unet"}, "fcn32s scores level c5; its backbone has c0, c1, c2, c3, c4"),
        ("fcn", {"backbone": "fcn8s"}, "must not be built on another backbone"),
        ("fcn", {"backbone": "resnet9"}, "resnet9 has no option 'output_stride'.*Set output_stride to None"),
        ("fcn", {"output_stride": 4}, "resnet50 has no output_stride '?4'?; "),
        ("fcn", {"image_shape": (16, 64, 3)}, "resnet50 reads images of at least 32 x 32 pixels"),
        ("deeplab_v3", {"channels": 0}, "channels must be a positive integer; received 0"),
        ("deeplab_v3", {"backbone": "vgg11"}, "vgg11 has no option 'output_stride'"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_rule(name, options, message):
    with pytest.raises(ConfigError, match=message):
        build(name, **{"image_shape": (64, 64, 3), "num_classes": 2, **options})


def test_a_backbone_that_keeps_its_strides_is_enlarged_by_them():
    network = build("fcn", image_shape=(None, None, 3), num_classes=2, backbone="resnet9", width=0.125, output_stride=None)
    assert network(images(1, 16, 24, 3)).shape == (1, 16, 24, 2)


def test_a_classifier_with_strides_becomes_the_backbone_without_them(tmp_path):
    classifier = moved(build("resnet18", image_shape=(64, 64, 3), num_classes=3, width=1 / 32))
    classifier.save(tmp_path / "classifier.keras")
    network = build("fcn", image_shape=(64, 64, 3), num_classes=3, weights=str(tmp_path / "classifier.keras"), **DILATED)
    conv = "stage5_block2_conv2"
    np.testing.assert_array_equal(network.get_layer(conv).kernel, classifier.get_layer(conv).kernel)
    assert (classifier.get_layer(conv).dilation_rate, network.get_layer(conv).dilation_rate) == ((1, 1), (2, 2))


@pytest.mark.parametrize(
    ("name", "options"),
    [("fcn8s", SMALL), pytest.param("fcn", {**DILATED, "auxiliary_head": True}, marks=pytest.mark.slow)],
)
def test_its_own_file_gives_all_weights_or_all_but_the_head_of_other_classes(name, options, tmp_path):
    make = partial(build, name, image_shape=(32, 32, 3), **options)
    source, file = moved(make(num_classes=3)), str(tmp_path / "own.keras")
    source.save(file)
    same, other = make(num_classes=3, weights=file), make(num_classes=2, weights=file)
    for layer in source.layers:
        for weight, ours in zip(layer.weights, same.get_layer(layer.name).weights, strict=True):
            np.testing.assert_array_equal(ours, weight)
    of_fcn8s = {"score5", "score4", "score3", "score5_up", "score4_up", "logits"}
    head = of_fcn8s if name == "fcn8s" else {"auxiliary_logits", "logits"}
    for layer in (layer for layer in source.layers if layer.weights):
        equal = np.array_equal(layer.get_weights()[0], other.get_layer(layer.name).get_weights()[0])
        assert equal == (layer.name not in head), layer.name


def test_weights_with_a_scaling_keep_it(tmp_path):
    classifier = scaled(build("resnet9", image_shape=(32, 32, 3), num_classes=3, width=0.125), scaling("unit"))
    classifier.save(tmp_path / "scaled.keras")
    options = {"backbone": "resnet9", "width": 0.125, "output_stride": None}
    network = build("fcn", image_shape=(32, 32, 3), num_classes=3, weights=str(tmp_path / "scaled.keras"), **options)
    assert network.get_layer("scaling").scale == [2.0, 2.0, 2.0]
    assert network.output_shape == (None, 32, 32, 3)
