"""Which point or box learns which object. Every function returns int32 (N, A): the number of the object, or one of

BACKGROUND  it learns that nothing is there
IGNORED     it learns nothing: it is within a crowd, or its overlap with an object is neither large nor small
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kerasvision.ops.boxes import areas, iou, pairwise_iou
from kerasvision.tasks.detection.readings import Grid, Readings

BACKGROUND, IGNORED = -1, -2
# Points within this many strides of the centre of a box, along both axes, may learn it.
RADIUS = 1.5
# A point of stride s learns boxes whose farthest side is between these many strides away: 64 to 128 pixels at stride 16.
NEAR, FAR = 4.0, 8.0
# IoU from which an anchor or a default box learns a box, and below which an anchor is background.
ENOUGH, TOO_LITTLE = 0.5, 0.4
# How many points or anchors learn a box, and how much score and IoU count in their choice.
ALIGNED, SCORE_POWER, IOU_POWER = 10, 0.5, 6.0
_NONE = -1.0


class Truth(NamedTuple):
    """The objects of N images, filled up to M.

    Attributes:
        boxes: float32 (N, M, 4), y_min, x_min, y_max, x_max in pixels of the network's image.
        classes: int32 (N, M), in [0, K); -1 in rows without an object.
        crowd: bool (N, M), objects that stand for several.
    """

    boxes: tf.Tensor
    classes: tf.Tensor
    crowd: tf.Tensor

    @property
    def single(self) -> tf.Tensor:
        """bool (N, M): objects to learn, which are not crowds and have an area."""
        return (self.classes >= 0) & ~self.crowd & (areas(self.boxes) > 0)


def by_place_and_size(grid: Grid, truth: Truth) -> tf.Tensor:
    """FCOS: points near the centre of a box, on the level of its size; of several boxes, the smallest.

    The finest level also learns all smaller boxes, and the coarsest all larger ones. Returns int32 (N, A).

    Source: Tian et al., 2019, https://arxiv.org/abs/1904.01355, section 3.2, with the sampling of centres of their later
    version, as torchvision has it.

    >>> from kerasvision.tasks.detection.readings import grid
    >>> truth = Truth(tf.constant([[[0.0, 0.0, 8.0, 16.0]]]), tf.constant([[0]]), tf.constant([[False]]))
    >>> by_place_and_size(grid({"p3": (1, 3)}), truth).numpy().tolist()
    [[0, 0, -1]]
    """
    up_left, down_right = _to_sides(grid, truth.boxes)
    sides = tf.concat([up_left, down_right], axis=-1)
    from_centre = tf.reduce_max(tf.abs(down_right - up_left), axis=-1) / 2
    farthest, strides = tf.reduce_max(sides, axis=-1), grid.strides[:, None]
    least = np.where(grid.levels == grid.levels.min(), 0.0, NEAR * grid.strides)[:, None]
    most = np.where(grid.levels == grid.levels.max(), np.inf, FAR * grid.strides)[:, None]
    wanted = (from_centre < RADIUS * strides) & (tf.reduce_min(sides, axis=-1) > 0)
    wanted &= (farthest > least.astype(np.float32)) & (farthest < most.astype(np.float32))
    wanted &= truth.single[:, None, :]
    # The smallest box has the largest value; the area of an image is far below the largest float.
    preference = tf.where(wanted, 1.0 / (1.0 + areas(truth.boxes)[:, None, :]), _NONE)
    return _with_crowds(_best_object(preference), grid, truth)


def by_overlap(grid: Grid, truth: Truth) -> tf.Tensor:
    """RetinaNet: anchors whose IoU with a box is large; and for each box, the anchors that no other anchor exceeds.

    Returns int32 (N, A).

    Source: Lin et al., 2017, https://arxiv.org/abs/1708.02002, section 4, "Anchors"; the second rule is that of Faster
    R-CNN, as torchvision has it.
    """
    iou = tf.where(truth.single[:, None, :], pairwise_iou(tf.constant(grid.anchors), truth.boxes), _NONE)
    best, number = tf.reduce_max(iou, axis=-1), tf.argmax(iou, axis=-1, output_type=tf.int32)
    assigned = tf.where(best >= ENOUGH, number, tf.where(best >= TOO_LITTLE, IGNORED, BACKGROUND))
    of_box = tf.reduce_max(iou, axis=1, keepdims=True)
    is_best = tf.reduce_any((iou == of_box) & (of_box > 0), axis=-1)
    return _with_crowds(tf.where(is_best, number, assigned), grid, truth)


def by_best_overlap(grid: Grid, truth: Truth) -> tf.Tensor:
    """SSD: the default box with the largest IoU with an object learns it, and so do all whose IoU with it is large.

    A default box that is the best one of two objects learns the last of them, so an object may be left without any.
    Returns int32 (N, A).

    Source: Liu et al., 2016, https://arxiv.org/abs/1512.02325, section 2.2, "Matching strategy".
    """
    iou = tf.where(truth.single[:, None, :], pairwise_iou(tf.constant(grid.anchors), truth.boxes), _NONE)
    best, number = tf.reduce_max(iou, axis=-1), tf.argmax(iou, axis=-1, output_type=tf.int32)
    assigned = tf.where(best >= ENOUGH, number, BACKGROUND)
    is_best = tf.range(iou.shape[1])[:, None] == tf.argmax(iou, axis=1, output_type=tf.int32)[:, None, :]
    is_best &= tf.reduce_max(iou, axis=1, keepdims=True) > 0
    claimed = tf.reduce_max(tf.where(is_best, tf.range(tf.shape(iou)[2]), BACKGROUND), axis=-1)
    return _with_crowds(tf.where(claimed >= 0, claimed, assigned), grid, truth)


def by_cell(readings: Readings, truth: Truth) -> tf.Tensor:
    """YOLO: the cell in which the centre of an object lies learns it, by that box of the cell that fits it best.

    "Best" is the largest IoU, or the smallest distance if no box of the cell overlaps the object, as in the authors' code.
    Of several objects in a cell, the largest is learned. Returns int32 (N, A).

    Source: Redmon et al., 2016, https://arxiv.org/abs/1506.02640, section 2.2.
    """
    grid = readings.grid
    centres = (truth.boxes[..., :2] + truth.boxes[..., 2:]) / 2
    corners, sides = grid.points - grid.strides[:, None] / 2, grid.strides[:, None, None]
    inside = centres[:, None] - corners[:, None, :]
    wanted = tf.reduce_all((inside >= 0) & (inside < sides), axis=-1) & truth.single[:, None, :]
    number = _best_object(tf.where(wanted, areas(truth.boxes)[:, None, :], _NONE))
    boxes = tf.gather(truth.boxes, tf.maximum(number, 0), batch_dims=1)
    found = iou(readings.boxes(), boxes)
    apart = tf.reduce_sum(tf.square((readings.boxes() - boxes) / tf.constant(grid.frame * 2, tf.float32)), axis=-1)
    fit = tf.reshape(tf.where(found > 0, found, -apart), [-1, len(grid.points) // grid.per_cell, grid.per_cell])
    is_best = tf.reshape(tf.one_hot(tf.argmax(fit, axis=-1), grid.per_cell), tf.shape(number)) > 0
    return _with_crowds(tf.where(is_best, number, BACKGROUND), grid, truth)


def by_alignment(readings: Readings, truth: Truth) -> tuple[tf.Tensor, tf.Tensor]:
    """Task-aligned: for each box the points inside that the network rates best; of several boxes, the one of best IoU.

    Source: Feng et al., 2021, https://arxiv.org/abs/2108.07755, section 3.2. The powers and the number of points are those
    that YOLO's later versions use.

    Returns:
        The assignment; and float32 (N, A), what the score of the object's class should be: the IoU of the best point of the
        box, times the point's share of the best rating; 0 without an object.
    """
    grid = readings.grid
    up_left, down_right = _to_sides(grid, truth.boxes)
    inside = tf.reduce_min(tf.concat([up_left, down_right], axis=-1), axis=-1) > 0
    wanted = inside & truth.single[:, None, :]
    iou = tf.where(wanted, pairwise_iou(readings.boxes(), truth.boxes), 0.0)
    scores = tf.gather(readings.scores(), tf.maximum(truth.classes, 0), axis=2, batch_dims=1)
    rating = tf.where(wanted, tf.pow(scores, SCORE_POWER) * tf.pow(iou, IOU_POWER), _NONE)
    # Of (N, M, A), because the best points of each box are wanted.
    of_box = tf.transpose(rating, [0, 2, 1])
    least = tf.math.top_k(of_box, min(ALIGNED, of_box.shape[-1])).values[..., -1:]
    chosen = tf.transpose((of_box >= least) & (of_box >= 0), [0, 2, 1])
    assigned = _best_object(tf.where(chosen, iou, _NONE))
    mine = tf.one_hot(assigned, tf.shape(iou)[-1])
    best_rating = tf.reduce_max(tf.maximum(rating, 0.0) * mine, axis=1, keepdims=True)
    best_iou = tf.reduce_max(iou * mine, axis=1, keepdims=True)
    share = tf.math.divide_no_nan(tf.maximum(rating, 0.0), best_rating) * best_iou
    return _with_crowds(assigned, grid, truth), tf.reduce_sum(share * mine, axis=-1)


def _to_sides(grid: Grid, boxes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """float32 (N, A, M, 2) each: distances from every point up and left, and down and right, to the sides of the boxes."""
    points, boxes = grid.points[:, None, :], boxes[:, None]
    return points - boxes[..., :2], boxes[..., 2:] - points


def _best_object(preference: tf.Tensor) -> tf.Tensor:
    """int32 (N, A): the number of the object with the largest preference, (N, A, M); BACKGROUND where all are below 0."""
    number = tf.argmax(preference, axis=-1, output_type=tf.int32)
    return tf.where(tf.reduce_max(preference, axis=-1) >= 0, number, BACKGROUND)


def _with_crowds(assigned: tf.Tensor, grid: Grid, truth: Truth) -> tf.Tensor:
    """Background within a crowd is ignored: some of the objects there have no box."""
    up_left, down_right = _to_sides(grid, truth.boxes)
    inside = tf.reduce_min(tf.concat([up_left, down_right], axis=-1), axis=-1) > 0
    in_crowd = tf.reduce_any(inside & (truth.crowd & (truth.classes >= 0))[:, None, :], axis=-1)
    return tf.where(in_crowd & (assigned == BACKGROUND), IGNORED, assigned)
