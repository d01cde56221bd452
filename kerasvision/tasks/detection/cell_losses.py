"""The loss of YOLO, a sum of squares for each image (Redmon et al., 2016, https://arxiv.org/abs/1506.02640, equation 3).

    box         5 * the squares of what is missing in y, x, and in the roots of height and width, of boxes with an object
    confidence  of boxes with an object the square of what is missing to their IoU with it; of all others 0.5 * its square
    classes     of cells with an object the squares of what is missing to 1 for its class, and to 0 for the others

The paper's loss of a batch is the mean of these sums over its images, which a training takes anyway. So unlike the losses
of other detectors they are not divided by a number of objects, and an image with many of them counts more. The box that
learns an object is chosen by the network's own answers (`assigning.by_cell`), and its IoU is a goal without a gradient.
"""

import tensorflow as tf

from kerasvision.ops.boxes import iou
from kerasvision.tasks.detection.assigning import BACKGROUND
from kerasvision.tasks.detection.readings import Readings

# Lambda_coord and lambda_noobj of the paper.
OF_BOXES, OF_NOTHING = 5.0, 0.5


def cell_losses(
    readings: Readings, assigned: tf.Tensor, boxes: tf.Tensor, classes: tf.Tensor, *, box_weight: float
) -> dict[str, tf.Tensor]:
    """`classes`, `box` and `confidence`, float32 (N,) each.

    Args:
        readings: of a network of cells, with K classes.
        assigned: int32 (N, A): the number of the object, BACKGROUND or IGNORED.
        boxes: float32 (N, A, 4), of the object in pixels; anything without one.
        classes: int32 (N, A), of the object; -1 without one.
        box_weight: another factor on the part "box".
    """
    learns = tf.cast(assigned >= 0, tf.float32)
    apart = tf.reduce_sum(tf.square(readings.places - readings.encoded(boxes)), axis=-1)
    goals = tf.where(assigned >= 0, iou(tf.stop_gradient(readings.boxes()), boxes), 0.0)
    weights = learns + OF_NOTHING * tf.cast(assigned == BACKGROUND, tf.float32)
    wrong = tf.reduce_sum(tf.square(tf.one_hot(classes, readings.logits.shape[-1]) - readings.logits), axis=-1)
    return {
        # One box of a cell learns its object, so the classes of the cell count once.
        "classes": tf.reduce_sum(learns * wrong, axis=1),
        "box": OF_BOXES * box_weight * tf.reduce_sum(learns * apart, axis=1),
        "confidence": tf.reduce_sum(weights * tf.square(goals - readings.confidence), axis=1),
    }
