"""Which anchors or regions of an image learn: those that overlap an object, and a random choice of all others.

Most regions show no object. If all of them learned, they would drown the few that do.
"""

from typing import NamedTuple

import tensorflow as tf

from kerasvision.ops.boxes import areas, pairwise_iou
from kerasvision.tasks.detection.assigning import BACKGROUND, IGNORED, Truth

# Random numbers that an example needs: the halves of a seed.
DRAWS = 2
_HALF_OF_SEED = 2**24
# More than any random number.
_NEVER = 2.0


class Sample(NamedTuple):
    """Which of A boxes of N images learn.

    Attributes:
        positive: bool (N, A), those with an object.
        counted: bool (N, A), these and the chosen ones without.
    """

    positive: tf.Tensor
    counted: tf.Tensor

    @property
    def count(self) -> tf.Tensor:
        """float32 (N,), how many are counted, at least 1."""
        return tf.maximum(tf.reduce_sum(tf.cast(self.counted, tf.float32), axis=1), 1.0)


def assigned_by_iou(boxes: tf.Tensor, truth: Truth, *, enough: float, too_little: float, with_best: bool) -> tf.Tensor:
    """int32 (N, A): the number of the object with the best IoU, or BACKGROUND or IGNORED.

    Args:
        boxes: float32 (N, A, 4), in pixels. A box without an area is ignored.
        truth: the objects. Background whose middle lies in a crowd is ignored.
        enough: IoU from which a box learns the object.
        too_little: IoU below which it is background; between both it is ignored.
        with_best: also the boxes that no other box exceeds for an object, whatever their IoU.

    Source: Ren et al., 2015, https://arxiv.org/abs/1506.01497, section 3.1.2; Girshick, 2015, section 2.3.

    >>> truth = Truth(tf.constant([[[0.0, 0.0, 4.0, 4.0]]]), tf.constant([[2]]), tf.constant([[False]]))
    >>> boxes = tf.constant([[[0.0, 0.0, 4.0, 2.0], [0.0, 0.0, 4.0, 1.0], [9.0, 9.0, 9.0, 9.0]]])
    >>> assigned_by_iou(boxes, truth, enough=0.5, too_little=0.5, with_best=False).numpy().tolist()
    [[0, -1, -2]]
    """
    iou = tf.where(truth.single[:, None, :], pairwise_iou(boxes, truth.boxes), -1.0)
    best, number = tf.reduce_max(iou, axis=-1), tf.argmax(iou, axis=-1, output_type=tf.int32)
    assigned = tf.where(best >= enough, number, tf.where(best >= too_little, IGNORED, BACKGROUND))
    if with_best:
        of_object = tf.reduce_max(iou, axis=1, keepdims=True)
        assigned = tf.where(tf.reduce_any((iou == of_object) & (of_object > 0), axis=-1), number, assigned)
    is_unclear = _in_crowd(boxes, truth) & (assigned == BACKGROUND)
    return tf.where(is_unclear | (areas(boxes) <= 0), IGNORED, assigned)


def sampled(assigned: tf.Tensor, numbers: tf.Tensor, *, count: int, positive_share: float, stream: int) -> Sample:
    """At most `count` boxes of each image: first those with an object, up to their share, then background.

    The choice depends on the image and its random numbers alone, so it is the same on any number of replicas.

    Args:
        assigned: int32 (N, A), see `assigned_by_iou`.
        numbers: float32 (N, DRAWS) in [0, 1).
        count: how many boxes of an image learn at most.
        positive_share: the largest share of boxes with an object.
        stream: choices with different numbers are independent.
    """
    seeds = tf.cast(numbers * _HALF_OF_SEED, tf.int32)
    width = assigned.shape[1]

    def of_image(seed: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform([width], tf.stack([seed[0], seed[1] + stream * _HALF_OF_SEED]))

    keys = tf.map_fn(of_image, seeds, fn_output_signature=tf.TensorSpec([width], tf.float32))
    most = tf.fill(tf.shape(assigned)[:1], int(count * positive_share))
    positive = _least(assigned >= 0, keys, most)
    room = count - tf.reduce_sum(tf.cast(positive, tf.int32), axis=1)
    return Sample(positive, positive | _least(assigned == BACKGROUND, keys, room))


def _least(wanted: tf.Tensor, keys: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """bool (N, A): of the wanted ones, as many as `numbers` int32 (N,) says, with the least keys."""
    keys = tf.where(wanted, keys, _NEVER)
    place = tf.minimum(numbers, keys.shape[1]) - 1
    limit = tf.gather(tf.sort(keys, axis=1), tf.maximum(place, 0), batch_dims=1)
    return wanted & (keys <= tf.where(place >= 0, limit, -1.0)[:, None])


def _in_crowd(boxes: tf.Tensor, truth: Truth) -> tf.Tensor:
    """bool (N, A): whether the middle of a box lies in a crowd."""
    middle = (boxes[..., :2] + boxes[..., 2:])[:, :, None] / 2
    crowds = truth.boxes[:, None]
    inside = tf.reduce_all((middle > crowds[..., :2]) & (middle < crowds[..., 2:]), axis=-1)
    return tf.reduce_any(inside & (truth.crowd & (truth.classes >= 0))[:, None], axis=-1)
