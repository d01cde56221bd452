"""Whether the labels that a model answers are the best ones, but for rounding of the scores."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def nearly_best(
    labels: npt.NDArray[Any],
    scores: npt.NDArray[np.floating[Any]],
    names: Sequence[object],
    *,
    closeness: float,
) -> npt.NDArray[np.bool_]:
    """bool (N,): whether each label may be at its place, if every score may differ by `closeness`.

    The score of the label then differs by that much, and so does the score at the place, which the other model found. So the
    two lie at most twice as far apart.

    Args:
        labels: (N, K), best first; (N,): the best label alone.
        scores: (N, C), what another model answers for these images.
        names: of the C classes, or other values that stand for them in `labels`.
        closeness: how far a score may differ between the two models.

    >>> scores = np.array([[0.50, 0.49, 0.01]])
    >>> [nearly_best(np.array([row]), scores, "abc", closeness=0.01).item() for row in (["b", "a"], ["c", "a"], ["a", "a"])]
    [True, False, False]
    """
    numbers = {name: number for number, name in enumerate(names)}
    rows = labels.reshape(len(scores), -1)
    places = np.array([[numbers.get(label, -1) for label in row] for row in rows], np.intp).reshape(rows.shape)
    best = -np.sort(-scores, axis=1)[:, : rows.shape[1]]
    is_near = np.abs(np.take_along_axis(scores, places, axis=1) - best) <= 2 * closeness
    each_once = np.array([len(set(row)) == len(row) for row in rows.tolist()], bool)
    found: npt.NDArray[np.bool_] = (is_near & (places >= 0)).all(axis=1) & each_once
    return found
