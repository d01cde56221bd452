"""Random changes to a batch of training images. The same seed gives the same images.

Each function takes float32 (N, H, W, C) pixels in [0, 255], an int32 (2,) seed and its settings, and returns pixels of
the same shape.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from kerasvision import lookup
from kerasvision.config.augmentation import Augmentation, PadCrop, RandomFlip


def make_augmentation(augment: Sequence[Augmentation]) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """All augmentations one after the other, as one function.

    Args:
        augment: what to do, in order.

    Returns:
        (float32 (N, H, W, C) pixels in [0, 255], int32 (2,) seed) -> pixels of the same shape.
    """
    functions = [(lookup.load(settings.implementation), settings) for settings in augment]

    def augmented(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        for number, (function, settings) in enumerate(functions):
            # Each with a seed of its own, else a shift and a flip would go together.
            images = function(images, seed=tf.random.experimental.stateless_fold_in(seed, number), settings=settings)
        return images

    return augmented


def pad_crop(images: tf.Tensor, *, seed: tf.Tensor, settings: PadCrop) -> tf.Tensor:
    """Every image moved by up to `pad` pixels each way; what comes in at a side repeats the border.

    Equal to padding by the border's pixels and cropping at a random place: pixel (y, x) of the result is pixel
    (y + dy, x + dx) of the image, held inside it.
    """
    shape = tf.shape(images)
    count, height, width = shape[0], shape[1], shape[2]
    shift = tf.random.stateless_uniform((count, 2), seed, -settings.pad, settings.pad + 1, tf.int32)
    rows = tf.clip_by_value(tf.range(height)[None] + shift[:, :1], 0, height - 1)
    columns = tf.clip_by_value(tf.range(width)[None] + shift[:, 1:], 0, width - 1)
    moved = tf.gather(tf.gather(images, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)
    return tf.ensure_shape(moved, images.shape)


def random_flip(images: tf.Tensor, *, seed: tf.Tensor, settings: RandomFlip) -> tf.Tensor:
    """Every image mirrored left to right, or not, with the same probability."""
    heads = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed) < 0.5
    return tf.where(heads, tf.reverse(images, axis=[2]), images)
