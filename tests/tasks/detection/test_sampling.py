"""Which anchors and regions learn: by overlap, and of those a random sample that depends on the image alone."""

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasvision.tasks.detection.assigning import BACKGROUND, IGNORED, Truth
from kerasvision.tasks.detection.sampling import assigned_by_iou, sampled

EIGHT = [0.0, 0.0, 8.0, 8.0]


def truth(*boxes, crowds=()):
    """Objects of one image; the last row is padding."""
    boxes = np.array([*boxes, [0, 0, 0, 0]], "float32")[None]
    classes = np.array([[*range(boxes.shape[1] - 1), -1]], "int32")
    crowd = np.array([[number in crowds for number in range(boxes.shape[1])]])
    return Truth(tf.constant(boxes), tf.constant(classes), tf.constant(crowd))


def assigned(boxes, objects, **options):
    options = {"enough": 0.7, "too_little": 0.3, "with_best": False, **options}
    return assigned_by_iou(tf.constant([boxes], tf.float32), objects, **options).numpy()[0].tolist()


def test_a_box_learns_the_object_with_the_largest_iou_from_a_bound_on():
    # IoU with the first object: 1, 6/8, 4/8, 2/8.
    boxes = [EIGHT, [0, 0, 8, 6], [0, 0, 8, 4], [0, 0, 8, 2]]
    assert assigned(boxes, truth(EIGHT, [20, 20, 30, 30])) == [0, 0, IGNORED, BACKGROUND]
    assert assigned(boxes, truth(EIGHT), enough=0.5, too_little=0.5) == [0, 0, 0, BACKGROUND]


def test_the_best_boxes_of_an_object_learn_it_whatever_their_iou():
    boxes = [[0, 0, 8, 2], [0, 0, 2, 8], [0, 0, 8, 1]]
    assert assigned(boxes, truth(EIGHT), with_best=True) == [0, 0, BACKGROUND]


def test_an_object_that_no_box_touches_makes_no_box_its_best():
    assert assigned([EIGHT, [0, 0, 4, 4]], truth([20, 20, 30, 30]), with_best=True) == [BACKGROUND] * 2


def test_background_in_a_crowd_and_boxes_without_area_learn_nothing():
    boxes = [[10, 10, 14, 14], [30, 30, 34, 34], [5, 5, 5, 9]]
    assert assigned(boxes, truth([0, 0, 20, 20], crowds={0})) == [IGNORED, BACKGROUND, IGNORED]


def test_images_without_objects_have_background_alone():
    assert assigned([EIGHT, [0, 0, 4, 4]], truth(), with_best=True) == [BACKGROUND] * 2


@settings(max_examples=25, deadline=None)
@given(positives=st.integers(0, 30), background=st.integers(0, 30), count=st.integers(2, 24), seed=st.integers(0, 99))
def test_a_sample_has_as_many_boxes_as_asked_for_if_there_are_enough(positives, background, count, seed):
    random = np.random.default_rng(seed)
    values = np.full(60, IGNORED, "int32")
    values[:positives], values[30 : 30 + background] = 3, BACKGROUND
    values = random.permutation(values)[None]
    numbers = tf.constant(random.uniform(size=(1, 2)), tf.float32)
    sample = sampled(tf.constant(values), numbers, count=count, positive_share=0.25, stream=0)
    positive, counted = sample.positive.numpy()[0], sample.counted.numpy()[0]
    assert (values[0][positive] == 3).all()
    assert (values[0][counted & ~positive] == BACKGROUND).all()
    wanted = min(positives, count // 4)
    assert positive.sum() == wanted
    assert counted.sum() == wanted + min(background, count - wanted)


def test_the_sample_of_an_image_is_the_same_alone_and_in_a_batch_and_differs_between_streams():
    random = np.random.default_rng(0)
    values = tf.constant(random.choice([BACKGROUND, 0], size=(6, 200)), tf.int32)
    numbers = tf.constant(random.uniform(size=(6, 2)), tf.float32)
    whole = sampled(values, numbers, count=20, positive_share=0.5, stream=0).counted.numpy()
    alone = [sampled(values[n : n + 1], numbers[n : n + 1], count=20, positive_share=0.5, stream=0) for n in range(6)]
    np.testing.assert_array_equal(whole, np.concatenate([one.counted.numpy() for one in alone]))
    other = sampled(values, numbers, count=20, positive_share=0.5, stream=1).counted.numpy()
    assert (whole != other).any(axis=1).all()
    assert (whole[0] != whole[1]).any()


def test_every_box_is_chosen_about_equally_often():
    """20 of 100 in 400 images: each 80 times, with a deviation of 8."""
    numbers = tf.constant(np.random.default_rng(1).uniform(size=(400, 2)), tf.float32)
    values = tf.fill([400, 100], BACKGROUND)
    times = sampled(values, numbers, count=20, positive_share=0.5, stream=0).counted.numpy().sum(axis=0)
    assert (abs(times - 80) < 40).all()
    assert 5 < times.std() < 11


def test_no_more_than_the_share_have_an_object():
    # Half of 3 and a quarter of 6 are 1.5.
    for count, share in ((3, 0.5), (6, 0.25)):
        found = sampled(tf.zeros((1, 8), tf.int32), tf.constant([[0.1, 0.2]]), count=count, positive_share=share, stream=0)
        assert found.positive.numpy().sum() == 1
