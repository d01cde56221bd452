"""The logs of a training are exact, on disk after each epoch, and do not repeat an epoch after a resume."""

import csv
import math

import keras
import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import plugin_data_pb2

from kerasvision.progress import bar
from kerasvision.training.checkpointing.callback_state import CallbackStates
from kerasvision.training.logs.history import CsvHistory
from kerasvision.training.logs.progress_bar import Pace, TrainingBar
from kerasvision.training.logs.tensorboard_log import TensorBoardLog

VALUES = [0.1, 1 / 3, 1e-300, 123456789.123456789, 5e-324]


def logs(epoch):
    return {"loss": VALUES[epoch], "accuracy": 0.5, "val_loss": -VALUES[epoch]}


def epochs(log, first, last, of=logs):
    for epoch in range(first, last):
        log.on_epoch_end(epoch, of(epoch))


def resumed(make, *, saved_after, killed_after):
    """The log of a process that was killed some epochs after its last checkpoint, in a new process that resumes from it."""
    first, second = make(), make()
    states = CallbackStates([first])
    first.on_train_begin()
    epochs(first, 0, saved_after)
    saved = states.save()
    epochs(first, saved_after, killed_after)
    states = CallbackStates([second])
    second.on_train_begin()
    states.restore(*saved)
    return second


# --- CSV


@pytest.fixture
def file(tmp_path):
    return tmp_path / "logs" / "history.csv"


def read(file):
    with file.open(newline="") as stream:
        return pd.DataFrame([{name: float(text) for name, text in row.items()} for row in csv.DictReader(stream)])


def test_every_value_is_exact_and_there_after_its_epoch(file):
    history = CsvHistory(file)
    for epoch in range(5):
        history.on_epoch_end(epoch, logs(epoch))
        table = read(file)
        assert table["epoch"].tolist() == list(range(1, epoch + 2))
        assert table["loss"].tolist() == VALUES[: epoch + 1]
        assert table["val_loss"].tolist() == [-value for value in VALUES[: epoch + 1]]


def test_numbers_that_are_none_are_told_too(file):
    CsvHistory(file).on_epoch_end(0, {"loss": math.nan, "auc": math.inf})
    assert file.read_text() == "epoch,loss,auc\n1,nan,inf\n"


@pytest.mark.parametrize("killed_after", [2, 3, 5])
def test_a_resumed_history_has_each_epoch_once(file, killed_after):
    history = resumed(lambda: CsvHistory(file), saved_after=2, killed_after=killed_after)
    with file.open("a") as stream:
        stream.write("6,0.")  # half a line: the process was killed during the write
    epochs(history, 2, 5)
    assert read(file)["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert read(file)["loss"].tolist() == VALUES


def test_a_training_begun_anew_begins_its_history_anew(file):
    epochs(CsvHistory(file), 0, 5)
    history = CsvHistory(file)
    history.on_train_begin()
    epochs(history, 0, 1)
    assert read(file)["epoch"].tolist() == [1]


def test_a_column_that_comes_later_is_empty_before(file):
    history = CsvHistory(file)
    history.on_epoch_end(0, {"loss": 2.0})
    history.on_epoch_end(1, {"loss": 1.0, "val, loss": 3.0})
    history.on_epoch_end(2, {"loss": 0.5})
    assert file.read_text() == 'epoch,loss,"val, loss"\n1,2.0,\n2,1.0,3.0\n3,0.5,\n'


def test_a_disk_that_is_full_for_a_while_loses_no_row(file, monkeypatch):
    history = CsvHistory(file)
    epochs(history, 0, 1)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("kerasvision.training.logs.history.flush_stream", full)
        with pytest.warns(UserWarning, match="epoch 2 could not be logged: No space left on device"):
            epochs(history, 1, 2)
    epochs(history, 2, 5)
    assert read(file)["loss"].tolist() == VALUES


# --- TensorBoard


HYPERPARAMETERS = {"training.epochs": 5, "training.optimizer.kind": "sgd", "model.options.synchronized": True}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "logs"


def scalars(folder, tag):
    """(epoch, value) of all events with a tag, from all files in turn."""
    events = [event for file in sorted(folder.glob("events*")) for event in EventFileLoader(str(file)).Load()]
    found = [(event.step, value) for event in events for value in event.summary.value if value.tag == tag]
    return [(step, pytest.approx(value.tensor.float_val[0])) for step, value in found]


def test_tensorboard_finds_each_value_of_each_epoch(folder):
    epochs(TensorBoardLog(folder, hyperparameters=HYPERPARAMETERS), 0, 2)
    assert scalars(folder / "train", "loss") == [(1, 0.1), (2, 1 / 3)]
    assert scalars(folder / "train", "accuracy") == [(1, 0.5), (2, 0.5)]
    assert scalars(folder / "validation", "loss") == [(1, -0.1), (2, -1 / 3)]
    tags = EventAccumulator(str(folder / "train")).Reload().Tags()
    assert sorted(tags["tensors"]) == ["accuracy", "loss"]


def test_the_hparams_page_finds_the_settings_and_the_end(folder):
    log = TensorBoardLog(folder, hyperparameters=HYPERPARAMETERS)
    epochs(log, 0, 1)
    log.on_train_end()
    accumulator = EventAccumulator(str(folder)).Reload()
    data = {
        tag: plugin_data_pb2.HParamsPluginData.FromString(content)
        for tag, content in accumulator.PluginTagToContent("hparams").items()
    }
    start = data["_hparams_/session_start_info"].session_start_info
    assert start.hparams["training.epochs"].number_value == 5
    assert start.hparams["training.optimizer.kind"].string_value == "sgd"
    assert start.hparams["model.options.synchronized"].bool_value is True
    assert data["_hparams_/session_end_info"].session_end_info.status == 1  # success


@pytest.mark.parametrize("killed_after", [2, 3, 5])
def test_a_resumed_log_has_each_epoch_once(folder, killed_after):
    (folder / "train").mkdir(parents=True)
    others = folder / "train" / "events.out.tfevents.1.profile"
    others.write_bytes(b"")
    make = lambda: TensorBoardLog(folder, hyperparameters=HYPERPARAMETERS)  # noqa: E731
    log = resumed(make, saved_after=2, killed_after=killed_after)
    epochs(log, 2, 4)
    assert [epoch for epoch, _ in scalars(folder / "train", "loss")] == [1, 2, 3, 4]
    assert [epoch for epoch, _ in scalars(folder / "validation", "loss")] == [1, 2, 3, 4]
    assert others.exists()


def test_the_learning_rate_is_logged(folder):
    log = TensorBoardLog(folder, hyperparameters={})
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)))
    log.set_model(model)
    epochs(log, 0, 1)
    model.optimizer.iterations.assign(2)
    epochs(log, 1, 2)
    assert scalars(folder / "train", "learning_rate") == [(1, 0.5), (2, 0.125)]


