"""The best boxes of an image, without those that overlap a better one: greedy non-maximum suppression.

It uses stock TensorFlow operations only, and only those that LiteRT and ONNX also have: a SavedModel with these functions
loads where only TensorFlow is installed, and converts to both formats.
"""

from typing import NamedTuple

import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.ops.boxes import areas
from kerasvision.ops.tracing import without_autograph

# Scores that cannot be chosen; all others are at least 0.
_NEVER = -1.0

# Boxes with larger coordinates overlap none: their areas may be infinite.
_LARGEST = 1e18

# The smallest normal number of float32: areas below it count as 0.
_TINY = 2.0**-126


class BestBoxes(NamedTuple):
    """The chosen boxes of N images, at most K of each. Their scores fall; all rows from `count` on are zeros.

    Attributes:
        boxes: float32 (N, K, 4).
        scores: float32 (N, K).
        class_numbers: int32 (N, K).
        count: int32 (N,), how many boxes an image has.
    """

    boxes: tf.Tensor
    scores: tf.Tensor
    class_numbers: tf.Tensor
    count: tf.Tensor


@without_autograph
def best_boxes(
    boxes: tf.Tensor,
    scores: tf.Tensor,
    *,
    count: int,
    candidates: int = 300,
    least_score: float,
    overlap: float,
    across_classes: bool = False,
) -> BestBoxes:
    """Greedy non-maximum suppression: a box is dropped if it overlaps a kept box of its class with a higher score.

    Of equal scores, the first box comes first, and of one box the first class. Each image has the result of
    `tf.image.non_max_suppression` for each class. That operation takes one image and one class, and
    `tf.image.combined_non_max_suppression` does not convert to LiteRT and ONNX.

    Args:
        boxes: (N, A, 4) if all classes share them; or (N, A, C, 4).
        scores: (N, A, C), in [0, 1].
        count: how many boxes an image can have at most, K.
        candidates: how many pairs of a box and a class are considered for an image: those with the highest scores.
        least_score: only scores above it are considered, in [0, 1).
        overlap: only boxes with an IoU above it are dropped, in [0, 1].
        across_classes: drop a box also if it overlaps a kept box of another class.

    Returns:
        The best boxes, with their scores and class numbers.

    Raises:
        ConfigError: count or candidates below 1, candidates below count, or least_score or overlap out of range.

    >>> boxes = [[[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.9], [0.0, 2.0, 1.0, 3.0]]]
    >>> best = best_boxes(boxes, [[[0.5], [0.75], [0.25]]], count=3, least_score=0.1, overlap=0.5)
    >>> best.scores.numpy().tolist(), best.count.numpy().tolist()
    ([[0.75, 0.25, 0.0]], [2])
    """
    _check_choice(count=count, candidates=candidates, least_score=least_score, overlap=overlap)
    boxes, scores = _float32(boxes), _float32(scores)
    found, its_scores, its_classes = _candidates(boxes, scores, most=candidates, least=count, least_score=least_score)
    groups = tf.zeros_like(its_classes) if across_classes else its_classes
    kept = tf.where(_kept(found, its_scores, groups, overlap=overlap), its_scores, _NEVER)
    kept, places = tf.math.top_k(kept, count)
    chosen = kept >= 0
    return BestBoxes(
        boxes=tf.where(chosen[..., tf.newaxis], tf.gather(found, places, batch_dims=1), 0.0),
        scores=tf.where(chosen, kept, 0.0),
        class_numbers=tf.where(chosen, tf.gather(its_classes, places, batch_dims=1), 0),
        count=tf.reduce_sum(tf.cast(chosen, tf.int32), axis=1),
    )


