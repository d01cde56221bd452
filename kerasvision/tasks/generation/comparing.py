"""How samples compare with images: distances between the principal components of their values.

Nothing is downloaded: the components are those of the training images. They see brightness and shape, but not what an image
shows, so the distances rank models of one data set, and are no figures to compare with those of a paper.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg
from sklearn.decomposition import PCA

from kerasvision.tasks.metrics import Floats

COMPONENTS = 64
# Components are fitted on at most this many images, and distances within a class are means over this many of its images.
MOST_FITTED, MOST_PAIRED = 10_000, 500
# How many rows of a matrix of distances are made at a time.
ROWS = 1024


class Components:
    """The first principal components of images.

    Args:
        pixels: uint8 (N, H, W, C), at least 2 images.

    >>> components = Components(np.array([[0], [255]], np.uint8).reshape(2, 1, 1, 1))
    >>> np.abs(components(np.array([[0], [255]], np.uint8).reshape(2, 1, 1, 1))).tolist()  # 0.5 off the mean
    [[0.5], [0.5]]
    """

    def __init__(self, pixels: npt.NDArray[np.uint8]) -> None:
        step = -(-len(pixels) // MOST_FITTED)
        rows = _values(pixels[::step])
        self._fitted = PCA(min(COMPONENTS, rows.shape[1], len(rows) - 1), random_state=0).fit(rows)

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> Floats:
        """float64 (N, up to 64) of images uint8 (N, H, W, C)."""
        parts = [self._fitted.transform(_values(pixels[start : start + ROWS])) for start in range(0, len(pixels), ROWS)]
        return np.concatenate(parts).astype(np.float64)


def frechet_distance(one: Floats, other: Floats) -> float:
    """|m - n|^2 + tr(S + T - 2 (S T)^(1/2)) of the means and covariances of rows; NaN with fewer than 2 rows.

    Args:
        one, other: float64 (N, F) and (M, F).

    Source: Dowson & Landau, 1982, equation 4; as a score of samples, Heusel et al., 2017, equation 6.

    >>> rows = np.array([[0.0], [2.0]])
    >>> round(frechet_distance(rows, 3 * rows + 1), 6)  # means 1 and 4, variances 2 and 18: 9 + 2 + 18 - 2 * 6
    17.0
    """
    if min(len(one), len(other)) < 2:
        return float("nan")
    first, second = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (one, other))
    # The trace of (S T)^(1/2) is that of (R T R)^(1/2) with R = S^(1/2), which is symmetric.
    values, vectors = linalg.eigh(first)
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    joint = np.sqrt(np.maximum(linalg.eigvalsh(root @ second @ root), 0.0)).sum()
    apart = np.square(one.mean(axis=0) - other.mean(axis=0)).sum()
    return max(0.0, float(apart + np.trace(first) + np.trace(second) - 2 * joint))


@dataclass(frozen=True)
class Nearest:
    """The nearest of some images to each of N: `rows` int64 (N,), their places; `distances` float64 (N,)."""

    rows: npt.NDArray[np.int64]
    distances: Floats


def nearest(rows: Floats, among: Floats) -> Nearest:
    """The nearest row of `among`, float64 (M, F), to each of `rows`, float64 (N, F).

    >>> found = nearest(np.array([[0.0], [5.0]]), np.array([[1.0], [4.5]]))
    >>> found.rows.tolist(), found.distances.tolist()
    ([0, 1], [1.0, 0.5])
    """
    lengths = np.square(among).sum(axis=1)
    places, distances = [], []
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        place = (lengths - 2 * part @ among.T).argmin(axis=1)
        places.append(place)
        # Again from the difference: that of two large numbers would round.
        distances.append(np.linalg.norm(part - among[place], axis=1))
    return Nearest(np.concatenate(places), np.concatenate(distances))


def mean_distance(rows: Floats) -> float:
    """The mean distance of two different rows, float64 (N, F), of at most 500; NaN with fewer than 2.

    >>> round(mean_distance(np.array([[0.0], [1.0], [3.0]])), 6)  # 1, 2 and 3
    2.0
    """
    some = rows[:: -(-len(rows) // MOST_PAIRED)] if len(rows) else rows
    if len(some) < 2:
        return float("nan")
    square = np.square(some).sum(axis=1)
    apart = np.sqrt(np.maximum(square[:, None] + square - 2 * some @ some.T, 0.0))
    np.fill_diagonal(apart, 0.0)
    return float(apart.sum() / len(some) / (len(some) - 1))


def diversity(samples: Floats, images: Floats, labels: Sequence[int] | npt.NDArray[np.int64]) -> float:
    """The mean over classes of the mean distance of two samples of a class, divided by that of two images of it.

    Args:
        samples, images: float64 (N, F), of the same classes row by row.
        labels: int64 (N,).

    Returns:
        NaN if no class has two images that differ.

    >>> images = np.array([[0.0], [2.0], [0.0]])
    >>> diversity(images / 2, images, [0, 0, 1])
    0.5
    """
    shares = []
    for label in np.unique(labels):
        own = np.asarray(labels) == label
        of_images = mean_distance(images[own])
        if of_images > 0:
            shares.append(mean_distance(samples[own]) / of_images)
    return float(np.mean(shares)) if shares else float("nan")


def _values(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return (pixels.reshape(len(pixels), -1) / np.float32(255.0)).astype(np.float32)
