"""The loss of a detector, one number per image; that of a two-stage detector is in `region_losses`.

Every part but those of YOLO (`cell_losses`) is divided by the number of points or boxes of the image that learn an object,
at least 1. FCOS, torchvision's SSD and YOLO's later versions divide by that number in the whole batch instead. Then the loss
of an image would depend on the others of its batch, and a batch spread over two devices would have another loss. For a batch
of one image, both are the same.

    classes     focal loss of every score, except ignored points (Lin et al., 2017, https://arxiv.org/abs/1708.02002,
                equation 5); task-aligned: the quality focal loss (Li et al., 2020, https://arxiv.org/abs/2006.04388,
                equation 4) against the IoU; default boxes: cross-entropy, see `mining`
    box         1 - IoU or one of its relatives, or the absolute differences of distances or offsets
    centerness  cross-entropy against how central the point is (Tian et al., 2019, https://arxiv.org/abs/1904.01355,
                equation 3); task-aligned: against the IoU of its box
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.ops.boxes import complete_iou, distance_iou, generalized_iou, iou
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
from kerasvision.tasks.detection.cell_losses import cell_losses
from kerasvision.tasks.detection.mining import mined_class_losses
from kerasvision.tasks.detection.readings import Grid, Kind, Readings, read
from kerasvision.tasks.detection.region_losses import region_losses
from kerasvision.tasks.detection.regions import has_regions, read_regions
from kerasvision.tasks.detection.smooth_l1 import smooth_l1

# From this difference on, the smooth L1 loss is linear (Girshick, 2015, https://arxiv.org/abs/1504.08083, equation 3).
LINEAR_FROM = 1.0
TINY = 1e-6
# What `box_loss` and `assignment` mean for each kind of network if the settings do not choose.
USUAL_BOX_LOSS: Mapping[Kind, str] = {"points": "giou", "anchors": "l1", "default_boxes": "smooth_l1"}
FIXED: Mapping[Kind, Callable[[Grid, Truth], tf.Tensor]] = {
    "points": by_place_and_size,
    "anchors": by_overlap,
    "default_boxes": by_best_overlap,
}
OVERLAPS = {"iou": iou, "giou": generalized_iou, "diou": distance_iou, "ciou": complete_iou}


class Goals(NamedTuple):
    """What each of A points or boxes should learn.

    Attributes:
        assigned: int32 (N, A), the number of the object, BACKGROUND or IGNORED.
        boxes: float32 (N, A, 4), the object's box in pixels; anything without an object.
        classes: int32 (N, A), the object's class; -1 without an object.
        weights: float32 (N, A), of the box, and what the score of its class should be: 1 or the IoU; 0 without an object.
    """

    assigned: tf.Tensor
    boxes: tf.Tensor
    classes: tf.Tensor
    weights: tf.Tensor


def detection_losses(settings: c.Detection, *, num_classes: int) -> Callable[..., tf.Tensor]:
    """The function from (targets, outputs, training=) to the losses of the images, float32 (N,).

    Targets are those of `DetectionTask.encode`; outputs are the maps of the network.
    """

    def losses(targets: Mapping[str, tf.Tensor], outputs: Mapping[str, tf.Tensor], *, training: bool) -> tf.Tensor:
        truth = Truth(targets["boxes"], targets["classes"], targets["crowd"])
        if has_regions(outputs):
            return region_losses(read_regions(outputs, num_classes=num_classes), targets, truth, settings)
        readings = read(outputs, num_classes=num_classes)
        return sum(parts_of_loss(readings, truth, settings).values())

    return losses


def parts_of_loss(readings: Readings, truth: Truth, settings: c.Detection) -> dict[str, tf.Tensor]:
    """`classes`, `box` and, if the network has it, `centerness` or `confidence`: float32 (N,) each."""
    goals = goals_of(readings, truth, settings)
    if readings.grid.kind == "cells":
        return cell_losses(readings, goals.assigned, goals.boxes, goals.classes, box_weight=settings.box_weight)
    count = tf.maximum(tf.reduce_sum(goals.weights, axis=1), 1.0)
    boxes = tf.reduce_sum(_box_losses(readings, goals, settings) * goals.weights, axis=1)
    found = {"classes": _class_losses(readings, goals, settings) / count, "box": settings.box_weight * boxes / count}
    if readings.centerness is not None:
        has_object = tf.cast(goals.assigned >= 0, tf.float32)
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(_centerness(readings, goals, settings), readings.centerness)
        of_image = tf.reduce_sum(entropy * has_object, axis=1)
        found["centerness"] = of_image / tf.maximum(tf.reduce_sum(has_object, axis=1), 1.0)
    return found


def goals_of(readings: Readings, truth: Truth, settings: c.Detection) -> Goals:
    """What each point or box should learn, by the assignment of the settings.

    Raises:
        ConfigError: the assignment is "task_aligned", and the network has neither points nor anchors.
    """
    # What is chosen by the network's own answers has no gradient.
    fixed = Readings(readings.grid, *(None if one is None else tf.stop_gradient(one) for one in readings[1:]))
    kind = readings.grid.kind
    if settings.assignment == "task_aligned":
        if kind in ("default_boxes", "cells"):
            raise ConfigError(
                f"assignment='task_aligned' requires points or anchors; this network has {kind.replace('_', ' ')}"
            )
        assigned, weights = by_alignment(fixed, truth)
    else:
        assigned = by_cell(fixed, truth) if kind == "cells" else FIXED[kind](readings.grid, truth)
        weights = tf.cast(assigned >= 0, tf.float32)
    number = tf.maximum(assigned, 0)
    classes = tf.where(assigned >= 0, tf.gather(truth.classes, number, batch_dims=1), -1)
    return Goals(assigned, tf.gather(truth.boxes, number, batch_dims=1), classes, weights)


def focal_losses(goals: tf.Tensor, logits: tf.Tensor, *, gamma: float, alpha: float) -> tf.Tensor:
    """The focal loss of each logit, float32 of the same shape; goals are 0 or 1.

    >>> focal_losses(tf.constant([1.0]), tf.constant([0.0]), gamma=2.0, alpha=0.25).numpy().round(4)  # 1/4 * 1/4 * ln 2
    array([0.0433], dtype=float32)
    """
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(goals, logits)
    return (alpha * goals + (1 - alpha) * (1 - goals)) * _missing(goals, logits, power=gamma) * entropy


def _missing(goals: tf.Tensor, logits: tf.Tensor, *, power: float) -> tf.Tensor:
    """How far the scores are from their goals, to a power. The gradient is finite, also for a power below 1."""
    return tf.pow(tf.maximum(tf.abs(goals - tf.sigmoid(logits)), TINY), power)


def _class_losses(readings: Readings, goals: Goals, settings: c.Detection) -> tf.Tensor:
    """float32 (N,), the sum over all scores that count."""
    logits = readings.logits
    if readings.grid.kind == "default_boxes":
        return mined_class_losses(logits, goals.assigned, goals.classes, negatives=settings.negatives)
    scores = tf.one_hot(goals.classes, logits.shape[-1]) * goals.weights[..., None]
    if settings.assignment == "task_aligned":
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(scores, logits)
        each = _missing(scores, logits, power=settings.focal_gamma) * entropy
    else:
        each = focal_losses(scores, logits, gamma=settings.focal_gamma, alpha=settings.focal_alpha)
    counts = tf.cast(goals.assigned != IGNORED, tf.float32)
    return tf.reduce_sum(tf.reduce_sum(each, axis=-1) * counts, axis=1)


def _box_losses(readings: Readings, goals: Goals, settings: c.Detection) -> tf.Tensor:
    """float32 (N, A), finite also where there is no object."""
    kind: str = settings.box_loss
    if kind == "auto":
        kind = USUAL_BOX_LOSS[readings.grid.kind]
    has_object = (goals.assigned > BACKGROUND)[..., None]
    if kind in OVERLAPS:
        boxes = readings.boxes()
        return 1.0 - OVERLAPS[kind](boxes, tf.where(has_object, goals.boxes, tf.stop_gradient(boxes)))
    apart = tf.abs(readings.places - tf.where(has_object, readings.encoded(goals.boxes), tf.stop_gradient(readings.places)))
    if kind == "smooth_l1":
        apart = smooth_l1(apart, linear_from=LINEAR_FROM)
    return tf.reduce_sum(apart, axis=-1)


def _centerness(readings: Readings, goals: Goals, settings: c.Detection) -> tf.Tensor:
    """float32 (N, A) in [0, 1], what the centerness should be; 0 without an object."""
    if settings.assignment == "task_aligned":
        found = iou(tf.stop_gradient(readings.boxes()), goals.boxes)
    else:
        up, left, down, right = tf.unstack(tf.maximum(readings.encoded(goals.boxes), 0.0), num=4, axis=-1)
        ratios = (tf.math.divide_no_nan(tf.minimum(*two), tf.maximum(*two)) for two in ((up, down), (left, right)))
        vertical, horizontal = ratios
        found = tf.sqrt(vertical * horizontal)
    return tf.where(goals.assigned >= 0, found, 0.0)
