"""Training: the same seed gives the same weights, and what the history says is true."""

import math

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError, StageError
from kerasvision.training.fit import fit
from kerasvision.training.optimizers import learning_rate, make_optimizer

AUGMENT = (c.PadCrop(pad=1), c.RandomFlip())


@pytest.fixture(scope="module")
def run(stripes):
    """Settings -> Fitted, on `stripes` or on another data set."""

    def fitted(settings, examples=None):
        return fit(
            settings,
            examples=ExampleSet(examples or stripes.examples),
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
    keras.utils.set_random_seed(99)  # what happened before does not matter
    again = run(stripes_settings(epochs=2, augment=AUGMENT, schedule="cosine", warmup_epochs=1, seed=3))
    assert_equal_weights(fitted, again)
    pd.testing.assert_frame_equal(fitted.history, again.history, check_exact=True)


def test_another_seed_gives_other_weights(run, fitted, stripes_settings):
    other = run(stripes_settings(epochs=2, augment=AUGMENT, schedule="cosine", warmup_epochs=1, seed=4))
    assert not np.array_equal(fitted.model.get_weights()[0], other.model.get_weights()[0])


def test_the_history_has_a_row_per_epoch_for_training_and_validation(fitted):
    assert fitted.history["epoch"].tolist() == [1, 2]
    measured = {"loss", "accuracy", "log_loss"}
    assert set(fitted.history.columns) == {"epoch"} | measured | {f"val_{name}" for name in measured}


def test_validation_values_are_those_of_every_image_counted_once(fitted, stripes):
    # 24 images in batches of 16: the last batch is half filled up with copies, which must not count.
    examples, transform = ExampleSet(stripes.examples), ImageTransform.load(stripes.transform)
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
    """The training images of `stripes` alone."""
    examples = ExampleSet(stripes.examples)
    rows = [(row["id"].decode(), row["image"], stripes.classes[row["label"]])
            for row in examples.dataset("train").as_numpy_iterator()]  # fmt: skip
    folder = tmp_path_factory.mktemp("train_only") / "data"
    write_examples(lambda split: rows, splits=["train"], classes=stripes.classes, folder=folder)
    return folder


def test_without_a_validation_split_the_history_has_no_val_columns(run, stripes_settings, train_only):
    history = run(stripes_settings(epochs=1), train_only).history
    assert set(history.columns) == {"epoch", "loss", "accuracy", "log_loss"}


def test_images_read_from_disk_are_learned_too(run, stripes_settings, train_only):
    history = run(stripes_settings(epochs=4, memory_budget_gb=1e-9), train_only).history
    assert history["loss"].iloc[-1] < 0.7 * history["loss"].iloc[0]


def test_a_batch_larger_than_the_split_is_refused(run, stripes_settings):
    with pytest.raises(ConfigError, match="must not exceed the number of training images, 96; received 97"):
        run(stripes_settings(batch_size=97))


def test_a_lost_loss_stops_the_training_and_names_the_step(run, stripes_settings):
    with pytest.raises(StageError, match=r"the training loss became (nan|inf) at step [2-6] of epoch 1. Lower"):
        run(stripes_settings(optimizer=c.Sgd(learning_rate=1e30)))


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
        (c.Adam(beta_1=0.8, beta_2=0.9, epsilon=1e-3), keras.optimizers.Adam,
         {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}),
        (c.AdamW(weight_decay=0.3), keras.optimizers.AdamW, {"weight_decay": 0.3, "beta_1": 0.9}),
    ],
)  # fmt: skip
def test_every_field_of_the_settings_reaches_the_optimizer(settings, kind, fields):
    optimizer = make_optimizer(c.Training(optimizer=settings), steps_per_epoch=10)
    assert type(optimizer) is kind
    assert {name: getattr(optimizer, name) for name in fields} == fields
    assert float(optimizer.learning_rate) == pytest.approx(settings.learning_rate)
