"""Losses of several tags per image: the loss of each example from targets and logits.

Targets are float32 (N, C) in [0, 1]: 0 and 1, or the shares of mixed images. Each loss is linear in them, so the loss of a
mixed image is the mean of the losses of its parts, weighted by their shares.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from kerasvision import config as c

Losses = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def example_losses(settings: c.MultiLabel, weights: np.ndarray | None = None) -> Losses:
    """The function from (targets, logits), both (N, C), to the losses of the examples, float32 (N,).

    Args:
        settings: which loss, and its numbers.
        weights: float32 (C,), factors on the losses of the images that have a tag; None: 1.

    >>> losses = example_losses(c.MultiLabel())
    >>> losses(tf.constant([[1.0, 0.0]]), tf.constant([[0.0, 0.0]])).numpy().round(4)  # 2 log 2
    array([1.3863], dtype=float32)
    """
    positive, negative = _halves(settings)
    smoothing = settings.label_smoothing

    def losses(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        targets, logits = tf.cast(targets, tf.float32), tf.cast(logits, tf.float32)
        if smoothing:
            targets = targets * (1 - smoothing) + smoothing / 2
        has = positive(logits) if weights is None else positive(logits) * weights
        return tf.reduce_sum(targets * has + (1 - targets) * negative(logits), axis=-1)

    return losses


def _halves(settings: c.MultiLabel) -> tuple[Callable[[tf.Tensor], tf.Tensor], Callable[[tf.Tensor], tf.Tensor]]:
    """Logits (N, C) -> the losses of tags that an image has; and of those that it does not have."""
    gammas = {
        "cross_entropy": (0.0, 0.0, 0.0),
        "focal": (settings.focal_gamma, settings.focal_gamma, 0.0),
        "asymmetric": (settings.gamma_positive, settings.gamma_negative, settings.margin),
    }
    of_present, of_absent, margin = gammas[settings.loss]
    return lambda logits: focused(logits, of_present), lambda logits: absent_loss(logits, gamma=of_absent, margin=margin)


def focused(logits: tf.Tensor, gamma: float) -> tf.Tensor:
    """-(1 - p) ** gamma * log p with p = sigmoid(logits): float32 of the shape of the logits.

    Source: Lin et al., 2017, https://arxiv.org/abs/1708.02002, equation 4.

    >>> focused(tf.constant([0.0]), 2.0).numpy().round(4)  # 0.5 ** 2 * log 2
    array([0.1733], dtype=float32)
    """
    # Powers as exponentials of logarithms: their gradient is finite where p is 1 in float32.
    loss = tf.nn.softplus(-logits)
    return loss * tf.exp(-gamma * tf.nn.softplus(logits)) if gamma else loss


def absent_loss(logits: tf.Tensor, *, gamma: float, margin: float) -> tf.Tensor:
    """-q ** gamma * log(1 - q) with q = max(sigmoid(logits) - margin, 0): float32 of the shape of the logits.

    Source: Ridnik et al., 2020, https://arxiv.org/abs/2009.14119, equations 5 to 7.

    >>> absent_loss(tf.constant([0.0, -9.0]), gamma=4.0, margin=0.05).numpy().round(5)  # 0.45 ** 4 * -log 0.55, and 0
    array([0.02452, 0.     ], dtype=float32)
    """
    if not margin:
        return focused(-logits, gamma)
    shifted = tf.sigmoid(logits) - margin
    is_above = shifted > 0
    # Where q is 0 the loss is 0. A harmless number there keeps the gradient of the power finite.
    q = tf.where(is_above, shifted, 0.5)
    # 1 - q as sigmoid(-s) + margin, which is at least the margin, and exact where sigmoid(s) is nearly 1.
    loss = -tf.math.log(tf.sigmoid(-logits) + margin)
    return tf.where(is_above, (q**gamma if gamma else 1.0) * loss, 0.0)
