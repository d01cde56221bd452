"""Detectors without a network: on pictures of a bright square or bar they find what they should."""

import numpy as np
import pytest

from kerasvision.config import Detection
from kerasvision.tasks.base import make_task
from kerasvision.tasks.detection.truth import ImageObjects

NAMES = ("square", "bar", "never")


def pictures(count, *, seed):
    """Dark pictures of 24 x 24 with a bright square or bar, or nothing."""
    random, images, truth = np.random.default_rng(seed), np.zeros((count, 24, 24, 3), np.float32), np.empty(count, object)
    images += random.uniform(0, 0.1, images.shape)
    for row in range(count):
        number = row % 3
        height, width = ((8, 8), (4, 16), (0, 0))[number]
        top, left = random.integers(0, 24 - height), random.integers(0, 24 - width)
        images[row, top : top + height, left : left + width] = 0.9
        boxes = np.array([[top, left, top + height, left + width]], float) / 24
        kept = slice(0, int(number < 2))
        truth[row] = ImageObjects(boxes[kept], np.array([number])[kept], np.array([False])[kept], np.array([64.0])[kept])
    return images, truth


@pytest.mark.parametrize(("name", "least"), [("regions by colour", 0.95), ("commonest boxes", 0.001)])
def test_simple_detectors_are_judged_as_the_network_is(name, least):
    task = make_task(Detection(), NAMES)
    answer = task.baselines()[name](*pictures(30, seed=0))
    images, truth = pictures(30, seed=1)
    judgement = task.judge(ids=[str(row) for row in range(30)], truth=truth, predictions=answer(images))
    assert judgement.scores["box_average_precision"] >= least


def test_all_images_get_the_commonest_boxes():
    answers = make_task(Detection(), NAMES).baselines()["commonest boxes"](*pictures(30, seed=0))(np.zeros((2, 24, 24, 3)))
    assert answers["count"].tolist() == [10, 10]
    assert (answers["boxes"][0] == answers["boxes"][1]).all()
    assert set(answers["classes"].ravel()) == {b"square", b"bar"}


def test_pictures_of_one_colour_have_no_regions():
    answers = make_task(Detection(), NAMES).baselines()["regions by colour"](*pictures(30, seed=0))(np.ones((1, 24, 24, 3)))
    assert answers["count"].tolist() == [0]


@pytest.mark.parametrize("name", ["regions by colour", "commonest boxes"])
def test_training_images_without_objects_teach_to_find_nothing(name):
    images, truth = pictures(3, seed=0)
    answers = make_task(Detection(), NAMES).baselines()[name](images[2:], truth[2:])(images)
    assert answers["count"].tolist() == [0, 0, 0]
