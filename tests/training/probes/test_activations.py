"""The outputs of layers before training: the figures of cs231n, with ten layers of 500 units."""

import keras
import numpy as np
import pytest
from PIL import Image

from kerasvision.errors import ConfigError, DataError
from kerasvision.training.probes.activations import activations, activations_of

TEN = {"image_shape": (20, 25, 1), "num_classes": 10, "hidden": (500,) * 10}


def deviations(**options):
    return activations_of("mlp", **TEN, **options).table["deviation"].to_numpy()[:-1]


def test_with_small_weights_the_outputs_vanish_layer_by_layer():
    found = deviations(activation="tanh", initialization="small_normal")
    # Each layer multiplies the deviation by 0.01 * sqrt(500), because tanh is linear around 0.
    np.testing.assert_allclose(found[1:] / found[:-1], 0.01 * 500**0.5, rtol=0.1)
    assert found[-1] < 1e-6


def test_with_xavier_the_outputs_of_tanh_keep_their_size():
    found = deviations(activation="tanh", initialization="xavier")
    assert found.min() > 0.2


def test_with_he_the_outputs_of_relu_keep_their_size_and_with_xavier_they_shrink():
    he, xavier = (deviations(activation="relu", initialization=name) for name in ("he", "xavier"))
    assert he[-1] / he[0] == pytest.approx(1, abs=0.35)
    # Half of the units are 0, so every layer halves the second moment.
    assert xavier[-1] / xavier[0] == pytest.approx(2 ** (-9 / 2), rel=0.35)


def test_mean_deviation_and_dead_share_are_numpys():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="relu", name="hidden")])
    random = np.random.default_rng(0)
    kernel, bias = random.normal(size=(3, 4)), np.array([0.0, 0.0, -99.0, 0.0])
    model.set_weights([kernel, bias])
    images = random.normal(size=(50, 3))
    expected = np.maximum(images @ kernel + bias, 0)
    (row,) = activations(model, images.astype("float32")).table.to_dict("records")
    assert (row["layer"], row["units"], row["dead"]) == ("hidden", 4, 0.25)
    np.testing.assert_allclose([row["mean"], row["deviation"]], [expected.mean(), expected.std()], rtol=1e-5)


def test_a_network_without_activations_is_refused():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Flatten()])
    with pytest.raises(ConfigError, match="must have one input, the image, and layers with an activation"):
        activations(model, np.zeros((1, 3), "float32"))


@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_a_network_that_diverged_is_refused_with_its_first_such_layer(weight):
    names = ("first", "second", "third")
    network = keras.Sequential([keras.Input((2,)), *(keras.layers.Dense(2, "relu", name=name) for name in names)])
    network.get_layer("second").kernel.assign(np.full((2, 2), weight))
    with pytest.raises(ConfigError, match="outputs of the layer second are infinite or not a number"):
        activations(network, np.ones((3, 2), np.float32))


@pytest.mark.slow
def test_images_of_a_folder_are_scaled_and_drawn(tmp_path):
    random = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(random.integers(0, 256, (6, 7, 3), np.uint8)).save(tmp_path / f"{number}.png")
    found = activations_of("linear", image_shape=(4, 4, 3), num_classes=2, folder=tmp_path, initialization="small_normal")
    assert found.table["layer"].tolist() == ["logits"]
    # 48 inputs of deviation 1.
    assert found.table["deviation"][0] == pytest.approx(0.01 * 48**0.5, rel=0.6)
    found.save(tmp_path / "made" / "picture.png")
    with Image.open(tmp_path / "made" / "picture.png") as picture:
        assert picture.width == 1200


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "notes.png").write_text("no image")
    with pytest.raises(DataError, match="must contain images alone"):
        activations_of("linear", image_shape=(4, 4, 3), num_classes=2, folder=tmp_path)
