"""Captioning as a task: the network's inputs, its answers, and what is rejected."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import ConfigError, DataError
from kerasvision.tasks.base import make_task
from kerasvision.tasks.captioning.tokens import SPECIAL
from kerasvision.training.step import TrainStep

NAMES = (*SPECIAL, "a", "dog", "red", "cat")
OPTIONS = {"backbone": "resnet9", "width": 0.1, "embedding": 16, "units": 16, "dropout": 0.0}
CAPTIONS = [["a dog"], ["a red cat"], ["red dog"]]


@pytest.fixture(scope="module")
def task():
    return make_task(c.Captioning(max_length=4, decoding="greedy"), NAMES)


def batch(captions=CAPTIONS):
    images = tf.random.stateless_normal([len(captions), 16, 16, 3], (0, 1))
    return {"image": images, "captions": tf.constant(captions, tf.string), "id": tf.constant(["x"] * len(captions))}


@pytest.fixture(scope="module")
def learned(task):
    """A captioner that has memorized three images."""
    keras.utils.set_random_seed(0)
    network = task.build(c.Model(name="show_and_tell", options=OPTIONS), image_shape=(16, 16, 3))
    step = TrainStep(
        network, objective=task.objective(), optimizer=keras.optimizers.Adam(0.02), strategy=tf.distribute.get_strategy()
    )
    data = tf.data.Dataset.from_tensors(batch()).map(task.encode).repeat()
    step.run(iter(data), 80)
    return network, step.evaluate(data.take(1))


def test_network_receives_images_and_tokens_and_says_what_comes_next(task):
    (images, tokens), targets = task.encode(batch([["a dog", "zebra!"], ["red", ""]]))
    np.testing.assert_array_equal(images, batch([["a"], ["a"]])["image"])
    assert tokens.numpy().tolist() == [[[2, 4, 5, 0, 0], [2, 1, 0, 0, 0]], [[2, 6, 0, 0, 0], [0, 0, 0, 0, 0]]]
    assert targets.numpy().tolist() == [[[4, 5, 3, 0, 0], [1, 3, 0, 0, 0]], [[6, 3, 0, 0, 0], [0, 0, 0, 0, 0]]]


def test_of_several_captions_the_first_is_learned_by_heart(task):
    (_, tokens), _ = task.encode(task.with_one_answer(batch([["a dog", "a cat"], ["red", ""]])))
    assert tokens.numpy().tolist() == [[[2, 4, 5, 0, 0]], [[2, 6, 0, 0, 0]]]


@pytest.mark.slow
def test_three_images_are_learned_by_heart(task, learned):
    network, measured = learned
    assert sorted(measured) == sorted(task.settings.training_metric_names())
    assert measured["token_accuracy"] == 1.0
    # One caption per image, of 3, 4 and 3 tokens: the loss weighs images equally, the perplexity tokens.
    assert measured["perplexity"] == pytest.approx(np.exp(measured["loss"]), rel=0.01)
    answers = tf.function(task.predictor(network))(batch()["image"])
    assert answers["captions"].numpy().tolist() == [[caption.encode() for caption in row] for row in CAPTIONS]
    assert np.isfinite(answers["scores"]).all()
    assert sorted(task.output_descriptions()) == sorted(answers)


def test_judged_answers_of_a_network_that_knows_all_are_right(task, learned):
    images = batch()["image"]
    answers = {key: value.numpy() for key, value in task.predictor(learned[0])(images).items()}
    for signature, inputs in task.evaluation_inputs(batch()).items():
        told = task.extra_signatures(learned[0])[signature].answer(images, **inputs)
        answers |= {key: value.numpy() for key, value in told.items()}
    judgement = task.judge(ids=["1", "2", "3"], truth=task.truth(batch()), predictions=answers)
    assert set(judgement.scores) <= set(task.settings.metric_names())
    assert judgement.scores["exact_match"] == judgement.scores["bleu_1"] == 1.0
    assert judgement.scores["perplexity"] == pytest.approx(learned[1]["perplexity"], rel=1e-3)
    assert task.caption(judgement.rows.iloc[0]) == "a dog → a dog"


def test_truth_is_the_captions_as_they_are_written(task):
    found = task.truth(batch([["A dog!", "Ein Häuschen"], ["", "red"], ["", ""]]))
    assert found.dtype == object
    assert found.tolist() == [("A dog!", "Ein Häuschen"), ("red",), ()]


def test_truth_of_images_with_unlike_numbers_of_captions(task):
    ragged = tf.ragged.constant([["a"], ["b", "c"]])
    assert task.truth({**batch(), "captions": ragged}).tolist() == [("a",), ("b", "c")]


def test_examples_without_captions_are_refused(task):
    images = {"image": batch()["image"]}
    for ask in (task.encode, task.truth):
        with pytest.raises(DataError, match="these (images|examples) have none"):
            ask(images)


def test_mixed_images_are_refused(task):
    with pytest.raises(ConfigError, match="captions cannot be mixed"):
        task.encode({**batch(), "label_shares": tf.ones([3, 2])})


@pytest.mark.parametrize("name", ["resnet9", "lenet5"])
def test_a_network_that_says_no_sentences_is_refused(task, name):
    with pytest.raises(ConfigError, match=f"which {name} does not"):
        task.build(c.Model(name=name), image_shape=(32, 32, 3))


def test_a_vocabulary_that_is_not_the_networks_is_refused(learned):
    other = make_task(c.Captioning(max_length=4, decoding="greedy"), (*NAMES, "bird"))
    with pytest.raises(ConfigError, match="the network has 8 tokens, and this vocabulary has 9"):
        other.predictor(learned[0])


def test_class_names_are_no_vocabulary():
    with pytest.raises(DataError, match="a vocabulary must begin with"):
        make_task(c.Captioning(), ("daisy", "rose"))
