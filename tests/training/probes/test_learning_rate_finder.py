"""The learning-rate finder suggests the steepest rate of a known curve, and a rate that trains a real experiment."""

import numpy as np
import pandas as pd
import pytest

from kerasvision import config as c
from kerasvision.config.overrides import with_value
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError, StageError
from kerasvision.training.fit import fit
from kerasvision.training.probes.learning_rate_finder import find_learning_rate, smoothed, suggested


@pytest.fixture(scope="module")
def data(stripes):
    return {
        "examples": ExampleSet(stripes.examples),
        "classes": stripes.classes,
        "transform": ImageTransform.load(stripes.transform),
    }


@pytest.fixture(scope="module")
def found(data, stripes_settings):
    return find_learning_rate(stripes_settings(optimizer=c.Sgd(momentum=0.9)), **data, steps=80)


def curve(loss, rates):
    return pd.DataFrame({"learning_rate": rates, "smoothed": smoothed(loss, width=4)})


def test_suggestion_is_where_the_loss_falls_fastest():
    # 1 / (1 + (r / 0.01)^2) is steepest, per logarithm of r, at r = 0.01; above 1 the loss explodes.
    rates = np.geomspace(1e-6, 10, 141)
    loss = 1 / (1 + (rates / 0.01) ** 2) + np.where(rates > 1, rates**2, 0)
    assert suggested(curve(loss, rates)) == pytest.approx(0.01, rel=0.15)


def test_no_rate_is_suggested_where_the_loss_does_not_fall():
    rates = np.geomspace(1e-6, 10, 100)
    assert suggested(curve(np.ones(100), rates)) is None
    assert suggested(curve(1 + rates, rates)) is None


def test_smoothing_keeps_a_straight_line_straight():
    np.testing.assert_allclose(smoothed(np.arange(50.0), width=4)[15:35], np.arange(15.0, 35.0), atol=1e-9)


def test_real_experiment_ends_when_the_loss_blows_up(found):
    assert len(found.table) < 80
    assert "times its minimum" in found.ended or "not a number" in found.ended
    ratios = found.table["learning_rate"].to_numpy()[1:] / found.table["learning_rate"].to_numpy()[:-1]
    np.testing.assert_allclose(ratios, (10 / 1e-6) ** (1 / 79), rtol=1e-6)


@pytest.mark.slow
def test_suggested_rate_trains_better_than_much_smaller_and_much_larger_ones(found, data, stripes_settings):
    def last_loss(factor):
        optimizer = c.Sgd(learning_rate=found.suggestion * factor, momentum=0.9)
        return fit(stripes_settings(epochs=5, optimizer=optimizer), **data).history["val_loss"].iloc[-1]

    suggested = last_loss(1)
    assert suggested < last_loss(1 / 30) - 0.1
    assert suggested < last_loss(30) - 0.1


@pytest.mark.slow
def test_the_same_search_finds_the_same(found, data, stripes_settings):
    settings = stripes_settings(optimizer=c.Sgd(learning_rate=0.5, momentum=0.9), schedule="cosine", warmup_epochs=1)
    again = find_learning_rate(settings, **data, steps=80)  # the experiment's rate, schedule and warm-up are ignored
    pd.testing.assert_frame_equal(again.table, found.table)


def test_table_and_picture_are_written(found, tmp_path):
    table, picture = found.save(tmp_path / "new")
    assert pd.read_csv(table).columns.tolist() == ["learning_rate", "loss", "smoothed"]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_impossible_searches_are_refused(data, stripes_settings):
    settings = stripes_settings()
    with pytest.raises(ConfigError, match="at least 20 steps; received 19"):
        find_learning_rate(settings, **data, steps=19)
    with pytest.raises(ConfigError, match="must rise from lowest > 0 to highest"):
        find_learning_rate(settings, **data, lowest=1.0, highest=0.1)
    with pytest.raises(ConfigError, match="must not exceed the number of training images, 96; received 128"):
        find_learning_rate(stripes_settings(batch_size=128), **data)


def test_loss_that_is_lost_from_the_beginning_is_told(data, stripes_settings, monkeypatch):
    import keras

    from kerasvision.tasks.classification.task import ClassificationTask

    build = ClassificationTask.build

    def poisoned(self, model, *, image_shape):
        network = build(self, model, image_shape=image_shape)
        kernel = network.get_layer("logits").kernel
        kernel.assign(keras.ops.full_like(kernel, np.nan))
        return network

    monkeypatch.setattr(ClassificationTask, "build", poisoned)
    with pytest.raises(StageError, match="must be a number at the first step"):
        find_learning_rate(stripes_settings(), **data, steps=20)


def test_settings_of_several_replicas_are_searched_on_one_device(data, dense_settings):
    settings = with_value(with_value(dense_settings(), "training.strategy", "mirrored"), "training.replicas", 2)
    assert len(find_learning_rate(settings, **data, steps=20, lowest=1e-6, highest=1e-5).table) == 20
