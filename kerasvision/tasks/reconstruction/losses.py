"""The loss of a restored image, one number per image; the formulas are in the docstring of `c.Reconstruction`."""

from collections.abc import Callable, Mapping

import tensorflow as tf

from kerasvision import config as c

CODE, RESTORED = "code", "restored"


def reconstruction_losses(settings: c.Reconstruction) -> Callable[..., tf.Tensor]:
    """The function from (images, outputs, training=) to the losses of the images, float32 (N,).

    Images are float32 (N, H, W, C), scaled; outputs are `code` (N, K) and `restored` (N, H, W, C).

    >>> outputs = {"code": tf.constant([[4.0, -2.0]]), "restored": tf.constant([[[[0.0], [2.0]]]])}
    >>> losses = reconstruction_losses(c.Reconstruction(sparsity=0.5))
    >>> losses(tf.zeros((1, 1, 2, 1)), outputs, training=True).numpy().tolist()  # (0 + 4) / 2 + 0.5 * 3
    [3.5]
    """

    def losses(images: tf.Tensor, outputs: Mapping[str, tf.Tensor], *, training: bool) -> tf.Tensor:
        restored, images = tf.cast(outputs[RESTORED], tf.float32), tf.cast(images, tf.float32)
        if settings.loss == "binary_cross_entropy":
            each = tf.nn.sigmoid_cross_entropy_with_logits(labels=images, logits=restored)
        else:
            each = tf.square(images - restored) if settings.loss == "l2" else tf.abs(images - restored)
        loss = tf.reduce_mean(each, axis=(1, 2, 3))
        if settings.sparsity:
            loss += settings.sparsity * tf.reduce_mean(tf.abs(tf.cast(outputs[CODE], tf.float32)), axis=-1)
        return loss

    return losses


def scaled_image(restored: tf.Tensor, *, loss: str) -> tf.Tensor:
    """What an output `restored` of the network means: an image, scaled like the network's images, float32 of its shape."""
    restored = tf.cast(restored, tf.float32)
    return tf.sigmoid(restored) if loss == "binary_cross_entropy" else restored
