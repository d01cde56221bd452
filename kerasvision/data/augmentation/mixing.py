"""MixUp and CutMix: each image of a batch is mixed with another one, and so are its label, its tags and its numbers.

CutMix pastes label maps too.

Keras' layers of these names draw from their own generator, so they cannot be functions of our numbers.
"""

import tensorflow as tf

from kerasvision.config.augmentation_mixing import CutMix, MixUp
from kerasvision.data.augmentation.chain import Batch
from kerasvision.data.augmentation.draws import beta, integers
from kerasvision.data.augmentation.erasing import paste_in_maps, paste_rectangles


def mix_up(batch: Batch, *, numbers: tf.Tensor, settings: MixUp) -> Batch:
    """share * image + (1 - share) * other image; the labels and the numbers are mixed in the same way.

    Args:
        batch: "image" float32 (N, H, W, C) in [0, 255], "label_shares" float32 (N, classes), "tags" float32 (N, tags),
            "values" float32 (N, V) or several of them, and other keys.
        numbers: float32 (N, 3) in [0, 1): they draw the other image, the share, and whether to mix.
        settings: probability, and alpha of the share's distribution.
    """
    mixed = numbers[:, 2] < settings.probability
    share = tf.where(mixed, beta(numbers[:, 1], settings.alpha), 1.0)
    other = partners(numbers[:, 0])
    images, pixels_share = batch["image"], share[:, None, None, None]
    return {
        **batch,
        # Not images + (1 - share) * (other - images): at a share of 1 that may differ from the image by rounding.
        "image": tf.minimum(pixels_share * images + (1 - pixels_share) * tf.gather(images, other), 255.0),
        **_mixed_targets(batch, share, other),
    }


def cut_mix(batch: Batch, *, numbers: tf.Tensor, settings: CutMix) -> Batch:
    """Each image with a rectangle of another one; labels and numbers are mixed by area, label maps get the same rectangle.

    Args:
        batch: "image" float32 (N, H, W, C) in [0, 255], at least one of "label_shares" float32 (N, classes), "tags" float32
            (N, tags), "values" float32 (N, V) and "label_map" uint8 (N, H, W), and other keys.
        numbers: float32 (N, 5) in [0, 1): they draw the other image, the share, the row and the column of the rectangle's
            centre, and whether to mix.
        settings: probability, and alpha of the share's distribution.
    """
    images = batch["image"]
    size = tf.shape(images)[1:3]
    side = tf.sqrt(1 - beta(numbers[:, 1], settings.alpha))
    # As in the released code, the rectangle has half its side, rounded down, on each side of its centre.
    half = tf.cast(side[:, None] * tf.cast(size, tf.float32)[None], tf.int32) // 2
    middle = tf.stack([integers(numbers[:, 2], size[0]), integers(numbers[:, 3], size[1])], axis=1)
    rectangles = tf.concat([tf.maximum(middle - half, 0), tf.minimum(middle + half, size)], axis=1)
    rectangles = tf.where(numbers[:, 4:] < settings.probability, rectangles, 0)
    area = tf.reduce_prod(rectangles[:, 2:] - rectangles[:, :2], axis=1)
    share = 1 - tf.cast(area, tf.float32) / tf.cast(size[0] * size[1], tf.float32)
    other = partners(numbers[:, 0])
    mixed = {**batch, "image": paste_rectangles(images, rectangles, tf.gather(images, other))}
    mixed |= _mixed_targets(batch, share, other)
    if "label_map" in batch:
        mixed["label_map"] = paste_in_maps(batch["label_map"], rectangles, tf.gather(batch["label_map"], other))
    return mixed


def partners(numbers: tf.Tensor) -> tf.Tensor:
    """The other image for each image, int32 (N,), by numbers float32 (N,): a random order. An image may get itself.

    >>> partners(tf.constant([0.5, 0.9, 0.1])).numpy().tolist()
    [2, 0, 1]
    """
    return tf.argsort(numbers, stable=True)


def _mixed_targets(batch: Batch, share: tf.Tensor, other: tf.Tensor) -> Batch:
    """The shares of labels, the tags and the numbers of the mixed images, as far as the batch has them.

    A number is missing if it is missing for one of the two images.
    """
    mixed: Batch = {}
    for name in ("label_shares", "tags", "values"):
        if name in batch:
            own, others = share[:, None] * batch[name], (1 - share[:, None]) * tf.gather(batch[name], other)
            # An image that is not mixed keeps its numbers: 0 times NaN would be NaN.
            mixed[name] = tf.where(share[:, None] < 1.0, own + others, batch[name])
    return mixed
