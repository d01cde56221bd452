"""Losses of one label per image: the loss of each example from targets and logits, and the scores that the logits give.

Targets are float32 (N, C) rows that sum to 1: a single label, or the shares of a mixed image. Each loss is linear in them.
So the loss of a mixed image is the mean of the losses of its labels, weighted by their shares (Zhang et al., 2017,
https://arxiv.org/abs/1710.09412, for MixUp and cross-entropy).
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision.tasks.classification.by_class import numbers_by_class

# How many labels an image may have: each of the mixing augmentations doubles them.
MOST_LABELS = 16

# About twice the distance from 1 to the next float32.
LEAST_REST = 2e-7

# Lin et al., 2017, table 1b: the best of those that they tried.
GAMMA = 2.0

# The losses that ask about each class by itself.
OF_EACH_CLASS = ("binary_cross_entropy", "binary_focal")

Losses = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def example_losses(settings: c.Classification, classes: Sequence[str] = ()) -> Losses:
    """The function from (targets, logits), both (N, C), to the losses of the examples, float32 (N,).

    Args:
        settings: the loss and its options.
        classes: the C names; only needed if an option is given by class.

    Raises:
        ConfigError: an option names a class that does not exist.

    >>> hinge = example_losses(c.Classification(loss="hinge"))
    >>> hinge(tf.constant([[1.0, 0, 0]]), tf.constant([[3.2, 5.1, -1.7]])).numpy().round(4)  # 5.1 - 3.2 + 1, and 0
    array([2.9], dtype=float32)
    """
    smoothed = {"smoothing": settings.label_smoothing}
    gamma = focal_gamma(settings, classes)
    losses: dict[str, Losses] = {
        "cross_entropy": partial(cross_entropy, **smoothed),
        "focal": partial(focal, gamma=gamma, **smoothed),
        "binary_cross_entropy": partial(binary_cross_entropy, **smoothed),
        "binary_focal": partial(binary_focal, gamma=gamma, **smoothed),
        "hinge": partial(hinge, delta=settings.delta),
        "squared_hinge": partial(hinge, power=2, delta=settings.delta),
    }
    return losses[settings.loss]


def focal_gamma(settings: c.Classification, classes: Sequence[str]) -> np.ndarray:
    """The exponent of a focal loss, float32 (C,), or () if it is the same for all classes.

    Raises:
        ConfigError: it names a class that does not exist.

    >>> focal_gamma(c.Classification(loss="focal", gamma={"daisy": 0.5}), ["rose", "daisy"])
    array([2. , 0.5], dtype=float32)
    """
    gamma = GAMMA if settings.gamma is None else settings.gamma
    if isinstance(gamma, dict):
        return numbers_by_class(gamma, classes, otherwise=GAMMA, setting="task.gamma")
    return np.array(gamma, np.float32)


def answer_logits(logits: tf.Tensor, *, loss: str) -> tf.Tensor:
    """float32 (N, C): the logits whose softmax gives the scores of an answer, from the network's logits (N, C).

    With a binary loss, the probability of each class is a separate sigmoid. The probabilities are divided by their
    sum, as in scikit-learn's OneVsRestClassifier. The softmax of their logarithms is that quotient, and never 0 / 0. Logits
    above 16 all count as the same there: certain.

    >>> said = answer_logits(tf.constant([[0.0, 0.0, -50.0]]), loss="binary_cross_entropy")
    >>> tf.nn.softmax(said).numpy().round(3).tolist()  # of 0.5, 0.5 and 0
    [[0.5, 0.5, 0.0]]
    """
    logits = tf.cast(logits, tf.float32)
    return tf.math.log_sigmoid(logits) if loss in OF_EACH_CLASS else logits


def network_logits(logits: tf.Tensor, *, loss: str) -> tf.Tensor:
    """float32 (N, C): logits of a network for which `answer_logits` returns these log probabilities, float32 (N, C).

    With a binary loss, a probability above 1 - 2e-7 counts as that, so that all logits are finite.

    >>> said = network_logits(tf.math.log([[0.5, 0.25, 0.25]]), loss="binary_cross_entropy")
    >>> tf.exp(answer_logits(said, loss="binary_cross_entropy")).numpy().round(3).tolist()
    [[0.5, 0.25, 0.25]]
    """
    if loss not in OF_EACH_CLASS:
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


def focal(targets: tf.Tensor, logits: tf.Tensor, *, gamma: float | np.ndarray = GAMMA, smoothing: float = 0.0) -> tf.Tensor:
    """float32 (N,): -sum t (1 - p)^gamma log p with p = softmax(s), of targets and logits (N, C).

    Source: Lin et al., 2017, https://arxiv.org/abs/1708.02002, equation 4, with the softmax instead of the sigmoid.

    Args:
        targets, logits: as for `cross_entropy`.
        gamma: at least 0; a number, or float32 (C,).
        smoothing: the share of each target that goes to all classes.

    >>> logits = tf.math.log([[0.9, 0.1]])
    >>> focal(tf.constant([[1.0, 0.0]]), logits, gamma=2.0).numpy().round(6)  # 0.1^2 * -log 0.9
    array([0.001054], dtype=float32)
    """
    logarithms = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    # At 0 the slope of a power below 1 is infinite.
    rest = tf.maximum(-tf.math.expm1(logarithms), LEAST_REST)
    return -tf.reduce_sum(_smooth(targets, smoothing) * rest**gamma * logarithms, axis=-1)


def binary_focal(
    targets: tf.Tensor, logits: tf.Tensor, *, gamma: float | np.ndarray = GAMMA, smoothing: float = 0.0
) -> tf.Tensor:
    """float32 (N,): -sum (t (1 - p)^gamma log p + (1 - t) p^gamma log(1 - p)) with p = sigmoid(s): each class by itself.

    Source: Lin et al., 2017, https://arxiv.org/abs/1708.02002, equations 1 to 4. Arguments are as for `focal`.

    >>> binary_focal(tf.constant([[1.0, 0.0]]), tf.constant([[0.0, 0.0]]), gamma=2.0).numpy().round(4)  # 2 * 0.25 log 2
    array([0.3466], dtype=float32)
    """
    targets, logits = _smooth(targets, smoothing), tf.cast(logits, tf.float32)
    yes, no = tf.nn.softplus(-logits), tf.nn.softplus(logits)  # -log p and -log(1 - p)
    terms = targets * tf.exp(-gamma * no) * yes + (1 - targets) * tf.exp(-gamma * yes) * no
    return tf.reduce_sum(terms, axis=-1)


def hinge(targets: tf.Tensor, scores: tf.Tensor, *, power: int = 1, delta: float = 1.0) -> tf.Tensor:
    """float32 (N,): sum over j != y of max(0, s_j - s_y + delta) ^ power, weighted by the shares t_y of the labels y.

    Source: https://cs231n.github.io/linear-classify/#svm.

    Args:
        targets: (N, C), at most 16 classes above 0 in a row.
        scores: (N, C).
        power: 1, or 2 for the squared hinge.
        delta: the margin, above 0.
    """
    scores = tf.cast(scores, tf.float32)
    # Not the C x C margins of all classes: a row has few labels.
    shares, labels = tf.math.top_k(targets, k=min(MOST_LABELS, targets.shape[-1]))
    margins = tf.nn.relu(scores[:, None, :] - tf.gather(scores, labels, batch_dims=1)[:, :, None] + delta)
    # The label's own margin is s_y - s_y + delta.
    return tf.reduce_sum(shares * (tf.reduce_sum(margins**power, axis=-1) - delta**power), axis=-1)


def _smooth(targets: tf.Tensor, smoothing: float) -> tf.Tensor:
    targets = tf.cast(targets, tf.float32)
    return targets * (1 - smoothing) + smoothing / targets.shape[-1] if smoothing else targets
