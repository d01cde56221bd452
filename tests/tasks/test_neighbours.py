"""Nearest neighbours choose their number and distance on images that they do not know."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from kerasvision.tasks.classification.neighbours import ChosenNeighbours

RANDOM = np.random.default_rng(0)
CENTRES = RANDOM.normal(size=(4, 6))


def points(count):
    labels = RANDOM.integers(0, 4, count)
    return (CENTRES[labels] + RANDOM.normal(size=(count, 6), scale=0.9)).astype("float32"), labels


KNOWN, OTHERS, UNSEEN = points(120), points(60), points(50)


@pytest.fixture(scope="module")
def chosen():
    model = ChosenNeighbours().fit(*KNOWN)
    return model, model.choose(*OTHERS)


def test_every_choice_has_the_accuracy_of_scikit_learns_classifier(chosen):
    _, table = chosen
    assert len(table) == 3 * 7
    names = {"L1": "manhattan", "L2": "euclidean", "cosine": "cosine"}
    for row in table.itertuples():
        theirs = KNeighborsClassifier(row.k, metric=names[row.distance], algorithm="brute").fit(*KNOWN)
        assert row.accuracy == pytest.approx(theirs.score(*OTHERS)), row


def test_the_best_choice_answers(chosen):
    model, table = chosen
    assert table["accuracy"].is_monotonic_decreasing
    assert (model.distance_, model.number_) == (table["distance"][0], table["k"][0])
    names = {"L1": "manhattan", "L2": "euclidean", "cosine": "cosine"}
    theirs = KNeighborsClassifier(model.number_, metric=names[model.distance_], algorithm="brute").fit(*KNOWN)
    np.testing.assert_array_equal(model.predict(UNSEEN[0]), theirs.predict(UNSEEN[0]))


def test_without_other_images_five_neighbours_vote_by_their_euclidean_distance():
    model = ChosenNeighbours().fit(*KNOWN)
    theirs = KNeighborsClassifier(5).fit(*KNOWN)
    np.testing.assert_array_equal(model.predict(UNSEEN[0]), theirs.predict(UNSEEN[0]))


def test_no_more_neighbours_are_tried_than_images_are_known():
    few = ChosenNeighbours().fit(KNOWN[0][:4], KNOWN[1][:4])
    assert len(few.predict(UNSEEN[0])) == 50
    assert set(few.choose(*OTHERS)["k"]) == {1, 3}
