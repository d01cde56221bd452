"""Neighbours equal those of a search by hand; clusters find planted groups; the map keeps groups together."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from kerasvision.data.embedding.clusters import find_clusters
from kerasvision.data.embedding.neighbour_map import neighbour_map
from kerasvision.data.embedding.neighbours import nearest_of_each, nearest_to
from kerasvision.errors import ConfigError

RANDOM = np.random.default_rng(0)
# 40 points around each of five centers.
GROUPS = np.repeat(np.arange(5), 40)
POINTS = (20 * RANDOM.normal(size=(5, 6))[GROUPS] + RANDOM.normal(size=(200, 6))).astype(np.float32)


def test_neighbours_are_the_nearest_other_images():
    found = nearest_of_each(POINTS, most=4)
    apart = np.linalg.norm(POINTS[:, None].astype(np.float64) - POINTS[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    np.testing.assert_allclose(found.distance, np.sort(apart)[:, :4], rtol=1e-3)
    np.testing.assert_array_equal(found.index, np.argsort(apart)[:, :4])


def test_an_exact_copy_is_a_neighbour_and_the_image_itself_is_not():
    found = nearest_of_each(np.zeros((30, 2), np.float32), most=5)
    assert found.index.shape == (30, 5)
    assert (found.index != np.arange(30)[:, None]).all()


def test_neighbours_of_another_image_may_be_any_image():
    found = nearest_to(POINTS, POINTS[[7]], most=3)
    assert found.index[0, 0] == 7
    assert found.distance[0, 0] == pytest.approx(0.0, abs=1e-2)


def test_the_number_of_planted_groups_is_found():
    found = find_clusters(POINTS, count=None, seed=0)
    assert found.count == 5
    assert len(np.unique(np.stack([GROUPS, found.of_image]), axis=1).T) == 5  # each group is one cluster
    assert found.silhouette == pytest.approx(silhouette_score(POINTS, GROUPS), rel=1e-4)
    assert max(found.tried, key=found.tried.get) == 5
    nearest = found.nearest(0, most=3)
    center = POINTS[found.of_image == 0].mean(axis=0)
    apart = np.where(found.of_image == 0, np.linalg.norm(POINTS - center, axis=1), np.inf)
    assert nearest.tolist() == np.argsort(apart)[:3].tolist()


def test_same_seed_gives_same_clusters_and_same_map():
    first, second = (find_clusters(POINTS, count=7, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.of_image, second.of_image)
    assert not first.tried
    np.testing.assert_array_equal(*(neighbour_map(POINTS[:60], seed=3) for _ in range(2)))


def test_clusters_come_in_order_of_their_size():
    sizes = np.bincount(find_clusters(np.concatenate([POINTS, POINTS[:40]]), count=5, seed=0).of_image)
    assert sizes.tolist() == [80, 40, 40, 40, 40]


@pytest.mark.parametrize("count", [1, 4])
def test_more_clusters_than_different_images_are_rejected(count):
    with pytest.raises(ConfigError, match=f"at most that of images that differ; received '{count}, with 3 images"):
        find_clusters(np.float32([[0], [1], [2], [2], [2]]), count=count, seed=0)


def test_equal_images_have_no_clusters_and_no_map():
    assert find_clusters(np.zeros((9, 2), np.float32), count=None, seed=0) is None
    assert neighbour_map(np.zeros((9, 2), np.float32), seed=0) is None


def test_the_map_keeps_groups_together():
    chosen = np.flatnonzero(GROUPS < 3)
    places = neighbour_map(POINTS[chosen], seed=0)
    index = nearest_of_each(places, most=5).index
    assert (GROUPS[chosen][index] == GROUPS[chosen][:, None]).mean() == 1.0
