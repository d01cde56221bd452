"""Region proposals: the weights of the head, the anchors, the boxes and the suppression, against TensorFlow's operations."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.models.anchors import pyramid_anchors
from kerasvision.models.proposals import (
    Anchored,
    anchors_of,
    best_proposals,
    changed,
    region_proposal_network,
    taken,
    unrivalled,
)
from kerasvision.models.windows import window_proposals
from kerasvision.ops.boxes import from_deltas
from kerasvision.ops.regions import roi_max_pool

RANDOM = np.random.default_rng(0)


def random_boxes(images, count, *, side=32.0):
    """Crowded boxes inside an image: their corners and sides are close to each other."""
    low = RANDOM.uniform(0, side / 2, size=(images, count, 2))
    sides = RANDOM.uniform(side / 8, side / 2, size=(images, count, 2))
    return np.concatenate([low, low + sides], axis=-1).astype("float32")


def kept_by_tensorflow(boxes, wanted, overlap):
    """bool (M,): what greedy suppression keeps of falling scores."""
    scores = np.where(wanted, np.linspace(1, 0.1, len(boxes)), -1).astype("float32")
    chosen = tf.image.non_max_suppression(boxes, scores, len(boxes), overlap, score_threshold=0.0)
    kept = np.zeros(len(boxes), bool)
    kept[chosen.numpy()] = True
    return kept


def test_the_head_of_the_paper_has_2387510_weights():
    x = keras.Input((4, 4, 512))
    found = region_proposal_network([(x, 16, anchors_of((128, 256, 512)))], channels=512, objectness="softmax")
    assert keras.Model(x, list(found[:3])).count_params() == 2_387_510


def test_the_anchors_are_those_of_the_pyramid():
    """Of the same stride, sizes and ratios."""
    x = keras.Input((2, 3, 4))
    found = region_proposal_network([(x, 8, anchors_of((32, 40)))], channels=4, objectness="logistic")
    anchors = keras.Model(x, found.anchors)(np.zeros((2, 2, 3, 4), "float32"))
    expected = pyramid_anchors({"p3": (2, 3)}, scales=(1.0, 1.25))
    np.testing.assert_array_equal(anchors, np.stack([expected] * 2))


def test_softmax_of_two_scores_is_the_sigmoid_of_what_is_returned():
    x = keras.Input((1, 1, 2))
    found = region_proposal_network([(x, 8, anchors_of((8,))[:1])], channels=2, objectness="softmax")
    model = keras.Model(x, found.objectness)
    layer = model.get_layer("objectness")
    values = np.ones((1, 1, 1, 2), "float32")
    two = np.ravel(keras.Model(x, layer.output)(values))
    assert keras.ops.sigmoid(model(values)).numpy().item() == pytest.approx(tf.nn.softmax(two).numpy()[1], rel=1e-5)


def test_boxes_change_as_in_the_task():
    anchors, deltas = random_boxes(1, 20), RANDOM.normal(scale=2, size=(1, 20, 4)).astype("float32")
    np.testing.assert_allclose(changed(anchors, deltas), from_deltas(anchors[0], deltas), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("overlap", [0.3, 0.5, 0.7])
def test_suppression_keeps_what_tensorflow_keeps(overlap):
    boxes, wanted = random_boxes(4, 150), RANDOM.uniform(size=(4, 150)) > 0.1
    kept = unrivalled(boxes, is_wanted=wanted, overlap=overlap).numpy()
    expected = [kept_by_tensorflow(*one, overlap) for one in zip(boxes, wanted, strict=True)]
    np.testing.assert_array_equal(kept, expected)


def test_in_a_longer_chain_than_it_settles_no_two_kept_boxes_overlap():
    """Each of 40 boxes overlaps its neighbours alone, so every second one remains; the first of them are certain."""
    low = np.arange(40, dtype="float32")
    boxes = np.stack([0 * low, low, 0 * low + 1, low + 3], axis=-1)[None]
    kept = unrivalled(boxes, is_wanted=np.ones((1, 40), bool), overlap=0.45).numpy()[0]
    assert kept[:10].tolist() == [True, False] * 5
    assert not (kept[1:] & kept[:-1]).any()


def anchored(boxes, scores, counts):
    return Anchored(boxes, np.asarray(scores, "float32"), np.zeros_like(boxes), counts)


def test_the_best_boxes_of_all_maps_come_first_and_those_of_two_maps_do_not_drop_each_other():
    boxes = np.array([[[0, 0, 8, 8], [0, 0, 8, 7.5], [4, 4, 40, 8], [0, 0, 8, 8]]], "float32")
    found = anchored(boxes, [[1.0, 3.0, -2.0, 2.0]], (3, 1))
    proposals = best_proposals(found, image_size=(32, 32), count=4, candidates=3).numpy()[0]
    # The second box drops the first; the third is cut at the edge of the image; the last is of another map.
    assert proposals.tolist() == [[0, 0, 8, 7.5], [0, 0, 8, 8], [4, 4, 32, 8], [0, 0, 0, 0]]


def test_boxes_outside_the_image_are_no_proposals():
    boxes = np.array([[[40, 40, 50, 50], [-9, 0, 0.5, 9], [2, 2, 9, 9]]], "float32")
    proposals = best_proposals(anchored(boxes, [[3.0, 2.0, 1.0]], (3,)), image_size=(32, 32), count=2, candidates=3)
    assert proposals.numpy()[0].tolist() == [[2, 2, 9, 9], [0, 0, 0, 0]]


def test_no_gradient_flows_through_the_proposals():
    boxes, scores = tf.constant(random_boxes(1, 6)), tf.constant([[1.0, 2, 3, 4, 5, 6]])
    deltas = tf.zeros_like(boxes)
    with tf.GradientTape() as tape:
        tape.watch([scores, deltas])
        proposals = best_proposals(Anchored(boxes, scores, deltas, (6,)), image_size=(32, 32), count=3, candidates=6)
        total = tf.reduce_sum(proposals)
    assert tape.gradient(total, [scores, deltas]) == [None, None]


def in_a_model(function, *arrays):
    """What a function gives on symbolic tensors; there, a sum follows Keras' own rule."""
    inputs = [keras.Input(array.shape[1:], dtype=array.dtype) for array in arrays]
    return keras.Model(inputs, function(*inputs))([*arrays]).numpy()


