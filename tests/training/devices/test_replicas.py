"""Several replicas give one device's weights, whatever the step does; more replicas than devices are rejected."""

import pickle

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.training.devices.strategy import make_logical_devices, make_strategy, needs_logical_devices
from kerasvision.training.session import TrainingFiles, train, with_hyperparameters

# Relative to a weight's largest value. In float32 the order of a sum changes its last bits: measured 3.4e-7 after 12 steps.
LARGEST_DIFFERENCE = 1e-5


@pytest.fixture(scope="module")
def trained_on(stripes, dense_settings, tmp_path_factory):
    """Trains one dense layer for two epochs and returns the files; several replicas run in a new process."""

    def run(**training):
        folder = tmp_path_factory.mktemp("run")
        files = TrainingFiles(
            stripes.examples, stripes.schema, stripes.transform, folder / "model.keras", folder / "history.csv"
        )
        defaults = {"epochs": 2, "optimizer": c.Sgd(learning_rate=0.005, momentum=0.9)}
        train(dense_settings(augment=(c.PadCrop(pad=1),), **{**defaults, **training}), files)
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


# In the default suite, the tests below take the steps, and tests/conformance/test_replicas.py trains in a new process.
@pytest.mark.slow
def test_two_replicas_end_at_one_devices_weights(one, two):
    for single, double in zip(weights(one), weights(two), strict=True):
        np.testing.assert_allclose(double, single, rtol=0, atol=LARGEST_DIFFERENCE * np.abs(single).max())


@pytest.mark.slow
def test_two_replicas_tell_one_devices_history(one, two):
    single, double = pd.read_csv(one.history), pd.read_csv(two.history)
    assert list(single.columns) == list(double.columns)
    np.testing.assert_allclose(double, single, rtol=1e-5)
    assert single["loss"].iloc[1] < single["loss"].iloc[0]  # something was learned, so a difference is possible


def test_a_mistake_comes_out_of_another_process_as_it_was_made():
    made = ConfigError("training.batch_size must not exceed 96", received=98, hint="make it smaller")
    told = pickle.loads(pickle.dumps(made))  # as a pool of processes sends it
    assert (type(told), str(told), told.exit_code) == (ConfigError, str(made), made.exit_code)


@pytest.mark.slow
def test_a_mistake_in_the_other_process_is_told_as_it_would_be_in_this_one(trained_on):
    with pytest.raises(ConfigError, match="must not exceed the number of training images, 96; received 98."):
        trained_on(strategy="mirrored", replicas=2, batch_size=98)


# --- What a step does, on 1, 2 and 4 replicas: 20 steps each, in a process with four devices (see replica_cases.py)

CASES = ["clipping", "accumulation", "weights", "partial batch", "normalisation"]


def assert_equal_cases(cases, replicas, case):
    one, several = cases[f"1 {case}"], cases[f"{replicas} {case}"]
    assert several.keys() == one.keys()
    for name, value in one.items():
        # In the partial batch the final bias of the logits is a tenth of its largest value during the training, so the
        # rounding of that time is ten times larger relative to it: 7.5e-6. (In float64 the weights are equal to 6e-16.)
        largest = 1e-5 if (case, several[name].shape) == ("partial batch", (3,)) else 1e-6
        np.testing.assert_allclose(several[name], value, rtol=0, atol=largest * np.abs(value).max(), err_msg=name)


def test_weights_losses_and_metrics_of_two_replicas_are_one_devices_with_everything_on(on_replicas):
    assert_equal_cases(on_replicas, 2, "everything")


def test_copies_of_a_weight_do_not_drift_apart(on_replicas):
    one, other = on_replicas["2 drift"]["copies"]
    np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [2, 4])
@pytest.mark.parametrize("case", [*CASES, "everything"])
def test_weights_losses_and_metrics_of_replicas_are_one_devices_in_each_case(on_replicas_in_each_case, replicas, case):
    assert_equal_cases(on_replicas_in_each_case, replicas, case)


