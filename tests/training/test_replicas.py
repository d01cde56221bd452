"""Two replicas end at one device's weights, and more replicas than devices are refused."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.training.session import TrainingFiles, train, with_hyperparameters
from kerasvision.training.strategy import make_logical_devices, make_strategy, needs_logical_devices

# Of a weight's largest value. In float32 the order of a sum decides its last bits: measured 3.4e-7 after 12 steps.
LARGEST_DIFFERENCE = 1e-5


@pytest.fixture(scope="module")
def trained_on(stripes, stripes_settings, tmp_path_factory):
    """Trains LeNet-5 for two epochs and gives the files; several replicas get a process of their own."""

    def run(**training):
        folder = tmp_path_factory.mktemp("run")
        files = TrainingFiles(
            stripes.examples, stripes.schema, stripes.transform, folder / "model.keras", folder / "history.csv"
        )
        defaults = {"epochs": 2, "optimizer": c.Sgd(learning_rate=0.02, momentum=0.9)}
        train(stripes_settings(augment=(c.PadCrop(pad=1),), **{**defaults, **training}), files)
        return files

    return run


@pytest.fixture(scope="module")
def one(trained_on):
    return trained_on(strategy="one_device")


@pytest.fixture(scope="module")
def two(trained_on):
    return trained_on(strategy="mirrored", replicas=2)


def weights(files):
    return keras.models.load_model(files.model, compile=False).get_weights()


def test_two_replicas_end_at_one_devices_weights(one, two):
    for single, double in zip(weights(one), weights(two), strict=True):
        np.testing.assert_allclose(double, single, rtol=0, atol=LARGEST_DIFFERENCE * np.abs(single).max())


def test_two_replicas_tell_one_devices_history(one, two):
    single, double = pd.read_csv(one.history), pd.read_csv(two.history)
    assert list(single.columns) == list(double.columns)
    np.testing.assert_allclose(double, single, rtol=1e-5)
    assert single["loss"].iloc[1] < single["loss"].iloc[0]  # something was learned, so something could differ


def test_a_mistake_in_the_other_process_is_told_as_it_would_be_in_this_one(trained_on):
    with pytest.raises(ConfigError, match="must not exceed the number of training images, 96; received 98."):
        trained_on(strategy="mirrored", replicas=2, batch_size=98)


# --- Strategies. This process has one CPU device and no GPU.


def test_this_process_has_one_device():
    assert len(tf.config.list_logical_devices("CPU")) == 1
    assert not tf.config.list_logical_devices("GPU")


@pytest.mark.parametrize("strategy", ["auto", "one_device"])
def test_where_there_is_one_device_no_strategy_is_needed(strategy):
    made = make_strategy(c.Training(strategy=strategy))
    assert made is tf.distribute.get_strategy()
    assert made.num_replicas_in_sync == 1


def test_mirrored_takes_all_devices_there_are():
    made = make_strategy(c.Training(strategy="mirrored"))
    assert isinstance(made, tf.distribute.MirroredStrategy)
    assert made.num_replicas_in_sync == 1


def test_more_replicas_than_devices_are_refused():
    with pytest.raises(ConfigError, match=r"training.replicas must not exceed the 1 devices here; received 2."):
        make_strategy(c.Training(strategy="mirrored", replicas=2))


def test_a_batch_that_does_not_divide_is_refused(monkeypatch):
    # Without `replicas` the settings cannot know how many devices there will be.
    devices = [tf.config.LogicalDevice(f"/device:GPU:{number}", "GPU") for number in range(3)]
    monkeypatch.setattr("tensorflow.config.list_logical_devices", lambda kind: devices if kind == "GPU" else [])
    with pytest.raises(ConfigError, match=r"training.batch_size must be a multiple of the 3 replicas; received 32."):
        make_strategy(c.Training(strategy="mirrored", batch_size=32))


@pytest.mark.parametrize(
    ("training", "needed"),
    [
        ({}, False),
        ({"strategy": "one_device"}, False),
        ({"strategy": "mirrored"}, False),
        ({"strategy": "mirrored", "replicas": 1}, False),
        ({"strategy": "mirrored", "replicas": 2}, True),
    ],
)
def test_logical_devices_are_needed_for_several_replicas_without_a_gpu(training, needed, monkeypatch):
    assert needs_logical_devices(c.Training(**training)) == needed
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: ["a GPU"])
    assert not needs_logical_devices(c.Training(**training))


def test_logical_devices_cannot_be_made_once_tensorflow_is_at_work():
    tf.zeros(1)
    with pytest.raises(RuntimeError, match="cannot be modified after being initialized"):
        make_logical_devices(2)


# --- What the tuner found


def test_the_tuners_values_take_the_place_of_the_settings_own(stripes_settings, tmp_path):
    (tmp_path / "best.json").write_text('{"training.optimizer.learning_rate": 0.5, "augment.0.pad": 3}')
    settings = stripes_settings(augment=(c.PadCrop(pad=1),), epochs=7)
    chosen = with_hyperparameters(settings, tmp_path / "best.json")
    assert (chosen.training.optimizer.learning_rate, chosen.augment[0].pad, chosen.training.epochs) == (0.5, 3, 7)
    assert with_hyperparameters(settings, None) == settings
