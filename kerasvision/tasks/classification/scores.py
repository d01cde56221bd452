"""Scores of a classifier on a whole data set, and of many weightings of some of its images at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasvision import config as c
from kerasvision.tasks.added_metrics import check_added_scores
from kerasvision.tasks.classification.answers import Answers, WeightedAnswers
from kerasvision.tasks.classification.metrics import metric_table
from kerasvision.tasks.metrics import Floats, weighted_scores


def classification_scores(answers: Answers, *, added: Sequence[c.Metric] = ()) -> tuple[dict[str, float], dict[str, str]]:
    """metric -> value; and metric -> why it has none here: a class without an example, or with all of them.

    A metric of `undefined_scores` is in neither.

    Args:
        answers: for a whole data set.
        added: custom metrics.

    Raises:
        ConfigError, StageError: a custom metric raises an error, or returns values that are not allowed.

    >>> scores, left_out = classification_scores(Answers(
    ...     np.array([0, 1, 1]), np.array([[.9, .1], [.2, .8], [.6, .4]]), classes=("cat", "dog"), top_k=2))
    >>> round(scores["accuracy"], 3), scores["recall[dog]"], scores["precision[cat]"], scores["roc_auc"], left_out
    (0.667, 0.5, 0.5, 1.0, {})
    """
    every = np.arange(len(answers.labels))
    measured = scores_of_rows(answers, every, np.ones((len(every), 1)), added=added)
    found = {name: float(value[0]) for name, value in measured.items()}
    check_added_scores(added, found, count=len(every))
    scores = {name: value for name, value in found.items() if not np.isnan(value)}
    lacking = found.keys() - scores.keys() - undefined_scores(answers).keys()
    return scores, {name: _why_left_out(name, found, answers) for name in found if name in lacking}


def undefined_scores(answers: Answers) -> dict[str, str]:
    """metric -> why it has no value, whatever the images: the top-k accuracy of at most k classes.

    >>> undefined_scores(Answers(np.array([0, 1]), np.eye(2), classes=("cat", "dog"), top_k=5))
    {'top_5_accuracy': 'with 2 classes, the true one is always among the 5 best'}
    """
    k, classes = answers.top_k, len(answers.classes)
    why = f"with {classes} classes, the true one is always among the {k} best"
    return {f"top_{k}_accuracy": why} if classes <= k else {}


def scores_of_rows(
    answers: Answers,
    rows: npt.NDArray[np.integer[Any]],
    weights: Floats,
    *,
    added: Sequence[c.Metric] = (),
    within_label: bool = False,
) -> dict[str, Floats]:
    """The same metrics for some rows under R weightings: metric -> float64 (R,), NaN if a metric has no value.

    Args:
        answers: for all rows.
        rows: int64 (M,), the positions of some rows.
        weights: float64 (M, R).
        added: custom metrics.
        within_label: leave out metrics that distinguish classes.
    """
    table, weighted = metric_table(answers.top_k, added=added), WeightedAnswers(answers.of(rows), weights)
    return weighted_scores(table, weighted, classes=answers.classes, within_label=within_label)


def _why_left_out(name: str, found: dict[str, float], answers: Answers) -> str:
    """Why a metric has no value on the whole data set."""
    metric, bracket, label = name.partition("[")
    if not bracket:
        lacking = [one for one in answers.classes if np.isnan(found[f"{metric}[{one}]"])]
        return f"{metric} requires examples of every class and of others; missing for {', '.join(lacking[:5])}"
    has_examples = answers.classes.index(label.removesuffix("]")) in answers.labels
    return "all examples are of this class" if has_examples else "there is no example of this class"
