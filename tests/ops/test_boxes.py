"""Boxes as tensors: overlaps and codes of networks, compared with pycocotools."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from kerasvision.ops.boxes import (
    areas,
    clipped,
    complete_iou,
    distance_iou,
    from_deltas,
    from_distances,
    generalized_iou,
    iou,
    pairwise_iou,
    to_deltas,
    to_distances,
)

OVERLAPS = (iou, generalized_iou, distance_iou, complete_iou)
A = 7

# Few different numbers: equal boxes and boxes of no area are common.
coordinates = st.integers(0, 4)
corners = st.tuples(coordinates, coordinates, coordinates, coordinates).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)
some_boxes = st.lists(corners, min_size=A, max_size=A).map(lambda rows: np.array(rows, np.float32))


@settings(max_examples=50, deadline=None)
@given(some_boxes, some_boxes)
def test_iou_is_that_of_pycocotools(first, second):
    # pycocotools takes left, top, width, height.
    theirs = [np.concatenate([boxes[:, 1::-1], boxes[:, 3:1:-1] - boxes[:, 1::-1]], axis=1) for boxes in (first, second)]
    expected = coco.iou(*(boxes.astype("float64") for boxes in theirs), [0] * A)
    # Of two boxes without area, pycocotools divides by zero.
    expected = np.where(areas(first).numpy()[:, None] + areas(second).numpy() > 0, expected, 0)
    np.testing.assert_allclose(pairwise_iou(first, second), expected, atol=1e-6)
    np.testing.assert_allclose(iou(first, second), np.diagonal(expected), atol=1e-6)


def test_pairs_are_made_within_each_image():
    random = np.random.default_rng(0)
    first, second = random.uniform(0, 1, (2, 3, 4)), random.uniform(0, 1, (2, 5, 4))
    both = pairwise_iou(first, second)
    assert both.shape == (2, 3, 5)
    np.testing.assert_array_equal(both[1], pairwise_iou(first[1], second[1]))


# Of 2 x 2 and 2 x 2, moved by 1 along both axes: shared 1, union 7; around them 3 x 3, with a squared diagonal of 18;
# the squared distance of the centres is 2. Both are squares.
MOVED = ([0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0])
# 4 high and 2 wide, and 2 high and 4 wide, with one corner in common: shared 4, union 12; around them 4 x 4, with a squared
# diagonal of 32; the centres (2, 1) and (1, 2) have a squared distance of 2. The angles are atan(1/2) and atan(2).
TURNED = ([0.0, 0.0, 4.0, 2.0], [0.0, 0.0, 2.0, 4.0])
V = 4 / math.pi**2 * (math.atan(2) - math.atan(0.5)) ** 2
# 2 x 2 and 1 x 1 with a gap of 1 along x: shared 0, union 5; around them 2 x 4; centres (1, 1) and (0.5, 3.5).
APART = ([0.0, 0.0, 2.0, 2.0], [0.0, 3.0, 1.0, 4.0])


@pytest.mark.parametrize(
    ("overlap", "boxes", "expected"),
    [
        (iou, MOVED, 1 / 7),
        (generalized_iou, MOVED, 1 / 7 - 2 / 9),
        (distance_iou, MOVED, 1 / 7 - 2 / 18),
        (complete_iou, MOVED, 1 / 7 - 2 / 18),
        (iou, TURNED, 4 / 12),
        (generalized_iou, TURNED, 4 / 12 - 4 / 16),
        (distance_iou, TURNED, 4 / 12 - 2 / 32),
        (complete_iou, TURNED, 4 / 12 - 2 / 32 - V * V / (1 - 4 / 12 + V)),
        (iou, APART, 0),
        (generalized_iou, APART, -3 / 8),
        (distance_iou, APART, -6.5 / 20),
        (complete_iou, APART, -6.5 / 20),
    ],
)
def test_overlaps_computed_by_hand(overlap, boxes, expected):
    assert overlap(*boxes).numpy().item() == pytest.approx(expected, abs=1e-6)


POINT, LINE, SQUARE = [1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 2.0, 1.0], [0.0, 0.0, 2.0, 2.0]
PAIRS = [(a, b) for a in (POINT, LINE, SQUARE, [2.0, 2.0, 0.0, 0.0]) for b in (POINT, LINE, SQUARE)]


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_gradient_is_finite_for_equal_boxes_and_boxes_of_no_area(overlap):
    a, b = tf.constant([pair[0] for pair in PAIRS]), tf.constant([pair[1] for pair in PAIRS])
    with tf.GradientTape() as tape:
        tape.watch([a, b])
        values = overlap(a, b)
    assert np.isfinite(values).all()
    for gradient in tape.gradient(values, [a, b]):
        assert np.isfinite(gradient).all(), gradient


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_a_box_overlaps_itself_whole(overlap):
    assert overlap(SQUARE, SQUARE).numpy().item() == 1.0


@pytest.mark.parametrize("overlap", OVERLAPS[1:])
def test_boxes_apart_are_drawn_together(overlap):
    box = tf.constant(APART[1])
    with tf.GradientTape() as tape:
        tape.watch(box)
        value = overlap(APART[0], box)
    gradient = tape.gradient(value, box).numpy()
    assert gradient[1] < 0  # further left is better
    assert overlap(APART[0], box - [0, 0.1, 0, 0.1]) > value


def test_distances_reach_from_a_point_to_the_sides_and_back():
    points, boxes = [[4.0, 4.0], [12.0, 4.0]], [[[1.0, 2.0, 7.0, 9.0], [0.0, 0.0, 10.0, 10.0]]]
    distances = to_distances(points, boxes)
    # The second point lies 2 below its box.
    assert distances.numpy().tolist() == [[[3.0, 2.0, 3.0, 5.0], [12.0, 4.0, -2.0, 6.0]]]
    assert from_distances(points, distances).numpy().tolist() == boxes


@settings(max_examples=25, deadline=None)
@given(some_boxes, some_boxes)
def test_deltas_give_the_box_back(anchors, boxes):
    anchors[:, 2:] += 0.5
    deltas = to_deltas(anchors, boxes[np.newaxis])
    assert np.isfinite(deltas).all()
    np.testing.assert_allclose(from_deltas(anchors, deltas)[0], boxes, atol=1e-5)


def test_a_huge_growth_is_limited_to_that_of_torchvision():
    box = from_deltas([[0.0, 0.0, 16.0, 16.0]], [[[0.0, 0.0, 99.0, 0.0]]])
    np.testing.assert_allclose(box, [[[8 - 500, 0, 8 + 500, 16]]], rtol=1e-5)


def test_half_precision_is_computed_in_float32():
    box = tf.cast([0.0, 0.0, 2.0, 2.0], tf.bfloat16)
    assert iou(box, box).dtype == areas(box).dtype == clipped(box).dtype == tf.float32
