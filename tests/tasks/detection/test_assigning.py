"""Which point or anchor learns which object, worked out by hand on grids of a few cells."""

import numpy as np
import tensorflow as tf

from kerasvision.tasks.detection.assigning import (
    BACKGROUND,
    IGNORED,
    Truth,
    by_alignment,
    by_best_overlap,
    by_cell,
    by_overlap,
    by_place_and_size,
)
from kerasvision.tasks.detection.readings import Grid, Readings, grid


def truth(*objects, crowd=()):
    """One image with these (box, class number)."""
    return Truth(
        tf.constant([[box for box, _ in objects]], tf.float32),
        tf.constant([[number for _, number in objects]], tf.int32),
        tf.constant([[place in crowd for place in range(len(objects))]]),
    )


# Points of stride 8 at 4, 12, 20, 28 along both axes; the first row of a 4 x 4 grid is y = 4.
POINTS = grid({"p3": (4, 4)})


def assigned(*objects, crowd=(), points=POINTS):
    return by_place_and_size(points, truth(*objects, crowd=crowd)).numpy()[0]


def test_points_near_the_centre_and_inside_learn_a_box():
    # The centre is (16, 16): all four points around it are 4 pixels away, the next ones 12 = 1.5 strides, which is too far.
    found = assigned(([2.0, 2.0, 30.0, 30.0], 0)).reshape(4, 4)
    assert (found == np.pad(np.zeros((2, 2)), 1, constant_values=BACKGROUND)).all()


def test_of_two_boxes_at_a_point_the_smaller_one_is_learned():
    found = assigned(([0.0, 0.0, 32.0, 32.0], 0), ([8.0, 8.0, 24.0, 24.0], 1)).reshape(4, 4)
    assert (found[1:3, 1:3] == 1).all()


def test_each_level_learns_boxes_of_its_size():
    # The farthest side of the large box is at least 40 pixels away: more than 4 strides of 8, so level 4 learns it.
    points = grid({"p3": (10, 10), "p4": (5, 5)})
    small, large = ([8.0, 8.0, 24.0, 24.0], 0), ([0.0, 0.0, 140.0, 140.0], 1)
    found = assigned(small, large, points=points)
    assert {*found[points.levels == 0]} == {BACKGROUND, 0}
    assert {*found[points.levels == 1]} == {BACKGROUND, 1}


def test_crowds_are_ignored_and_their_surroundings_are_background():
    found = assigned(([0.0, 0.0, 16.0, 16.0], 0), crowd={0}).reshape(4, 4)
    assert (found[:2, :2] == IGNORED).all()
    assert (found == IGNORED).sum() == 4


def test_padding_and_boxes_of_no_area_are_not_learned():
    assert (assigned(([4.0, 4.0, 4.0, 20.0], 0), ([0.0, 0.0, 32.0, 32.0], -1)) == BACKGROUND).all()


def anchors(*boxes):
    boxes = np.array(boxes, np.float32)
    centres, count = (boxes[:, :2] + boxes[:, 2:]) / 2, len(boxes)
    return Grid("anchors", centres, np.full(count, 8, np.float32), np.zeros(count, np.int32), ("p3",), boxes)


def test_anchors_learn_by_overlap_and_each_box_has_at_least_one():
    of = anchors([0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 4.5], [0, 0, 10, 3], [60, 60, 70, 66])
    found = by_overlap(of, truth(([0.0, 0.0, 10.0, 10.0], 0), ([60.0, 60.0, 80.0, 80.0], 1)))
    # IoU with the first box: 1, 0.5, 0.45, 0.3, 0. The last anchor has an IoU of 0.15 with the second, the most of all.
    assert found.numpy()[0].tolist() == [0, 0, IGNORED, BACKGROUND, 1]


def test_anchors_without_any_object_are_background():
    assert (by_overlap(anchors([0, 0, 10, 10]), truth(([0.0, 0.0, 0.0, 0.0], -1))).numpy() == BACKGROUND).all()


def test_default_boxes_learn_by_overlap_and_the_best_one_of_each_object_always():
    of = anchors([0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 4.5], [60, 60, 70, 66], [0, 0, 9, 10])
    found = by_best_overlap(of, truth(([0.0, 0.0, 10.0, 10.0], 0), ([60.0, 60.0, 80.0, 80.0], 1)))
    # IoU with the first object: 1, 0.5, 0.45, 0, 0.9. The fourth has an IoU of 0.15 with the second, the most of all.
    assert found.numpy()[0].tolist() == [0, 0, BACKGROUND, 1, 0]


