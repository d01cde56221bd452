"""Noise for the images that a denoising network receives (Vincent et al., 2008, section 2.3).

Every image has random numbers of its own, which follow from a seed and a number of the image alone. So an image has the same
noise in every batch, on every number of replicas, and after a training was resumed.
"""

from typing import Literal

import tensorflow as tf

from kerasvision.data.augmentation.draws import normal
from kerasvision.ops.random import uniform_rows

Kind = Literal["gaussian", "masking", "salt_and_pepper"]
# The rows of an evaluation are other rows than those of a training with the same seed.
EVALUATED = 2**31
# One number of an image, from its id.
NUMBERS = 2**31


def noisy(images: tf.Tensor, numbers: tf.Tensor, *, kind: Kind, amount: float) -> tf.Tensor:
    """Images with noise, float32 (N, H, W, C).

    Args:
        images: float32 (N, H, W, C), black at 0 and white at 1.
        numbers: float32 (N, H * W * C) in [0, 1), uniform random numbers; all but "gaussian" use the first H * W of a row.
        kind: see `c.Reconstruction`.
        amount: the deviation of "gaussian", which may leave [0, 1]; else a probability.

    >>> images = tf.fill((1, 1, 4, 1), 0.5)
    >>> numbers = tf.constant([[0.1, 0.2, 0.3, 0.9]])
    >>> noisy(images, numbers, kind="masking", amount=0.25).numpy().ravel().tolist()
    [0.0, 0.0, 0.5, 0.5]
    >>> noisy(images, numbers, kind="salt_and_pepper", amount=0.25).numpy().ravel().tolist()  # the lower half is pepper
    [0.0, 1.0, 0.5, 0.5]
    """
    _, height, width, channels = images.shape
    if kind == "gaussian":
        return images + amount * normal(tf.reshape(numbers, [-1, height, width, channels]))
    of_pixels = tf.reshape(numbers[:, : height * width], [-1, height, width, 1])
    is_white = of_pixels >= amount / 2 if kind == "salt_and_pepper" else tf.zeros_like(of_pixels, tf.bool)
    return tf.where(of_pixels < amount, tf.cast(is_white, tf.float32), images)


def numbers_of_places(places: tf.Tensor, *, seed: int, count: int) -> tf.Tensor:
    """Random numbers for images in the order of a training, float32 (N, count) in [0, 1).

    Args:
        places: int64 (N,), consecutive.
        seed: of the noise.
        count: how many numbers an image has.
    """
    return uniform_rows(tf.constant(seed, tf.int64), places[0], rows=tf.size(places), columns=count)


def numbers_of_seeds(seeds: tf.Tensor, *, seed: int, count: int) -> tf.Tensor:
    """Random numbers for images with a seed each, in any order, float32 (N, count) in [0, 1).

    Args:
        seeds: int64 (N,), at least 0 and below 2**31.
        seed: of the noise.
        count: how many numbers an image has.

    >>> one = numbers_of_seeds(tf.constant([7], tf.int64), seed=0, count=5)
    >>> bool(tf.reduce_all(numbers_of_seeds(tf.constant([3, 7], tf.int64), seed=0, count=5)[1] == one[0]))
    True
    """
    key = tf.constant(seed + EVALUATED, tf.int64)

    def row(number: tf.Tensor) -> tf.Tensor:
        return uniform_rows(key, number, rows=1, columns=count)[0]

    return tf.ensure_shape(tf.map_fn(row, seeds, fn_output_signature=tf.float32), [None, count])


def seeds_of_ids(ids: tf.Tensor) -> tf.Tensor:
    """A seed for each image, int64 (N,), that its id, string (N,), alone decides."""
    return tf.strings.to_hash_bucket_fast(ids, NUMBERS)
