"""Gaussian blur, with a different width for every image."""

import math

import tensorflow as tf

from kerasvision.config.augmentation_pixels import GaussianBlur
from kerasvision.data.augmentation.chain import Batch
from kerasvision.data.augmentation.draws import uniform
from kerasvision.data.augmentation.per_image import map_images


def gaussian_blur(batch: Batch, *, numbers: tf.Tensor, settings: GaussianBlur) -> Batch:
    """Every image blurred, or unchanged.

    Args:
        batch: "image" float32 (N, H, W, C) in [0, 255], and other keys.
        numbers: float32 (N, 2) in [0, 1): they draw whether to blur, and how much.
        settings: the probability, and the range of the Gaussian's deviation.
    """
    radius = math.ceil(3 * settings.sigma[1])

    def blurred(image: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        return tf.cond(
            numbers[0] < settings.probability,
            lambda: blur(image, uniform(numbers[1], *settings.sigma), radius=radius),
            lambda: image,
        )

    return {**batch, "image": map_images(blurred, batch["image"], numbers)}


def blur(image: tf.Tensor, sigma: tf.Tensor, *, radius: int) -> tf.Tensor:
    """The image after a Gaussian filter, down and then across.

    Args:
        image: float32 (H, W, C) in [0, 255].
        sigma: the Gaussian's deviation in pixels, above 0.
        radius: how far the filter reaches, in pixels. The image is mirrored beyond its border, as often as needed.

    Returns:
        float32 (H, W, C) in [0, 255].

    >>> blur(tf.constant([[[0.0], [81.0], [0.0]]]), 0.7, radius=1).numpy().ravel().round().tolist()  # shares 0.21 0.58 0.21
    [17.0, 47.0, 17.0]
    """
    offsets = tf.range(-radius, radius + 1)
    weights = tf.exp(-0.5 * tf.square(tf.cast(offsets, tf.float32) / sigma))
    weights = tf.tile((weights / tf.reduce_sum(weights))[:, None, None, None], [1, 1, image.shape[-1], 1])
    rows, columns = (_mirrored(tf.shape(image)[axis], radius) for axis in (0, 1))
    padded = tf.gather(tf.gather(image, rows, axis=0), columns, axis=1)[tf.newaxis]
    down = tf.nn.depthwise_conv2d(padded, weights, [1, 1, 1, 1], "VALID")
    both = tf.nn.depthwise_conv2d(down, tf.transpose(weights, [1, 0, 2, 3]), [1, 1, 1, 1], "VALID")
    # The sum of the weights is 1 except for rounding.
    return tf.ensure_shape(tf.clip_by_value(both[0], 0.0, 255.0), image.shape)


def _mirrored(side: tf.Tensor, radius: int) -> tf.Tensor:
    """For each place from -radius to side + radius - 1, the place inside that mirrors it: 1 0 | 0 1 2 | 2 1."""
    # tf.pad mirrors only once, and rejects a radius larger than the image.
    place = tf.math.floormod(tf.range(-radius, side + radius), 2 * side)
    return tf.minimum(place, 2 * side - 1 - place)
