"""Losses of one label per image: the loss of each example from targets and logits, and the scores that the logits give.

Targets are float32 (N, C) rows that sum to 1: a single label, or the shares of a mixed image. Each loss is linear in them.
So the loss of a mixed image is the mean of the losses of its labels, weighted by their shares (Zhang et al., 2017,
https://arxiv.org/abs/1710.09412, for MixUp and cross-entropy).
"""

from collections.abc import Callable
from functools import partial

import tensorflow as tf

from kerasvision import config as c

# How many labels an image may have: each of the mixing augmentations doubles them.
MOST_LABELS = 16

# About twice the distance from 1 to the next float32.
LEAST_REST = 2e-7

Losses = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def example_losses(settings: c.Classification) -> Losses:
    """The function from (targets, logits), both (N, C), to the losses of the examples, float32 (N,).

    >>> hinge = example_losses(c.Classification(loss="hinge"))
    >>> hinge(tf.constant([[1.0, 0, 0]]), tf.constant([[3.2, 5.1, -1.7]])).numpy().round(4)  # 5.1 - 3.2 + 1, and 0
    array([2.9], dtype=float32)
    """
    smoothed = {"smoothing": settings.label_smoothing}
    losses: dict[str, Losses] = {
        "cross_entropy": partial(cross_entropy, **smoothed),
        "binary_cross_entropy": partial(binary_cross_entropy, **smoothed),
        "hinge": hinge,
        "squared_hinge": partial(hinge, power=2),
    }
    return losses[settings.loss]


def answer_logits(logits: tf.Tensor, *, loss: str) -> tf.Tensor:
    """float32 (N, C): the logits whose softmax gives the scores of an answer, from the network's logits (N, C).

    With binary cross-entropy, the probability of each class is a separate sigmoid. The probabilities are divided by their
    sum, as in scikit-learn's OneVsRestClassifier. The softmax of their logarithms is that quotient, and never 0 / 0. Logits
    above 16 all count as the same there: certain.

    >>> said = answer_logits(tf.constant([[0.0, 0.0, -50.0]]), loss="binary_cross_entropy")
    >>> tf.nn.softmax(said).numpy().round(3).tolist()  # of 0.5, 0.5 and 0
    [[0.5, 0.5, 0.0]]
    """
    logits = tf.cast(logits, tf.float32)
    return tf.math.log_sigmoid(logits) if loss == "binary_cross_entropy" else logits


def network_logits(logits: tf.Tensor, *, loss: str) -> tf.Tensor:
    """float32 (N, C): logits of a network for which `answer_logits` returns these log probabilities, float32 (N, C).

    With binary cross-entropy, a probability above 1 - 2e-7 counts as that, so that all logits are finite.

    >>> said = network_logits(tf.math.log([[0.5, 0.25, 0.25]]), loss="binary_cross_entropy")
    >>> tf.exp(answer_logits(said, loss="binary_cross_entropy")).numpy().round(3).tolist()
    [[0.5, 0.25, 0.25]]
    """
    if loss != "binary_cross_entropy":
        return logits
    return logits - tf.math.log(tf.maximum(1.0 - tf.exp(logits), LEAST_REST))


def cross_entropy(targets: tf.Tensor, logits: tf.Tensor, *, smoothing: float = 0.0) -> tf.Tensor:
    """float32 (N,): -sum t log softmax(s), of targets and logits (N, C); `smoothing` of each target goes to all classes.

    Source of the smoothing: Szegedy et al., 2015, https://arxiv.org/abs/1512.00567, section 7.
    """
    targets, logits = _smooth(targets, smoothing), tf.cast(logits, tf.float32)
    return tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=logits)


def binary_cross_entropy(targets: tf.Tensor, logits: tf.Tensor, *, smoothing: float = 0.0) -> tf.Tensor:
    """float32 (N,): -sum (t log sigmoid(s) + (1 - t) log sigmoid(-s)), of targets and logits (N, C): each class by itself.

    The targets of a row may be any numbers in [0, 1] here, and need not sum to 1: several labels, or no label, are allowed.

    Source: https://cs231n.github.io/neural-networks-2/#losses, "attribute classification". Keras uses the mean over the
    classes instead of the sum, so its loss becomes smaller with more classes.
    """
    targets, logits = _smooth(targets, smoothing), tf.cast(logits, tf.float32)
    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits), axis=-1)


def hinge(targets: tf.Tensor, scores: tf.Tensor, *, power: int = 1) -> tf.Tensor:
    """float32 (N,): sum over j != y of max(0, s_j - s_y + 1) ^ power, weighted by the shares t_y of the labels y.

    Source: https://cs231n.github.io/linear-classify/#svm, with its margin of 1.

    Args:
        targets: (N, C), at most 16 classes above 0 in a row.
        scores: (N, C).
        power: 1, or 2 for the squared hinge.
    """
    scores = tf.cast(scores, tf.float32)
    # Not the C x C margins of all classes: a row has few labels.
    shares, labels = tf.math.top_k(targets, k=min(MOST_LABELS, targets.shape[-1]))
    margins = tf.nn.relu(scores[:, None, :] - tf.gather(scores, labels, batch_dims=1)[:, :, None] + 1.0)
    # The label's own margin is s_y - s_y + 1.
    return tf.reduce_sum(shares * (tf.reduce_sum(margins**power, axis=-1) - 1.0), axis=-1)


def _smooth(targets: tf.Tensor, smoothing: float) -> tf.Tensor:
    targets = tf.cast(targets, tf.float32)
    return targets * (1 - smoothing) + smoothing / targets.shape[-1] if smoothing else targets
