"""Callbacks after a resume: each continues as if the training had not stopped."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.errors import ConfigError, StageError
from kerasvision.training.checkpointing.best_weights import BestWeights
from kerasvision.training.checkpointing.callback_state import CallbackStates

# Better until the third epoch, then worse, a little better, and worse until the end.
LOSSES = [1.0, 0.8, 0.5, 0.6, 0.55, 0.495, 0.7, 0.9, 0.65, 0.66, 0.67, 0.68]


class Training:
    """Calls callbacks as a loop does, with given losses and a network whose only weight is the epoch."""

    def __init__(self, *callbacks):
        self.model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        self.model.compile(keras.optimizers.SGD(0.8), "mse")
        self.callbacks = callbacks
        self.states = CallbackStates(callbacks)
        self.list = keras.callbacks.CallbackList(list(callbacks), model=self.model, epochs=len(LOSSES), steps=4)
        self.list.on_train_begin()
        self.seen = []

    def run(self, first, last):
        for epoch in range(first, last):
            if self.model.stop_training:
                break
            self.model.set_weights([np.full((1, 1), epoch, np.float32)])
            self.list.on_epoch_begin(epoch)
            for batch in range(4):
                self.list.on_train_batch_end(batch, {"loss": LOSSES[epoch]})
            self.list.on_epoch_end(epoch, {"loss": LOSSES[epoch], "val_loss": LOSSES[epoch]})
            self.seen.append((epoch, float(self.model.optimizer.learning_rate)))
        return self

    def end(self):
        self.list.on_train_end()
        return self.seen, float(self.model.get_weights()[0].item())


def uninterrupted_and_resumed(make, kill_after):
    """(seen, last weight, callbacks' state) of a full training, and of one that is killed after an epoch and resumed."""
    whole = Training(*make("whole")).run(0, len(LOSSES))
    killed = Training(*make("resumed")).run(0, kill_after)
    states, arrays = killed.states.save()
    states = json.loads(json.dumps(states))
    rate = killed.model.optimizer.learning_rate.numpy()
    resumed = Training(*make("resumed"))
    resumed.model.optimizer.learning_rate.assign(rate)  # a variable, and so in every checkpoint
    resumed.states.restore(states, arrays)
    resumed.run(kill_after, len(LOSSES))
    resumed.seen = killed.seen + resumed.seen
    return (*whole.end(), whole.states.save()), (*resumed.end(), resumed.states.save())


def plain(states):
    """The arrays as lists, for comparison."""
    return states[0], {name: (array.dtype.name, array.tolist()) for name, array in states[1].items()}


@pytest.fixture
def makers(tmp_path):
    def file(name, suffix):
        return str(tmp_path / name / f"epoch{{epoch}}{suffix}")

    return {
        "early stopping": lambda name: [
            keras.callbacks.EarlyStopping("val_loss", patience=4, min_delta=0.01, restore_best_weights=True)
        ],
        "baseline": lambda name: [
            keras.callbacks.EarlyStopping("val_loss", patience=5, baseline=0.52, mode="min", start_from_epoch=2)
        ],
        "plateau": lambda name: [
            keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=2, cooldown=2, min_delta=0.02)
        ],
        "best model": lambda name: [keras.callbacks.ModelCheckpoint(file(name, ".keras"), save_best_only=True)],
        "every sixth step": lambda name: [
            keras.callbacks.ModelCheckpoint(file(name, ".weights.h5"), save_freq=6, save_weights_only=True)
        ],
        "all together": lambda name: [
            keras.callbacks.History(),
            BestWeights("val_loss", best_is="min"),
            keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.1, patience=3),
            keras.callbacks.EarlyStopping("val_loss", patience=5),
        ],
    }


CASES = ["early stopping", "baseline", "plateau", "best model", "every sixth step", "all together"]


@pytest.mark.parametrize("case", CASES)
def test_a_resumed_callback_does_what_an_uninterrupted_one_does(makers, tmp_path, case):
    for kill_after in (1, 3, 5, 7):
        whole, resumed = uninterrupted_and_resumed(makers[case], kill_after)
        assert resumed[:2] == whole[:2], kill_after
        assert plain(resumed[2]) == plain(whole[2]), kill_after
        folders = [tmp_path / name for name in ("whole", "resumed")]
        if case in ("best model", "every sixth step"):
            first, second = ({path.name for path in folder.iterdir()} for folder in folders)
            assert first == second, kill_after


def test_what_these_cases_show_is_something(makers):
    """The losses make each callback act before and after the kills."""
    stopped = Training(*makers["early stopping"]("a")).run(0, 12).end()
    # 0.495 is not a gain of 0.01 over 0.5, so the seventh epoch is the fourth without a gain.
    assert [epoch for epoch, _ in stopped[0]] == [0, 1, 2, 3, 4, 5, 6]
    assert stopped[1] == 2.0, "the weight of the third epoch"
    rates = [rate for _, rate in Training(*makers["plateau"]("b")).run(0, 12).seen]
    assert len(set(rates)) == 4


