"""Heat pictures of a classifier that knows two classes by the mean brightness of a part, whose numbers are set by hand."""

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from kerasvision import config as c
from kerasvision.cli import app
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.export.asking.heat import HeatMap
from kerasvision.models.saved import load_network, save_network
from kerasvision.served.signatures import TRANSFORM_FILE

# Images of 8 x 8 pixels, in [0, 1].
SETTINGS = c.Transform(image_size=(8, 8), color_mode="grayscale", scale="zero_to_one")
TRANSFORM = ImageTransform(SETTINGS, (0.0,), (1.0,))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Its two logits are 0 and 20 * (mean brightness - 1/2)."""
    image = keras.Input((8, 8, 1), name="image")
    mean = keras.layers.GlobalAveragePooling2D(name="mean")(image)
    model = keras.Model(image, keras.layers.Dense(2, name="logits")(mean))
    model.get_layer("logits").set_weights([np.array([[0.0, 20.0]]), np.array([0.0, -10.0])])
    file = tmp_path_factory.mktemp("heat") / "brightness.keras"
    save_network(model, file, names=("dark", "bright"))
    return file


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A photo of 64 x 32 pixels, black on the left and white on the right."""
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, 32:] = 255
    file = tmp_path_factory.mktemp("photos") / "half.png"
    Image.fromarray(pixels).save(file)
    return file


@pytest.fixture(scope="module")
def saved_model(brightness, tmp_path_factory):
    """A saved model without a network of ours, and the transform of the one above."""
    folder = brightness.saved(tmp_path_factory.mktemp("model") / "1")
    (folder / TRANSFORM_FILE).parent.mkdir(exist_ok=True)
    TRANSFORM.save(folder / TRANSFORM_FILE)
    return folder


def test_each_part_of_a_photo_has_the_probability_that_the_classifier_gives_it(network, photo):
    label, heat, (rows, columns) = HeatMap(network, transform=TRANSFORM, label="bright")(photo.read_bytes())
    # The shorter side becomes twice that of a part, 16 x 32 pixels; a part begins at each pixel.
    assert (label, heat.shape) == ("bright", (9, 25))
    np.testing.assert_allclose(rows, (4 + np.arange(9)) / 16)
    np.testing.assert_allclose(columns, (4 + np.arange(25)) / 32)
    brightness = np.clip((np.arange(25) - 8) / 8, 0, 1)
    expected = 1 / (1 + np.exp(-20 * (brightness - 0.5)))
    # The photo is shrunk to half its size, which blurs the edge of the white.
    np.testing.assert_allclose(heat, np.tile(expected, (9, 1)), rtol=0, atol=0.05)


def test_without_a_label_it_is_the_one_that_is_the_most_probable_over_all_parts(network, tmp_path):
    for brightness, label in ((40, "dark"), (220, "bright")):
        Image.new("L", (20, 12), brightness).save(tmp_path / "grey.png")
        assert HeatMap(network, transform=TRANSFORM)((tmp_path / "grey.png").read_bytes())[0] == label


@pytest.mark.parametrize("size", [(3, 5), (500, 9), (9, 500), (8, 8)])
def test_photos_of_every_size_have_a_map_of_bounded_size(size, network, tmp_path):
    Image.new("RGB", size, (9, 200, 9)).save(tmp_path / "any.png")
    heat_map = HeatMap(network, transform=TRANSFORM)
    _, heat, _ = heat_map((tmp_path / "any.png").read_bytes())
    assert 1 <= heat.size <= 32 * 8 * 8 * 2
    assert heat_map.drawn((tmp_path / "any.png").read_bytes())[1].size == size


def test_another_network_and_an_unknown_class_are_refused(network):
    with pytest.raises(ConfigError, match=r"does not know the class 'brigth'; did you mean 'bright'"):
        HeatMap(network, transform=TRANSFORM, label="brigth")
    other = ImageTransform(c.Transform(image_size=(9, 8), color_mode="grayscale", scale="zero_to_one"), (0.0,), (1.0,))
    with pytest.raises(
        ConfigError, match=r"must be the network of this saved model, whose images have the shape \(9, 8, 1\)"
    ):
        HeatMap(network, transform=other)


def test_a_network_that_does_not_name_its_classes_is_refused(network, tmp_path):
    load_network(network).save(tmp_path / "unnamed.keras")
    with pytest.raises(ConfigError, match=r"unnamed.keras does not name its classes. Give the file that the trainer wrote"):
        HeatMap(tmp_path / "unnamed.keras", transform=TRANSFORM)


def predict(*arguments):
    return CliRunner().invoke(app, ["predict", *map(str, arguments)])


def test_predict_draws_the_photo_redder_where_the_class_is(saved_model, network, photo, tmp_path):
    folder = tmp_path / "heat"
    done = predict(saved_model, photo, "--heat", folder, "--network", network, "--class", "dark")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == f"heat pictures in {folder}: 1 (dark 1)"
    drawn = np.asarray(Image.open(folder / "000001_half.jpg")).astype(int)
    assert drawn.shape == (32, 64, 3)
    # Black under 70 % red is (178, 0, 0). JPEG changes a colour a little.
    assert np.abs(drawn[16, 4] - (178, 0, 0)).max() < 12
    assert np.abs(drawn[16, 60] - (255, 255, 255)).max() < 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--heat", "heat"], "--heat requires --network, the .keras file of the training"),
        (["--network", "a.keras"], "--network requires --heat"),
        (["--class", "cat"], "--class requires --heat"),
    ],
)
def test_half_of_the_options_is_refused_before_anything_is_loaded(options, message, tmp_path):
    done = predict(tmp_path / "nothing", tmp_path, *options)
    assert message in str(done.exception)


def test_a_saved_model_without_a_transform_is_exported_again(brightness, network, photo, tmp_path):
    folder = brightness.saved(tmp_path / "1")
    done = predict(folder, photo, "--heat", tmp_path / "heat", "--network", network)
    assert "--heat requires a saved model with assets.extra/transform.json. Export the model again" in str(done.exception)
