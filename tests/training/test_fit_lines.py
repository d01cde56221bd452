"""A training says a line per epoch, where it goes on, and what early stopping and keep="best" did."""

import re
from pathlib import Path

import pytest

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.training.ending import how_it_ended
from kerasvision.training.fit import fit

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "training.md"


def without_measured(text):
    """Without seconds, paces and scores."""
    return re.sub(r"\s+", " ", re.sub(r"[\d,]+(\.\d+)?(?= s\b| images/s)|\d\.\d{4}", "MEASURED", text))


@pytest.fixture
def lines(stripes, dense_settings, tmp_path, capsys):
    """The lines on standard error of a training, on 96 images in batches of 32, that keeps its work."""

    def trained(*, until_epoch=None, **training):
        fit(
            dense_settings(batch_size=32, **training),
            examples=ExampleSet(stripes.examples),
            classes=stripes.classes,
            transform=ImageTransform.load(stripes.transform),
            work=tmp_path / "work",
            until_epoch=until_epoch,
        )
        return capsys.readouterr().err.splitlines()

    return trained


@pytest.mark.slow
def test_a_resumed_training_says_where_it_goes_on_and_at_its_end_what_it_did(lines):
    # The loss never changes by 100, so the second epoch does not count as better.
    stopping = c.EarlyStopping(patience=1, minimum_change=100)
    settings = {"epochs": 4, "early_stopping": stopping, "keep": "best", "best_metric": "loss"}
    (first,) = lines(until_epoch=1, **settings)
    values = r"loss \d\.\d{4}  accuracy \d\.\d{4}  val_accuracy \d\.\d{4}  val_loss (\d\.\d{4})  best \1 \(epoch 1\)"
    assert re.fullmatch(rf"  epoch 1/4 +[\d.]+ s +[\d,]+ images/s  {values}", first)
    goes_on, second, stopped, kept = lines(**settings)
    assert goes_on == "  goes on at epoch 2, step 1 of 3"
    assert second.startswith("  epoch 2/4 ")
    ended = (
        "  early stopping ended the training after epoch 2 of 4: val_loss has not improved by more than 100 since epoch 1"
    )
    assert stopped.startswith(ended)
    loss = re.search(r"val_loss (\S+)  best \1 \(epoch 2\)$", second)[1]
    assert kept == f"  the model has the weights of the last epoch, the best by val_loss: {loss}"
    nothing = "  nothing is left to train: epoch 2 of 4 was done, and the training had stopped"
    assert lines(**settings) == [nothing, stopped, kept]
    shown = without_measured("\n".join([goes_on, second, stopped, kept]))
    assert shown in without_measured(PAGE.read_text(encoding="utf-8")), "the page shows other lines"


def test_early_stopping_that_was_not_needed_says_so():
    import keras

    stop = keras.callbacks.EarlyStopping("val_loss", patience=5, mode="min")
    stop.best_epoch = 1
    training = c.Training(epochs=3, early_stopping=c.EarlyStopping(), keep="last")
    assert list(how_it_ended(training, {"val_loss": [3.0, 1.0, 2.0]}, [stop])) == [
        "early stopping did not end the training: val_loss last improved in epoch 2 of 3",
        "the model has the weights of the last epoch; training.keep='best' keeps those of the best one",
    ]


def test_a_training_without_either_says_nothing_more():
    assert list(how_it_ended(c.Training(epochs=1), {"loss": [1.0]}, [])) == []
