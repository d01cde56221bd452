"""Weighted boxes fusion of the answers of two models, worked out by hand."""

import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.errors import DataError
from kerasvision.tasks.base import make_task

CAT, DOG = 0, 1


def fused(*predictions, names=("cat", "dog")):
    return make_task(c.Detection(), names).averaged(predictions)


def test_boxes_that_both_models_found_are_averaged_and_others_lose_half_their_score(answered):
    one = answered([[((10, 10, 30, 30), CAT, 0.8), ((60, 60, 90, 90), DOG, 0.6)], []])
    other = answered([[((10, 10, 30, 34), CAT, 0.4)], [((0, 0, 9, 9), DOG, 0.5)]])
    found = fused(one, other)
    assert found["count"].tolist() == [2, 1]
    # (0.8 * 30 + 0.4 * 34) / 1.2
    np.testing.assert_allclose(found["boxes"][0, 0] * 100, [10, 10, 30, 31.3333], atol=1e-3)
    np.testing.assert_allclose(found["scores"][0, :2], [0.6, 0.3], atol=1e-6)
    assert found["classes"][0, :2].tolist() == [b"cat", b"dog"]
    assert found["scores"][1, 0] == pytest.approx(0.25)
    assert found["image_size"].tolist() == [[100, 100]] * 2


def test_boxes_of_two_classes_are_two_things(answered):
    box = (10, 10, 30, 30)
    found = fused(answered([[(box, CAT, 0.8)]] * 2), answered([[(box, DOG, 0.8)]] * 2))
    # There are as many rows as in the first answers.
    assert found["count"].tolist() == [1, 1]
    np.testing.assert_allclose(found["scores"], 0.4, atol=1e-6)


def test_one_model_alone_keeps_its_answers(answered):
    one = answered([[((10, 10, 30, 30), CAT, 0.8), ((60, 60, 90, 90), DOG, 0.6)]])
    found = fused(one)
    for name, value in one.items():
        if value.dtype == object:
            assert found[name].tolist() == value.tolist()
        else:
            np.testing.assert_allclose(found[name], value, atol=1e-6)


def test_models_of_other_classes_are_refused(answered):
    with pytest.raises(DataError, match="remove it there"):
        fused(answered([[((10, 10, 30, 30), CAT, 0.8)]], names=("cow", "dog")))
