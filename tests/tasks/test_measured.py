"""A task of your own is judged by its metrics, and a method that it lacks or gets wrong is named."""

import sys
from typing import ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import ConfigError, StageError
from kerasvision.tasks.base import Bounded, Objective, make_task
from kerasvision.tasks.measured import MeasuredTask

TRUTH = np.array([0.0, 1.0, 2.0, 3.0], np.float32)
ANSWERS = {"age": np.array([0.5, 1.0, 1.0, 6.0], np.float32)}  # wrong by 0.5, 0, 1 and 3 years


def mean_error(truth, answers, weights):
    return np.abs(answers - truth) @ weights / weights.sum(axis=0)


class Age(c.MeasuredTask):
    implementation: ClassVar[str] = "ages:AgeTask"
    metrics: tuple[c.Metric, ...] = (c.Metric("ages:mean_error", best="min", bounds=(0, 10)),)


class AgeTask(MeasuredTask):
    answer = "age"

    def target(self, batch):
        return tf.gather([float(name) for name in self.classes], batch["label"])

    def objective(self):
        return Objective(lambda targets, outputs, training: tf.square(outputs[:, 0] - targets), metrics=[])

    def predictor(self, model, *, temperature=1.0):
        return lambda images: {"age": model(images, training=False)[:, 0]}

    def losses(self, truth, answers):
        return np.abs(answers - truth)


@pytest.fixture
def ages(monkeypatch):
    """This file as the module `ages`, as if it lay where the command is given."""
    monkeypatch.setitem(sys.modules, "ages", sys.modules[__name__])
    return monkeypatch


def judged(predictions=ANSWERS):
    task = make_task(Age(), ["10", "20", "40"])
    return task.judge(ids=list("abcd"), truth=TRUTH, predictions=predictions)


def test_its_metrics_score_the_whole_every_part_and_every_weighting(ages):
    judgement = judged()
    assert judgement.scores == {"mean_error": 1.125}  # (0.5 + 0 + 1 + 3) / 4
    weights = np.array([[1.0, 3.0], [1.0, 1.0]])
    found = judgement.weighted_scores(np.array([2, 3]), weights)["mean_error"]
    assert found.tolist() == [2.0, 1.5]  # (1 + 3) / 2, and (3 * 1 + 3) / 4
    assert judgement.evidence(np.arange(3)) == {"mean_error": Bounded(0, 10, 3)}


def test_its_rows_say_truth_answer_and_loss(ages):
    rows = judged().rows
    assert rows["id"].tolist() == list("abcd")
    assert rows["truth"].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert rows["answer"].tolist() == [0.5, 1.0, 1.0, 6.0]
    assert rows["loss"].tolist() == [0.5, 0.0, 1.0, 3.0]
    assert make_task(Age(), ["10"]).caption(rows.iloc[3]) == "3 → 6"


def test_training_and_evaluation_have_the_same_target(ages):
    task = make_task(Age(), ["10", "20", "40"])
    batch = {"image": tf.zeros((2, 4, 4, 1)), "label": tf.constant([2, 0], tf.int64)}
    assert task.encode(batch)[1].numpy().tolist() == task.truth(batch).tolist() == [40.0, 10.0]


def test_what_an_evaluation_has_in_unlike_lengths_is_filled_up_as_in_training(ages):
    seen = {}
    ages.setattr(AgeTask, "target", lambda self, batch: seen.update(batch) or tf.strings.to_number(batch["captions"][:, 0]))
    boxes = tf.ragged.constant([[[0, 0, 0.5, 1]], [[0, 0, 1, 1], [0.5, 0.5, 1, 1]]], ragged_rank=1, dtype=tf.float32)
    labels, captions = tf.ragged.constant([[3], [1, 2]], dtype=tf.int64), tf.ragged.constant([["7.5"], ["12", "years"]])
    truth = make_task(Age(), ["10"]).truth({"captions": captions, "objects": {"bbox": boxes, "label": labels}})
    assert truth.tolist() == [7.5, 12.0]
    assert seen["captions"].numpy().tolist() == [[b"7.5", b""], [b"12", b"years"]]
    assert seen["objects"]["label"].numpy().tolist() == [[3, -1], [1, 2]]
    assert seen["objects"]["bbox"].numpy()[0].tolist() == [[0, 0, 0.5, 1], [0, 0, 0, 0]]


def test_its_network_has_one_output_unless_the_task_says_more(ages, shapes_only):
    model, task = c.Model(name="lenet5"), make_task(Age(), ["10"])
    assert task.build(model, image_shape=(16, 16, 1)).output_shape == (None, 1)
    ages.setattr(AgeTask, "num_outputs", 4)
    assert task.build(model, image_shape=(16, 16, 1)).output_shape == (None, 4)


def one_number_a_pixel(*, image_shape, num_classes):
    image = keras.Input(image_shape)
    return keras.Model(image, keras.layers.Dense(num_classes)(image))


@pytest.mark.parametrize("settings", [Age(), c.Classification()])
def test_a_network_that_returns_another_shape_is_refused(ages, shapes_only, settings):
    with pytest.raises(ConfigError, match=r"one_number_a_pixel must return float32 \(N, 1\); received \(N, 16, 16, 1\)\."):
        make_task(settings, ["10"]).build(c.Model(name="ages:one_number_a_pixel"), image_shape=(16, 16, 1))


def test_a_gate_knows_its_metrics_and_that_less_is_better():
    c.Gate(c.AtMost("mean_error", 1.0)).check(Age())
    assert (Age().best_is("mean_error"), Age().without_added_metrics().metrics) == ("min", ())
    with pytest.raises(ConfigError, match=r"Age has no metric 'mean_eror'; did you mean 'mean_error'\?"):
        Age().check_metric("mean_eror")


def test_a_task_without_simple_models_has_no_stage_for_them():
    assert (Age.has_simple_models, c.Classification.has_simple_models) == (False, True)


def test_a_method_that_is_missing_is_named(ages):
    class Half(MeasuredTask):
        answer = "age"

        def target(self, batch): ...
        def predictor(self, model, *, temperature=1.0): ...

    ages.setattr(sys.modules[__name__], "AgeTask", Half)
    with pytest.raises(ConfigError, match=r"ages:AgeTask must define losses, objective\. The docstrings of MeasuredTask"):
        make_task(Age(), ["10"])


def test_what_is_not_a_task_is_refused(ages):
    ages.setattr(sys.modules[__name__], "AgeTask", mean_error)
    with pytest.raises(ConfigError, match=r"Age.implementation must name a subclass of .*received 'ages:AgeTask'"):
        make_task(Age(), ["10"])


def test_an_answer_that_the_predictor_does_not_give_is_named(ages):
    ages.setattr(AgeTask, "answer", "agee")
    with pytest.raises(ConfigError, match=r"AgeTask.answer must name an output .*received 'agee'\. Did you mean 'age'\?"):
        judged()


def test_losses_of_another_shape_are_refused(ages):
    ages.setattr(AgeTask, "losses", lambda self, truth, answers: 1.0)
    with pytest.raises(ConfigError, match=r"AgeTask.losses must return one number for each of 4 examples; received \(\)"):
        judged()


def test_an_answer_that_is_not_a_number_stops_the_evaluation(ages):
    with pytest.raises(StageError, match="1 of 4 answers of the network are not numbers"):
        judged({"age": np.array([0, 1, np.nan, 3], np.float32)})
