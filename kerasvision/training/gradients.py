"""What one replica computes for its examples, and how the sums of all replicas become the gradient of a batch."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import keras
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.ops.rows import each_row_once, has_rows_only
from kerasvision.tasks.base import Collected, Objective, Player
from kerasvision.training.measures import EpochMeasures

# Of a whole weight, or of some of its rows.
Gradient: TypeAlias = tf.Tensor | tf.IndexedSlices


class Penalty(NamedTuple):
    """A penalty on a weight w: l1 times the sum of |w|, plus l2 / 2 times the sum of w^2. Both: the elastic penalty.

    Source: Zou & Hastie, 2005, https://doi.org/10.1111/j.1467-9868.2005.00503.x; at w = 0 the slope of |w| counts as 0.

    >>> Penalty(l1=0.5, l2=0.25).added_to(tf.zeros(3), keras.Variable([2.0, 0.0, -2.0])).numpy().tolist()
    [1.0, 0.0, -1.0]
    """

    l1: float = 0.0
    l2: float = 0.0

    def added_to(self, gradient: tf.Tensor, weight: keras.Variable) -> tf.Tensor:
        """A gradient of the weight's shape and dtype, plus the slope of the penalty."""
        if self.l1:
            gradient += self.l1 * tf.sign(tf.convert_to_tensor(weight))
        return gradient + self.l2 * tf.convert_to_tensor(weight) if self.l2 else gradient


NO_PENALTY = Penalty()


class Sums(NamedTuple):
    """Sums over some examples.

    Attributes:
        gradients: one per weight that the loss depends on, of that weight's shape and dtype: the sum of the gradients. For a
            weight that is updated by rows (`kerasvision.ops.rows`), these rows.
        loss: float32 scalar, the sum of the losses (float64 where the losses are).
        count: scalar of the loss' dtype, the number of examples.
    """

    gradients: list[Gradient]
    loss: tf.Tensor
    count: tf.Tensor


class Whole(NamedTuple):
    """The result for a whole batch.

    Attributes:
        gradients: one per weight, of that weight's shape and dtype: the gradient to apply; or some of its rows, each once.
        loss: float32 scalar, the mean loss (float64 where the losses are).
        is_finite: bool scalar, whether the gradient is finite.
    """

    gradients: list[Gradient]
    loss: tf.Tensor
    is_finite: tf.Tensor


