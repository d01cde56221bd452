"""The losses of networks that make images, and their parts: see `kerasvision.config.Generation` for the formulas."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from kerasvision import config as c
from kerasvision.models.generators import LOG_DETERMINANT, PRIOR_NOISE, weights_of
from kerasvision.tasks.base import Player

GENERATOR, DISCRIMINATOR = "generator", "discriminator"
# The outputs that each loss requires of a network; see `kerasvision.models.vae` and `kerasvision.models.dcgan`.
OUTPUTS = {"elbo": ("logits", "mean", "log_variance", "picture"), "adversarial": ("real", "real_classes", "fake", "picture")}


def bound_parts(
    images: tf.Tensor, outputs: Mapping[str, tf.Tensor], *, pixel_deviation: float | None
) -> dict[str, tf.Tensor]:
    """`reconstruction_loss` and `kl_divergence`, float32 (N,), in nats per image. Their sum is the negative bound.

    Args:
        images: float32 (N, H, W, C) in [0, 1].
        outputs: `logits`, of that shape; `mean` and `log_variance`, float32 (N, Z). With a learned prior also `prior_noise`,
            float32 (N, Z), and `log_determinant`, float32 (N,); see `kerasvision.models.vae`.
        pixel_deviation: see `kerasvision.config.Generation`.

    >>> outputs = {"logits": tf.zeros((1, 1, 2, 1)), "mean": tf.constant([[2.0]]), "log_variance": tf.zeros((1, 1))}
    >>> parts = bound_parts(tf.constant([[[[0.0], [1.0]]]]), outputs, pixel_deviation=None)
    >>> [round(parts[name].numpy().item(), 4) for name in ("reconstruction_loss", "kl_divergence")]  # 2 ln 2, and 2^2 / 2
    [1.3863, 2.0]
    """
    logits = tf.cast(outputs["logits"], tf.float32)
    if pixel_deviation is None:
        of_values = tf.nn.sigmoid_cross_entropy_with_logits(labels=images, logits=logits)
    else:
        apart = (images - tf.sigmoid(logits)) / pixel_deviation
        of_values = tf.square(apart) / 2 + math.log(pixel_deviation) + math.log(2 * math.pi) / 2
    mean, log_variance = (tf.cast(outputs[name], tf.float32) for name in ("mean", "log_variance"))
    if PRIOR_NOISE in outputs:
        # One draw of -log p(z); the entropy of q is known.
        noise, log_determinant = (tf.cast(outputs[name], tf.float32) for name in (PRIOR_NOISE, LOG_DETERMINANT))
        divergence = tf.reduce_sum(tf.square(noise) - log_variance - 1, -1) / 2 - log_determinant
    else:
        divergence = tf.reduce_sum(tf.square(mean) + tf.exp(log_variance) - log_variance - 1, -1) / 2
    return {"reconstruction_loss": tf.reduce_sum(of_values, axis=(1, 2, 3)), "kl_divergence": divergence}


def game_parts(outputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """`generator_loss` and `discriminator_loss`, float32 (N,), from the logits `real` and `fake`, float32 (N, 1).

    >>> parts = game_parts({"real": tf.zeros((1, 1)), "fake": tf.zeros((1, 1))})
    >>> [round(loss.numpy().item(), 4) for loss in parts.values()]  # ln 2, and 2 ln 2
    [0.6931, 1.3863]
    """
    real, fake = (tf.cast(outputs[name], tf.float32)[:, 0] for name in ("real", "fake"))
    return {
        "generator_loss": tf.nn.softplus(-fake),
        "discriminator_loss": tf.nn.softplus(-real) + tf.nn.softplus(fake),
    }


def loss_parts(settings: c.Generation, images: tf.Tensor, outputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The two parts of the loss of these settings, float32 (N,) each, for images float32 (N, H, W, C)."""
    if settings.loss == "elbo":
        return bound_parts(images, outputs, pixel_deviation=settings.pixel_deviation)
    return game_parts(outputs)


def whole_losses(settings: c.Generation) -> Callable[..., tf.Tensor]:
    """(images, outputs, training) -> float32 (N,): the sum of the parts, with the weight of the divergence."""

    def losses(images: tf.Tensor, outputs: Mapping[str, tf.Tensor], training: bool) -> tf.Tensor:
        first, second = loss_parts(settings, images, outputs).values()
        return first + settings.kl_weight * second

    return losses


def players(settings: c.Generation, network: keras.Model) -> Sequence[Player]:
    """The generator and the discriminator, each with its loss; with `elbo` there are no players."""
    if settings.loss == "elbo":
        return ()

    def losses_of(part: str) -> Callable[..., tf.Tensor]:
        return lambda images, outputs, training: game_parts(outputs)[f"{part}_loss"]

    return [Player(weights_of(network, part), losses_of(part)) for part in (GENERATOR, DISCRIMINATOR)]


@keras.saving.register_keras_serializable("kerasvision")
class MeanPart(keras.metrics.Mean):
    """The mean of one part of the loss over the images: float32, a scalar.

    Targets are images, float32 (N, H, W, C), and answers the outputs of the network.
    """

    def __init__(self, settings: dict[str, Any], name: str, dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self._data, self._settings = settings, c.Generation.parse(settings)

    def update_state(self, images: tf.Tensor, outputs: Mapping[str, tf.Tensor], weights: tf.Tensor | None = None) -> None:
        super().update_state(loss_parts(self._settings, images, outputs)[self.name], weights)

    def get_config(self) -> dict[str, Any]:
        return {"settings": self._data, "name": self.name}
