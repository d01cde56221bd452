"""Groups of similar images: k-means, with the number of groups chosen by the silhouette.

The silhouette of an image is (b - a) / max(a, b), where a is its mean distance to the images of its own cluster, and b that
to the images of the nearest other cluster: 1 if its cluster is far from all others, below 0 if another one is nearer.

Source: k-means: Lloyd, 1982, begun as in Arthur & Vassilvitskii, 2007 (k-means++); silhouette: Rousseeuw, 1987, section 2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_samples

from kerasvision.errors import ConfigError

# How many clusters are tried.
TRIED = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20)
# A silhouette compares every two images, so a sample is judged.
MOST_JUDGED = 2_000
# To choose a number of clusters, these are enough images.
MOST_TRIED = 5_000
STARTS = 3

Coordinates = NDArray[np.float32]


@dataclass(frozen=True)
class Clusters:
    """The clusters of N images, the largest first.

    Attributes:
        of_image: int64 (N,), the number of each image's cluster, from 0.
        distance: float32 (N,), to the center of its cluster.
        silhouettes: float (K,), the mean over images of each cluster; NaN if none of them is among those that were judged.
        silhouette: the mean over all images that were judged.
        tried: number of clusters -> the mean silhouette with it; empty if the number was given.
    """

    of_image: NDArray[np.int64]
    distance: NDArray[np.float32]
    silhouettes: NDArray[np.float64]
    silhouette: float
    tried: dict[int, float]

    @property
    def count(self) -> int:
        """K, how many clusters there are."""
        return len(self.silhouettes)

    def nearest(self, cluster: int, *, most: int) -> NDArray[np.intp]:
        """The images that are nearest to the center of a cluster, the nearest first."""
        members = np.flatnonzero(self.of_image == cluster)
        return members[np.argsort(self.distance[members], kind="stable")[:most]]


def find_clusters(coordinates: Coordinates, *, count: int | None, seed: int) -> Clusters | None:
    """The clusters of images; None if no number is given, and fewer than three images differ.

    Args:
        coordinates: float32 (N, D).
        count: how many clusters, at least 2; None tries those of `TRIED`, and takes the one with the largest silhouette.
        seed: draws the first centers and the images that are judged.

    Raises:
        ConfigError: there are fewer different images than clusters.

    >>> pairs = np.float32([[0, 0], [0, 1], [9, 9], [9, 8], [9, 9]])
    >>> found = find_clusters(pairs, count=None, seed=0)
    >>> found.of_image.tolist(), found.count  # the larger one is cluster 0
    ([1, 1, 0, 0, 0], 2)
    """
    # A silhouette requires a cluster with two images.
    different = len(np.unique(coordinates, axis=0)) if len(coordinates) <= MOST_TRIED else _different(coordinates)
    if count is not None and not 2 <= count <= different:
        raise ConfigError(
            "the number of clusters must be at least 2, and at most that of images that differ",
            received=f"{count}, with {different} images that differ",
        )
    random = np.random.default_rng(seed)
    tried: dict[int, float] = {}
    if count is None:
        sample = coordinates[_drawn(len(coordinates), MOST_TRIED, random)]
        counts = [number for number in TRIED if number < min(different, len(sample))]
        tried = {number: _judged(sample, _means(sample, number, seed), random)[1] for number in counts}
        if not tried:
            return None
        count = max(tried, key=lambda number: tried[number])
    return _described(coordinates, _means(coordinates, count, seed), random, tried)


def _described(coordinates: Coordinates, means: KMeans, random: np.random.Generator, tried: dict[int, float]) -> Clusters:
    """The clusters in order of their size."""
    count = means.n_clusters
    order = np.argsort(-np.bincount(means.labels_, minlength=count), kind="stable")
    of_image = np.argsort(order)[means.labels_]
    # Not `transform`, which would give the distance to all centers.
    distance = np.linalg.norm(coordinates - means.cluster_centers_[means.labels_], axis=1)
    means.labels_ = of_image
    silhouettes, mean = _judged(coordinates, means, random)
    return Clusters(of_image.astype(np.int64), distance.astype(np.float32), silhouettes, mean, tried)


def _means(coordinates: Coordinates, count: int, seed: int) -> KMeans:
    return KMeans(count, n_init=STARTS, random_state=seed).fit(coordinates)


def _judged(coordinates: Coordinates, means: KMeans, random: np.random.Generator) -> tuple[NDArray[np.float64], float]:
    """The mean silhouette of each cluster, and of all images that are judged."""
    chosen = _drawn(len(coordinates), MOST_JUDGED, random)
    labels = means.labels_[chosen]
    if not 2 <= len(np.unique(labels)) < len(labels):
        return np.full(means.n_clusters, np.nan), float("nan")
    values = silhouette_samples(coordinates[chosen], labels)
    counts = np.bincount(labels, minlength=means.n_clusters)
    sums = np.bincount(labels, weights=values, minlength=means.n_clusters)
    each = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return each, float(values.mean())


def _different(coordinates: Coordinates) -> int:
    """How many rows differ, by their bytes: to sort 70,000 rows as numbers takes seconds."""
    return len({row.tobytes() for row in coordinates})


def _drawn(count: int, most: int, random: np.random.Generator) -> NDArray[np.intp]:
    return np.sort(random.permutation(count)[:most])
