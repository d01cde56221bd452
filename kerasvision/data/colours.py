"""The colours of all pixels of many images: their mean, their covariance, and the axes along which they vary."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kerasvision.data.by_batches import by_batches
from kerasvision.data.tensors import Tensors

Decode = Callable[[tf.Tensor], tf.Tensor]


def mean_and_covariance(
    images: tf.data.Dataset, *, channels: int, decode: Decode, decode_alike: Decode
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """float64 (C,) and (C, C) over all pixels of all images, in [0, 1]. In float64 even many images sum precisely.

    Args:
        images: string scalars, encoded.
        channels: C.
        decode, decode_alike: see `by_batches`; pixels in [0, 255].
    """

    def moments(pixels: tf.Tensor) -> Tensors:
        shape = tf.shape(pixels)
        unit = tf.reshape(tf.cast(pixels, tf.float64) / 255.0, [shape[0], -1, channels])
        square = tf.matmul(unit, unit, transpose_a=True) / tf.cast(shape[1] * shape[2], tf.float64)
        return {"mean": tf.reduce_mean(unit, axis=1), "square": square}

    batches = by_batches(
        images,
        parts=lambda image_bytes: {"image": image_bytes},
        decode=decode,
        decode_alike=decode_alike,
        measure=moments,
        batch_size=256,
    )
    count, mean, square = 0, np.zeros(channels), np.zeros((channels, channels))
    for batch in batches.prefetch(1):
        mean += batch["mean"].numpy().sum(axis=0)
        square += batch["square"].numpy().sum(axis=0)
        count += len(batch["mean"])
    mean, square = mean / count, square / count
    return mean, square - np.outer(mean, mean)


def principal_axes(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors as rows, from the largest deviation to the smallest. The largest component of each is positive.

    >>> principal_axes(np.array([[1.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    _, vectors = np.linalg.eigh(covariance)
    return turned(vectors.T[::-1])


def turned(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The axes, rows, each in the direction in which its largest component is positive."""
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, np.newaxis], axis=1)
    same: NDArray[np.float64] = axes * np.sign(largest)
    return same
