"""A map of images on which near ones are similar: t-SNE (van der Maaten & Hinton, 2008).

Distances between groups, and the sizes of groups, mean nothing on such a map; who is next to whom does.

Source: the approximation of Barnes & Hut in van der Maaten, 2014, by scikit-learn, begun from the first two coordinates.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

# Of the papers' range from 5 to 50.
PERPLEXITY = 30.0
# With fewer, there is nothing that a map shows and a row of pictures does not.
FEWEST = 5
# The sum of two threads does not depend on which one ends first, that of more does.
# With few images, threads mostly wait for each other.
THREADS, FEWEST_FOR_THREADS = 2, 2_000


def neighbour_map(coordinates: NDArray[np.float32], *, seed: int) -> NDArray[np.float32] | None:
    """A place on a map for each image, float32 (N, 2); None if fewer than 5 images differ.

    Args:
        coordinates: float32 (N, D): principal components, in order of their variance.
        seed: of the few random numbers.

    >>> groups = np.float32([[0, 0], [0, 1], [1, 0], [50, 50], [50, 51], [51, 50]])
    >>> places = neighbour_map(groups, seed=0)
    >>> bool(np.linalg.norm(places[0] - places[1]) < np.linalg.norm(places[0] - places[3]))
    True
    """
    if len(np.unique(coordinates, axis=0)) < FEWEST:
        return None
    start = np.zeros((len(coordinates), 2), np.float32)
    start[:, : coordinates.shape[1]] = coordinates[:, :2]
    # A tiny start, so that nothing is far apart at first. Images that are exact copies need different places to separate.
    start = 1e-4 * start / start[:, 0].std()
    start += np.random.default_rng(seed).normal(0, 1e-8, start.shape).astype(np.float32)
    perplexity = min(PERPLEXITY, (len(coordinates) - 1) / 3)
    with threadpool_limits(THREADS if len(coordinates) >= FEWEST_FOR_THREADS else 1, user_api="openmp"):
        places = TSNE(init=start, perplexity=perplexity, random_state=seed).fit_transform(coordinates)
    return np.asarray(places, np.float32)