class ExampleLosses:
    """Computes the losses of examples and their gradients, and adds the examples to the measures. For use in a replica.

    Args:
        network: built.
        objective: loss and metrics.
        scale: returns the factor on the losses before the gradient is computed, a float32 scalar; None: no factor.

    Attributes:
        used: the weights that have a gradient, known once the first one is computed.
        owners: for each of them, the number of the player that it belongs to; 0 without players.

    Raises:
        ConfigError: the players do not have each trainable weight once.
    """

    def __init__(self, network: keras.Model, objective: Objective, *, scale: Callable[[], tf.Tensor] | None = None) -> None:
        self._network, self._objective, self._scale = network, objective, scale
        self._players = tuple(objective.players(network))
        if self._players:
            _check_players(network, self._players)
        # Only the first computation of the loss shows which weights it depends on.
        self.used: list[keras.Variable] = []
        self.owners: list[int] = []

    def sums(self, batch: Any, *, measures: EpochMeasures, divided: bool) -> Sums:
        """Trains on a batch (inputs, targets) or (inputs, targets, weights).

        Args:
            batch: this replica's; inputs float32 (N, H, W, C), or a structure of tensors with N rows; targets with N rows;
                weights float32 (N,).
            measures: to which the batch is added.
            divided: whether to divide the gradients by the number of examples here, where it costs nothing.
        """
        with tf.GradientTape(persistent=bool(self._players)) as tape:
            losses, present, outputs = self._measured(batch, measures=measures, training=True)
            total, count = tf.reduce_sum(losses), tf.reduce_sum(present)
            totals = [self._total(player, batch, outputs) for player in self._players] or [total]
            scaled = [self._scaled(one, count, divided=divided) for one in totals]
        parts = [player.weights for player in self._players] or [self._network.trainable_variables]
        found = [
            (weight, owner, gradient if has_rows_only(weight) else tf.convert_to_tensor(gradient))
            for owner, (one, weights) in enumerate(zip(scaled, parts, strict=True))
            for weight, gradient in zip(weights, tape.gradient(one, weights), strict=True)
            if gradient is not None
        ]
        self.used, self.owners = [weight for weight, _, _ in found], [owner for _, owner, _ in found]
        return Sums([gradient for _, _, gradient in found], total, count)

    def losses(self, batch: Any, *, measures: EpochMeasures, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """The loss of each example; adds the batch to the measures.

        Args:
            batch: as in `sums`.
            measures: to which the batch is added.
            training: whether the network runs in training mode.

        Returns:
            float32 (N,), the weighted losses, and float32 scalar, the number of rows with a weight above 0. Both are float64
            where the objective's losses are.
        """
        losses, present, _ = self._measured(batch, measures=measures, training=training)
        return losses, tf.reduce_sum(present)

    def rows(self, batch: Any, *, measures: EpochMeasures, collected: Collected) -> dict[str, tf.Tensor]:
        """What `collected` keeps of a batch, from the same outputs as the losses; adds the batch to the measures.

        Args:
            batch: as in `sums`.
            measures: to which the batch is added.
            collected: of the objective.

        Returns:
            name -> tensor of N rows: `truth/<name>`, `answers/<name>`, and `present`, bool (N,), whether the weight is
            above 0.
        """
        _, present, outputs = self._measured(batch, measures=measures, training=False)
        _, targets, _ = keras.utils.unpack_x_y_sample_weight(batch)
        truth, answers = collected.truth(targets), collected.answers(outputs)
        both = {} if collected.compared is None else collected.compared(targets, outputs)
        return {
            "present": present > 0,
            **{f"truth/{name}": part for name, part in truth.items()},
            **{f"answers/{name}": part for name, part in {**answers, **both}.items()},
        }

    def _measured(self, batch: Any, *, measures: EpochMeasures, training: bool) -> tuple[tf.Tensor, tf.Tensor, Any]:
        """The losses as in `losses`; of the same shape and dtype 1 for a row that counts, and otherwise 0; the outputs."""
        inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(batch)
        outputs = self._network(inputs, training=training)
        losses, present = self._weighted(self._objective.losses(targets, outputs, training=training), weights)
        measures.update(losses, targets=targets, answers=self._objective.answers(outputs), weights=weights)
        return losses, present, outputs

    def _weighted(self, losses: tf.Tensor, weights: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """The losses times the weights, with those of the layers; of the same shape 1 for a row that counts, otherwise 0."""
        losses = _one_each(losses)
        # A sum in 16 bits would round, and overflow.
        losses = losses if losses.dtype == tf.float64 else tf.cast(losses, tf.float32)
        present = tf.ones_like(losses) if weights is None else tf.cast(weights > 0, losses.dtype)
        losses = losses if weights is None else losses * tf.cast(weights, losses.dtype)
        if self._network.losses:
            losses += present * tf.add_n([tf.cast(loss, losses.dtype) for loss in self._network.losses])
        return losses, present

    def _total(self, player: Player, batch: Any, outputs: Any) -> tf.Tensor:
        """The sum of a player's losses over the examples."""
        _, targets, weights = keras.utils.unpack_x_y_sample_weight(batch)
        losses, _ = self._weighted(player.losses(targets, outputs, training=True), weights)
        return tf.reduce_sum(losses)

    def _scaled(self, total: tf.Tensor, count: tf.Tensor, *, divided: bool) -> tf.Tensor:
        """What the gradient is computed of."""
        scaled = total / tf.maximum(count, 1.0) if divided else total
        return scaled if self._scale is None else scaled * tf.cast(self._scale(), scaled.dtype)


def _check_players(network: keras.Model, players: Sequence[Player]) -> None:
    owned = [weight.path for player in players for weight in player.weights]
    trainable = [weight.path for weight in network.trainable_variables]
    if sorted(owned) != sorted(trainable):
        differing = sorted({path for path in {*owned, *trainable} if owned.count(path) != trainable.count(path)})
        raise ConfigError(
            "the players of an objective must have each trainable weight of the network once",
            received=f"another number of {', '.join(differing[:5])}",
        )


def _one_each(losses: tf.Tensor) -> tf.Tensor:
    """The same losses, (n,). Targets (n,) and outputs (n, 1) make (n, n), whose sum trains something else.

    Raises:
        ConfigError: they have another number of axes.
    """
    if losses.shape.rank not in (1, None):
        sides = ", ".join("N" if side is None else str(side) for side in losses.shape)
        raise ConfigError(
            "the losses of a task's objective must be one number per example, float32 (N,)",
            received=f"({sides})",
            hint="compare targets and outputs of equal shape: outputs[:, 0] where the network returns a single number",
        )
    return losses


def whole_batch(
    sums: Sums,
    *,
    weights: Sequence[keras.Variable],
    is_divided: bool,
    scale: tf.Tensor | None,
    clip_norm: float | None,
    penalties: Sequence[Penalty],
    owners: Sequence[int] = (),
) -> Whole:
    """Divides by the number of examples, adds the penalties, checks, and clips by the norm of all gradients of a player.

    Args:
        sums: over all replicas and micro-batches.
        weights: one per gradient.
        is_divided: whether the gradients are already divided by the number of examples.
        scale: float32 scalar, the factor that was on the losses; None: no factor.
        clip_norm: the largest norm of the gradient; a longer one is shortened to it. None: no limit.
        penalties: one per weight.
        owners: per weight, the number of its player; empty: there is one player.
    """
    gradients, examples = [_rows_once(each) for each in sums.gradients], tf.maximum(sums.count, 1.0)
    factors = [] if is_divided else [1.0 / examples]
    factors += [] if scale is None else [1.0 / tf.cast(scale, examples.dtype)]
    if any(map(any, penalties)):
        divided = zip(_times(gradients, factors), weights, penalties, strict=True)
        gradients = [penalty.added_to(gradient, weight) for gradient, weight, penalty in divided]
        factors = []
    owners = owners or [0] * len(gradients)
    made, norms = list(gradients), []
    for player in sorted(set(owners)):
        places = [place for place, owner in enumerate(owners) if owner == player]
        own = [gradients[place] for place in places]
        (norm,) = _times([tf.linalg.global_norm(own)], factors)
        clipped = _times(own, factors if clip_norm is None else [*factors, tf.minimum(clip_norm / norm, 1.0)])
        norms.append(norm)
        for place, gradient in zip(places, clipped, strict=True):
            made[place] = gradient
    return Whole(made, sums.loss / examples, tf.reduce_all(tf.math.is_finite(tf.stack(norms))))


def _times(tensors: Sequence[Gradient], factors: Sequence[tf.Tensor]) -> list[Gradient]:
    """Each tensor times the product of the factors, in one pass over the tensor."""
    if not factors:
        return list(tensors)
    factor = tf.reduce_prod(tf.stack(factors))
    return [_scaled(tensor, factor) for tensor in tensors]


def _rows_once(gradient: Gradient) -> Gradient:
    return each_row_once(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient


def _scaled(tensor: Gradient, factor: tf.Tensor) -> Gradient:
    if isinstance(tensor, tf.IndexedSlices):
        return tf.IndexedSlices(tensor.values * factor, tensor.indices, tensor.dense_shape)
    return tensor * factor