@pytest.mark.slow
def test_each_case_does_what_it_says(on_replicas, on_replicas_in_each_case):
    # If a case changed nothing (clipping, for example), equal weights would prove nothing.
    cases = on_replicas | on_replicas_in_each_case
    losses = {case: cases[f"1 {case}"]["losses"] for case in [*CASES, "everything"]}
    assert len({round(float(of_case[-1]), 6) for of_case in losses.values()}) == len(CASES) + 1
    assert all(of_case[-2:].mean() < of_case[:2].mean() for of_case in losses.values())


def assert_overflow_changes_nothing(found):
    assert found["move 1"].item() == 0.0
    assert found["scale 1"] == 2.0**10
    # The next batch's gradient is 0.25 in every row; the rate is 0.5.
    assert found["move 2"].item() == pytest.approx(-0.125, rel=1e-6)
    assert (found["scale 2"], found["applied"]) == (2.0**10, 1)


def test_an_overflow_on_the_last_replica_changes_no_weight_and_halves_the_scale(on_replicas):
    assert_overflow_changes_nothing(on_replicas["2 overflow"])


@pytest.mark.slow
def test_an_overflow_on_the_last_of_four_replicas_changes_no_weight_either(on_replicas_in_each_case):
    assert_overflow_changes_nothing(on_replicas_in_each_case["4 overflow"])


def assert_masks_differ(found):
    first, *others = found["ours"]
    np.testing.assert_array_equal(first, found["keras"][0])
    for number, mask in enumerate(others):
        # Of 64 fair coins, 16 to 48 agree with 64 others, except in one of 70,000 cases.
        assert 16 <= (mask == first).sum() <= 48
        assert all((mask != other).any() for other in others[:number])


def test_each_replica_drops_other_units_and_the_first_those_of_keras(on_replicas):
    assert_masks_differ(on_replicas["2 dropout"])


@pytest.mark.slow
def test_each_of_four_replicas_drops_other_units(on_replicas_in_each_case):
    assert_masks_differ(on_replicas_in_each_case["4 dropout"])


def test_keras_drops_the_same_units_on_all_replicas_which_is_why_we_do_otherwise(on_replicas):
    masks = on_replicas["2 dropout"]["keras"]
    assert (masks == masks[0]).all()


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
    # Without `replicas` the settings do not determine the number of devices.
    devices = [tf.config.LogicalDevice(f"/device:GPU:{number}", "GPU") for number in range(3)]
    monkeypatch.setattr("tensorflow.config.list_logical_devices", lambda kind: devices if kind == "GPU" else [])
    with pytest.raises(
        ConfigError, match=r"training.batch_size must be a multiple of replicas, .* batch_size=32, replicas=3"
    ):
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


# --- The tuner's values


def test_the_tuners_values_take_the_place_of_the_settings_own(stripes_settings, tmp_path):
    (tmp_path / "best.json").write_text('{"training.optimizer.learning_rate": 0.5, "augment.0.pad": 3}')
    settings = stripes_settings(augment=(c.PadCrop(pad=1),), epochs=7)
    chosen = with_hyperparameters(settings, tmp_path / "best.json")
    assert (chosen.training.optimizer.learning_rate, chosen.augment[0].pad, chosen.training.epochs) == (0.5, 3, 7)
    assert with_hyperparameters(settings, None) == settings


@pytest.mark.slow
def test_weights_that_are_updated_by_rows_are_those_of_one_device(on_replicas_in_each_case):
    """Each replica has the gradients of other rows, and some rows are in both."""
    one, two = (on_replicas_in_each_case[f"{replicas} tree"] for replicas in (1, 2))
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=0, atol=1e-6 * max(np.abs(value).max(), 1.0), err_msg=name)
    for optimizer in ("momentum", "adam"):
        assert one[f"{optimizer} losses"][-1] < one[f"{optimizer} losses"][0]
