"""Every metric of weighted examples, many weightings at once, equals scikit-learn's with `sample_weight`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from kerasvision import config as c
from kerasvision.config.classification import OF_A_CLASS
from kerasvision.tasks.classification import metrics as module
from kerasvision.tasks.classification.answers import Answers
from kerasvision.tasks.classification.confusion import confused_pairs, confusion_table
from kerasvision.tasks.classification.scores import classification_scores, scores_of_rows
from kerasvision.tasks.ranking import ranking_scores

CLASSES = ("ant", "bee", "cow")
RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 3, 60)
# One decimal, so many scores tie.
ROUGH = np.round(RANDOM.dirichlet([1, 1, 1], 60) + 0.4 * np.eye(3)[LABELS], 1) + 0.01
PROBABILITIES = ROUGH / ROUGH.sum(axis=1, keepdims=True)
ANSWERS = Answers(LABELS, PROBABILITIES, CLASSES, top_k=2)
COUNTS = RANDOM.integers(0, 4, (60, 5)).astype(float)
ALL = np.arange(60)


# --- Every metric by scikit-learn


@st.composite
def weighted_answers(draw):
    """(labels, probabilities, weights (N, R)): tied scores, weights that are 0 or fractions, classes that may be absent."""
    count, weightings = draw(st.integers(1, 12)), draw(st.integers(1, 3))
    labels = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    scores = st.lists(st.integers(1, 4), min_size=3, max_size=3)
    scores = np.array(draw(st.lists(scores, min_size=count, max_size=count)), float)
    weight = st.sampled_from([0.0, 0.1, 0.25, 1.0, 3.0])
    column = st.lists(weight, min_size=count, max_size=count).filter(any)
    weights = np.array([draw(column) for _ in range(weightings)]).T
    return np.array(labels), scores / scores.sum(axis=1, keepdims=True), weights


def expected_of_all(labels, scores, weights):
    """metric -> value for one weighting, (N,)."""
    answered, one_hot, weighted = scores.argmax(axis=1), np.eye(3)[labels], {"sample_weight": weights}
    of_truth = scores[np.arange(len(labels)), labels]
    found = {
        "accuracy": metrics.accuracy_score(labels, answered, **weighted),
        # scikit-learn's top_k_accuracy_score breaks ties by the number of the class.
        "top_2_accuracy": np.average((scores > of_truth[:, None]).sum(axis=1) < 2, weights=weights),
        "log_loss": metrics.log_loss(labels, scores, labels=range(3), **weighted),
        "majority_accuracy": np.bincount(labels, weights).max() / weights.sum(),
        "expected_calibration_error": calibration_error(scores.max(axis=1), answered == labels, weights),
    }
    support = one_hot.T @ weights
    seen = np.flatnonzero(support)
    # scikit-learn's balanced_accuracy_score is this mean too, and warns where a class without examples is answered.
    found["balanced_accuracy"] = metrics.recall_score(labels, answered, labels=seen, average="macro", **weighted)
    found["macro_f1"] = metrics.f1_score(labels, answered, labels=seen, average="macro", **weighted)
    if (support > 0).all():
        found["roc_auc"] = metrics.roc_auc_score(one_hot, scores, average="macro", **weighted)
        found["average_precision"] = metrics.average_precision_score(one_hot, scores, average="macro", **weighted)
    return found


def calibration_error(confidence, correct, weights):
    """By the definition: the gap of each of 15 bins, weighted by its share."""
    error = 0.0
    for number in range(15):
        held = (confidence > number / 15) & (confidence <= (number + 1) / 15) & (weights > 0)
        if held.any():
            accuracy, mean = (np.average(of[held], weights=weights[held]) for of in (correct, confidence))
            error += weights[held].sum() / weights.sum() * abs(accuracy - mean)
    return error


def expected_of_class(number, labels, scores, weights):
    is_it, answered, score = labels == number, scores.argmax(axis=1) == number, scores[:, number]
    weighted = {"sample_weight": weights}
    found = {}
    if weights[is_it].any():
        found["precision"] = metrics.precision_score(is_it, answered, zero_division=0.0, **weighted)
        found["recall"] = metrics.recall_score(is_it, answered, **weighted)
        found["f1"] = metrics.f1_score(is_it, answered, **weighted)
        found["average_precision"] = metrics.average_precision_score(is_it, score, **weighted)
        if weights[~is_it].any():
            found["roc_auc"] = metrics.roc_auc_score(is_it, score, **weighted)
    return {f"{name}[{CLASSES[number]}]": value for name, value in found.items()}


@settings(max_examples=12)
@given(weighted_answers())
def test_every_metric_equals_scikit_learns_with_weights_or_has_no_value(drawn):
    check_every_metric(*drawn)


@pytest.mark.slow
@settings(max_examples=500)
@given(weighted_answers())
def test_every_metric_of_many_drawn_answers_equals_scikit_learns(drawn):
    check_every_metric(*drawn)


def check_every_metric(labels, scores, weights):
    measured = scores_of_rows(Answers(labels, scores, CLASSES, 2), np.arange(len(labels)), weights)
    for column in range(weights.shape[1]):
        parts = [expected_of_class(number, labels, scores, weights[:, column]) for number in range(3)]
        expected = expected_of_all(labels, scores, weights[:, column]) | {k: v for part in parts for k, v in part.items()}
        ours = {name: values[column] for name, values in measured.items()}
        assert {name: value for name, value in ours.items() if not np.isnan(value)} == pytest.approx(expected)


def test_the_table_has_every_metric_that_is_documented():
    per_class = {f"{name}[{label}]" for name in OF_A_CLASS for label in CLASSES}
    assert set(scores_of_rows(ANSWERS, ALL, COUNTS)) == {*c.Classification(top_k=2).metric_names(), *per_class}


def test_every_score_of_the_whole_is_the_one_where_each_counts_once():
    scores, left_out = classification_scores(ANSWERS)
    once = {name: value[0] for name, value in scores_of_rows(ANSWERS, ALL, np.ones((60, 1))).items()}
    assert once == pytest.approx(scores)
    assert not left_out


def test_the_scores_of_some_rows_are_those_of_a_smaller_data_set():
    rows = np.arange(10, 40)
    part = Answers(LABELS[rows], PROBABILITIES[rows], CLASSES, 2)
    ours = {name: value[0] for name, value in scores_of_rows(ANSWERS, rows, np.ones((30, 1))).items()}
    assert ours == pytest.approx(classification_scores(part)[0])


# --- What cannot be computed


def test_a_class_without_examples_is_left_out_with_all_that_is_made_of_it():
    rows = np.flatnonzero(LABELS != 2)
    scores, left_out = classification_scores(Answers(LABELS[rows], PROBABILITIES[rows], CLASSES, 2))
    per_class = {"precision", "recall", "f1", "roc_auc", "average_precision"}
    assert set(left_out) == {f"{metric}[cow]" for metric in per_class} | {"roc_auc", "average_precision"}
    assert left_out["recall[cow]"] == "there is no example of this class"
    assert not set(left_out) & set(scores)
    assert not np.isnan(list(scores.values())).any()
    assert scores["roc_auc[ant]"] == pytest.approx(metrics.roc_auc_score(LABELS[rows] == 0, PROBABILITIES[rows, 0]))


def test_a_split_of_one_class_has_nothing_to_rank():
    rows = np.flatnonzero(LABELS == 1)
    scores, left_out = classification_scores(Answers(LABELS[rows], PROBABILITIES[rows], CLASSES, 2))
    assert left_out["roc_auc[bee]"] == "all examples are of this class"
    assert scores["average_precision[bee]"] == 1.0
    assert scores["recall[bee]"] == scores["accuracy"]


def test_a_class_that_is_never_answered_has_precision_zero():
    scores, _ = classification_scores(Answers(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]), ("a", "b"), 2))
    assert (scores["precision[b]"], scores["recall[b]"], scores["f1[b]"]) == (0.0, 0.0, 0.0)


def test_a_resample_without_a_class_says_nan_of_it_and_nothing_warns():
    counts = np.where(LABELS == 2, 0.0, 1.0)[:, None]
    ours = scores_of_rows(ANSWERS, ALL, counts)
    for name in ("recall[cow]", "f1[cow]", "precision[cow]", "roc_auc[cow]", "average_precision[cow]", "roc_auc"):
        assert np.isnan(ours[name]).all()
    assert not np.isnan(ours["accuracy"]).any()


def test_ranking_is_left_out_of_resamples_that_would_take_too_long(monkeypatch):
    monkeypatch.setattr(module, "MOST_RANKED", 179)
    assert "roc_auc" not in scores_of_rows(ANSWERS, ALL, COUNTS)
    assert "accuracy" in scores_of_rows(ANSWERS, ALL, COUNTS)
    assert "roc_auc" in scores_of_rows(ANSWERS, ALL, COUNTS[:, :1])


# --- Ranking by hand


def test_ties_count_half_in_the_area_and_together_in_the_precision():
    # Scores 0.9 (+), 0.5 (+), 0.5 (-), 0.1 (-): pairs 1, 1, half, 1 of 4; precision 1 / 1 and 2 / 3 at the positives.
    area, precision = ranking_scores(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]), np.ones((4, 1)))
    assert area == pytest.approx(3.5 / 4)
    assert precision == pytest.approx((1 + 2 / 3) / 2)


# --- Confusion


def test_the_pairs_most_confused_come_first_with_their_share():
    labels = np.array([0, 0, 0, 0, 1, 1, 2])
    answered = np.eye(3)[[1, 1, 0, 2, 0, 1, 2]]
    table = confused_pairs(confusion_table(Answers(labels, answered, CLASSES, 2)))
    assert table.reset_index().to_numpy().tolist() == [
        ["ant", "bee", 2, 0.5],
        ["bee", "ant", 1, 0.5],
        ["ant", "cow", 1, 0.25],
    ]


def test_without_mistakes_no_pair_is_confused():
    assert confused_pairs(confusion_table(Answers(np.arange(3), np.eye(3), CLASSES, 2))).empty
