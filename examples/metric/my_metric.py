"""A metric of your own: how far the digit that was read is from the digit that was written."""

import numpy as np


def reading_error(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean distance between the two digits.

    It is asked for several weightings of the same images at once: all weights 1 give the score itself, and the weights of
    a bootstrap give its 95 % interval.

    Args:
        truth: int (N,), the class of each image. Here class n is the digit n.
        scores: float32 (N, C), the score of each class.
        weights: float64 (N, R), how much each image counts in each of R weightings.

    Returns:
        float64 (R,), the metric under each weighting, in [0, 9].

    The digits 1 and 3 are read as 1 and 8. With equal weights that is (0 + 5) / 2; if the second image counts three times,
    (0 + 3 * 5) / 4.

    >>> scores = np.eye(10)[[1, 8]]
    >>> reading_error(np.array([1, 3]), scores, np.array([[1.0, 1.0], [1.0, 3.0]])).tolist()
    [2.5, 3.75]
    """
    return np.abs(scores.argmax(axis=1) - truth) @ weights / weights.sum(axis=0)