def test_in_a_model_as_many_boxes_as_images_are_suppressed_too():
    boxes = random_boxes(6, 6)
    wanted = np.ones((6, 6), bool)
    found = in_a_model(lambda *given: unrivalled(given[0], is_wanted=given[1], overlap=0.5), boxes, wanted)
    assert found.tolist() == [kept_by_tensorflow(*one, 0.5).tolist() for one in zip(boxes, wanted, strict=True)]
    assert not found.all()


@pytest.mark.parametrize("images", [1, 3, 4])
def test_in_a_model_rows_are_taken_from_their_own_image(images):
    x = np.arange(images * 5 * 2, dtype="float32").reshape(images, 5, 2)
    places = RANDOM.integers(0, 5, size=(images, 4)).astype("int32")
    np.testing.assert_array_equal(in_a_model(taken, x, places), np.take_along_axis(x, places[..., None], axis=1))


@pytest.mark.parametrize("images", [1, 2, 3])
def test_in_a_model_regions_are_pooled_from_their_own_image(images):
    x = RANDOM.normal(size=(images, 4, 4, 3)).astype("float32")
    boxes = random_boxes(images, 3, side=4.0)
    pool = partial(roi_max_pool, stride=1, size=3)
    np.testing.assert_array_equal(in_a_model(pool, x, boxes), pool(x, boxes))


def test_in_a_model_a_window_of_a_square_image_is_anywhere():
    image = np.zeros((2, 32, 32, 1), "float32")
    image[0, 8:16, 4:12], image[1, 4:12, 20:28] = 1.0, 1.0
    found = in_a_model(lambda given: window_proposals(given, sides=(8,), count=1), image)
    assert found.tolist() == [[[8.0, 4.0, 16.0, 12.0]], [[4.0, 20.0, 12.0, 28.0]]]


def test_in_a_model_a_square_map_with_one_anchor_has_it_everywhere():
    x = keras.Input((3, 3, 4))
    found = region_proposal_network([(x, 8, anchors_of((16,))[:1])], channels=4, objectness="logistic")
    boxes = keras.Model(x, found.anchors)(np.zeros((1, 3, 3, 4), "float32")).numpy()[0]
    middles = ((boxes[:, :2] + boxes[:, 2:]) / 2).tolist()
    assert {tuple(middle) for middle in middles} == {(8.0 * row, 8.0 * column) for row in range(3) for column in range(3)}
