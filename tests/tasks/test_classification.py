"""Classification: targets, probabilities and scores, by their definitions."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn import metrics

from kerasvision import config as c
from kerasvision.errors import ConfigError, DataError, StageError
from kerasvision.tasks.base import make_task
from kerasvision.tasks.classification.answers import Answers
from kerasvision.tasks.classification.confusion import confusion_table
from kerasvision.tasks.classification.remarks import one_answer_remarks
from kerasvision.tasks.classification.scores import classification_scores

CLASSES = ("ant", "bee", "cow", "doe")
RANDOM = np.random.default_rng(0)


def task(**settings):
    return make_task(c.Classification(**settings), CLASSES)


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


LABELS = RANDOM.integers(0, 4, 200)
PROBABILITIES = softmax(RANDOM.normal(size=(200, 4)) + 1.5 * np.eye(4)[LABELS])


# --- Targets and loss


def test_a_label_becomes_a_row_with_a_single_one():
    images = tf.zeros((2, 5, 5, 3))
    inputs, targets = task().encode({"image": images, "label": tf.constant([2, 0], tf.int64), "id": tf.constant(["a", "b"])})
    assert inputs is images
    assert targets.numpy().tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]
    assert targets.dtype == tf.float32


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_cross_entropy_of_the_softmax(smoothing):
    objective = task(label_smoothing=smoothing).objective()
    logits = RANDOM.normal(size=(6, 4))
    targets = np.eye(4)[[0, 1, 2, 3, 3, 3]]
    smooth = targets * (1 - smoothing) + smoothing / 4
    expected = -(smooth * np.log(softmax(logits))).sum(axis=1)
    for training in (True, False):
        np.testing.assert_allclose(objective.losses(targets, logits, training=training), expected, rtol=1e-6)


def test_the_log_loss_shown_while_training_knows_no_label_smoothing():
    log_loss = task(label_smoothing=0.2).objective().metrics[1]
    logits = RANDOM.normal(size=(6, 4))
    log_loss.update_state(np.eye(4)[[0, 1, 2, 3, 3, 3]], logits)
    expected = metrics.log_loss([0, 1, 2, 3, 3, 3], softmax(logits), labels=range(4))
    assert float(log_loss.result()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("top_k", "names"),
    [
        (2, ["accuracy", "log_loss", "top_2_accuracy"]),
        (3, ["accuracy", "log_loss", "top_3_accuracy"]),
        (4, ["accuracy", "log_loss"]),
    ],
)
def test_top_k_is_shown_while_training_where_it_can_be_wrong(top_k, names):
    assert [metric.name for metric in task(top_k=top_k).objective().metrics] == names


def test_the_network_has_one_logit_per_class():
    network = task().build(c.Model(name="lenet5"), image_shape=(12, 12, 1))
    assert network.output_shape == (None, 4)


# --- Predictions


@pytest.fixture(scope="module")
def network():
    """Logits that are the pixels of a 1 x 4 image, so that every answer is known."""
    image = keras.Input((1, 4, 1))
    return keras.Model(image, keras.layers.Flatten()(image))


def test_scores_are_the_softmax_and_the_label_is_the_largest(network):
    logits = np.array([[0, 9, 0, 0], [3, 1, 2, 0], [-5, -5, -5, 0]], np.float32)
    answers = task().predictor(network)(tf.constant(logits.reshape(3, 1, 4, 1)))
    np.testing.assert_allclose(answers["scores"], softmax(logits), rtol=1e-6)
    np.testing.assert_allclose(answers["scores"].numpy().sum(axis=1), 1.0, rtol=1e-6)
    assert answers["classes"].numpy().tolist() == [b"bee", b"ant", b"doe"]
    assert answers["scores"].dtype == tf.float32


def test_huge_logits_still_give_probabilities(network):
    answers = task().predictor(network)(tf.constant([[[[1e4], [-1e4], [0.0], [9999.0]]]]))
    np.testing.assert_allclose(answers["scores"][0], [1 / (1 + np.exp(-1)), 0, 0, 1 / (1 + np.exp(1))], rtol=1e-5)


def test_an_unicode_label_is_answered_as_utf8(network):
    answers = make_task(c.Classification(), ("猫", "犬", "Kuh", "Reh")).predictor(network)(tf.zeros((1, 1, 4, 1)))
    assert answers["classes"].numpy()[0].decode() == "猫"


# --- Scores


def scores(labels=LABELS, probabilities=PROBABILITIES, *, classes=CLASSES, top_k=2):
    return classification_scores(Answers(np.asarray(labels), np.asarray(probabilities), classes, top_k))[0]


def test_scores_equal_scikit_learns():
    measured = scores()
    assert measured["accuracy"] == metrics.accuracy_score(LABELS, PROBABILITIES.argmax(axis=1))
    assert measured["top_2_accuracy"] == metrics.top_k_accuracy_score(LABELS, PROBABILITIES, k=2)
    assert measured["log_loss"] == pytest.approx(metrics.log_loss(LABELS, PROBABILITIES))


@pytest.mark.parametrize("number", range(4))
def test_scores_of_a_class_equal_their_definitions(number):
    measured, answers = scores(), PROBABILITIES.argmax(axis=1)
    answered, true = answers == number, np.equal(LABELS, number)
    precision, recall = (answered & true).sum() / answered.sum(), (answered & true).sum() / true.sum()
    assert measured[f"precision[{CLASSES[number]}]"] == pytest.approx(precision)
    assert measured[f"recall[{CLASSES[number]}]"] == pytest.approx(recall)
    assert measured[f"f1[{CLASSES[number]}]"] == pytest.approx(2 * precision * recall / (precision + recall))


def test_majority_accuracy_is_the_share_of_the_largest_class():
    assert scores([0, 1, 1, 3, 1], PROBABILITIES[:5])["majority_accuracy"] == 3 / 5


def test_certain_and_wrong_costs_much_and_not_infinitely():
    assert scores([0], [[0.0, 1.0, 0.0, 0.0]])["log_loss"] == pytest.approx(-np.log(1e-12))


@pytest.mark.parametrize("top_k", [4, 5])
def test_top_k_has_no_value_where_no_answer_could_be_wrong(top_k):
    best = np.array([CLASSES[number].encode() for number in np.argmax(PROBABILITIES, axis=1)], object)
    predictions = {"scores": np.asarray(PROBABILITIES), "classes": best}
    ids = [str(number) for number in range(len(LABELS))]
    judgement = task(top_k=top_k).judge(ids=ids, truth=np.asarray(LABELS), predictions=predictions)
    metric = f"top_{top_k}_accuracy"
    assert metric not in judgement.scores
    # Nobody needs a note about it; a rule of a gate that names it still gets the reason.
    assert metric not in judgement.left_out
    assert judgement.undefined == {metric: f"with 4 classes, the true one is always among the {top_k} best"}


def test_means_over_the_classes_equal_scikit_learns():
    # The classes are uneven: 150 of ant, and 50 of all together.
    labels = np.concatenate([np.zeros(150, int), LABELS[150:]])
    answers, measured = PROBABILITIES.argmax(axis=1), scores(labels)
    assert measured["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(labels, answers))
    assert measured["macro_f1"] == pytest.approx(metrics.f1_score(labels, answers, average="macro"))


def test_means_over_the_classes_pass_over_a_class_without_an_example():
    # Of ant one of two is found, of bee the only one; there is no cow and no doe.
    measured = scores([0, 0, 1], np.eye(4)[[0, 1, 1]])
    assert measured["balanced_accuracy"] == pytest.approx((1 / 2 + 1) / 2)
    assert measured["macro_f1"] == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_ties_count_for_the_true_class_in_top_k():
    # Three classes share the top: the true one is among the top 2, as none scores higher.
    assert scores([2], [[0.3, 0.3, 0.3, 0.1]])["top_2_accuracy"] == 1.0
    assert scores([3], [[0.3, 0.3, 0.3, 0.1]])["top_2_accuracy"] == 0.0


def test_confusion_counts_truth_by_row_and_answer_by_column():
    table = confusion_table(Answers(np.array([0, 0, 1, 2]), np.eye(4)[[0, 1, 1, 3]], CLASSES, top_k=2))
    assert table.loc["ant"].to_dict() == {"ant": 1, "bee": 1, "cow": 0, "doe": 0}
    assert table.loc["cow", "doe"] == 1
    assert table.to_numpy().sum() == 4


def test_every_metric_that_the_settings_promise_is_measured():
    settings = c.Classification(top_k=3)
    assert set(settings.metric_names()) <= set(scores(top_k=3))
    for metric in ("precision", "recall", "f1", "roc_auc", "average_precision"):
        settings.check_metric(f"{metric}[cow]")
        assert f"{metric}[cow]" in scores()


@pytest.mark.parametrize(
    ("name", "hint"), [("rocauc", "did you mean 'roc_auc'"), ("recal[cow]", r"did you mean 'recall\[class\]'")]
)
def test_a_metric_that_is_not_measured_is_refused_with_the_closest(name, hint):
    with pytest.raises(ConfigError, match=hint):
        c.Classification().check_metric(name)


def test_less_loss_and_less_calibration_error_are_better():
    settings = c.Classification()
    better_when_less = {name for name in settings.metric_names() if settings.best_is(name) == "min"}
    assert better_when_less == {"log_loss", "expected_calibration_error"}


# --- Judgement


def judged(labels, probabilities, *, classes=CLASSES):
    """The judgement of a model with `classes`."""
    ids = [f"{number}.png" for number in range(len(labels))]
    answers = np.array([classes[number].encode() for number in np.argmax(probabilities, axis=1)], object)
    predictions = {"scores": np.array(probabilities, np.float32), "classes": answers}
    return task().judge(ids=ids, truth=np.array(labels), predictions=predictions)


def test_a_row_says_truth_answer_score_and_loss():
    rows = judged([0, 3], [[0.5, 0.25, 0.25, 0.0], [0.125, 0.75, 0.0, 0.125]]).rows
    assert rows["id"].tolist() == ["0.png", "1.png"]
    assert rows["label"].tolist() == ["ant", "doe"]
    assert rows["predicted"].tolist() == ["ant", "bee"]
    assert rows["score"].tolist() == [0.5, 0.75]
    assert rows["correct"].tolist() == [True, False]
    np.testing.assert_allclose(rows["loss"], [np.log(2), np.log(8)], rtol=1e-6)


def test_a_judgement_holds_the_scores_and_the_confusion():
    judgement = judged(LABELS, PROBABILITIES)
    assert judgement.scores["accuracy"] == judgement.rows["correct"].mean()
    assert judgement.scores["log_loss"] == pytest.approx(judgement.rows["loss"].mean(), rel=1e-6)
    assert np.trace(judgement.tables["confusion"]) == judgement.rows["correct"].sum()
    assert judgement.tables["confused_pairs"]["count"].sum() == (~judgement.rows["correct"]).sum()
    assert judgement.tables["calibration"]["count"].sum() == len(LABELS)


def test_a_judgement_scores_parts_of_itself():
    judgement = judged(LABELS, PROBABILITIES)
    rows = np.arange(50)
    measured = {name: value[0] for name, value in judgement.weighted_scores(rows, np.ones((50, 1))).items()}
    part = {name: value for name, value in measured.items() if not np.isnan(value)}
    assert part == pytest.approx(judged(LABELS[:50], PROBABILITIES[:50]).scores)


def test_the_truth_of_a_batch_is_its_labels():
    assert task().truth({"image": tf.zeros((2, 1)), "label": tf.constant([3, 1], tf.int64)}).tolist() == [3, 1]
    with pytest.raises(DataError, match="these examples have none"):
        task().truth({"image": tf.zeros((2, 1))})


def test_the_average_of_answers_is_of_their_probabilities_and_wins_anew():
    first = {"scores": np.array([[0.6, 0.4, 0, 0]]), "classes": np.array([b"ant"], object)}
    second = {"scores": np.array([[0.1, 0.9, 0, 0]]), "classes": np.array([b"bee"], object)}
    averaged = task().averaged([first, second])
    np.testing.assert_allclose(averaged["scores"], [[0.35, 0.65, 0, 0]])
    assert averaged["classes"].tolist() == [b"bee"]


def remarks(answers, labels, *, scores=None):
    if scores is None:  # each image has scores of its own
        certainty = np.linspace(0.6, 0.9, len(answers))[:, None]
        scores = np.where(np.arange(2) == np.array(answers)[:, None], certainty, 1 - certainty)
    return one_answer_remarks(Answers(np.array(labels), scores, ("cat", "dog"), top_k=1))


def test_a_model_that_always_answers_one_class_gets_the_sentence():
    assert remarks([0] * 200, [0, 1] * 100) == (
        "The model answers 'cat' for every image: 200 of 200, though 100 of them are of this class.",
    )
    assert remarks([1] + [0] * 199, [1] + [0, 1] * 99 + [0]) == (
        "The model answers 'cat' for nearly every image: 199 of 200, though 100 of them are of this class.",
    )


def test_a_model_whose_scores_do_not_depend_on_the_image_gets_another():
    said = remarks([0] * 10, [0, 1] * 5, scores=np.tile([0.7, 0.3], (10, 1)))
    assert said[1] == "It gives every image the same scores, so its answers do not depend on the image."


@pytest.mark.parametrize(
    ("answers", "labels"),
    [
        ([0] * 197 + [1] * 3, [0, 1] * 100),  # 98.5 %
        ([0] * 200, [0] * 200),  # all images are of this class
        ([0] * 200, [0] * 199 + [1]),  # nearly all are
        ([0], [1]),
    ],
)
def test_a_model_that_tells_images_apart_or_cannot_gets_no_sentence(answers, labels):
    assert remarks(answers, labels) == ()


def test_a_model_of_other_classes_joins_no_average():
    other = {"scores": np.array([[1.0, 0, 0, 0]]), "classes": np.array([b"elk"], object)}
    with pytest.raises(DataError, match="in evaluation.ensemble, remove it there"):
        task().averaged([other])


def test_answers_that_are_infinite_are_refused():
    with pytest.raises(StageError, match="1 of 2 answers of the network are not numbers"):
        judged(np.array([0, 1]), np.array([[np.inf, 0, 0, 0], [0.7, 0.1, 0.1, 0.1]]))


def test_answers_that_are_not_numbers_are_refused():
    # NaN compares as false with everything: it would be the first class, and among the top k of every image.
    with pytest.raises(StageError, match="1 of 2 answers of the network are not numbers"):
        judged([0, 1], [[np.nan] * 4, [0.25] * 4])


@pytest.mark.parametrize("others", [CLASSES[:3], (*CLASSES, "elk"), ("bee", "ant", "cow", "doe")])
def test_a_model_of_other_classes_is_refused(others):
    with pytest.raises(DataError, match="must answer with the classes ant, bee, cow, doe; this one has others"):
        judged([0, 1], np.eye(len(others))[:2], classes=others)


# --- Pictures


def test_a_caption_says_truth_answer_and_score():
    assert task().caption(pd.Series({"label": "猫", "predicted": "bee", "score": 0.987})) == "猫 → bee 0.99"


def test_the_reliability_plot_is_of_the_judgement():
    judgement = judged(LABELS, PROBABILITIES)
    ((title, figure),) = task().figures(judgement).items()
    assert title == "Reliability"
    assert len(figure.axes[0].patches) == len(judgement.tables["calibration"])


def test_the_simple_models_learn_from_rows_of_features():
    features = np.concatenate([RANDOM.normal(size=(30, 2)), RANDOM.normal(size=(30, 2)) + 9])
    truth = np.repeat([0, 1], 30)
    models = task().simple_models()
    assert set(models) == {"nearest neighbours", "linear softmax", "linear SVM"}
    for model in models.values():
        assert (model.fit(features, truth).predict(features) == truth).all()
