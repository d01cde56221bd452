"""What one replica works out for its examples, and what all replicas make of that together."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from kerasvision.tasks.base import Objective
from kerasvision.training.measures import EpochMeasures


class Sums(NamedTuple):
    """Over some examples: the sum of their gradients, by weight; of their losses; and how many they are."""

    gradients: list[tf.Tensor]
    loss: tf.Tensor
    count: tf.Tensor


class Whole(NamedTuple):
    """Of a whole batch: the gradient to apply, by weight; the mean loss; and whether the gradient is finite."""

    gradients: list[tf.Tensor]
    loss: tf.Tensor
    is_finite: tf.Tensor


class ExampleLosses:
    """The network's losses of examples, their gradients, and their part in the measures. In the context of a replica.

    Args:
        network: built.
        objective: loss and metrics.
        scale: gives what losses are multiplied with before the gradient is taken, float32; None: nothing.
    """

    def __init__(self, network: keras.Model, objective: Objective, *, scale: Callable[[], tf.Tensor] | None = None) -> None:
        self._network, self._objective, self._scale = network, objective, scale
        self._weights = network.trainable_variables
        # Which weights the loss depends on is known when it has been computed once.
        self.used: list[keras.Variable] = []

    def sums(self, batch: Any, *, measures: EpochMeasures, divided: bool) -> Sums:
        """Trains on a batch (inputs, targets) or (inputs, targets, weights).

        Args:
            batch: of this replica.
            measures: of the training.
            divided: whether the gradients are divided by the number of examples already. That costs nothing here.
        """
        with tf.GradientTape() as tape:
            losses, count = self.losses(batch, measures=measures, training=True)
            total = tf.reduce_sum(losses)
            scaled = total / tf.maximum(count, 1.0) if divided else total
            scaled = scaled if self._scale is None else scaled * tf.cast(self._scale(), scaled.dtype)
        found = list(zip(self._weights, tape.gradient(scaled, self._weights), strict=True))
        self.used = [weight for weight, gradient in found if gradient is not None]
        return Sums([tf.convert_to_tensor(gradient) for _, gradient in found if gradient is not None], total, count)

    def losses(self, batch: Any, *, measures: EpochMeasures, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """(n,), weighted, and how many rows have a weight above 0; adds the batch to the measures."""
        inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(batch)
        outputs = self._network(inputs, training=training)
        losses = self._objective.losses(targets, outputs, training=training)
        # A sum in 16 bits would round, and overflow.
        losses = losses if losses.dtype == tf.float64 else tf.cast(losses, tf.float32)
        present = tf.ones_like(losses) if weights is None else tf.cast(weights > 0, losses.dtype)
        losses = losses if weights is None else losses * tf.cast(weights, losses.dtype)
        if self._network.losses:
            losses += present * tf.add_n([tf.cast(loss, losses.dtype) for loss in self._network.losses])
        measures.update(losses, targets=targets, answers=self._objective.answers(outputs), weights=weights)
        return losses, tf.reduce_sum(present)


def whole_batch(
    sums: Sums,
    *,
    weights: Sequence[keras.Variable],
    is_divided: bool,
    scale: tf.Tensor | None,
    clip_norm: float | None,
    l2: Sequence[float],
) -> Whole:
    """Divides by the number of examples, adds L2, checks, and clips on the norm of all gradients together.

    Args:
        sums: over all replicas and micro-batches.
        weights: those of the gradients.
        is_divided: whether the gradients are divided by the number of examples already.
        scale: what the losses were multiplied with; None: nothing.
        clip_norm: the gradient is made no longer than this; None: it may have any length.
        l2: for each weight, how many times it is added to its gradient.
    """
    gradients, examples = sums.gradients, tf.maximum(sums.count, 1.0)
    factors = [] if is_divided else [1.0 / examples]
    factors += [] if scale is None else [1.0 / tf.cast(scale, examples.dtype)]
    if any(l2):
        gradients = [
            gradient + share * tf.convert_to_tensor(weight) if share else gradient
            for gradient, weight, share in zip(_times(gradients, factors), weights, l2, strict=True)
        ]
        factors = []
    (norm,) = _times([tf.linalg.global_norm(gradients)], factors)
    if clip_norm is not None:
        factors.append(tf.minimum(clip_norm / norm, 1.0))
    return Whole(_times(gradients, factors), sums.loss / examples, tf.math.is_finite(norm))


def _times(tensors: Sequence[tf.Tensor], factors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Each tensor times all factors, in one pass over it."""
    if not factors:
        return list(tensors)
    factor = tf.reduce_prod(tf.stack(factors))
    return [tensor * factor for tensor in tensors]
