"""A line per epoch stays: what it says, and what is best so far after a resume."""

import math

import pytest

from kerasvision import config as c
from kerasvision.training.logs.epoch_lines import EpochLines, Shown, best_of

ACCURACY = Shown("accuracy", "accuracy", "max")


class Watched:
    """Lines of a training with 8 images per step, and a clock that only the test moves."""

    def __init__(self, shown=ACCURACY, history=None, epochs=10):
        self.said, self.now = [], 0.0
        clock = lambda: self.now  # noqa: E731
        self.lines = EpochLines(self.said.append, shown=shown, batch_size=8, epochs=epochs, history=history, clock=clock)

    def epoch(self, number, calls, *, validation_seconds=0.0, **logs):
        """An epoch whose calls are (steps, seconds); returns what was said."""
        self.lines.on_epoch_begin(number - 1)
        step = 0
        for steps, seconds in calls:
            self.lines.on_train_batch_begin(step)
            self.now, step = self.now + seconds, step + steps
            self.lines.on_train_batch_end(step - 1, {"loss": 0.5})
        self.now += validation_seconds
        self.lines.on_epoch_end(number - 1, logs)
        return self.said[-1]


def test_seconds_are_all_since_the_line_before_and_images_per_second_are_those_of_the_steps_after_the_first_call():
    watched = Watched()
    logs = {"loss": 0.25, "accuracy": 0.875, "val_loss": 0.5, "val_accuracy": 0.75}
    # 10 steps of 8 images in 2 s; the first call, 60 s, builds the graph.
    line = watched.epoch(1, [(1, 60.0), (10, 2.0)], validation_seconds=3.0, **logs)
    assert line == (
        "epoch  1/10   65.0 s     40 images/s  loss 0.2500  accuracy 0.8750  val_accuracy 0.7500  best 0.7500 (epoch 1)"
    )
    watched.now += 4.0  # a checkpoint
    line = watched.epoch(2, [(11, 2.2)], validation_seconds=3.0, **{**logs, "val_accuracy": 0.7})
    assert line == (
        "epoch  2/10    9.2 s     40 images/s  loss 0.2500  accuracy 0.8750  val_accuracy 0.7000  best 0.7500 (epoch 1)"
    )


def test_an_epoch_of_a_single_first_call_has_no_pace():
    assert "images/s" not in Watched().epoch(1, [(3, 1.0)], loss=0.5)


def test_the_best_is_that_of_all_epochs_before_a_resume_too():
    history = {"loss": [0.9, 0.8, 0.7], "val_accuracy": [0.5, 0.9, 0.6]}
    assert Watched(history=history).epoch(4, [], loss=0.6, val_accuracy=0.7).endswith("best 0.9000 (epoch 2)")
    assert history["loss"] == [0.9, 0.8, 0.7]


def test_the_metric_that_decides_is_shown_before_its_best_value():
    shown = Shown("accuracy", "loss", "min")
    watched = Watched(shown)
    watched.epoch(1, [], loss=0.5, accuracy=0.5, val_loss=0.25, val_accuracy=0.5)
    line = watched.epoch(2, [], loss=0.5, accuracy=0.5, val_loss=0.5, val_accuracy=0.75)
    assert line.endswith("loss 0.5000  accuracy 0.5000  val_accuracy 0.7500  val_loss 0.5000  best 0.2500 (epoch 1)")


def test_without_validation_the_best_is_that_of_the_training():
    assert Watched().epoch(1, [], loss=0.5, accuracy=0.25).endswith("loss 0.5000  accuracy 0.2500  best 0.2500 (epoch 1)")


def test_a_task_that_names_no_metric_shows_the_loss():
    line = Watched(Shown(None, "loss", "min")).epoch(1, [], loss=0.5, val_loss=0.25, val_mine=3.0)
    assert line.endswith("s  loss 0.5000  val_loss 0.2500  best 0.2500 (epoch 1)")


def test_a_value_that_is_not_a_number_is_shown_and_is_not_the_best():
    watched = Watched()
    assert watched.epoch(1, [], loss=0.5, val_accuracy=math.nan).endswith("val_accuracy nan")
    assert watched.epoch(2, [], loss=0.5, val_accuracy=0.5).endswith("val_accuracy 0.5000  best 0.5000 (epoch 2)")


@pytest.mark.parametrize(("best_is", "best"), [("min", (0.25, 2)), ("max", (0.75, 1))])
def test_the_first_of_equal_values_is_the_best(best_is, best):
    assert best_of([0.75, 0.25, 0.25, 0.75], best_is) == best


def test_each_task_names_the_metrics_of_its_lines_and_lists():
    classes, captions = c.Classification(), c.Captioning()
    assert (classes.training_headline_metric(), classes.headline_metric()) == ("accuracy", "accuracy")
    assert (captions.training_headline_metric(), captions.headline_metric()) == ("token_accuracy", "cider_d")
    for task in (classes, captions):
        assert task.training_headline_metric() in task.training_metric_names()
        assert task.headline_metric() in task.metric_names()
