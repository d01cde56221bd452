"""The loss of a map of logits, one number per image, over the pixels whose class is known.

Every image has its own divisor. With that of the batch, the loss of an image would depend on the others of its batch, and a
batch that is spread over two devices would have another loss. The formulas are in the docstring of `c.Segmentation`.
"""

from functools import partial

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.example_parts import IGNORED
from kerasvision.errors import ConfigError
from kerasvision.tasks.auxiliary import Losses


def pixel_losses(settings: c.Segmentation, *, weights: npt.NDArray[np.float32] | None = None) -> Losses:
    """The function from (truth uint8 (N, H, W), logits float32 (N, H, W, C)) to the losses of the images, float32 (N,).

    Args:
        settings: which loss.
        weights: float32 (C,), those of `class_weighted`.

    Raises:
        ConfigError: the weights are not known yet.

    >>> losses = pixel_losses(c.Segmentation())
    >>> truth = tf.constant([[[0, 255]], [[255, 255]]], tf.uint8)  # the second image says nothing
    >>> losses(truth, tf.zeros((2, 1, 2, 2))).numpy().round(4)  # ln 2
    array([0.6931, 0.    ], dtype=float32)
    """
    if settings.loss == "class_weighted":
        if weights is None:
            raise ConfigError(
                "the weights of loss='class_weighted' depend on the training examples",
                hint="call objective() of the task that learning_from(examples) returns",
            )
        return partial(weighted_cross_entropy, weights=weights)
    losses: dict[str, Losses] = {
        "cross_entropy": weighted_cross_entropy,
        "dice": dice,
        "focal": partial(focal, gamma=settings.focal_gamma),
    }
    return losses[settings.loss]


def weighted_cross_entropy(
    truth: tf.Tensor, logits: tf.Tensor, *, weights: npt.NDArray[np.float32] | None = None
) -> tf.Tensor:
    """The mean of w_y * -log p_y over the known pixels of each image, float32 (N,); without weights, w is 1.

    Args:
        truth: uint8 (N, H, W), class numbers, 255 where nothing is known.
        logits: float32 (N, H, W, C).
        weights: float32 (C,).
    """
    classes, known = _known(truth)
    entropy = _entropy(classes, logits)
    if weights is not None:
        entropy *= tf.gather(tf.constant(weights, tf.float32), classes)
    return _mean(entropy, known)


def focal(truth: tf.Tensor, logits: tf.Tensor, *, gamma: float) -> tf.Tensor:
    """The mean of (1 - p_y) ** gamma * -log p_y over the known pixels of each image, float32 (N,).

    `truth` is uint8 (N, H, W), `logits` float32 (N, H, W, C).

    >>> focal(tf.constant([[[1]]], tf.uint8), tf.zeros((1, 1, 1, 2)), gamma=2.0).numpy().round(4)  # ln 2 / 4
    array([0.1733], dtype=float32)
    """
    classes, known = _known(truth)
    entropy = _entropy(classes, logits)
    # -expm1(-x) = 1 - p. Where p rounds to 1 it is 0, whose power has no gradient for a gamma below 1.
    rest = tf.maximum(-tf.math.expm1(-entropy), 1e-6)
    return _mean(tf.pow(rest, gamma) * entropy, known)


def dice(truth: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """1 - the mean over the classes of each image of 2 * shared / (answered + true), float32 (N,).

    `truth` is uint8 (N, H, W), `logits` float32 (N, H, W, C).

    >>> dice(tf.constant([[[0, 1]]], tf.uint8), tf.zeros((1, 1, 2, 2))).numpy()  # 2 * 0.5 / (1 + 1) for both classes
    array([0.5], dtype=float32)
    """
    classes, known = _known(truth)
    shares = tf.nn.softmax(tf.cast(logits, tf.float32)) * known[..., tf.newaxis]
    true = tf.one_hot(classes, logits.shape[-1]) * known[..., tf.newaxis]
    shared, answered, counted = (tf.reduce_sum(part, axis=(1, 2)) for part in (shares * true, shares, true))
    present = tf.cast(counted > 0, tf.float32)
    each = tf.math.divide_no_nan(2.0 * shared, answered + counted) * present
    has_any = tf.cast(tf.reduce_any(counted > 0, axis=-1), tf.float32)
    return has_any - tf.math.divide_no_nan(tf.reduce_sum(each, axis=-1), tf.reduce_sum(present, axis=-1))


def balanced_weights(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """N / (C * n) for classes with n of the N pixels, float32 (C,); C counts the classes with pixels. 1 for the others.

    Args:
        counts: int64 (C,), pixels of each class.

    >>> balanced_weights(np.array([64, 16, 0])).tolist()  # 80 / (2 * 64), 80 / (2 * 16)
    [0.625, 2.5, 1.0]
    """
    mean = counts.sum() / max(np.count_nonzero(counts), 1)
    weights = np.divide(mean, counts, out=np.ones(len(counts)), where=counts > 0)
    found: npt.NDArray[np.float32] = weights.astype(np.float32)
    return found


def _known(truth: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Class numbers, int32 (N, H, W), 0 where nothing is known; and float32 (N, H, W), 1 where something is, else 0."""
    is_known = truth != IGNORED
    return tf.where(is_known, tf.cast(truth, tf.int32), 0), tf.cast(is_known, tf.float32)


def _entropy(classes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(classes, tf.cast(logits, tf.float32))


def _mean(values: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """The mean over the known pixels, float32 (N,); 0 without any."""
    return tf.math.divide_no_nan(tf.reduce_sum(values * known, axis=(1, 2)), tf.reduce_sum(known, axis=(1, 2)))
