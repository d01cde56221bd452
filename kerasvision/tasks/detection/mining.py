"""The class loss of default boxes: cross-entropy, with only the hardest of the boxes that show background.

Almost all default boxes show background. Learning from all of them would drown the few with an object, so each image
learns from those with the largest loss: by default three for each box with an object.

Source: Liu et al., 2016 (SSD), https://arxiv.org/abs/1512.02325, section 2.2, "Hard negative mining". There, an image
without objects teaches nothing. Here it teaches as many boxes as an image with one, because a detector that never learns
from such images finds things in them.
"""

import tensorflow as tf

from kerasvision.tasks.detection.assigning import BACKGROUND


def mined_class_losses(logits: tf.Tensor, assigned: tf.Tensor, classes: tf.Tensor, *, negatives: float) -> tf.Tensor:
    """float32 (N,), the sum over the boxes with an object and the hardest ones that show background.

    Args:
        logits: float32 (N, A, 1 + K), of the background and the classes.
        assigned: int32 (N, A): the number of the object, BACKGROUND or IGNORED.
        classes: int32 (N, A): of the object; -1 without one.
        negatives: how many boxes that show background count for each box with an object; rounded down in each image.

    Of boxes with an equal loss, the first ones count. In this example the third box is the harder of the two that show
    background:

    >>> logits = tf.math.log([[[1.0, 3.0], [3.0, 1.0], [1.0, 1.0]]])  # shares 1/4 and 3/4, 3/4 and 1/4, 1/2 and 1/2
    >>> losses = mined_class_losses(logits, tf.constant([[0, -1, -1]]), tf.constant([[0, -1, -1]]), negatives=1)
    >>> tf.exp(-losses).numpy().round(4)  # 3/4 * 1/2
    array([0.375], dtype=float32)
    """
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(classes + 1, logits)
    has_object = assigned >= 0
    of_background = tf.where(assigned == BACKGROUND, tf.stop_gradient(each), -1.0)
    # The place of each box among those of its image, the hardest first. Of equal ones, argsort keeps the order.
    rank = tf.argsort(tf.argsort(of_background, direction="DESCENDING", stable=True))
    learned = tf.maximum(tf.reduce_sum(tf.cast(has_object, tf.float32), axis=1), 1.0)
    is_hard = tf.cast(rank, tf.float32) < tf.floor(negatives * learned)[:, None]
    counts = has_object | (is_hard & (of_background >= 0))
    return tf.reduce_sum(tf.where(counts, each, 0.0), axis=1)
