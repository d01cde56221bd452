"""The images that are nearest to each image, by the Euclidean distance of their coordinates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors


@dataclass(frozen=True)
class Neighbours:
    """The nearest images of N images, the nearest first.

    Attributes:
        index: int64 (N, K), rows of the images.
        distance: float32 (N, K).
    """

    index: NDArray[np.int64]
    distance: NDArray[np.float32]


def nearest_of_each(coordinates: NDArray[np.float32], *, most: int) -> Neighbours:
    """The nearest other images of every image. An exact copy is another image.

    Args:
        coordinates: float32 (N, D).
        most: K, if there are as many other images.

    >>> found = nearest_of_each(np.float32([[0], [1], [3]]), most=5)
    >>> found.index.tolist(), found.distance.tolist()
    ([[1, 2], [0, 2], [1, 0]], [[1.0, 3.0], [1.0, 2.0], [2.0, 3.0]])
    """
    count = len(coordinates)
    kept = min(most, count - 1)
    index, distance = _search(coordinates, coordinates, kept + 1)
    # With copies, an image need not be its own first neighbour, or among its first ones at all.
    is_other = index != np.arange(count)[:, None]
    is_other[is_other.all(axis=1), -1] = False
    return Neighbours(index[is_other].reshape(count, kept), distance[is_other].reshape(count, kept))


def nearest_to(coordinates: NDArray[np.float32], asked: NDArray[np.float32], *, most: int) -> Neighbours:
    """The images, (N, D), that are nearest to the ones asked for, (M, D); each may be among them itself.

    >>> nearest_to(np.float32([[0], [1], [3]]), np.float32([[2.5]]), most=2).index.tolist()
    [[2, 1]]
    """
    return Neighbours(*_search(coordinates, asked, min(most, len(coordinates))))


def _search(
    coordinates: NDArray[np.float32], asked: NDArray[np.float32], most: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    # A tree is slower than to compare all, with more than about 15 numbers.
    distance, index = NearestNeighbors(n_neighbors=most, algorithm="brute").fit(coordinates).kneighbors(asked)
    return index.astype(np.int64), distance.astype(np.float32)
