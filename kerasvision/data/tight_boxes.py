"""Boxes that end where the masks of their objects end."""

import tensorflow as tf


def tight_boxes(boxes: tf.Tensor, masks: tf.Tensor) -> tf.Tensor:
    """The boxes, each side moved inwards to where the object's mask ends, if that is more than a pixel away.

    A box that was rotated or cut off is larger than what is visible of its object; its mask is not. A pixel more or less may
    be rounding, so such sides stay as they are. So does a box with an empty mask.

    This reads every mask once. `tests/benchmarks/augmentation.py --objects masks` measures what masks cost.

    Args:
        boxes: float32 (..., 4) in [0, 1]: y_min, x_min, y_max, x_max.
        masks: uint8 (..., H, W), above 0 inside the object.

    Returns:
        float32 (..., 4): inside `boxes`.

    >>> mask = tf.constant([[0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]], tf.uint8)
    >>> tight_boxes(tf.constant([0.0, 0.0, 1.0, 0.9]), mask).numpy().tolist()  # only the right side is 1.6 pixels away
    [0.0, 0.0, 1.0, 0.5]
    """
    inside = masks > 0
    sides = tf.cast(tf.shape(masks)[-2:], tf.float32)
    first, last = (
        tf.stack(ends, axis=-1)
        for ends in zip(_ends(tf.reduce_any(inside, -1)), _ends(tf.reduce_any(inside, -2)), strict=True)
    )
    first, last = tf.cast(first, tf.float32) / sides, tf.cast(last, tf.float32) / sides
    low, high = boxes[..., :2], boxes[..., 2:]
    low = tf.where(first > low + 1 / sides, first, low)
    high = tf.where(last < high - 1 / sides, last, high)
    return tf.where(tf.reduce_any(inside, [-2, -1])[..., None], tf.concat([low, high], -1), boxes)


def _ends(along: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """int64 (...): the first place that is true of bool (..., L), and the one after the last."""
    flags = tf.cast(along, tf.uint8)
    return tf.argmax(flags, -1), tf.shape(flags, tf.int64)[-1] - tf.argmax(tf.reverse(flags, [-1]), -1)
