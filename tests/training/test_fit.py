"""The same seed gives the same weights, and the history of a training is correct."""

import functools
import math
import re
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.training import EarlyStopping
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.feeding.batches import training_batches
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError, StageError
from kerasvision.training.checkpointing.checkpoint_files import read_contents, read_manifest
from kerasvision.training.fit import fit
from kerasvision.training.optimizing.optimizers import learning_rate, make_optimizer
from kerasvision.training.step import TrainStep

AUGMENT = (c.PadCrop(pad=1), c.RandomFlip())


@functools.cache
def opened(examples):
    """The data set, opened once for all trainings here: reading the images took a quarter of each."""
    return ExampleSet(examples)


@pytest.fixture(scope="module")
def run(stripes):
    """Settings -> Fitted, on `stripes` or on another data set."""

    def fitted(settings, examples=None):
        return fit(
            settings,
            examples=opened(examples or stripes.examples),
            classes=stripes.classes,
            transform=ImageTransform.load(stripes.transform),
        )

    return fitted


@pytest.fixture(scope="module")
def fitted(run, stripes_settings):
    return run(stripes_settings(epochs=2, augment=AUGMENT, schedule="cosine", warmup_epochs=1, seed=3))


def assert_equal_weights(one, other):
    for left, right in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_the_same_seed_gives_the_same_weights_and_history_bit_for_bit(run, fitted, stripes_settings):
    keras.utils.set_random_seed(99)  # the global seed does not matter
    opened.cache_clear()
    again = run(stripes_settings(epochs=2, augment=AUGMENT, schedule="cosine", warmup_epochs=1, seed=3))
    assert_equal_weights(fitted, again)
    pd.testing.assert_frame_equal(fitted.history, again.history, check_exact=True)


@pytest.mark.slow
def test_another_seed_gives_other_weights(run, fitted, stripes_settings):
    other = run(stripes_settings(epochs=2, augment=AUGMENT, schedule="cosine", warmup_epochs=1, seed=4))
    assert not np.array_equal(fitted.model.get_weights()[0], other.model.get_weights()[0])


def test_the_history_has_a_row_per_epoch_for_training_and_validation(fitted):
    assert fitted.history["epoch"].tolist() == [1, 2]
    measured = {"loss", "accuracy", "log_loss"}
    assert set(fitted.history.columns) == {"epoch"} | measured | {f"val_{name}" for name in measured}


def test_validation_values_are_those_of_every_image_counted_once(fitted, stripes):
    # 24 images in batches of 16: half of the last batch are copies, which must not count.
    examples, transform = opened(stripes.examples), ImageTransform.load(stripes.transform)
    rows = list(examples.dataset("validation").as_numpy_iterator())
    logits = fitted.model(tf.stack([transform(row["image"]) for row in rows]), training=False).numpy().astype(float)
    labels = np.array([row["label"] for row in rows])
    log_softmax = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    last = fitted.history.iloc[-1]
    assert last["val_accuracy"] == pytest.approx((logits.argmax(axis=1) == labels).mean(), abs=1e-6)
    loss = -log_softmax[np.arange(24), labels].mean()
    assert last["val_loss"] == pytest.approx(loss, rel=1e-5)
    assert last["val_log_loss"] == pytest.approx(loss, rel=1e-5)


@pytest.fixture(scope="module")
def train_only(stripes, tmp_path_factory):
    """Only the training images of `stripes`."""
    examples = opened(stripes.examples)
    rows = [
        (row["id"].decode(), row["image"], stripes.classes[row["label"]])
        for row in examples.dataset("train").as_numpy_iterator()
    ]
    folder = tmp_path_factory.mktemp("train_only") / "data"
    write_examples(lambda split: rows, splits=["train"], classes=stripes.classes, folder=folder)
    return folder


def test_without_a_validation_split_the_history_has_no_val_columns(run, dense_settings, train_only):
    history = run(dense_settings(epochs=1), train_only).history
    assert set(history.columns) == {"epoch", "loss", "accuracy", "log_loss"}


def test_images_read_from_disk_are_learned_too(run, dense_settings, train_only):
    history = run(dense_settings(epochs=4, memory_budget_gb=1e-9), train_only).history
    assert history["loss"].iloc[-1] < 0.7 * history["loss"].iloc[0]


def test_a_batch_larger_than_the_split_is_refused(run, dense_settings):
    with pytest.raises(ConfigError, match="must not exceed the number of training images, 96; received 97"):
        run(dense_settings(batch_size=97))


def test_a_lost_loss_stops_the_training_and_names_the_step(run, dense_settings):
    message = r"the training loss became (nan|inf) at step [2-6] of epoch 1. Its images: .*Last checkpoint: none. Lower"
    with pytest.raises(StageError, match=message):
        run(dense_settings(optimizer=c.Sgd(learning_rate=1e38)))


