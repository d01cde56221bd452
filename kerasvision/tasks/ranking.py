"""How well the scores of a class rank its examples above all others, under many weightings of the examples at once."""

from typing import Any

import numpy as np
import numpy.typing as npt

from kerasvision.tasks.metrics import Floats, quotient


def ranking_scores(
    scores: npt.NDArray[np.floating[Any]], positive: npt.NDArray[np.bool], weights: Floats
) -> tuple[Floats, Floats]:
    """The area under the ROC curve and the average precision, float64 (R,) each, by scikit-learn's definitions.

    The area is the share of pairs of a positive and another example that are ranked right; ties count half. The average
    precision is the mean of the precision at the score of each positive. After the weights are summed up, only the rows of
    positives are used, so R weightings cost little more than R cumulative sums.

    Args:
        scores: float32 or float64 (N,), of one class.
        positive: bool (N,), which examples are of the class.
        weights: float64 (N, R), how much each example counts.

    Returns:
        Both; NaN without weight on positives. The area is also NaN without weight on other examples.

    >>> ranking_scores(np.array([.9, .8, .7]), np.array([True, False, True]), np.ones((3, 1)))  # 1 of 2 pairs; (1 + 2/3) / 2
    (array([0.5]), array([0.83333333]))
    """
    order = np.argsort(-scores, kind="stable")
    falling, is_positive, weights = -scores[order], positive[order], weights[order]
    places = np.flatnonzero(is_positive)
    # For each positive: what comes before the ties that it is in, and what comes up to their end.
    before = np.searchsorted(falling, falling[places], side="left")
    end = np.searchsorted(falling, falling[places], side="right")
    own = weights[places]
    all_sums, positive_sums = _sums(weights), _sums(own)
    positives_up_to = np.concatenate([[0], np.cumsum(is_positive)])
    true_before, true_end = positive_sums[positives_up_to[before]], positive_sums[positives_up_to[end]]
    positives = positive_sums[-1]
    negatives = all_sums[-1] - positives
    false_ties = (all_sums[before] - true_before + all_sums[end] - true_end) / 2
    pairs = (own * (negatives - false_ties)).sum(axis=0)
    precision = quotient(true_end, all_sums[end], without=0.0)
    return quotient(pairs, positives * negatives), quotient((own * precision).sum(axis=0), positives)


def mean_average_precision(scores: npt.NDArray[np.floating[Any]], positive: npt.NDArray[np.bool]) -> float:
    """The mean of the average precision over the classes that an example is of; NaN if no example is of any.

    Args:
        scores: (N, C), of each class.
        positive: bool (N, C), which classes the examples are of.

    >>> scores, positive = np.array([[.9, .1], [.8, .2], [.7, .3]]), np.array([[1, 0], [0, 0], [1, 0]], bool)
    >>> round(mean_average_precision(scores, positive), 4)  # (1 + 2/3) / 2; the second class has no example
    0.8333
    """
    ones = np.ones((len(scores), 1))
    found = [ranking_scores(scores[:, n], positive[:, n], ones)[1][0] for n in np.flatnonzero(positive.any(axis=0))]
    return float(np.mean(found)) if found else float("nan")


def _sums(weights: Floats) -> Floats:
    """(N + 1, R): sums of the first 0 to N rows."""
    return np.concatenate([np.zeros((1, weights.shape[1])), np.cumsum(weights, axis=0)])
