"""Lighting and grey: augmentations that change all colours of an image in the same way."""

import tensorflow as tf

from kerasvision.config.augmentation_pixels import Grayscale, Lighting
from kerasvision.data.augmentation.chain import Batch
from kerasvision.data.augmentation.draws import normal
from kerasvision.data.augmentation.per_image import map_images
from kerasvision.errors import ConfigError

# ITU-R BT.601 luma as in kerasvision.ops.images, in 1/65536: float32 sums of whole brightnesses are exact.
LUMA = (19595 / 65536, 38470 / 65536, 7471 / 65536)


def lighting(batch: Batch, *, numbers: tf.Tensor, settings: Lighting) -> Batch:
    """Every image with a random colour added, drawn along the eigenvectors.

    Args:
        batch: "image" float32 (N, H, W, 3) in [0, 255], and other keys.
        numbers: float32 (N, 3) in [0, 1), one for each eigenvector.
        settings: the eigenvectors and eigenvalues, and the deviation of the factors on them.

    Raises:
        ConfigError: images without three channels.
    """
    images = _colour(batch["image"], settings)
    along = settings.deviation * tf.cast(normal(numbers), tf.float64) * tf.constant(settings.eigenvalues, tf.float64)
    # In float64, because a graph may add and multiply in another order than eager execution.
    shift = 255 * tf.reduce_sum(along[..., None] * tf.constant(settings.eigenvectors, tf.float64), axis=1)
    shift = tf.cast(shift, tf.float32)
    return {**batch, "image": tf.clip_by_value(images + shift[:, None, None], 0.0, 255.0)}


def grayscale(batch: Batch, *, numbers: tf.Tensor, settings: Grayscale) -> Batch:
    """Every image grey in all three channels, or unchanged.

    Args:
        batch: "image" float32 (N, H, W, 3) in [0, 255], and other keys.
        numbers: float32 (N, 1) in [0, 1); it draws whether the image becomes grey.
        settings: the probability.

    Raises:
        ConfigError: images without three channels.
    """
    images = _colour(batch["image"], settings)

    def grey(image: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        return tf.cond(numbers[0] < settings.probability, lambda: _grey(image), lambda: image)

    return {**batch, "image": map_images(grey, images, numbers)}


def _grey(image: tf.Tensor) -> tf.Tensor:
    # A matrix product instead of a sum of three products, whose order a graph may change.
    grey = tf.matmul(tf.reshape(image, [-1, 3]), tf.tile(tf.constant(LUMA)[:, None], [1, 3]))
    return tf.reshape(grey, tf.shape(image))


def _colour(images: tf.Tensor, settings: Lighting | Grayscale) -> tf.Tensor:
    if images.shape[-1] != 3:
        raise ConfigError(
            f"{type(settings).__name__} changes colours, so its images must have 3 channels",
            received=images.shape[-1],
            hint="remove it from augment, or set transform.color_mode='rgb'",
        )
    return images
