"""The metrics of a classifier, each a function of weighted answers: one table for scores, resamples and slices.

Definitions are those of scikit-learn with `sample_weight`, where it has the metric.
"""

from collections.abc import Callable, Sequence

import numpy as np

from kerasvision import config as c
from kerasvision.tasks.added_metrics import added_measures
from kerasvision.tasks.classification.answers import WeightedAnswers
from kerasvision.tasks.classification.calibration import calibration_error
from kerasvision.tasks.metrics import Floats, Measure, quotient

# Rows times classes up to which resamples are ranked again. For 10,000 rows and one class, 200 resamples took 0.07 s of
# processor time (time.process_time() around one call of ranking_scores): so 1,000 take about 7 s here, and as long again for
# the bands of a slice.
MOST_RANKED = 200_000


def metric_table(top_k: int, *, added: Sequence[c.Metric] = ()) -> dict[str, Measure[WeightedAnswers]]:
    """name -> how it is measured, in the order of a page.

    `balanced_accuracy` and `macro_f1` are means over the classes that have examples, of recall and of F1. `roc_auc` and
    `average_precision` are means over the classes, each against all others. A class without an example has no value. The
    ranking metrics exist for one weighting, and for many if rows times classes are at most 200,000.

    Args:
        top_k: the k of top-k accuracy, which has no value where no answer could be wrong: for at most k classes.
        added: custom metrics.
    """
    return {
        "accuracy": Measure(lambda one: one.mean(one.answers.correct)),
        "balanced_accuracy": Measure(lambda one: np.nanmean(_recall(one), axis=0), compares_classes=True),
        "macro_f1": Measure(lambda one: np.nanmean(_f1(one), axis=0), compares_classes=True),
        f"top_{top_k}_accuracy": Measure(_top_k_accuracy),
        "log_loss": Measure(lambda one: one.mean(one.answers.losses)),
        "expected_calibration_error": Measure(_calibration_error),
        "majority_accuracy": Measure(lambda one: one.most_common / one.total),
        "roc_auc": _ranked(lambda one: np.mean(one.ranking[0], axis=0)),
        "average_precision": _ranked(lambda one: np.mean(one.ranking[1], axis=0)),
        **added_measures(added, lambda one: (one.answers.labels, one.answers.probabilities)),
        "precision[class]": Measure(_precision, compares_classes=True),
        "recall[class]": Measure(_recall, compares_classes=True),
        "f1[class]": Measure(_f1, compares_classes=True),
        "roc_auc[class]": _ranked(lambda one: one.ranking[0]),
        "average_precision[class]": _ranked(lambda one: one.ranking[1]),
    }


def _ranked(measure: Callable[[WeightedAnswers], Floats]) -> Measure[WeightedAnswers]:
    return Measure(measure, applies=_can_be_ranked, compares_classes=True)


def _can_be_ranked(one: WeightedAnswers) -> bool:
    weightings: int = one.weights.shape[1]
    return weightings == 1 or len(one.weights) * len(one.answers.classes) <= MOST_RANKED


def _calibration_error(one: WeightedAnswers) -> Floats:
    return calibration_error(one.answers.confidence, one.answers.correct, one.weights)


def _top_k_accuracy(one: WeightedAnswers) -> Floats:
    """No value if there are at most k classes: every answer would count as right."""
    if len(one.answers.classes) <= one.answers.top_k:
        return np.full(one.weights.shape[1], np.nan)
    return one.mean(one.answers.among_top_k)


def _recall(one: WeightedAnswers) -> Floats:
    """No value for a class without an example."""
    return quotient(one.hits, one.support)


def _precision(one: WeightedAnswers) -> Floats:
    """0 for a class that is never answered; no value for a class without an example."""
    return np.where(one.support > 0, quotient(one.hits, one.answered, without=0.0), np.nan)


def _f1(one: WeightedAnswers) -> Floats:
    """The harmonic mean of precision and recall: 2 hits / (support + answered)."""
    return np.where(one.support > 0, quotient(2 * one.hits, one.support + one.answered), np.nan)
