"""The networks that make images: their sizes by hand, their parts, and what every network of the package promises."""

import keras
import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.generators import IMAGE, LABEL, NOISE, computed, map_sizes, weights_of
from kerasvision.training.devices.full_precision import in_float32

SHAPE = (16, 24, 1)
SMALL = {"channels": 4, "latent_size": 6}
BOTH = pytest.mark.parametrize("name", ["vae", "dcgan"])
# A bias before a norm has no effect, and both networks have none there. The mean of the classes' logits is no output.
OUTPUTS = {"vae": {"logits", "mean", "log_variance", "picture"}, "dcgan": {"real", "real_classes", "fake", "picture"}}


def inputs(count=4, *, classes=3):
    random = np.random.default_rng(0)
    given = {IMAGE: random.random((count, *SHAPE)), NOISE: random.normal(size=(count, 6))}
    given |= {LABEL: np.eye(classes)[random.integers(classes, size=count)]} if classes else {}
    return [part.astype(np.float32) for part in given.values()]


def arrays(outputs):
    return {name: np.asarray(keras.ops.cast(value, "float32")) for name, value in outputs.items()}


@pytest.fixture(scope="module")
def built():
    keras.utils.set_random_seed(0)
    made_once = {name: build(name, image_shape=SHAPE, num_classes=3, **SMALL) for name in OUTPUTS}
    for network in made_once.values():
        for _ in range(3):  # moves the statistics of batch normalisation
            network(inputs(), training=True)
    return made_once


def test_weights_are_those_of_the_papers_layers():
    """Radford et al., 2016, figure 1: 100 -> 4 x 4 x 1024 -> ... -> 64 x 64 x 3 by kernels of 5 x 5."""
    network = build("dcgan", image_shape=(64, 64, 3), num_classes=None, latent_size=100)
    between = 25 * (128 * 256 + 256 * 512 + 512 * 1024)
    generator = 100 * 16384 + between + 25 * 128 * 3 + 3 + 2 * (128 + 256 + 512 + 1024)
    discriminator = 25 * 3 * 128 + 128 + between + 2 * (256 + 512 + 1024) + 16384 + 1
    sizes = [sum(np.prod(weight.shape) for weight in weights_of(network, part)) for part in ("generator", "discriminator")]
    assert sizes == [generator, discriminator] == [18_855_043, 17_232_897]


def test_autoencoder_has_the_weights_that_its_docstring_says():
    encoder = 16 * 32 + 32 + 16 * 32 * 64 + 64 + (7 * 7 * 64 + 1) * 256 + 2 * (256 + 1) * 20
    decoder = (20 + 1) * 256 + (256 + 1) * 7 * 7 * 64 + 16 * 64 * 32 + 32 + 16 * 32 + 1
    network = build("vae", image_shape=(28, 28, 1), num_classes=None)
    assert network.count_params() == encoder + decoder == 1_691_369


@BOTH
def test_outputs_are_float32_in_16_bits_too_and_pictures_lie_in_0_to_1(name, built):
    found = arrays(built[name](inputs()))
    assert found.keys() == OUTPUTS[name]
    assert found["picture"].shape == (4, *SHAPE)
    assert found["picture"].min() >= 0
    assert found["picture"].max() <= 1
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = build(name, image_shape=SHAPE, num_classes=3, **SMALL)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {output.dtype for output in half.outputs} == {"float32"}
    assert {layer.compute_dtype for layer in in_float32(half).layers} == {"float32"}


@BOTH
def test_what_makes_pictures_runs_alone(name, built):
    """With the mean of the code as noise, an autoencoder makes what it restores without noise."""
    network, (image, noise, label) = built[name], inputs()
    outputs = network([image, np.zeros_like(noise) if name == "vae" else noise, label], training=False)
    code = outputs["mean"] if name == "vae" else noise

    def picture(labels):
        return computed(network, {"code": code, LABEL: labels}, to="picture")

    np.testing.assert_allclose(picture(label), outputs["picture"], atol=1e-6)
    assert np.abs(picture(np.roll(label, 1, axis=1)) - np.asarray(outputs["picture"])).max() > 1e-5
    with pytest.raises(ConfigError, match="depends on more than code"):
        computed(network, {"code": code}, to="picture")


@BOTH
def test_saved_equals_loaded(name, built, tmp_path):
    computed(built[name], dict(zip(("code", LABEL), inputs()[1:], strict=True)), to="picture")  # it stays as it was
    built[name].save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    again = arrays(loaded(inputs()))
    for key, value in arrays(built[name](inputs())).items():
        # Plain Keras normalises by other operations than the fused kernel.
        np.testing.assert_allclose(again[key], value, atol=1e-5)


@BOTH
def test_images_alone_equal_their_rows_in_a_batch(name, built):
    whole = arrays(built[name](inputs(), training=False))
    alone = arrays(built[name]([part[:1] for part in inputs()], training=False))
    for key, value in alone.items():
        np.testing.assert_allclose(value, whole[key][:1], atol=1e-5)


def test_discriminator_adds_the_product_of_features_and_class(built):
    """Miyato & Koyama, 2018, equation 11: the logit of the label is that of its class."""
    image, noise, label = inputs()
    found = arrays(built["dcgan"]([image, noise, label]))
    np.testing.assert_allclose((found["real_classes"] * label).sum(axis=1), found["real"][:, 0], rtol=1e-5)


def test_real_and_generated_images_are_normalised_apart(built):
    """In training, other noise does not change the logits of the images."""
    image, noise, label = inputs()
    one, other = (arrays(built["dcgan"]([image, each, label], training=True)) for each in (noise, 5 * noise))
    np.testing.assert_allclose(one["real"], other["real"], atol=1e-6)
    assert np.abs(one["fake"] - other["fake"]).max() > 1e-6


@BOTH
def test_sides_that_cannot_be_halved_are_named(name):
    for shape in ((30, 28, 1), (12, 12, 1)):
        with pytest.raises(ConfigError, match="multiples of 4, and at least 16 pixels"):
            build(name, image_shape=shape, num_classes=None)
    with pytest.raises(ConfigError, match="channels must be a positive integer"):
        build(name, image_shape=SHAPE, num_classes=None, channels=0)
    with pytest.raises(ConfigError, match="requires height and width"):
        build(name, image_shape=(None, None, 3), num_classes=None)


def test_maps_halve_the_sides_and_double_the_channels():
    assert map_sizes((28, 56, 1), channels=8) == [(14, 28, 8), (7, 14, 16)]
