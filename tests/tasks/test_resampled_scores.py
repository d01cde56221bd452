"""The scores of weighted examples, many weightings at once, equal scikit-learn's with `sample_weight`."""

import numpy as np
import pytest
from sklearn import metrics

from kerasvision.tasks.classification import scores as module
from kerasvision.tasks.classification.ranking import ranking_scores
from kerasvision.tasks.classification.scores import (
    Answers,
    classification_scores,
    confused_pairs,
    confusion_table,
    resampled_scores,
)

CLASSES = ("ant", "bee", "cow")
RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 3, 60)
# One decimal: many answers tie.
ROUGH = np.round(RANDOM.dirichlet([1, 1, 1], 60) + 0.4 * np.eye(3)[LABELS], 1) + 0.01
PROBABILITIES = ROUGH / ROUGH.sum(axis=1, keepdims=True)
ANSWERS = Answers(LABELS, PROBABILITIES, CLASSES, top_k=2)
COUNTS = RANDOM.integers(0, 4, (60, 5)).astype(float)
ALL = np.arange(60)


def resampled(column):
    return {name: values[column] for name, values in resampled_scores(ANSWERS, ALL, COUNTS).items()}


@pytest.mark.parametrize("column", range(5))
def test_whole_scores_equal_scikit_learns_with_weights(column):
    ours, weights = resampled(column), COUNTS[:, column]
    answered = PROBABILITIES.argmax(axis=1)
    weighted = {"sample_weight": weights}
    one_hot = np.eye(3)[LABELS]
    expected = {
        "accuracy": metrics.accuracy_score(LABELS, answered, **weighted),
        "log_loss": metrics.log_loss(LABELS, PROBABILITIES, **weighted),
        "roc_auc": metrics.roc_auc_score(one_hot, PROBABILITIES, average="macro", **weighted),
        "average_precision": metrics.average_precision_score(one_hot, PROBABILITIES, average="macro", **weighted),
        "majority_accuracy": np.bincount(LABELS, weights).max() / weights.sum(),
    }
    assert {name: ours[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize("column", range(5))
@pytest.mark.parametrize("number", range(3))
def test_scores_of_a_class_equal_scikit_learns_with_weights(column, number):
    ours, weights = resampled(column), {"sample_weight": COUNTS[:, column]}
    is_it, answered, score = number == LABELS, PROBABILITIES.argmax(axis=1) == number, PROBABILITIES[:, number]
    expected = {
        "precision": metrics.precision_score(is_it, answered, **weights),
        "recall": metrics.recall_score(is_it, answered, **weights),
        "f1": metrics.f1_score(is_it, answered, **weights),
        "roc_auc": metrics.roc_auc_score(is_it, score, **weights),
        "average_precision": metrics.average_precision_score(is_it, score, **weights),
    }
    assert {name: ours[f"{name}[{CLASSES[number]}]"] for name in expected} == pytest.approx(expected)


def test_top_k_counts_by_weight():
    of_truth = PROBABILITIES[ALL, LABELS]
    among = (of_truth[:, None] < PROBABILITIES).sum(axis=1) < 2
    for column in range(5):
        expected = np.average(among, weights=COUNTS[:, column])
        assert resampled(column)["top_2_accuracy"] == pytest.approx(expected)


def test_every_score_of_the_whole_is_the_one_where_each_counts_once():
    scores, left_out = classification_scores(ANSWERS)
    once = {name: value[0] for name, value in resampled_scores(ANSWERS, ALL, np.ones((60, 1))).items()}
    assert once == pytest.approx(scores)
    assert not left_out


def test_the_scores_of_some_rows_are_those_of_a_smaller_data_set():
    rows = np.arange(10, 40)
    part = Answers(LABELS[rows], PROBABILITIES[rows], CLASSES, 2)
    ours = {name: value[0] for name, value in resampled_scores(ANSWERS, rows, np.ones((30, 1))).items()}
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
    assert left_out["roc_auc[bee]"] == "every example is one of this class"
    assert scores["average_precision[bee]"] == 1.0
    assert scores["recall[bee]"] == scores["accuracy"]


def test_a_class_that_is_never_answered_has_precision_zero():
    scores, _ = classification_scores(Answers(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]), ("a", "b"), 2))
    assert (scores["precision[b]"], scores["recall[b]"], scores["f1[b]"]) == (0.0, 0.0, 0.0)


def test_a_resample_without_a_class_says_nan_of_it_and_nothing_warns():
    counts = np.where(LABELS == 2, 0.0, 1.0)[:, None]
    ours = resampled_scores(ANSWERS, ALL, counts)
    for name in ("recall[cow]", "f1[cow]", "precision[cow]", "roc_auc[cow]", "average_precision[cow]", "roc_auc"):
        assert np.isnan(ours[name]).all()
    assert not np.isnan(ours["accuracy"]).any()


def test_ranking_is_left_out_of_resamples_that_would_take_too_long(monkeypatch):
    monkeypatch.setattr(module, "MOST_RANKED", 179)
    assert "roc_auc" not in resampled_scores(ANSWERS, ALL, COUNTS)
    assert "accuracy" in resampled_scores(ANSWERS, ALL, COUNTS)
    assert "roc_auc" in resampled_scores(ANSWERS, ALL, COUNTS[:, :1])


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
