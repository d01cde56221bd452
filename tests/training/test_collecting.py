"""Scores of the whole validation split: each image once, in order, after the epochs that the task wants."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from scipy.special import softmax
from sklearn.metrics import balanced_accuracy_score

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.tasks.base import Collected, Objective
from kerasvision.training.collecting import CollectedRows, _packed, _unpacked, filled
from kerasvision.training.devices.workers import WorkerGroup
from kerasvision.training.fit import fit
from kerasvision.training.step import TrainStep


@pytest.fixture(scope="module", autouse=True)
def map_task():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        import map_task

        yield map_task


@pytest.fixture(scope="module")
def run(map_task, stripes):
    """Fits a network whose outputs are maps: `run(work=..., task={"every": 2}, epochs=3)`."""
    examples = ExampleSet(stripes.examples)

    def fitted(*, work=None, until_epoch=None, task=None, options=None, **training):
        defaults = {"epochs": 3, "batch_size": 16, "optimizer": c.Adam(learning_rate=1e-2)}
        settings = TrainerSettings(
            task=map_task.Maps(**(task or {})),
            model=c.Model(name="map_task:maps", options=options or {}),
            training=c.Training(**{**defaults, **training}),
            augment=(),
        )
        return fit(
            settings,
            examples=examples,
            classes=stripes.classes,
            transform=ImageTransform.load(stripes.transform),
            work=work,
            until_epoch=until_epoch,
        )

    return fitted


@pytest.fixture(scope="module")
def five(run, tmp_path_factory):
    """Five epochs, scored after each second one; and their folder."""
    work = tmp_path_factory.mktemp("five")
    return run(work=work, task={"every": 2}, epochs=5, keep="best", best_metric="balanced"), work


# --- What is scored


def test_scores_are_those_of_every_validation_image_once_and_in_order(five, map_task, stripes):
    # 24 images in batches of 16: half of the last batch are copies.
    last, network = five[0].history.iloc[-1], five[0].model
    transform = ImageTransform.load(stripes.transform)
    rows = list(ExampleSet(stripes.examples).dataset("validation").as_numpy_iterator())
    labels = np.array([row["label"] for row in rows])
    best = five[0].history["val_balanced"].idxmax()
    logits = map_task.mean_logits(network(tf.stack([transform(row["image"]) for row in rows]), training=False)).numpy()
    scored = five[0].history.iloc[best]  # the network has these weights
    assert scored["val_balanced"] == pytest.approx(balanced_accuracy_score(labels, logits.argmax(axis=1)), abs=1e-6)
    assert scored["val_in_order"] == pytest.approx(softmax(logits, axis=1)[range(24), labels] @ np.arange(1, 25), rel=1e-4)
    assert last["val_rows"] == 24


def test_the_network_runs_once_for_the_loss_and_the_answers():
    calls = []

    class Counted(keras.layers.Layer):
        def call(self, x):
            tf.py_function(lambda: calls.append(1), [], [])
            return x

    image = keras.Input((2,))
    network = keras.Model(image, keras.layers.Dense(1)(Counted()(image)))
    collected = Collected(
        lambda outputs: {"y": outputs}, lambda targets: {}, lambda truth, answers: {"n": len(answers["y"])}
    )
    step = TrainStep(
        network,
        objective=Objective(lambda targets, outputs, training: outputs[:, 0], [], collected=collected),
        optimizer=keras.optimizers.SGD(),
        strategy=tf.distribute.get_strategy(),
    )
    calls.clear()
    batches = tf.data.Dataset.from_tensor_slices((np.ones((10, 2), np.float32), np.ones(10, np.float32))).batch(4)
    assert step.evaluate(batches)["n"] == 10  # batches of 4, 4 and 2 rows
    assert len(calls) == 3
    assert set(step.evaluate(batches, collects=False)) == {"loss"}
    assert len(calls) == 6


def test_scores_may_come_from_targets_and_outputs_together():
    image = keras.Input((2,))
    collected = Collected(
        answers=lambda outputs: {},
        truth=lambda targets: {},
        scores=lambda truth, answers: {"apart": answers["apart"].mean()},
        compared=lambda targets, outputs: {"apart": outputs[:, 0] - targets},
    )
    step = TrainStep(
        keras.Model(image, keras.layers.Dense(1, kernel_initializer="ones")(image)),
        objective=Objective(lambda targets, outputs, training: outputs[:, 0], [], collected=collected),
        optimizer=keras.optimizers.SGD(),
        strategy=tf.distribute.get_strategy(),
    )
    batches = tf.data.Dataset.from_tensor_slices((np.ones((10, 2), np.float32), np.arange(10, dtype=np.float32))).batch(4)
    # The outputs are 1 + 1, and the mean of the targets is 4.5.
    assert step.evaluate(batches)["apart"] == pytest.approx(-2.5)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"scores": {"loss": 1.0}}, r"must have other names than its loss and metrics; received \['loss'\]"),
        ({"scores": {"a": float("nan")}}, r"must return finite numbers; received {'a': nan}. Leave out a name"),
        ({"answers": tf.constant(["text"] * 4)}, r"answers/y must have numbers or booleans, and 4 rows.*received 'object"),
        ({"answers": tf.zeros((4, 1), tf.bfloat16)}, "received 'bfloat16 .*Cast bfloat16 to float32"),
        ({"answers": tf.zeros((3, 1))}, r"answers/y must have .* 4 rows, one for each image; received 'float32 \(3, 1\)'"),
    ],
)
def test_what_cannot_be_scored_is_refused(fault, message):
    image = keras.Input((2,))
    collected = Collected(
        answers=lambda outputs: {"y": fault.get("answers", outputs)},
        truth=lambda targets: {"y": targets},
        scores=lambda truth, answers: fault.get("scores", {}),
    )
    step = TrainStep(
        keras.Model(image, keras.layers.Dense(1)(image)),
        objective=Objective(lambda targets, outputs, training: outputs[:, 0], [], collected=collected),
        optimizer=keras.optimizers.SGD(),
        strategy=tf.distribute.get_strategy(),
    )
    with pytest.raises(ConfigError, match=message):
        step.evaluate(tf.data.Dataset.from_tensors((np.ones((4, 2), np.float32), np.ones(4, np.float32))))


def test_scores_after_no_epoch_are_refused():
    with pytest.raises(ConfigError, match=r"Collected.every must be at least 1; received 0"):
        Collected(lambda outputs: {}, lambda targets: {}, lambda truth, answers: {}, every=0)


# --- The history


def test_between_two_scored_epochs_the_history_repeats_the_last_scores(five):
    history = five[0].history
    scored = history["val_in_order"].tolist()
    # After the first epoch, after each second one, and after the last.
    assert scored[2] == scored[1]
    assert len(set(scored)) == 4
    assert history["val_loss"].nunique() == 5  # the loss is measured after every epoch
    assert not history.isna().any(axis=None)


def test_the_best_epoch_is_one_that_was_scored(five):
    history = five[0].history
    assert five[0].epochs == (history["val_balanced"].idxmax() + 1,)
    assert five[0].epochs[0] in (1, 2, 4, 5)


def test_the_logs_have_the_scores(five):
    fitted, work = five
    pd.testing.assert_frame_equal(pd.read_csv(work / "logs" / "history.csv"), fitted.history, check_dtype=False)


@pytest.mark.slow
def test_a_resumed_training_has_the_scores_of_the_undisturbed_one(run, five, tmp_path):
    settings = {"task": {"every": 2}, "epochs": 5, "keep": "best", "best_metric": "balanced"}
    run(work=tmp_path, until_epoch=3, **settings)  # an epoch that is not scored
    resumed = run(work=tmp_path, **settings)
    pd.testing.assert_frame_equal(resumed.history, five[0].history, check_exact=True)
    for one, other in zip(resumed.model.get_weights(), five[0].model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_score_decides_when_to_stop_and_is_in_the_line_of_an_epoch(run, capsys):
    fitted = run(epochs=6, early_stopping=c.EarlyStopping(metric="rows", patience=2))
    assert len(fitted.history) == 3  # always 24
    said = capsys.readouterr().err
    assert "early stopping ended the training after epoch 3 of 6: val_rows has not improved since epoch 1" in said
    assert f"val_balanced {fitted.history['val_balanced'].iloc[0]:.4f}" in said


def test_a_score_without_a_value_is_in_no_column_and_cannot_decide(run):
    # The error has the names of the history.
    with pytest.raises(
        ConfigError, match=r"early_stopping needs val_balanced, which has no value; measured are loss, val_loss"
    ):
        run(task={"gives": "none"}, early_stopping=c.EarlyStopping(metric="balanced"))


def test_a_score_that_first_has_a_value_later_is_left_out_with_a_warning():
    history = {"loss": [0.9], "val_loss": [0.8]}
    with pytest.warns(UserWarning, match="the history leaves out val_recall, which had no value after the first epoch"):
        assert filled({"loss": 0.5, "val_loss": 0.4, "val_recall": 0.1}, history) == {"loss": 0.5, "val_loss": 0.4}


# --- On several devices


@pytest.mark.slow
def test_two_replicas_have_the_scores_weights_and_history_of_one_device(on_replicas_in_each_case):
    one, two = (on_replicas_in_each_case[f"{replicas} maps"] for replicas in (1, 2))
    assert one.keys() == two.keys()
    assert one["history val_rows"].tolist() == [24, 24]
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=0, atol=1e-5 * np.abs(value).max(), err_msg=name)


def test_rows_of_several_workers_are_in_the_order_of_the_split():
    class Two(WorkerGroup):
        """The second worker has the same rows as the first, with a minus."""

        count = 2

        def all_said(self, message):
            return [message, _packed({**_unpacked(message), "answers/y": -_unpacked(message)["answers/y"]})]

    seen = {}
    collected = Collected(lambda outputs: {}, lambda targets: {}, lambda truth, answers: seen.update(answers) or {})
    rows = CollectedRows(collected, Two())
    for first in (1, 3):
        rows.add({"answers/y": tf.constant([first, first + 1]), "present": tf.constant([True, first == 1])})
    rows.scores()
    assert seen["y"].tolist() == [1, 2, -1, -2, 3, -3]
