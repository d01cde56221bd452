"""Labels that were changed on purpose are found, and the rule is that of confident learning."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from kerasvision.data.embedding.neighbours import nearest_of_each
from kerasvision.data.embedding.principal_components import principal_components
from kerasvision.data.embedding.suspects import agreement, suspects


@pytest.fixture(scope="module")
def digits():
    """The coordinates of scikit-learn's digits, and their labels."""
    images, labels = load_digits(return_X_y=True)
    return principal_components([images], most=50).project(images), labels.astype(np.int64)


def test_changed_labels_of_the_digits_are_the_first_suspects(digits):
    coordinates, labels = digits
    random = np.random.default_rng(0)
    changed = random.permutation(len(labels))[:90]  # 5 %
    given = labels.copy()
    given[changed] = (labels[changed] + random.integers(1, 10, 90)) % 10
    found = suspects(nearest_of_each(coordinates, most=20).index, given)
    # At random it would be 0.05.
    assert np.isin(changed, found.image[:90]).mean() >= 0.9
    is_changed = np.isin(found.image, changed)
    assert (found.suggested == labels[found.image])[is_changed].mean() >= 0.95


def test_suspects_follow_the_rule_image_by_image():
    random = np.random.default_rng(1)
    labels = random.integers(0, 4, 60)
    # Images of the same label are near more often, by chance.
    apart = random.uniform(size=(60, 60)) - 0.15 * (labels[:, None] == labels) + 9 * np.eye(60)
    index = np.argsort(apart, axis=1)[:, :7]
    share = np.array([[np.mean(labels[row] == label) for label in range(4)] for row in index])
    own = share[np.arange(60), labels]
    threshold = [own[labels == label].mean() for label in range(4)]
    expected, confident = set(), set()
    for one in range(60):
        others = [label for label in range(4) if label != labels[one] and share[one, label] > own[one]]
        expected |= {one} if others else set()
        confident |= {one} if any(share[one, label] >= threshold[label] - 1e-9 for label in others) else set()
    found = suspects(index, labels)
    assert set(found.image.tolist()) == expected
    assert set(found.image[found.is_confident].tolist()) == confident
    assert 0 < len(confident) < len(expected)
    assert (np.diff(found.given_share) >= 0).all()
    np.testing.assert_allclose(found.suggested_share, share[found.image, found.suggested])


def test_a_class_with_one_image_makes_no_other_image_suspicious():
    # Image 3 is the only one of its class, next to three of another.
    found = suspects(np.int64([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]), np.int64([0, 0, 0, 1]))
    assert found.image.tolist() == [3]


def test_agreement_counts_the_labels_of_neighbours():
    labels = np.int64([0, 0, 2, 2])  # class 1 has no image
    shares, others = agreement(np.int64([[1, 2], [0, 3], [3, 1], [2, 0]]), labels)
    np.testing.assert_allclose(shares, [0.5, 0.0, 0.5])
    assert others.tolist() == [2, -1, 0]
