"""Class weights: how much the images of each class count in the loss.

Source: King & Zeng, 2001, https://doi.org/10.1093/oxfordjournals.pan.a004868.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.tasks.classification.by_class import numbers_by_class
from kerasvision.tasks.classification.losses import Losses


def balanced_weights(labels: Iterable[int], *, classes: Sequence[str]) -> dict[str, float]:
    """Class -> N / (C * n), for N labels of C classes, n of them of this class; 1 for a class without a label.

    >>> balanced_weights([0, 0, 0, 1], classes=["rose", "daisy", "tulip"])
    {'rose': 0.6666666666666666, 'daisy': 2.0, 'tulip': 1.0}
    """
    counts = Counter(labels)
    mean = counts.total() / max(len(counts), 1)
    return {name: mean / counts[number] if counts[number] else 1.0 for number, name in enumerate(classes)}


def class_weights(settings: c.Classification, classes: Sequence[str]) -> np.ndarray:
    """The weights of the settings, float32 (C,), all above 0; 1 for a class that they do not name.

    Raises:
        ConfigError: they name a class that does not exist, or they are "balanced", which depends on the examples.

    >>> class_weights(c.Classification(class_weights={"daisy": 2}), ["rose", "daisy"])
    array([1., 2.], dtype=float32)
    """
    weights = settings.class_weights
    if weights == "balanced":
        raise ConfigError(
            "the weights of class_weights='balanced' depend on the training examples",
            hint="call objective() of the task that learning_from(examples) returns",
        )
    return numbers_by_class(weights or {}, classes, otherwise=1.0, setting="task.class_weights")


def weighted_by_class(losses: Losses, weights: np.ndarray) -> Losses:
    """The losses (N,) of targets and logits (N, C), each times the weight of its class.

    The loss of a mixed image is the sum over its labels of share * weight * loss, as each loss is linear in the targets.

    Args:
        losses: (targets, logits) -> float32 (N,), linear in targets that sum to 1.
        weights: float32 (C,), above 0.

    >>> plain = lambda targets, logits: tf.reduce_sum(targets * logits, axis=-1)
    >>> weighted = weighted_by_class(plain, np.array([1.0, 3.0], np.float32))
    >>> weighted(tf.constant([[1.0, 0.0], [0.5, 0.5]]), tf.constant([[10.0, 20.0]] * 2)).numpy()  # 10, and 5 + 3 * 10
    array([10., 35.], dtype=float32)
    """

    def weighted(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        shares = tf.cast(targets, tf.float32) * weights
        # The gradient of softmax cross-entropy requires targets that sum to 1.
        total = tf.reduce_sum(shares, axis=-1)
        return total * losses(shares / total[:, None], logits)

    return weighted