def _candidates(
    boxes: tf.Tensor, scores: tf.Tensor, *, most: int, least: int, least_score: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The boxes (N, M, 4), falling scores (N, M) and int32 class numbers (N, M) of the pairs with the highest scores.

    M is `most`, or the number of all pairs if there are fewer, but not below `least`. A pair that must not be chosen has the
    score `_NEVER`.
    """
    rows, anchors, classes = tf.unstack(tf.shape(scores))
    known = None if None in scores.shape[1:] else scores.shape[1] * scores.shape[2]
    scores = tf.where(scores > least_score, scores, _NEVER)
    flat = tf.reshape(scores, tf.stack([rows, anchors * classes if known is None else known]))
    if known is None or known < least:
        # No pair stands behind these places. Their score keeps them from being chosen.
        flat = tf.pad(flat, [[0, 0], [0, least]], constant_values=_NEVER)
    size = flat.shape[1]
    best, pairs = tf.math.top_k(flat, tf.minimum(most, tf.shape(flat)[1]) if size is None else min(most, size))
    if boxes.shape.rank == 4:
        # Each pair has a box of its own.
        boxes, box_places = tf.reshape(boxes, tf.stack([rows, anchors * classes if known is None else known, 4])), pairs
    else:
        box_places = pairs // classes
    found = tf.gather(boxes, tf.where(best >= 0, box_places, 0), batch_dims=1)
    return found, best, tf.where(best >= 0, pairs % classes, 0)


def _kept(boxes: tf.Tensor, scores: tf.Tensor, groups: tf.Tensor, *, overlap: float) -> tf.Tensor:
    """Which of M boxes of each image greedy suppression keeps, bool (N, M).

    An image at a time, so that its pairs stay in the processor's cache; tests/benchmarks/suppression.py measures it.

    Args:
        boxes: float32 (N, M, 4), the best one first.
        scores: float32 (N, M), falling; those below 0 are not considered.
        groups: int32 (N, M). Only boxes of one group drop each other.
        overlap: the IoU above which a box is dropped.
    """
    count, size = tf.unstack(tf.shape(scores))
    is_finite = tf.reduce_all(tf.abs(boxes) < _LARGEST, axis=-1, keepdims=True)
    boxes, groups = tf.where(is_finite, boxes, 0.0), tf.cast(groups, tf.float32)
    # At least one, as no converter is sure to handle matrices without elements. Its score keeps it from being chosen.
    numbers = tf.maximum(tf.reduce_sum(tf.cast(scores >= 0, tf.int32), axis=1), 1)
    # More than any IoU, unless the row comes before the column.
    order = tf.range(tf.cast(size, tf.float32))
    limits = overlap + tf.nn.relu(order[:, tf.newaxis] - order + 1.0)

    def of_image(image: tf.Tensor, kept: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        number = numbers[image]
        dropping = _dropping(boxes[image, :number], groups[image, :number], limits[:number, :number])
        row = tf.pad(_settled(dropping), [[0, 0], [0, size - number]])
        now = tf.where((tf.range(count) == image)[:, tf.newaxis], row, kept)
        # A loop requires the same shape after each step, also where the batch has a fixed size.
        now.set_shape(kept.shape)
        return image + 1, now

    _, kept = tf.while_loop(
        lambda image, _: image < count, of_image, (tf.constant(0), tf.zeros_like(scores)), parallel_iterations=2
    )
    return kept > 0


def _dropping(boxes: tf.Tensor, groups: tf.Tensor, limits: tf.Tensor) -> tf.Tensor:
    """By how much the overlap of each pair is above its limit, at least 0: float32 (M, M).

    A row is positive where its box drops the box of the column. All matrices are float32 of the same shape: TensorFlow
    broadcasts and compares several times more slowly than it adds.

    Args:
        boxes: float32 (M, 4), finite.
        groups: float32 (M,), whole numbers.
        limits: float32 (M, M).
    """
    number = tf.shape(groups)[0]
    fields = [*tf.unstack(boxes, num=4, axis=-1), areas(boxes), groups]
    y_min, x_min, y_max, x_max, area, group = (tf.tile(field[:, tf.newaxis], [1, number]) for field in fields)
    y_least, x_least, y_most, x_most, areas_, groups_ = (tf.tile(field[tf.newaxis], [number, 1]) for field in fields)
    height = tf.nn.relu(tf.minimum(y_max, y_most) - tf.maximum(y_min, y_least))
    width = tf.nn.relu(tf.minimum(x_max, x_most) - tf.maximum(x_min, x_least))
    shared = height * width
    iou = shared / tf.maximum(area + areas_ - shared, _TINY)
    # Groups differ by at least 1, which no overlap exceeds.
    return tf.nn.relu(iou - (limits + tf.math.squared_difference(group, groups_)))


def _settled(dropping: tf.Tensor) -> tf.Tensor:
    """1 for each of M boxes that greedy suppression keeps, otherwise 0: float32 (1, M), from `_dropping`.

    A box is kept if no kept box before it drops it. Applying this rule to all boxes at once settles one more box of each
    chain of overlaps per step, and ends when nothing changes: there is exactly one such choice.
    """

    def step(kept: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        now = tf.cast(tf.matmul(kept, dropping) <= 0, tf.float32)
        return now, tf.reduce_any(now != kept)

    all_kept = tf.ones_like(dropping[:1])
    kept, _ = tf.while_loop(lambda _, changes: changes, step, (all_kept, tf.constant(True)), parallel_iterations=1)
    return kept


def _check_choice(*, count: int, candidates: int, least_score: float, overlap: float) -> None:
    if not 1 <= count <= candidates:
        raise ConfigError("count must lie in [1, candidates]", received=f"count={count}, candidates={candidates}")
    if not 0 <= least_score < 1:
        raise ConfigError("least_score must lie in [0, 1)", received=least_score)
    if not 0 <= overlap <= 1:
        raise ConfigError("overlap must lie in [0, 1]", received=overlap)


def _float32(value: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.convert_to_tensor(value), tf.float32)