def test_validation_that_comes_later_gets_its_own_folder_and_nothing_is_twice(folder):
    log = TensorBoardLog(folder, hyperparameters={})
    log.on_epoch_end(0, {"loss": 2.0})
    assert not (folder / "validation").exists()
    log.on_epoch_end(1, {"loss": 1.0, "val_loss": 3.0})
    log.on_epoch_end(2, {"loss": 0.5})
    assert scalars(folder / "train", "loss") == [(1, 2.0), (2, 1.0), (3, 0.5)]
    assert scalars(folder / "validation", "loss") == [(2, 3.0)]


def test_a_kept_log_is_the_same_in_kerass_own_fit(folder, file):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    callbacks = [CsvHistory(file), TensorBoardLog(folder, hyperparameters={})]
    history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=3, verbose=0, callbacks=callbacks).history
    assert read(file)["loss"].tolist() == history["loss"]
    assert scalars(folder / "train", "loss") == list(enumerate(history["loss"], start=1))


# --- The bar


def test_pace_is_that_of_the_last_seconds():
    pace = Pace()
    assert pace.images_per_second is None
    for _ in range(100):
        pace.add(1000, 1.0)
    for _ in range(10):
        pace.add(50, 1.0)
    assert pace.images_per_second == 50.0


def test_a_single_long_call_has_a_pace():
    pace = Pace()
    pace.add(60, 30.0)
    assert pace.images_per_second == 2.0


def test_the_bar_shows_epoch_loss_and_images_per_second():
    now, shown = [0.0], []
    training_bar = TrainingBar(
        lambda steps, note: shown.append((steps, note)), batch_size=32, epochs=3, clock=lambda: now[0]
    )

    def call(first, last, seconds):
        training_bar.on_train_batch_begin(first)
        now[0] += seconds
        training_bar.on_train_batch_end(last, {"loss": 0.25})

    training_bar.on_epoch_begin(1)
    call(4, 4, 60.0)  # resumed in the middle of the second epoch; the first call builds the graph
    call(5, 9, 0.5)
    now[0] += 100.0  # validation
    training_bar.on_epoch_begin(2)
    call(0, 4, 0.5)
    assert shown == [
        (1, "epoch 2/3  loss 0.2500"),
        (5, "epoch 2/3  loss 0.2500  320 images/s"),
        (5, "epoch 3/3  loss 0.2500  320 images/s"),
    ]


def test_a_bar_goes_on_where_the_training_does(monkeypatch):
    made = []
    original = __import__("rich.progress").progress.Progress.add_task

    def watched(self, *arguments, **keywords):
        made.append((self, original(self, *arguments, **keywords)))
        return made[-1][1]

    monkeypatch.setattr("rich.progress.Progress.add_task", watched)
    with bar("training", total=100, done=40) as advance:
        advance(5)
        progress, task = made[0]
        assert (progress.tasks[task].completed, progress.tasks[task].total) == (45, 100)
