"""Scores of a classifier over a whole data set, by scikit-learn's definitions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn import metrics


def classification_scores(
    labels: np.ndarray, probabilities: np.ndarray, *, classes: Sequence[str], top_k: int
) -> dict[str, float]:
    """Metric name -> value.

    Args:
        labels: int (N,), true class numbers.
        probabilities: float (N, C), rows that sum to 1.
        classes: the C names.
        top_k: the k of top-k accuracy.

    >>> scores = classification_scores(
    ...     np.array([0, 1, 1]), np.array([[.9, .1], [.2, .8], [.6, .4]]), classes=("cat", "dog"), top_k=2)
    >>> round(scores["accuracy"], 3), scores["recall[dog]"], scores["precision[cat]"], scores["top_2_accuracy"]
    (0.667, 0.5, 0.5, 1.0)
    """
    predicted = probabilities.argmax(axis=1)
    of_truth = probabilities[np.arange(len(labels)), labels]
    # An example is among the top k where fewer than k classes score higher than the true one.
    rank = (probabilities > of_truth[:, None]).sum(axis=1)
    numbers = range(len(classes))
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, predicted, labels=numbers, zero_division=0.0
    )
    per_class = {
        f"{metric}[{name}]": float(values[number])
        for metric, values in (("precision", precision), ("recall", recall), ("f1", f1))
        for number, name in enumerate(classes)
    }
    return {
        "accuracy": float(metrics.accuracy_score(labels, predicted)),
        f"top_{top_k}_accuracy": float((rank < top_k).mean()),
        "log_loss": float(-np.log(np.clip(of_truth, 1e-12, 1.0)).mean()),
        "majority_accuracy": float(np.bincount(labels).max() / len(labels)),
        **per_class,
    }


def confusion_table(labels: np.ndarray, probabilities: np.ndarray, *, classes: Sequence[str]) -> pd.DataFrame:
    """Counts: a row per true class, a column per answer."""
    matrix = metrics.confusion_matrix(labels, probabilities.argmax(axis=1), labels=range(len(classes)))
    return pd.DataFrame(matrix, index=pd.Index(classes, name="label"), columns=list(classes))