def test_the_images_that_it_names_are_those_of_the_lost_step(run, stripes, dense_settings):
    settings = dense_settings(optimizer=c.Sgd(learning_rate=1e38), augment=AUGMENT)
    with pytest.raises(StageError) as lost:
        run(settings)
    number, names = re.search(r"at step (\d) of epoch 1. Its images: (.*) and 8 more", str(lost.value)).groups()
    batches, _ = training_batches(
        opened(stripes.examples),
        transform=ImageTransform.load(stripes.transform),
        augment=AUGMENT,
        batch_size=16,
        encode=lambda batch: (batch["id"], batch["id"]),
        epochs=4,
        seed=0,
        memory_budget_gb=4.0,
    )
    ids, _ = list(batches.as_numpy_iterator())[int(number) - 1]
    assert names == ", ".join(name.decode() for name in ids[:8])


def test_the_checkpoint_that_it_names_is_whole_and_of_the_step_before(stripes, dense_settings, tmp_path):
    settings = dense_settings(optimizer=c.Sgd(learning_rate=1e38), steps_per_call=1, checkpoint_minutes=1e-6)
    with pytest.raises(StageError) as lost:
        fit(
            settings,
            examples=opened(stripes.examples),
            classes=stripes.classes,
            transform=ImageTransform.load(stripes.transform),
            work=tmp_path,
        )
    number, named = re.search(r"at step (\d) of epoch 1. .*Last checkpoint: (\S+?)\. Lower", str(lost.value)).groups()
    assert named == str(tmp_path / "checkpoints" / f"step-{int(number) - 1:08d}")
    arrays, _ = read_contents(Path(named), read_manifest(Path(named)))  # which compares the hashes
    weights = {name: array for name, array in arrays.items() if name.startswith("network/")}
    assert len(weights) == 2  # kernel and bias
    assert all(np.isfinite(array).all() for array in weights.values())


# --- Settings


def test_a_network_trained_in_16_bits_learns_and_is_given_in_32(run, dense_settings):
    fitted = run(dense_settings(precision="bfloat16"))
    assert fitted.history["loss"].iloc[-1] < 0.7 * fitted.history["loss"].iloc[0]
    assert {layer.dtype_policy.name for layer in fitted.model.layers} == {"float32"}
    assert fitted.model.output.dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.slow  # test_step.py makes steps in float16, and bfloat16 learns above
def test_float16_learns_too(run, dense_settings):
    history = run(dense_settings(precision="float16")).history
    assert history["loss"].iloc[-1] < 0.7 * history["loss"].iloc[0]


@pytest.mark.slow  # test_step compares them with values computed by hand
def test_micro_batches_change_nothing_but_rounding(run, dense_settings):
    one, four = (run(dense_settings(epochs=1, micro_batches=count)) for count in (1, 4))
    for left, right in zip(one.model.get_weights(), four.model.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-5 * np.abs(left).max())


def loss_of(fitted, stripes):
    """Accuracy of the trained model on the validation images."""
    rows = list(opened(stripes.examples).dataset("validation").as_numpy_iterator())
    transform = ImageTransform.load(stripes.transform)
    logits = fitted.model(tf.stack([transform(row["image"]) for row in rows]), training=False)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits([row["label"] for row in rows], logits)
    return float(tf.reduce_mean(losses))


# The rate is so high that the last epoch is not the best.
WILD = {"epochs": 6, "optimizer": c.Sgd(learning_rate=0.5, momentum=0.9), "clip_norm": 5.0}


AVERAGED = {"average_decay": 0.9, "epochs": 4}


@pytest.mark.parametrize(
    ("keep", "averages"),
    [
        pytest.param("best", {}, id="best-weights"),
        pytest.param("last", AVERAGED, id="last-averages"),
        pytest.param("last", {}, id="last-weights", marks=pytest.mark.slow),
        pytest.param("best", AVERAGED, id="best-averages", marks=pytest.mark.slow),
    ],
)
def test_the_model_has_the_weights_of_the_epoch_that_is_kept(run, stripes, dense_settings, keep, averages):
    fitted = run(dense_settings(keep=keep, **(WILD | averages)))
    losses = fitted.history["val_loss"]
    assert losses.min() < losses.iloc[-1]
    expected = losses.min() if keep == "best" else losses.iloc[-1]
    assert loss_of(fitted, stripes) == pytest.approx(expected, rel=1e-4)


def test_a_training_that_gets_no_better_stops_early(run, dense_settings):
    stop = EarlyStopping(metric="loss", patience=2, minimum_change=100.0)
    assert len(run(dense_settings(epochs=6, early_stopping=stop)).history) == 3


def test_a_training_that_is_done_is_not_done_again(stripes, dense_settings, tmp_path, monkeypatch):
    def trained():
        return fit(
            dense_settings(epochs=2),
            examples=opened(stripes.examples),
            classes=stripes.classes,
            transform=ImageTransform.load(stripes.transform),
            work=tmp_path,
        )

    once = trained()
    monkeypatch.setattr(TrainStep, "run", lambda *_: pytest.fail("a step was made"))
    again = trained()
    assert_equal_weights(once, again)
    pd.testing.assert_frame_equal(once.history, again.history, check_exact=True)


# --- Learning rates


