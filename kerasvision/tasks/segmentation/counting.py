"""Counts of pixels per image: what all scores of maps need, at every size of the images.

While training, TensorFlow counts the pixels of each class. An evaluation also keeps which class was answered for which.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision.config.example_parts import IGNORED
from kerasvision.tasks.auxiliary import main_logits
from kerasvision.tasks.base import Arrays, Collected
from kerasvision.tasks.segmentation.truth import Pixels

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def collected_counts(count: int) -> Collected:
    """`mean_iou` of the validation split, in the image that the network sees; `count` is the number of classes."""

    def compared(targets: tf.Tensor, outputs: Any) -> dict[str, tf.Tensor]:
        return {"pixels": class_counts(targets, main_logits(outputs), count=count)}

    def scores(truth: Arrays, answers: Arrays) -> dict[str, float]:
        both, true, answered = answers["pixels"].sum(axis=0, dtype=np.int64).astype(np.float64)
        union = true + answered - both
        return {"mean_iou": float(np.mean(both[union > 0] / union[union > 0]))} if union.any() else {}

    return Collected(answers=_nothing, truth=_nothing, scores=scores, compared=compared)


def class_counts(truth: tf.Tensor, logits: tf.Tensor, *, count: int) -> tf.Tensor:
    """int32 (N, 3, K): for each class the known pixels that are both, true, and answered.

    Args:
        truth: uint8 (N, H, W), 255 where nothing is known.
        logits: float32 (N, H, W, K).
        count: K.

    >>> truth = tf.constant([[[0, 1, 255]]], tf.uint8)
    >>> class_counts(truth, tf.constant([[[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]]]), count=2).numpy().tolist()
    [[[1, 0], [1, 1], [2, 0]]]
    """
    is_known = truth != IGNORED
    # A class number of -1 is a row of zeros.
    true = tf.one_hot(tf.where(is_known, tf.cast(truth, tf.int32), -1), count)
    answered = tf.one_hot(tf.where(is_known, tf.argmax(logits, axis=-1, output_type=tf.int32), -1), count)
    parts = [tf.reduce_sum(part, axis=(1, 2)) for part in (true * answered, true, answered)]
    return tf.cast(tf.stack(parts, axis=1), tf.int32)


def confusion_of(truth: Pixels, answer: Pixels, *, count: int) -> Ints:
    """int64 (K, K + 1): known pixels by true class and answered class; the last column is pixels without an answer.

    Args:
        truth, answer: uint8 (H, W), 255 where nothing is known or answered.
        count: K.

    >>> confusion_of(np.array([[0, 1, 255]], np.uint8), np.array([[0, 255, 1]], np.uint8), count=2).tolist()
    [[1, 0, 0], [0, 0, 1]]
    """
    known = truth != IGNORED
    answered = np.where(answer == IGNORED, count, answer.astype(np.int64))
    places = truth[known].astype(np.int64) * (count + 1) + answered[known]
    found: Ints = np.bincount(places, minlength=count * (count + 1)).reshape(count, count + 1).astype(np.int64)
    return found


def as_entries(confusions: Sequence[Ints]) -> Ints:
    """The entries above 0 of N matrices, int64 (N, M, 2): the place in the flat matrix, and the count; zeros fill up.

    An image shows few of many classes, so its matrix is nearly empty.

    >>> as_entries([np.array([[0, 5], [7, 0]]), np.array([[0, 0], [0, 1]])]).tolist()
    [[[1, 5], [2, 7]], [[3, 1], [0, 0]]]
    """
    places = [np.flatnonzero(one) for one in confusions]
    entries = np.zeros((len(places), max(1, *map(len, places), 0), 2), np.int64)
    for row, (one, where) in enumerate(zip(confusions, places, strict=True)):
        entries[row, : len(where), 0], entries[row, : len(where), 1] = where, one.ravel()[where]
    return entries


def from_entries(entries: Ints, *, count: int) -> tuple[Ints, Ints, Ints]:
    """int64 (N, K) each: for each image and class the known pixels that are both, true, and answered.

    Args:
        entries: int64 (N, M, 2), of `as_entries`.
        count: K.

    >>> [part.tolist() for part in from_entries(as_entries([np.array([[3, 1, 0], [0, 0, 2]])]), count=2)]
    [[[3, 0]], [[4, 2]], [[3, 1]]]
    """
    places, pixels = entries[..., 0], entries[..., 1]
    true, answered = np.divmod(places, count + 1)
    image = np.broadcast_to(np.arange(len(entries))[:, None], places.shape)

    def counted(classes: Ints, kept: npt.NDArray[np.bool_]) -> Ints:
        where = image[kept] * count + classes[kept]
        # Weights make floats, which hold whole numbers up to 2 ** 53.
        found = np.bincount(where, pixels[kept], minlength=len(entries) * count)
        return found.reshape(len(entries), count).astype(np.int64)

    every = np.ones(places.shape, bool)
    return counted(true, true == answered), counted(true, every), counted(answered, answered < count)


def _nothing(_: Any) -> Mapping[str, tf.Tensor]:
    return {}
