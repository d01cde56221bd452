"""What a task reads and reduces reaches the batches; trainings of equal tasks share what is in memory."""

import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.feeding.inputs import NO_REDUCTION
from kerasvision.data.transform import ImageTransform
from kerasvision.tasks.classification.task import ClassificationTask
from kerasvision.training.devices.workers import WorkerGroup
from kerasvision.training.parts import make_parts
from kerasvision.training.task_inputs import task_inputs


class Negative(c.Classification):
    implementation = f"{__name__}:NegativeTask"


class NegativeTask(ClassificationTask):
    def reduced(self, example):
        return {"id": example["id"], "label": example["label"], "image": -example["image"]}


def settings(task):
    training = c.Training(epochs=1, batch_size=16)
    return TrainerSettings(task=task, model=c.Model(name="small_networks:dense"), training=training, augment=())


def test_a_task_that_reduces_nothing_has_no_reduction():
    assert task_inputs(ClassificationTask(c.Classification(), "ab"), settings(c.Classification())) == {
        "reads": {"label"},
        "reduction": NO_REDUCTION,
        "draws": 0,
    }


def test_tasks_with_equal_settings_have_equal_reductions():
    def reduction(classes, **fields):
        task = NegativeTask(Negative(**fields), classes)
        return task_inputs(task, settings(task.settings))["reduction"]

    assert reduction("ab") == reduction("ab")
    assert reduction("ab") != reduction("ac")
    assert reduction("ab") != reduction("ab", top_k=2)


@pytest.mark.slow
@pytest.mark.usefixtures("small_networks")
def test_training_and_validation_have_the_reduced_examples(stripes, monkeypatch):
    from kerasvision import lookup

    monkeypatch.setattr(
        lookup, "load", lambda path, load=lookup.load: NegativeTask if path == Negative.implementation else load(path)
    )
    transform = ImageTransform.load(stripes.transform)
    plain, negative = (
        make_parts(
            settings(task),
            examples=ExampleSet(stripes.examples),
            classes=stripes.classes,
            transform=transform,
            strategy=tf.distribute.get_strategy(),
            workers=WorkerGroup(),
            policy="float32",
        )
        for task in (c.Classification(), Negative())
    )
    # Scaled, a pixel p is a * p + b, so the sum with the negative image is 2 * b.
    twice = 2 * transform.scaled(tf.zeros((16, 16, 1)))
    for batches in (lambda parts: parts.batches(encode=parts.task.encode, start_step=0), lambda parts: parts.validation):
        one, other = (next(iter(batches(parts)))[0] for parts in (plain, negative))
        tf.debugging.assert_near(one + other, tf.broadcast_to(twice, one.shape), atol=1e-5)
