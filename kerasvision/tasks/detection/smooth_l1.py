"""The loss that is a square near zero and a line beyond (Girshick, 2015, https://arxiv.org/abs/1504.08083, equation 3)."""

import tensorflow as tf


def smooth_l1(apart: tf.Tensor, *, linear_from: float) -> tf.Tensor:
    """float32 (...): apart ** 2 / (2 * linear_from) up to linear_from, then |apart| - linear_from / 2.

    Args:
        apart: float32 (...), differences.
        linear_from: where the line begins; 1 in the paper, 1 / 9 for the first stage of Faster R-CNN's code.

    >>> smooth_l1(tf.constant([0.5, -3.0]), linear_from=1.0).numpy().tolist()
    [0.125, 2.5]
    """
    apart = tf.abs(apart)
    return tf.where(apart < linear_from, tf.square(apart) / (2 * linear_from), apart - linear_from / 2)
