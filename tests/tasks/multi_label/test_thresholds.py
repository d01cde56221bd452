"""Thresholds have the best F1, a rare tag shares its threshold, and the shared one is the best for all pairs."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from kerasvision.tasks.multi_label.thresholds import best_threshold, best_thresholds, shared_threshold


@pytest.fixture(scope="module")
def split():
    """Truth and scores of 300 images and 4 tags; the last tag is in 3 images."""
    random = np.random.default_rng(0)
    truth = random.random((300, 4)) < [0.5, 0.2, 0.1, 0.0]
    truth[:3, 3] = True
    scores = 1 / (1 + np.exp(-(2.0 * truth + random.normal(-1.5, 1.0, truth.shape))))
    return truth, scores.astype(np.float32)


def test_no_threshold_has_a_better_f1_than_the_one_of_a_tag(split):
    truth, scores = split
    for tag in range(3):
        found = best_threshold(truth[:, tag], scores[:, tag])
        tried = [f1_score(truth[:, tag], scores[:, tag] >= at) for at in np.unique(scores[:, tag])]
        assert f1_score(truth[:, tag], scores[:, tag] >= found) == pytest.approx(max(tried))
        # Halfway between two scores: rounding of a score does not change an answer.
        assert np.abs(scores[:, tag] - found).min() > 1e-5


@pytest.mark.slow
def test_no_threshold_has_a_better_micro_f1_than_the_shared_one(split):
    truth, scores = split
    found = shared_threshold(truth, scores)
    tried = max(f1_score(truth.ravel(), scores.ravel() >= at) for at in np.linspace(0.001, 0.999, 999))
    assert f1_score(truth.ravel(), scores.ravel() >= found) >= tried - 1e-9


def test_a_tag_of_few_images_shares_its_threshold(split):
    truth, scores = split
    found = best_thresholds(truth, scores, kind="per_tag")
    assert found[3] == np.float32(shared_threshold(truth, scores))
    assert found[0] == np.float32(best_threshold(truth[:, 0], scores[:, 0]))
    assert len(set(best_thresholds(truth, scores, kind="shared"))) == 1


def test_without_truth_or_if_asked_the_threshold_is_a_half(split):
    truth, scores = split
    assert set(best_thresholds(truth, scores, kind="half")) == {0.5}
    assert set(best_thresholds(np.zeros_like(truth), scores, kind="per_tag")) == {0.5}


def test_equal_scores_are_all_answered():
    truth, scores = np.array([True, True, False, True]), np.array([0.5, 0.5, 0.5, 0.5], np.float32)
    assert best_threshold(truth, scores) == 0.25
    scores = np.array([1.0, 1.0, 1.0, 0.0], np.float32)
    assert 0 <= best_threshold(truth, scores) <= 1
    neighbours = np.array([np.nextafter(np.float32(0.5), np.float32(1)), 0.5], np.float32)
    assert best_threshold(np.array([True, False]), neighbours) == neighbours[0]
