"""DeconvNet against figure 2 of its paper. `test_figures` compares its size."""

import keras
import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models import build

SMALL = {"width": 1 / 16}


@pytest.mark.usefixtures("shapes_only")
def test_layers_are_those_of_figure_2():
    network = build("deconvnet", image_shape=(224, 224, 3), num_classes=21, **SMALL)

    def shape(layer):
        return network.get_layer(layer).output.shape[1:]

    assert [shape(f"block{level}_conv1") for level in (1, 2, 3, 4, 5)] == [
        (224, 224, 4),
        (112, 112, 8),
        (56, 56, 16),
        (28, 28, 32),
        (14, 14, 32),
    ]
    assert (shape("hidden1_conv"), shape("hidden2_conv"), shape("dehidden1_deconv")) == (
        (1, 1, 256),
        (1, 1, 256),
        (7, 7, 32),
    )
    of_blocks = {
        f"{level}_{n}": shape(f"deblock{level}_deconv{n}") for level, n in ((5, 3), (4, 2), (4, 3), (3, 3), (2, 2), (1, 2))
    }
    assert of_blocks == {
        "5_3": (14, 14, 32),
        "4_2": (28, 28, 32),
        "4_3": (28, 28, 16),
        "3_3": (56, 56, 8),
        "2_2": (112, 112, 4),
        "1_2": (224, 224, 4),
    }


@pytest.mark.usefixtures("shapes_only")
def test_every_layer_but_the_last_has_a_norm():
    network = build("deconvnet", image_shape=(64, 64, 3), num_classes=2, synchronized=True, **SMALL)
    convolutions = [
        layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose)
    ]
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    # 13 of VGG, its two hidden layers, 14 of the mirror image, and the logits.
    assert (len(convolutions), len(norms)) == (13 + 2 + 14 + 1, 29)
    assert all(norm.synchronized for norm in norms)


@pytest.mark.parametrize(("side", "kernel"), [(32, 1), (96, 3), (224, 7), (320, 7)])
@pytest.mark.usefixtures("shapes_only")
def test_the_first_hidden_layer_reads_at_most_7_cells(side, kernel):
    network = build("deconvnet", image_shape=(side, 64, 3), num_classes=2, **SMALL)
    assert network.get_layer("hidden1_conv").kernel_size == network.get_layer("dehidden1_deconv").kernel_size == (kernel, 2)
    assert network.output_shape == (None, side, 64, 2)


@pytest.mark.parametrize("unpooling", ["switches", "nearest"])
def test_a_window_of_an_unpooled_map_has_one_value_in_its_place_or_in_all_four(unpooling):
    network = build("deconvnet", image_shape=(32, 32, 1), num_classes=2, unpooling=unpooling, **SMALL)
    unpooled = keras.Model(network.input, network.get_layer("deblock1_deconv1").input)
    x = unpooled(np.random.default_rng(0).normal(size=(1, 32, 32, 1)).astype("float32")).numpy()
    windows = x.reshape(16, 2, 16, 2, -1).transpose(0, 2, 4, 1, 3).reshape(-1, 4)
    answered = np.count_nonzero(windows, axis=1)
    assert set(answered) == ({0, 1} if unpooling == "switches" else {0, 4})


@pytest.mark.parametrize(
    ("image_shape", "options", "message"),
    [
        ((96, 100, 3), {}, r"sides are multiples of 32; received \(96, 100\). Resize the images to \(96, 128\)"),
        ((96, 96, 3), {"unpooling": "zeros"}, "deconvnet has no unpooling 'zeros'; choose from nearest, switches"),
        ((96, 96, 3), {"width": 0.01}, "width must be at least 1/64"),
        ((31, 96, 3), {}, "deconvnet reads images of at least 32 x 32 pixels"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_rule(image_shape, options, message):
    with pytest.raises(ConfigError, match=message):
        build("deconvnet", image_shape=image_shape, num_classes=2, **options)
