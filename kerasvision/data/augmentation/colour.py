"""ColorJitter: brightness, contrast, saturation and hue as one 3 x 3 matrix and one number per image."""

import math

import numpy as np
import tensorflow as tf

from kerasvision.config.augmentation_pixels import ColorJitter
from kerasvision.data.augmentation.chain import Batch

# ITU-R BT.601, the grey of `kerasvision.ops.images` and of Pillow.
LUMA = np.array([0.299, 0.587, 0.114])

# Luma and two axes of colour; a rotation in the plane of these axes changes the hue and keeps the luma.
# Source: the NTSC standard of 1953 (FCC); the numbers of Python's `colorsys.rgb_to_yiq`.
YIQ = np.array([[0.30, 0.59, 0.11], [0.5990, -0.2773, -0.3217], [0.2130, -0.5251, 0.3121]])

# How many pixels are multiplied at once: 3 x 3 matrices are too small to be fast.
_PIXELS = 4


def color_jitter(batch: Batch, *, numbers: tf.Tensor, settings: ColorJitter) -> Batch:
    """Every image with another brightness, contrast, saturation and hue, in this order, clipped to [0, 255] at the end.

    If each of the four operations clipped its result, the next could not restore lost values. With one clip at the end, a
    picture that is made brighter and then paler keeps its details in bright parts. One pass is also several times as fast.

        brightness: x * b
        contrast:   x * c + (1 - c) * g, where g is the mean grey of the whole image
        saturation: x * s + (1 - s) * the pixel's own grey
        hue:        a rotation by h of a circle in the plane of the axes I and Q of YIQ

    where b, c and s are drawn from [1 - x, 1 + x] for x of the settings, and h from [-hue, hue]. Grey images (one channel)
    change only in brightness and contrast.

    Args:
        batch: "image" float32 (N, H, W, C) in [0, 255], and other keys.
        numbers: float32 (N, 4) in [0, 1): they draw b, c, s and h.
        settings: the ranges.
    """
    images = batch["image"]
    brightness, contrast, saturation, turn = _factors(numbers, settings)
    gain = brightness * contrast
    if images.shape[-1] == 1:
        mean, changed = _mean(images)[:, 0], images * gain[:, None, None, None]
    else:
        red, green, blue = tf.unstack(_mean(images), axis=1)
        mean = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
        changed = _multiplied(images, gain[:, None, None] * _saturation_and_hue(saturation, turn, settings=settings))
    # Saturation and hue do not change grey, so the matrix does not apply to what contrast adds.
    shift = (1.0 - contrast) * brightness * mean
    changed = tf.clip_by_value(changed + shift[:, None, None, None], 0.0, 255.0)
    return {**batch, "image": tf.ensure_shape(changed, images.shape)}


def _factors(numbers: tf.Tensor, settings: ColorJitter) -> list[tf.Tensor]:
    """float32 (N,) each: brightness, contrast, saturation, hue."""
    reach = tf.constant([settings.brightness, settings.contrast, settings.saturation, settings.hue], tf.float32)
    factors = tf.constant([1.0, 1.0, 1.0, 0.0]) + (2.0 * numbers - 1.0) * reach
    unstacked: list[tf.Tensor] = tf.unstack(factors, axis=1)
    return unstacked


def _saturation_and_hue(saturation: tf.Tensor, turn: tf.Tensor, *, settings: ColorJitter) -> tf.Tensor:
    """float32 (N, 3, 3), for multiplication with a column of red, green, blue."""
    share = saturation[:, None, None]
    matrix = share * tf.eye(3) + (1.0 - share) * tf.constant(np.tile(LUMA, (3, 1)), tf.float32)
    if settings.hue == 0:
        return matrix
    # In float64, because TensorFlow's float32 cosine may differ between one number alone and the same one among several.
    angle = 2.0 * math.pi * tf.cast(turn, tf.float64)
    cosine, sine = tf.cast(tf.cos(angle), tf.float32), tf.cast(tf.sin(angle), tf.float32)
    zero, one = tf.zeros_like(turn), tf.ones_like(turn)
    rows = [one, zero, zero, zero, cosine, -sine, zero, sine, cosine]
    rotation = tf.reshape(tf.stack(rows, axis=1), [-1, 3, 3])
    to_rgb, to_yiq = (tf.constant(m, tf.float32) for m in (np.linalg.inv(YIQ), YIQ))
    return to_rgb @ rotation @ to_yiq @ matrix


def _mean(images: tf.Tensor) -> tf.Tensor:
    """float32 (N, C). The sum over rows comes first, because it reads memory in order."""
    count, height, width, channels = tf.unstack(tf.shape(images))
    rows = tf.reduce_mean(tf.reshape(images, tf.stack([count, height, width * channels])), axis=1)
    return tf.reduce_mean(tf.reshape(rows, tf.stack([count, width, channels])), axis=1)


def _multiplied(images: tf.Tensor, matrices: tf.Tensor) -> tf.Tensor:
    """(N, H, W, 3): images whose colours are multiplied by the (N, 3, 3) matrix of their image."""
    together = _PIXELS if images.shape[2] is not None and images.shape[2] % _PIXELS == 0 else 1
    # The matrix for several adjacent pixels: copies of the matrix for one along the diagonal.
    copies = tf.einsum("pq,nij->npjqi", tf.eye(together), matrices)
    side = 3 * together
    blocks = tf.reshape(images, tf.stack([tf.shape(images)[0], -1, side]))
    return tf.reshape(blocks @ tf.reshape(copies, [-1, side, side]), tf.shape(images))
