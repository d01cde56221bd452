"""Images whose label is probably wrong: those whose neighbours mostly have another one.

    p_i(j)   the share of label j among the nearest other images of image i
    t_j      the mean of p_i(j) over the images with the label j: how sure the neighbours usually are of it

An image with label y is suspected if another label j has p_i(j) > p_i(y); the most frequent one is suggested. The suspicion
is confident if p_i(j) >= t_j for such a label. The first images are those with the smallest p_i(y). An image has no part in
its own shares, and nothing was trained on the label that is judged.

`python tests/benchmarks/embedding.py FASHION_MNIST --wrong-labels` measures how many labels that were changed on purpose
come first, and compares that with a cross-validated logistic regression on the same coordinates.

Source: confident learning, Northcutt, Jiang & Chuang, 2021: the thresholds t_j, and the order by self-confidence, with the
shares of neighbours as the out-of-sample probabilities.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROWS_AT_ONCE = 4096

Shares = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Suspects:
    """M images whose label is probably wrong, the most suspicious first.

    Attributes:
        image: int64 (M,), their rows.
        suggested: int64 (M,), the label that most of their neighbours have.
        given_share, suggested_share: float64 (M,) in [0, 1]: the shares of both labels among the neighbours.
        is_confident: bool (M,).
    """

    image: Numbers
    suggested: Numbers
    given_share: Shares
    suggested_share: Shares
    is_confident: NDArray[np.bool_]


def suspects(neighbours: Numbers, labels: Numbers) -> Suspects:
    """The images whose neighbours mostly have another label.

    Args:
        neighbours: int64 (N, K), the rows of the nearest other images of each image.
        labels: int64 (N,), numbers of classes.

    >>> index = np.int64([[1, 2], [0, 2], [0, 1], [4, 5], [3, 5], [3, 4]])  # two groups of three images
    >>> found = suspects(index, np.int64([0, 0, 0, 1, 1, 0]))
    >>> found.image.tolist(), found.suggested.tolist(), found.given_share.tolist(), found.suggested_share.tolist()
    ([5], [1], [0.0], [1.0])
    """
    votes = labels[neighbours]
    given = (votes == labels[:, None]).mean(axis=1)
    thresholds = np.bincount(labels, weights=given) / np.maximum(np.bincount(labels), 1)
    best, suggested, is_confident = np.zeros(len(labels)), labels.copy(), np.zeros(len(labels), bool)
    for first in range(0, len(labels), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        shares, own = _shares(votes[rows]), labels[rows, None]
        others = np.where(votes[rows] == own, -1.0, shares)
        slot = others.argmax(axis=1)[:, None]
        best[rows] = np.take_along_axis(others, slot, 1)[:, 0]
        suggested[rows] = np.take_along_axis(votes[rows], slot, 1)[:, 0]
        # The threshold is a mean of such shares, so rounding must not decide.
        is_confident[rows] = ((others > given[rows, None]) & (others >= thresholds[votes[rows]] - 1e-9)).any(axis=1)
    image = np.flatnonzero(best > given)
    image = image[np.lexsort((-best[image], given[image]))]
    return Suspects(image, suggested[image], given[image], best[image], is_confident[image])


def agreement(neighbours: Numbers, labels: Numbers) -> tuple[Shares, Numbers]:
    """How well each class keeps together.

    Returns:
        (C,) the mean share of an image's neighbours that have its own label, and (C,) the other label that is most frequent
        among them; a class whose neighbours are all its own has its own number there, and one without images -1.

    >>> shares, others = agreement(np.int64([[1, 2], [0, 2], [0, 1]]), np.int64([0, 0, 1]))
    >>> shares.tolist(), others.tolist()
    ([0.5, 0.0], [1, 0])
    """
    count = int(labels.max()) + 1
    votes = labels[neighbours]
    same = (votes == labels[:, None]).mean(axis=1)
    sizes = np.bincount(labels, minlength=count)
    shares = np.bincount(labels, weights=same, minlength=count) / np.maximum(sizes, 1)
    # Only pairs that occur: with 20,000 classes, a table of all pairs would have 400 million numbers.
    pairs, counts = np.unique((np.repeat(labels, votes.shape[1]) * count + votes.ravel()), return_counts=True)
    own, other = pairs // count, pairs % count
    others = np.where(sizes > 0, np.arange(count), -1)
    order = np.argsort(counts, kind="stable")
    order = order[own[order] != other[order]]
    # The last one with a class wins, which is the most frequent one.
    others[own[order]] = other[order]
    return shares, others


def _shares(votes: Numbers) -> Shares:
    """(n, K): the share of the label of each neighbour among all neighbours."""
    shares: Shares = (votes[:, :, None] == votes[:, None, :]).mean(axis=2)
    return shares