def rates(steps, **training):
    schedule = learning_rate(c.Training(optimizer=c.Sgd(learning_rate=0.4), **training), steps_per_epoch=10)
    return [float(schedule(step)) if callable(schedule) else schedule for step in steps]


def test_a_constant_rate_is_a_number():
    assert learning_rate(c.Training(optimizer=c.Sgd(learning_rate=0.4)), steps_per_epoch=10) == 0.4


def test_the_cosine_falls_from_the_rate_to_zero():
    # 0.4 (1 + cos(pi t / T)) / 2 with T = 5 epochs of 10 steps.
    expected = [0.2 * (1 + math.cos(math.pi * step / 50)) for step in (0, 10, 25, 40, 50)]
    np.testing.assert_allclose(rates((0, 10, 25, 40, 50), epochs=5, schedule="cosine"), expected, atol=1e-7)
    np.testing.assert_allclose(expected[2], 0.2)


def test_the_warm_up_rises_in_a_line_and_the_cosine_takes_the_rest():
    # 2 of 5 epochs: 20 steps up, 30 steps down.
    steps = (0, 5, 10, 19, 20, 35, 50)
    down = [0.2 * (1 + math.cos(math.pi * (step - 20) / 30)) for step in (20, 35, 50)]
    expected = [0.0, 0.1, 0.2, 0.38, *down]
    np.testing.assert_allclose(rates(steps, epochs=5, schedule="cosine", warmup_epochs=2), expected, atol=1e-7)


def test_after_the_warm_up_a_constant_rate_stays():
    np.testing.assert_allclose(rates((0, 5, 10, 30, 50), epochs=5, warmup_epochs=1), [0.0, 0.2, 0.4, 0.4, 0.4], atol=1e-7)


def test_a_warm_up_may_be_part_of_an_epoch_or_all_of_them():
    np.testing.assert_allclose(rates((0, 2, 5), epochs=5, warmup_epochs=0.5), [0.0, 0.16, 0.4], atol=1e-7)
    np.testing.assert_allclose(rates((0, 10, 20), epochs=2, warmup_epochs=2), [0.0, 0.2, 0.4], atol=1e-7)


@pytest.mark.parametrize(
    ("settings", "kind", "fields"),
    [
        (c.Sgd(learning_rate=0.1, momentum=0.9, nesterov=True), keras.optimizers.SGD, {"momentum": 0.9, "nesterov": True}),
        (
            c.Adam(beta_1=0.8, beta_2=0.9, epsilon=1e-3),
            keras.optimizers.Adam,
            {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3},
        ),
        (c.AdamW(weight_decay=0.3), keras.optimizers.AdamW, {"weight_decay": 0.3, "beta_1": 0.9}),
    ],
)
def test_every_field_of_the_settings_reaches_the_optimizer(settings, kind, fields):
    optimizer = make_optimizer(c.Training(optimizer=settings), steps_per_epoch=10)
    assert isinstance(optimizer, kind) and type(optimizer).__name__ == kind.__name__
    assert {name: getattr(optimizer, name) for name in fields} == fields
    assert float(optimizer.learning_rate) == pytest.approx(settings.learning_rate)


# --- Trainings in parts


def fitted_in(folder, stripes, settings, **more):
    return fit(
        settings,
        examples=opened(stripes.examples),
        classes=stripes.classes,
        transform=ImageTransform.load(stripes.transform),
        work=folder,
        **more,
    )


@pytest.mark.slow  # test_phases.py ends one after its first epoch too, with averages and the best weights
def test_a_training_in_two_parts_is_the_training_in_one(stripes, dense_settings, tmp_path):
    settings = dense_settings(
        epochs=3, augment=AUGMENT, schedule="cosine", average_decay=0.9, keep="best", best_metric="accuracy", batch_size=32
    )
    whole = fitted_in(tmp_path / "whole", stripes, settings)
    first = fitted_in(tmp_path / "parts", stripes, settings, until_epoch=1)
    assert first.history["epoch"].tolist() == [1]
    pd.testing.assert_frame_equal(first.history, whole.history[:1], check_exact=True)
    both = fitted_in(tmp_path / "parts", stripes, settings, until_epoch=3)
    assert_equal_weights(whole, both)
    pd.testing.assert_frame_equal(whole.history, both.history, check_exact=True)


@pytest.mark.slow
def test_should_stop_ends_a_training_after_an_epoch_and_again_when_it_goes_on(stripes, dense_settings, tmp_path):
    asked = []

    def should_stop(history):
        asked.append(history["epoch"].tolist())
        return "enough" if len(history) == 2 else None

    settings = dense_settings(epochs=4, batch_size=32)
    stopped = fitted_in(tmp_path, stripes, settings, should_stop=should_stop)
    assert (stopped.stopped, asked) == ("enough", [[1], [1, 2]])
    again = fitted_in(tmp_path, stripes, settings, should_stop=should_stop)
    assert (again.stopped, asked[2:], again.history["epoch"].tolist()) == ("enough", [[1, 2]], [1, 2])
    assert fitted_in(tmp_path, stripes, settings, until_epoch=3, should_stop=lambda history: None).stopped == ""
