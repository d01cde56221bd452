"""Weights and frozen levels that cannot fit a network are refused before anything runs."""

import json

import pytest

from kerasvision import config as c
from kerasvision.config.fitting_weights import levels_of
from kerasvision.config.torch_names import check_names
from kerasvision.errors import ConfigError

# Layers of each kind: in timm's tf_efficientnet_lite0, and in torchvision's resnet18, densenet121 and vgg11_bn.
LAYERS = {
    "efficientnet_lite0": ("conv_stem", "bn1", "blocks.0.0.conv_dw", "blocks.1.0.conv_pwl", "conv_head", "classifier"),
    "resnet18": ("conv1", "bn1", "layer1.0.conv1", "layer2.0.downsample.0", "layer2.0.downsample.1", "fc"),
    "densenet121": (
        "features.conv0", "features.denseblock1.denselayer1.norm1", "features.denseblock1.denselayer1.norm.1",
        "features.transition1.conv", "features.norm5", "classifier",
    ),
    "vgg11": ("features.0", "features.25", "classifier.0", "classifier.6"),
}  # fmt: skip


def experiment(model, **training):
    return c.Experiment(
        name="small",
        source=c.ImageFolder(path="photos"),
        transform=c.Transform(image_size=(96, 96)),
        task=c.Classification(),
        model=model,
        training=c.Training(**training),
    )


def tensors(network):
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return [f"{layer}.{part}" for layer in LAYERS[network] for part in parts]


@pytest.mark.parametrize("network", LAYERS)
def test_the_names_of_a_file_are_those_of_one_family_alone(network, tmp_path):
    file = tmp_path / "some.safetensors"
    for other in LAYERS:
        if other == network:
            check_names(other, tensors(network), file)
        else:
            with pytest.raises(ConfigError, match=f"has a layer '.*' that {other} lacks"):
                check_names(other, tensors(network), file)


def test_a_file_of_another_network_is_refused_when_the_stages_are_planned(tmp_path):
    file = tmp_path / "lite.safetensors"
    header = json.dumps(
        {name: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for name in tensors("efficientnet_lite0")}
    )
    file.write_bytes(len(header).to_bytes(8, "little") + header.encode())
    assert dict(c.Model(name="efficientnet_lite0", weights=str(file)).files()) == {"weights": file}
    for model in (c.Model(name="resnet18", weights=str(file)), c.Model(name="localizer", weights=str(file))):
        with pytest.raises(ConfigError) as raised:
            dict(model.files())
        assert (
            "has a layer 'conv_stem' that resnet18 lacks. The layers of the file have the names of efficientnet_lite"
            in str(raised.value)
        )


@pytest.mark.parametrize(
    ("name", "options", "weights", "message"),
    [
        (
            "lenet5",
            {},
            "a.h5",
            "weights of lenet5 must come from its own .keras file; received 'a.h5'. A .h5 file can be read",
        ),
        ("resnet18", {}, "a.h5", "weights of resnet18 must come from its own .keras file"),
        ("densenet_small", {}, "a.pth", "weights of densenet_small must come from its own .keras file"),
        ("keras/mobilenet", {}, "a.safetensors", "weights of keras/mobilenet must come from its own .keras file"),
        ("fcos", {"backbone": "resnet9"}, "a.h5", "weights of resnet9 must come from its own .keras file"),
        ("mine:network", {}, "a.pth", "weights of mine:network must come from its own .keras file"),
        ("resnet50", {"width": 0.5}, "imagenet", "the published channels of resnet50; received width=0.5"),
        ("fcos", {"backbone": "vgg16", "width": 2.0}, "imagenet", "the published channels of vgg16; received width=2.0"),
        ("keras/mobilenet", {"width": 0.5}, "imagenet", "the published channels of keras/mobilenet; received width=0.5"),
    ],
)
def test_weights_that_fit_no_network_of_that_name_are_refused_with_the_reason(name, options, weights, message):
    with pytest.raises(ConfigError) as raised:
        c.Model(name=name, options=options, weights=weights)
    assert message in str(raised.value)


def test_weights_that_may_fit_are_left_to_the_trainer():
    for name, options, weights in [
        ("resnet50", {"width": 0.5}, "mine.safetensors"),  # a narrow network of one's own
        ("resnet50", {"width": 1.0}, "imagenet"),
        ("mine:network", {"width": 0.5}, "mine.keras"),
        ("keras/mobilenet", {"width": 0.5}, "mine.weights.h5"),
        ("fcos", {"backbone": "resnet50"}, "imagenet"),
    ]:
        assert c.Model(name=name, options=options, weights=weights).weights == weights


@pytest.mark.parametrize(
    ("model", "training", "message"),
    [
        (
            c.Model(name="keras/convnext_tiny", weights="imagenet"),
            {"freeze": "c1"},
            "keras/convnext_tiny has no level 'c1' to freeze up to; choose from backbone, c2, c3, c4, c5",
        ),
        (c.Model(name="lenet5", weights="a.keras"), {"freeze": "c3"}, "lenet5 has no level 'c3'"),
        (
            c.Model(name="resnet18", weights="a.keras"),
            {"freeze": "backbone", "fine_tune": c.FineTuning(freeze="c9")},
            "resnet18 has no level 'c9'",
        ),
    ],
)
def test_a_level_that_the_network_lacks_is_refused(model, training, message):
    with pytest.raises(ConfigError) as raised:
        experiment(model, **training)
    assert message in str(raised.value)


def test_a_level_of_a_network_that_is_not_known_by_name_is_left_to_the_trainer():
    assert levels_of("mine:network") is levels_of("fcos") is None
    assert experiment(c.Model(name="mine:network", weights="a.keras"), freeze="c9").training.freeze == "c9"
