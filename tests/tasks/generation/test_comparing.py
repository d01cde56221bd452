"""Scores of samples, compared with SciPy's matrix root, scikit-learn's neighbours and distances by hand."""

import numpy as np
import pytest
from scipy import linalg
from scipy.spatial.distance import pdist
from sklearn.neighbors import NearestNeighbors

from kerasvision.tasks.generation.comparing import Components, diversity, frechet_distance, mean_distance, nearest

RANDOM = np.random.default_rng(0)
ONE, OTHER = RANDOM.normal(size=(50, 4)), RANDOM.normal(size=(60, 4)) @ RANDOM.normal(size=(4, 4)) + 1


def test_frechet_distance_is_that_of_the_matrix_root():
    first, second = np.cov(ONE, rowvar=False), np.cov(OTHER, rowvar=False)
    root = linalg.sqrtm(first @ second).real
    wanted = np.square(ONE.mean(0) - OTHER.mean(0)).sum() + np.trace(first + second - 2 * root)
    assert frechet_distance(ONE, OTHER) == pytest.approx(wanted, rel=1e-8)
    assert frechet_distance(OTHER, ONE) == pytest.approx(wanted, rel=1e-8)
    assert frechet_distance(ONE, ONE) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_of_samples_that_are_all_alike_is_finite_and_of_one_sample_is_none():
    alike = np.zeros((5, 4))
    assert frechet_distance(alike, ONE) == pytest.approx(np.square(ONE.mean(0)).sum() + np.trace(np.cov(ONE, rowvar=False)))
    assert np.isnan(frechet_distance(ONE[:1], OTHER))


def test_nearest_is_that_of_scikit_learn():
    found = nearest(ONE, OTHER)
    distances, places = NearestNeighbors(n_neighbors=1).fit(OTHER).kneighbors(ONE)
    np.testing.assert_array_equal(found.rows, places[:, 0])
    np.testing.assert_allclose(found.distances, distances[:, 0])
    np.testing.assert_array_equal(nearest(ONE, ONE).distances, 0)


def test_diversity_compares_classes_with_themselves():
    assert mean_distance(ONE) == pytest.approx(pdist(ONE).mean(), rel=1e-6)
    labels = np.arange(50) % 2
    # Two classes far apart do not make samples diverse that are alike within each class.
    collapsed = labels[:, None] * np.full(4, 100.0)
    assert diversity(collapsed, ONE, labels) == pytest.approx(0, abs=1e-6)
    assert diversity(ONE, ONE, labels) == pytest.approx(1)
    assert diversity(3 * ONE, ONE, labels) == pytest.approx(3)
    assert np.isnan(diversity(ONE[:1], ONE[:1], [0]))


def test_components_keep_distances_of_images_that_differ_in_few_ways():
    ways = RANDOM.integers(0, 2, (40, 3)).astype(np.uint8) * 255
    images = np.repeat(ways, 16, axis=1).reshape(40, 6, 8, 1)
    found = Components(images)(images)
    np.testing.assert_allclose(pdist(found), pdist(images.reshape(40, -1) / 255.0), atol=1e-4)