def test_keras_forgets_without_this(makers):
    """If this fails, Keras can resume callbacks, and most of callback_state can be removed."""
    stopping = makers["early stopping"]("a")[0]
    Training(stopping).run(0, 5)
    assert stopping.wait == 2
    Training(stopping)
    assert (stopping.wait, stopping.best) == (0, None)


def test_settings_that_did_not_change_are_those_of_the_new_process(tmp_path):
    before = keras.callbacks.ModelCheckpoint(str(tmp_path / "here.keras"), save_best_only=True)
    states = Training(before).run(0, 2).states.save()
    after = keras.callbacks.ModelCheckpoint(str(tmp_path / "there.keras"), save_best_only=True)
    Training(after).states.restore(*states)
    assert after.filepath == str(tmp_path / "there.keras")
    assert after.best == 0.8


class Everything(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.values = {}
        self.open_file = None

    def on_train_begin(self, logs=None):
        self.values = {"reset": True}


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        -0.0,
        "text",
        [1, [2.5, None]],
        (1, (2, "a")),
        {"a": {"b": [1]}},
        {1: "int", (2, 3): "pair"},
        [],
        (),
        {},
        {"array": "callbacks/0/values"},
        {"tuple": [1]},
        np.float32(0.1),
        np.int64(7),
        np.array([[1, 2]], np.int16),
        [np.zeros((0, 2)), np.ones(1, np.float16)],
        np.array("a string"),
    ],
    ids=repr,
)
def test_plain_data_of_every_kind_come_back(value):
    before, after = Everything(), Everything()
    states = CallbackStates([before])
    before.values = {"value": value}
    saved, arrays = states.save()
    saved = json.loads(json.dumps(saved))
    resumed = CallbackStates([after])
    after.on_train_begin()
    resumed.restore(saved, arrays)
    found = after.values["value"]
    assert type(found) is type(value)
    assert repr(found) == repr(value)
    assert getattr(found, "dtype", None) == getattr(value, "dtype", None)


def test_what_is_not_plain_is_left_to_the_callback():
    before, after = Everything(), Everything()
    states, resumed = CallbackStates([before]), CallbackStates([after])
    before.open_file, before.values = object(), {"function": lambda: None}
    saved, arrays = states.save()
    assert (saved["callbacks"][0]["attributes"], arrays) == ({}, {})
    after.on_train_begin()
    after.open_file = mine = object()
    resumed.restore(saved, arrays)
    assert after.values == {}, "as it was made"
    assert after.open_file in (None, mine)


def test_a_tensor_comes_back_as_an_array():
    before, after = Everything(), Everything()
    states, resumed = CallbackStates([before]), CallbackStates([after])
    before.values = tf.constant([1.5])
    resumed.restore(*states.save())
    np.testing.assert_array_equal(after.values, np.array([1.5], np.float32))


def test_other_callbacks_are_refused():
    states = CallbackStates([Everything()]).save()
    with pytest.raises(StageError, match=r"callbacks that it began with: .*Everything; received \[\]"):
        CallbackStates([]).restore(*states)


def test_a_tampered_state_reaches_no_function_outside_keras():
    tampered, _ = CallbackStates([Everything()]).save()
    tampered["callbacks"][0]["attributes"] = {"values": {"function": "os:system"}}
    with pytest.raises(StageError, match="may only name functions of Keras; received 'os:system'"):
        CallbackStates([Everything()]).restore(tampered, {})


# --- The best weights


@pytest.mark.parametrize(
    ("best_is", "values", "best", "epoch"),
    [
        ("max", [0.5, 0.7, 0.7, 0.6], 0.7, 2),  # the first of equal values
        ("min", [0.5, 0.7, 0.4, 0.6], 0.4, 3),
        ("min", [float("nan"), 0.7, float("nan"), 0.8], 0.7, 2),
        ("max", [float("nan")], None, 0),
        ("min", [float("inf"), 3.0], 3.0, 2),
    ],
)
def test_the_best_is_the_first_of_the_best_epochs(best_is, values, best, epoch):
    keeper = BestWeights("loss", best_is=best_is)
    training = Training(keeper)
    for number, value in enumerate(values):
        training.model.set_weights([np.full((1, 1), number + 1, np.float32)])
        keeper.on_epoch_end(number, {"loss": value})
    assert (keeper.best, keeper.best_epoch) == (best, epoch)
    assert (keeper.best_weights is None) == (epoch == 0)
    if epoch:
        np.testing.assert_array_equal(keeper.best_weights, [[[epoch]]])


def test_an_unknown_metric_is_refused():
    with pytest.raises(ConfigError, match="must be in the history: loss, accuracy; received 'val_loss'"):
        BestWeights("val_loss", best_is="min").on_epoch_end(0, {"loss": 1.0, "accuracy": 0.5})
