"""U-Net against the sizes of the paper's figure 1, and against what its convolutions can see."""

import keras
import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.unet import mirrored_borders, unet

VALID = {"padding": "valid", "width": 2, "dropout": 0.0}


def images(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")


@pytest.mark.usefixtures("shapes_only")
def test_maps_are_those_of_figure_1():
    maps = unet(image_shape=(572, 572, 1), num_classes=None, padding="valid").output
    assert {level: x.shape[1:] for level, x in maps.items()} == {
        "c0": (568, 568, 64),
        "c1": (280, 280, 128),
        "c2": (136, 136, 256),
        "c3": (64, 64, 512),
        "c4": (28, 28, 1024),
    }
    network = unet(image_shape=(572, 572, 1), num_classes=2, padding="valid")
    assert network.output_shape == (None, 388, 388, 2)
    # What the figure writes at the cut maps and at the ends of the expanding path.
    assert [network.get_layer(f"up{level}_cut").output.shape[1] for level in (3, 2, 1, 0)] == [56, 104, 200, 392]
    assert [network.get_layer(f"up{level}_relu2").output.shape[1:] for level in (3, 2, 1, 0)] == [
        (52, 52, 512),
        (100, 100, 256),
        (196, 196, 128),
        (388, 388, 64),
    ]


@pytest.mark.parametrize(("depth", "side", "answered"), [(4, 140, -44), (1, 22, 6), (2, 60, 20), (3, 108, 20)])
@pytest.mark.usefixtures("shapes_only")
def test_valid_convolutions_lose_four_pixels_for_each_stride_on_both_paths(depth, side, answered):
    # By hand for depth 1: 22 - 4 = 18, halved 9, - 4 = 5, doubled 10, - 4 = 6.
    if answered < 1:
        with pytest.raises(ConfigError, match="188 is the next such side after 140"):
            unet(image_shape=(side, side, 3), num_classes=2, depth=depth, **VALID)
    else:
        network = unet(image_shape=(side, side, 3), num_classes=2, depth=depth, **VALID)
        assert network.output_shape == (None, answered, answered, 2)


def test_a_valid_answer_depends_on_true_pixels_alone():
    """The tile strategy of figure 2: the answers of a large image equal those of its tiles."""
    network = unet(image_shape=(None, None, 3), num_classes=2, depth=2, **VALID)
    large = images(1, 68, 76, 3)
    whole = network(large)
    assert whole.shape == (1, 28, 36, 2)
    tile = network(large[:, 4:64, 12:72])
    np.testing.assert_allclose(tile, whole[:, 4:24, 12:32], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(16, 21), (96, 75)])
def test_mirrored_borders_give_each_pixel_what_the_tile_around_it_gets(height, width):
    mirrored = unet(image_shape=(height, width, 1), num_classes=3, mirrored=True, depth=2, **VALID)
    assert mirrored.output_shape == (None, height, width, 3)
    valid = unet(image_shape=(None, None, 1), num_classes=3, depth=2, **VALID)
    valid.set_weights(mirrored.get_weights())
    image = images(1, height, width, 1)
    # Enough on both sides for any size, then cut where the convolutions of `valid` halve evenly.
    sides = [next(n for n in range(side + 40, side + 44) if n % 4 == 0) for side in (height, width)]
    borders = [((all_ - side) // 2, (all_ - side + 1) // 2) for all_, side in zip(sides, (height, width), strict=True)]
    padded = np.pad(image, ((0, 0), *borders, (0, 0)), mode="reflect")
    (top, _), (left, _) = borders
    expected = valid(padded).numpy()[:, top - 20 : top - 20 + height, left - 20 : left - 20 + width]
    np.testing.assert_allclose(mirrored(image), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("sides", [(5, 2), (20, 9), (7, 3), (44, 2)])
def test_borders_are_mirrored_as_by_numpy_also_several_times(sides):
    image = images(2, 5, 2, 3)
    rows, columns = sides[0] - 5, sides[1] - 2
    borders = ((0, 0), (rows // 2, (rows + 1) // 2), (columns // 2, (columns + 1) // 2), (0, 0))
    expected = np.pad(image, borders, mode="reflect")
    np.testing.assert_array_equal(mirrored_borders(keras.ops.convert_to_tensor(image), sides=sides), expected)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 31), (40, 90)])
@pytest.mark.usefixtures("shapes_only")
def test_same_padding_answers_every_pixel_of_any_size(height, width):
    assert unet(image_shape=(height, width, 3), num_classes=5, width=4).output_shape == (None, height, width, 5)


@pytest.mark.usefixtures("shapes_only")
def test_width_is_the_number_of_channels_of_the_first_level():
    maps = unet(image_shape=(64, 64, 3), num_classes=None, width=6, depth=3).output
    assert [x.shape[-1] for x in maps.values()] == [6, 12, 24, 48]


@pytest.mark.usefixtures("shapes_only")
def test_norms_replace_the_biases_of_the_3x3_convolutions():
    network = unet(image_shape=(32, 32, 3), num_classes=2, width=4, depth=2, batch_norm=True, synchronized=True)
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms) == 2 * (3 + 2)
    assert all(norm.synchronized for norm in norms)
    biased = {layer.name for layer in network.layers if getattr(layer, "use_bias", False)}
    assert biased == {"up1_conv0", "up0_conv0", "logits"}


@pytest.mark.usefixtures("shapes_only")
def test_dropout_ends_the_contracting_path():
    network = unet(image_shape=(32, 32, 3), num_classes=2, width=4, depth=3, dropout=0.25)
    dropped = {layer.name: layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)}
    assert dropped == {"down2_dropout": 0.25, "down3_dropout": 0.25}


@pytest.mark.parametrize(
    ("image_shape", "options", "message"),
    [
        ((96, 96, 3), {"padding": "full"}, "unet has no padding 'full'; choose from same, valid"),
        ((96, 96, 3), {"width": 0}, "width must be a positive integer; received 0"),
        ((96, 96, 3), {"width": 0.25}, "width must be a positive integer; received 0.25"),
        ((96, 96, 3), {"depth": 0}, "depth must be a positive integer; received 0"),
        ((96, 96, 3), {"dropout": 1.0}, r"dropout must lie in \[0, 1\)"),
        ((96, 96, 3), {"mirrored": True}, "mirrored=True requires padding='valid'; received 'same'"),
        ((None, None, 3), {"mirrored": True, "padding": "valid"}, "mirrored=True requires images of one size"),
        ((570, 572, 1), {"padding": "valid"}, "572 is the next such side after 570; or set mirrored=True"),
        ((96, 96, 3), {"padding": "valid"}, "188 is the next such side after 96"),
        ((8, 96, 3), {}, "unet reads images of at least 16 x 16 pixels"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_rule(image_shape, options, message):
    with pytest.raises(ConfigError, match=message):
        build("unet", image_shape=image_shape, num_classes=2, **options)


def test_one_pixel_has_no_mirror_image():
    with pytest.raises(ConfigError, match="mirrored=True requires at least 2 x 2 pixels"):
        unet(image_shape=(1, 20, 3), num_classes=2, mirrored=True, **VALID)
