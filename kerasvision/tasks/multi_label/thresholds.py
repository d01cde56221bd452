"""From which score on an answer has a tag: the threshold with the best F1 on images that the network was not trained on.

Source: Lipton et al., 2014, https://arxiv.org/abs/1402.1892, section 5: F1 of one tag is maximised by a threshold, which
they choose on held-out images. They warn of tags with few examples, whose best threshold is chance. These share one here.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from kerasvision.tasks.metrics import quotient

HALF = 0.5
# A tag that fewer images have shares its threshold with others.
LEAST_POSITIVES = 5
# The score is divided into this many equal steps, and the shared threshold is a border between two of them.
STEPS = 2**16
# Pairs of image and tag that are counted at a time.
AT_ONCE = 2**20


def best_thresholds(
    truth: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating[Any]], *, kind: str
) -> npt.NDArray[np.float32]:
    """float32 (C,): the thresholds of all tags, see `MultiLabel.thresholds`.

    Args:
        truth: bool (N, C), which tags the images have.
        scores: (N, C) in [0, 1].
        kind: "per_tag", "shared" or "half".
    """
    count = truth.shape[1]
    if kind == "half" or not truth.any():
        return np.full(count, HALF, np.float32)
    found = np.full(count, shared_threshold(truth, scores), np.float32)
    if kind == "per_tag":
        for number in np.flatnonzero(truth.sum(axis=0) >= LEAST_POSITIVES).tolist():
            found[number] = best_threshold(truth[:, number], scores[:, number])
    return found


def best_threshold(truth: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating[Any]]) -> float:
    """The threshold with the best F1; it lies in the middle between two scores. Of equal ones, the highest.

    Args:
        truth: bool (N,), not all False.
        scores: (N,) in [0, 1].

    >>> scores = np.array([0.9, 0.7, 0.6, 0.2], np.float32)
    >>> round(best_threshold(np.array([True, False, True, False]), scores), 3)  # between 0.6 and 0.2, where F1 is 0.8
    0.4
    """
    order = np.argsort(-scores, kind="stable")
    falling = scores[order].astype(np.float32)
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(falling) + 1) + hits[-1])
    # Equal scores are all answered, or none of them.
    is_last = np.append(falling[1:] < falling[:-1], True)
    place = int(np.argmax(np.where(is_last, f1, -1.0)))
    above, below = falling[place], falling[place + 1] if place + 1 < len(falling) else np.float32(0)
    middle = np.float32((above + below) / 2)
    return float(middle if middle > below else above)


def shared_threshold(truth: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating[Any]]) -> float:
    """The border between 65,536 steps of the score with the best micro F1; of equal ones, the highest.

    Args:
        truth: bool (N, C), not all False.
        scores: (N, C) in [0, 1].

    >>> shared_threshold(np.array([[True, False], [True, False]]), np.array([[0.75, 0.2], [0.5, 0.25]]))
    0.5
    """
    total, hits = np.zeros(STEPS, np.int64), np.zeros(STEPS, np.int64)
    rows = max(1, AT_ONCE // truth.shape[1])
    for start in range(0, len(truth), rows):
        part = slice(start, start + rows)
        steps = np.minimum((scores[part] * STEPS).astype(np.int64), STEPS - 1)
        total += np.bincount(steps.ravel(), minlength=STEPS)
        hits += np.bincount(steps[truth[part]], minlength=STEPS)
    answered, found = np.cumsum(total[::-1])[::-1], np.cumsum(hits[::-1])[::-1]
    f1 = quotient((2 * found).astype(np.float64), (answered + found[0]).astype(np.float64), without=0.0)
    return float(STEPS - 1 - np.argmax(f1[::-1])) / STEPS
