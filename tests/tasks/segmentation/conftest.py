"""A small network of pixels, and pictures, for the tests of segmentation."""

import numpy as np
import pytest

# A network for all tests that only need one that can learn colours: `c.Model(name="pixel_network:pixels")`.
PIXELS = '''
import keras
from keras import layers


def pixels(*, image_shape, num_classes, width=8, auxiliary_heads=False):
    """Two convolutions, the first at half the size, and a logit for each class in each pixel."""
    image = keras.Input(image_shape, name="image")
    x = layers.Conv2D(width, 3, 2, padding="same", activation="relu", name="conv1")(image)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="up")(x)
    x = layers.Concatenate(name="joined")([x, image])
    y = layers.Conv2D(width, 3, padding="same", activation="relu", name="conv2")(x)
    logits = layers.Conv2D(num_classes, 1, name="logits")(y)
    if not auxiliary_heads:
        return keras.Model(image, logits, name="pixels")
    return keras.Model(image, {"logits": logits, "auxiliary_logits": layers.Conv2D(num_classes, 1)(x)}, name="pixels")
'''


@pytest.fixture(scope="session", autouse=True)
def pixel_network(tmp_path_factory):
    """The module `pixel_network`, importable by its name."""
    folder = tmp_path_factory.mktemp("pixel_network")
    (folder / "pixel_network.py").write_text(PIXELS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder


@pytest.fixture(scope="session")
def png():
    """`png(array)`: a grey or coloured PNG of uint8 pixels."""
    from kerasvision.data.png import encode_png

    return lambda pixels: encode_png(np.asarray(pixels, np.uint8))
