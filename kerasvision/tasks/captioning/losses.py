"""Losses of captions, one number per image, and metrics of their tokens."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kerasvision import config as c
from kerasvision.tasks.captioning.tokens import PADDING

LOGITS, ATTENTION = "logits", "attention"


def caption_losses(settings: c.Captioning) -> Callable[..., tf.Tensor]:
    """The function from (targets, outputs, training=) to the losses of the images, float32 (N,).

    Targets are int32 (N, K, T), 0 after the end of a caption and in rows without one. Outputs are logits (N, K, T, V), or
    {"logits": ..., "attention": (N, K, T, h, w)}. An image without captions has the loss 0. The attention penalty applies
    only in training.

    >>> losses = caption_losses(c.Captioning())
    >>> logits = tf.math.log([[[[0.5, 0.5], [0.25, 0.75], [0.9, 0.1]]]])
    >>> losses(tf.constant([[[1, 1, 0]]]), logits, training=True).numpy().round(4)  # -(log 0.5 + log 0.75) / 2
    array([0.4904], dtype=float32)
    """

    def losses(targets: tf.Tensor, outputs: Any, *, training: bool) -> tf.Tensor:
        logits, present = logits_of(outputs), tf.cast(targets != PADDING, tf.float32)
        per_token = token_losses(targets, logits)
        if settings.label_smoothing:
            spread = tf.reduce_logsumexp(logits, axis=-1) - tf.reduce_mean(logits, axis=-1)
            per_token += settings.label_smoothing * (spread - per_token)
        total = tf.math.divide_no_nan(tf.reduce_sum(per_token * present, axis=(1, 2)), tf.reduce_sum(present, axis=(1, 2)))
        if training and settings.attention_penalty:
            total += settings.attention_penalty * uneven_attention(outputs[ATTENTION], present)
        return total

    return losses


def logits_of(outputs: Any) -> tf.Tensor:
    """float32 (N, K, T, V): the logits among a captioner's outputs."""
    return tf.cast(outputs[LOGITS] if isinstance(outputs, dict) else outputs, tf.float32)


def token_losses(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """float32 (N, K, T): -log softmax(s)_y of each token, also padding; targets int32 (N, K, T), logits (N, K, T, V)."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)


def uneven_attention(attention: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    """float32 (N,): the mean over captions and places of (1 - the sum of the attention over the caption's tokens)^2.

    Source: Xu et al., 2015, https://arxiv.org/abs/1502.03044, section 4.2.1, which uses the sum over the places.

    Args:
        attention: (N, K, T, h, w).
        present: float32 (N, K, T), 1 for tokens and 0 for padding.

    >>> attention = tf.constant([[[[[0.5, 0.5]], [[1.0, 0.0]], [[0.3, 0.7]]]]])
    >>> uneven_attention(attention, tf.constant([[[1.0, 1.0, 0.0]]])).numpy().tolist()  # (0.5^2 + 0.5^2) / 2
    [0.25]
    """
    seen = tf.reduce_sum(tf.cast(attention, tf.float32) * present[..., None, None], axis=2)
    is_caption = tf.reduce_max(present, axis=2)
    of_captions = tf.reduce_mean(tf.square(1.0 - seen), axis=(2, 3)) * is_caption
    return tf.math.divide_no_nan(tf.reduce_sum(of_captions, axis=1), tf.reduce_sum(is_caption, axis=1))


class _OverTokens(keras.metrics.Mean):
    """The mean over all tokens of all captions, for images whose weight is not 0."""

    def update_state(self, targets: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor | None = None) -> None:
        present = tf.cast(targets != PADDING, tf.float32)
        if weights is not None:
            present *= tf.cast(weights, tf.float32)[:, None, None]
        super().update_state(tf.reshape(self.per_token(targets, logits), [-1]), tf.reshape(present, [-1]))


class Perplexity(_OverTokens):
    """e to the mean of -log softmax(s)_y over all tokens, ends included: float32, a scalar.

    Targets are int32 (N, K, T), 0 for padding, and logits are float32 (N, K, T, V).
    """

    def __init__(self, name: str = "perplexity", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def per_token(self, targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        return token_losses(targets, logits)

    def result(self) -> tf.Tensor:
        return tf.exp(super().result())


class TokenAccuracy(_OverTokens):
    """The share of tokens that are the likeliest at their place: float32, a scalar.

    Targets and logits are as for `Perplexity`.
    """

    def __init__(self, name: str = "token_accuracy", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def per_token(self, targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.argmax(logits, axis=-1, output_type=targets.dtype) == targets, tf.float32)
