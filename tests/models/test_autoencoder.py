"""The autoencoder: a decoder that mirrors its backbone, and a code that is the only way from one to the other."""

import keras
import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.autoencoder import level_sizes
from kerasvision.models.backbones import backbone_network

SMALL = {"backbone": "resnet9", "width": 0.125}


def autoencoder(image_shape=(32, 32, 3), **options):
    return build("autoencoder", image_shape=image_shape, num_classes=image_shape[-1], **{**SMALL, **options})


def sizes_in_decoder(network):
    """Level -> shape of the decoder's map."""
    ends = {
        layer.name.split("_")[1]: layer.output.shape[1:] for layer in network.layers if layer.name.startswith("decoder_c")
    }
    return {int(level[1:]): tuple(shape) for level, shape in ends.items()}


@pytest.mark.parametrize("image_shape", [(32, 32, 3), (28, 28, 1), (24, 40, 3)])
@pytest.mark.parametrize("backbone", ["lenet5", "resnet9", pytest.param("resnet20", marks=pytest.mark.slow)])
def test_decoder_has_the_sizes_and_channels_of_the_backbones_levels(backbone, image_shape):
    network = autoencoder(image_shape, backbone=backbone, width=0.125 if backbone == "resnet9" else None)
    maps = {
        int(level[1:]): tuple(one.shape[1:])
        for level, one in backbone_network(
            backbone, image_shape, width=0.125 if backbone == "resnet9" else None
        ).output.items()
    }
    decoded = sizes_in_decoder(network)
    assert {level: decoded[level] for level in maps if 0 < level < max(maps)} == {
        level: maps[level] for level in maps if 0 < level < max(maps)
    }
    assert decoded[0][:2] == image_shape[:2]
    assert network.output["restored"].shape == (None, *image_shape)


def test_levels_without_a_map_have_half_the_channels_but_at_least_16():
    network = backbone_network("resnet18", (64, 64, 3), width=1.0)
    assert [size[2] for size in level_sizes(network, (64, 64, 3)).values()] == [512, 256, 128, 64, 32, 16]


def test_dense_layers_lead_to_the_code_and_back():
    network = autoencoder(bottleneck="40-24-6")
    units = [layer.units for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    assert units == [40, 24, 6, 24, 40, 4 * 4 * 64]
    assert network.output["code"].shape == (None, 6)


@pytest.mark.parametrize("options", [{"bottleneck": 5}, {"bottleneck": "9-5"}, {}, {"code_channels": 2}])
def test_restored_image_depends_on_the_code_alone(options):
    network = autoencoder(**options)
    start = network.get_layer("code_map" if "code_channels" in options else "code") if options else None
    code = start.output if start else next(layer.input for layer in network.layers if layer.name == "code")
    # Building this model fails if another way leads from the image to the restored one.
    keras.Model(code, network.output["restored"])


def test_code_of_a_map_is_the_map_itself():
    network = autoencoder(code_channels=2)
    parts = keras.Model(network.input, [network.get_layer("code_map").output, network.output["code"]])
    mapped, code = parts(np.random.default_rng(0).random((2, 32, 32, 3), np.float32))
    np.testing.assert_array_equal(np.reshape(mapped, (2, -1)), code)


def test_transposed_convolutions_restore_every_size_that_doubles():
    assert autoencoder((32, 48, 3), upsampling="transposed").output["restored"].shape == (None, 32, 48, 3)
    odd = autoencoder((37, 64, 3), backbone="resnet18", upsampling="transposed")
    assert odd.output["restored"].shape == (None, 37, 64, 3)


def test_transposed_convolutions_refuse_a_size_that_does_not_double_and_name_one():
    with pytest.raises(ConfigError) as refused:
        autoencoder((28, 28, 1), upsampling="transposed")
    assert "the 3 x 3 cells of level c3 cannot become the 7 x 7 of level c2" in str(refused.value)
    assert "transform.image_size=(32, 32)" in str(refused.value)
    assert autoencoder((32, 32, 1), upsampling="transposed")


def test_repeated_pixels_lie_over_the_cell_they_come_from():
    from kerasvision.models.autoencoder import _nearest

    image = keras.Input((3, 3, 1))
    larger = keras.Model(image, _nearest(image, sides=(7, 7), name="up"))
    found = larger(np.arange(9, dtype="float32").reshape(1, 3, 3, 1)).numpy()[0, 0, :, 0]
    # The middle of pixel i lies in cell floor((i + 1/2) * 3/7).
    assert found.tolist() == [float(np.floor((i + 0.5) * 3 / 7)) for i in range(7)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bottleneck": 0}, "the size of the code, 64, or the sizes of the dense layers up to it, '256-64'"),
        ({"bottleneck": "64-"}, "received '64-'"),
        ({"bottleneck": 8, "code_channels": 2}, "Leave one of them out"),
        ({"code_channels": -1}, "code_channels must be a positive integer"),
        ({"upsampling": "nearst"}, "did you mean 'nearest'"),
        ({"width": 0}, "The decoder mirrors the backbone"),
    ],
)
def test_impossible_options_are_refused_with_the_way_out(options, message):
    from kerasvision import config as c

    with pytest.raises(ConfigError, match=message):
        c.Model(name="autoencoder", options={**SMALL, **options})


def test_images_of_any_size_are_refused():
    with pytest.raises(ConfigError, match="one size"):
        autoencoder((None, None, 3))