def test_a_default_box_that_is_the_best_of_two_objects_learns_the_last_one_even_if_the_first_fits_better():
    of = anchors([0, 0, 10, 10], [40, 40, 50, 50])
    found = by_best_overlap(of, truth(([0.0, 0.0, 10.0, 9.0], 0), ([0.0, 0.0, 10.0, 4.0], 1)))
    assert found.numpy()[0].tolist() == [1, BACKGROUND]


def test_default_boxes_without_any_object_or_within_a_crowd():
    of = anchors([0, 0, 10, 10], [40, 40, 50, 50])
    assert (by_best_overlap(of, truth(([0.0, 0.0, 0.0, 0.0], -1))).numpy() == BACKGROUND).all()
    crowd = by_best_overlap(of, truth(([0.0, 0.0, 20.0, 20.0], 0), crowd={0}))
    assert crowd.numpy()[0].tolist() == [IGNORED, BACKGROUND]


def cells(*sizes, per_cell=2):
    """Two rows of three cells of 8 pixels. Every box is at the middle of its cell, with a (height, width) of `sizes`."""
    one = grid({"p3": (2, 3)}, kind="cells", per_cell=per_cell)
    roots = np.sqrt(np.tile(sizes, (6, 1)) / np.array([16, 24]))
    places = np.concatenate([np.full((6 * per_cell, 2), 0.5), roots], axis=1)
    return Readings(one, tf.zeros((1, 6 * per_cell, 2)), tf.constant(places[None], tf.float32), None)


def test_the_cell_of_the_centre_learns_an_object_by_the_box_that_overlaps_it_most():
    # The centres are 6, 14 in the second cell, and 12, 20 in the sixth. The first is 6 x 12, the second 8 x 4.
    found = by_cell(cells((6, 8), (8, 4)), truth(([3.0, 8.0, 9.0, 20.0], 0), ([8.0, 18.0, 16.0, 22.0], 1)))
    assert found.numpy().reshape(6, 2).tolist() == [[-1, -1], [0, -1], [-1, -1], [-1, -1], [-1, -1], [-1, 1]]


def test_of_two_objects_in_a_cell_the_larger_one_is_learned():
    found = by_cell(cells((4, 4), (6, 6)), truth(([2.0, 2.0, 6.0, 6.0], 0), ([1.0, 1.0, 7.0, 7.0], 1)))
    assert found.numpy().reshape(6, 2)[0].tolist() == [-1, 1]


def test_of_boxes_that_do_not_overlap_the_object_the_nearest_learns_it():
    # In the corner of the first cell; both boxes are around its middle, and the second is smaller, like the object.
    found = by_cell(cells((4, 4), (2, 2)), truth(([0.0, 0.0, 1.0, 1.0], 0)))
    assert found.numpy().reshape(6, 2)[0].tolist() == [-1, 0]


def test_an_object_on_the_border_of_two_cells_is_learned_by_one_of_them_and_a_crowd_by_none():
    found = by_cell(cells((8, 8), (4, 4)), truth(([4.0, 4.0, 12.0, 12.0], 0), ([0.0, 16.0, 8.0, 24.0], 1), crowd={1}))
    assert found.numpy().reshape(6, 2).tolist() == [[-1, -1], [-1, -1], [-2, -2], [-1, -1], [0, -1], [-1, -1]]


def test_task_aligned_points_are_those_that_the_network_rates_best():
    box = [0.0, 0.0, 32.0, 32.0]
    # Every point answers the box exactly but the first, which answers half of it, and one has a higher score.
    sides = np.concatenate([POINTS.points, 32 - POINTS.points], axis=1) / 8
    sides[0, 2] = (16 - 4) / 8
    logits = np.zeros((16, 1))
    logits[5] = 2.0
    readings = Readings(POINTS, tf.constant(logits[None], tf.float32), tf.constant(sides[None], tf.float32), None)
    found, goal = (value.numpy()[0] for value in by_alignment(readings, truth((box, 0))))
    assert found[5] == 0
    assert found[0] == BACKGROUND
    # The best point shall learn its IoU, 1; the others by their rating: (sigmoid(0) / sigmoid(2)) ** 0.5.
    assert goal[5] == 1.0
    assert np.isclose(goal[6], (0.5 / (1 / (1 + np.exp(-2.0)))) ** 0.5)
    assert (goal[found == BACKGROUND] == 0).all()


def test_task_aligned_crowds_are_ignored():
    readings = Readings(POINTS, tf.zeros((1, 16, 1)), tf.ones((1, 16, 4)), None)
    found, _ = by_alignment(readings, truth(([0.0, 0.0, 16.0, 16.0], 0), crowd={0}))
    assert (found.numpy()[0].reshape(4, 4)[:2, :2] == IGNORED).all()
