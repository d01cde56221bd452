"""Principal components equal those of scikit-learn, also batch by batch; what is restored has the stated error."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from kerasvision.data.embedding.principal_components import covariance_of, principal_components
from kerasvision.errors import DataError

RANDOM = np.random.default_rng(0)
# Far from zero, as pixels are, and with directions of different variance.
POINTS = (1000 + RANDOM.normal(size=(90, 12)) @ RANDOM.normal(size=(12, 12))).astype(np.float32)


@pytest.mark.parametrize("size", [1, 7, 90])
def test_components_equal_those_of_scikit_learn_for_any_batches(size):
    ours = principal_components([POINTS[first : first + size] for first in range(0, 90, size)], most=5)
    theirs = PCA(5, svd_solver="full").fit(POINTS.astype(np.float64))
    np.testing.assert_allclose(ours.variances, theirs.explained_variance_, rtol=1e-9)
    np.testing.assert_allclose(np.abs((ours.axes * theirs.components_).sum(axis=1)), np.ones(5), rtol=1e-9)
    np.testing.assert_allclose([ours.share_kept(5)], [theirs.explained_variance_ratio_.sum()], rtol=1e-9)
    signs = np.sign((ours.axes * theirs.components_).sum(axis=1))
    np.testing.assert_allclose(ours.project(POINTS) * signs, theirs.transform(POINTS), atol=1e-3)


def test_covariance_equals_that_of_numpy():
    count, mean, covariance = covariance_of(np.array_split(POINTS, 4))
    assert count == 90
    np.testing.assert_allclose(mean, POINTS.mean(axis=0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(POINTS.astype(np.float64), rowvar=False), rtol=1e-8, atol=1e-9)


def test_error_is_that_of_the_restored_examples():
    found = principal_components([POINTS], most=12)
    coordinates = found.project(POINTS)
    for k in (1, 3, 12):
        difference = found.restore(coordinates[:, :k]).astype(np.float64) - POINTS
        np.testing.assert_allclose(found.error(k), np.sqrt((difference**2).mean()), atol=2e-4)


def test_there_are_no_more_axes_than_examples_span():
    found = principal_components([POINTS[:3]], most=256)
    assert found.axes.shape == (2, 12)
    assert found.share_kept(2) == pytest.approx(1.0)


def test_equal_examples_are_flat_and_keep_all_variance():
    found = principal_components([np.full((5, 3), 200.1, np.float32)], most=2)
    assert found.is_flat
    assert found.share_kept(1) == 1.0
    assert not principal_components([np.float32([[200, 0], [200, 1]])], most=2).is_flat


def test_one_example_is_too_few():
    with pytest.raises(DataError, match="require at least two images; received 1"):
        principal_components([np.ones((1, 3), np.float32)], most=2)
