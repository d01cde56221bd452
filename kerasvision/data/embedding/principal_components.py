r"""Principal component analysis: the directions in which the examples of a data set differ most.

Of N examples x with D numbers, the covariance is

    C = 1 / (N - 1) * sum over examples of (x - mean) (x - mean)^T

Its eigenvectors are the axes, and the eigenvalue of an axis is the variance along it. `project` gives the coordinates along
the axes, z = A (x - mean), and `restore` goes back, mean + A^T z. With fewer axes than D, what is restored differs from x,
and no other K directions give a smaller mean squared difference.

Source: Pearson, 1901, "On lines and planes of closest fit to systems of points in space"; Hotelling, 1933. Adding up
batches: Chan, Golub & LeVeque, 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from kerasvision.errors import DataError

Floats = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True)
class PrincipalComponents:
    """The mean of the examples, and the axes through it along which they differ most.

    Attributes:
        count: N, how many examples they were computed from.
        mean: float64 (D,).
        axes: float64 (K, D): vectors of length 1 at right angles, the one with the largest variance first.
        variances: float64 (K,): of the examples along each axis.
        total_variance: the sum of the variances of all D numbers.
    """

    count: int
    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    variances: NDArray[np.float64]
    total_variance: float

    @property
    def is_flat(self) -> bool:
        """Whether all examples are the same, but for rounding."""
        return self.total_variance <= 1e-12 * float(self.mean @ self.mean)

    def project(self, examples: Floats) -> NDArray[np.float32]:
        """The coordinates of examples, (N, D), along the axes: float32 (N, K)."""
        return np.asarray((examples - self.mean) @ self.axes.T, np.float32)

    def restore(self, coordinates: Floats) -> NDArray[np.float32]:
        """Examples, float32 (N, D), from their first k coordinates, (N, k); k is at most K."""
        return np.asarray(self.mean + coordinates @ self.axes[: coordinates.shape[1]], np.float32)

    def share_kept(self, k: int) -> float:
        """The share of the variance that the first k axes keep, in [0, 1]; 1 if all examples are equal."""
        return float(self.variances[:k].sum() / self.total_variance) if self.total_variance else 1.0

    def error(self, k: int) -> float:
        """The root of the mean squared difference between a number of an example and the one restored from k coordinates.

        It is exact for the examples that the components were computed from: it follows from the variance that is lost.
        """
        lost = max(self.total_variance - self.variances[:k].sum(), 0.0)
        return float(np.sqrt(lost * (self.count - 1) / self.count / len(self.mean)))


def principal_components(batches: Iterable[Floats], *, most: int) -> PrincipalComponents:
    """The principal components of examples that come in batches; at most one batch is in memory at a time.

    Args:
        batches: float (n, D), any n.
        most: the largest number of axes, K; there are no more than D, and no more than N - 1. The sign of an axis is such
            that its largest number is positive.

    Raises:
        DataError: there are fewer than two examples.

    >>> points = np.array([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]])  # on a line, 2.83 apart
    >>> found = principal_components([points[:2], points[2:]], most=2)
    >>> found.mean.tolist(), found.variances.round(6).tolist(), found.axes[0].round(4).tolist()
    ([2.0, 2.0], [8.0, 0.0], [0.7071, 0.7071])
    >>> found.project(points)[:, 0].round(2).tolist()
    [-2.8299999237060547, 0.0, 2.8299999237060547]
    >>> found.restore(found.project(points)[:, :1]).round(4).tolist()
    [[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]
    """
    count, mean, covariance = covariance_of(batches)
    size = len(mean)
    kept = min(most, size, count - 1)
    # Ascending, so the last ones are the largest.
    variances, vectors = scipy.linalg.eigh(covariance, subset_by_index=(size - kept, size - 1), overwrite_a=False)
    axes = vectors[:, ::-1].T
    largest = axes[np.arange(kept), np.abs(axes).argmax(axis=1)]
    axes = axes * np.where(largest < 0, -1.0, 1.0)[:, None]
    # Rounding may leave tiny negative variances.
    return PrincipalComponents(count, mean, axes, np.maximum(variances[::-1], 0.0), float(np.trace(covariance)))


def covariance_of(batches: Iterable[Floats]) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """How many examples there are, their mean (D,) and their covariance (D, D), both float64.

    Raises:
        DataError: there are fewer than two examples.

    >>> count, mean, covariance = covariance_of([np.array([[1.0, 0.0]]), np.array([[3.0, 0.0], [5.0, 6.0]])])
    >>> count, mean.tolist(), covariance.tolist()  # of the first number: (4 + 0 + 4) / 2
    (3, [3.0, 2.0], [[4.0, 6.0], [6.0, 12.0]])
    """
    count, mean, scatter = 0, np.zeros(0), np.zeros((0, 0))
    for batch in batches:
        added, own = len(batch), batch.mean(axis=0, dtype=np.float64)
        centered = batch - own
        if not count:
            count, mean, scatter = added, own, centered.T @ centered
            continue
        # Each batch is centered at its own mean, and what is between the means is added: nothing large is subtracted.
        apart = own - mean
        scatter += centered.T @ centered
        scatter += np.outer(apart, apart * (count * added / (count + added)))
        count += added
        mean = mean + apart * (added / count)
    if count < 2:
        raise DataError("principal components require at least two images", received=count)
    return count, mean, scatter / (count - 1)
