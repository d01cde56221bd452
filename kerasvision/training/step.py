"""One training step that is the same on one device and on many.

    gradients of each replica's examples, summed over its micro-batches
    -> summed over the replicas -> divided by the number of examples -> + slopes of the penalties
    -> finite? -> clipped by the norm of all gradients together -> applied once -> averages of the weights

If parts of the network learn from losses of their own (`Objective.players`), the norm is that of each part.

Keras' own `fit` clips and checks before the sum over replicas, divides by each replica's rows, and cannot sum over micro-
batches under a strategy. Here a replica only computes gradients; all later operations see the whole batch.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.ops.kernel_gradients import as_products
from kerasvision.ops.rows import has_rows_only
from kerasvision.tasks.base import Collected, Objective
from kerasvision.training.collecting import CollectedRows
from kerasvision.training.devices.dropout import differ_by_replica
from kerasvision.training.devices.replicas import shared_out
from kerasvision.training.devices.workers import WorkerGroup
from kerasvision.training.gradients import NO_PENALTY, ExampleLosses, Penalty, Sums, Whole, whole_batch
from kerasvision.training.measures import EpochMeasures
from kerasvision.training.optimizing.averaging import WeightAverages
from kerasvision.training.optimizing.loss_scale import LossScale
from kerasvision.training.optimizing.optimizers import TrainingOptimizer, is_decayed


class LostError(ArithmeticError):
    """A loss or a gradient is infinite or not a number. Weights and optimizer are as they were before that step.

    Args:
        position: index of the step within the call, from 0.
        loss: of that step.
    """

    def __init__(self, position: int, loss: float) -> None:
        super().__init__(position, loss)
        self.position, self.loss = position, loss


class TrainStep:
    """Runs training steps, and evaluates with the same weights.

    The gradient of a step is the sum over its examples of weight x gradient of the example's loss, divided by the number of
    examples; a row of weight 0 does not count as an example. Losses that layers add (Keras' `add_loss` and regularizers)
    are added once.

    Args:
        network: built in the strategy's scope.
        objective: loss and metrics, made in the same scope.
        optimizer: Keras', without clipping; several replicas require one from `for_training`.
        strategy: of tf.distribute; `tf.distribute.get_strategy()` for one device.
        micro_batches: how many elements of its iterator a step takes for each replica, one after the other.
        clip_norm: the largest norm of the gradient of all weights together, or of those of each player; a longer gradient
            is shortened to it.
        loss_scale: for float16.
        averages: of the weights; updated after each step.
        penalty: added to the minimized loss for all weights that decay (see `is_decayed`), but not to the reported loss.
        xla: whether to compile the losses and their gradients with XLA; only on one device. It is not done if a weight is
            updated by rows, whose number differs from step to step.
        workers: those that train. An evaluation gathers the rows of all of them; see `Collected`.
    """

    def __init__(
        self,
        network: keras.Model,
        *,
        objective: Objective,
        optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
        micro_batches: int = 1,
        clip_norm: float | None = None,
        loss_scale: LossScale | None = None,
        averages: WeightAverages | None = None,
        penalty: Penalty = NO_PENALTY,
        xla: bool = False,
        workers: WorkerGroup | None = None,
    ) -> None:
        self.network, self.optimizer, self.averages = network, optimizer, averages
        self._strategy, self._loss_scale, self._workers = strategy, loss_scale, workers
        self._collected = objective.collected
        self._micro_batches, self._clip_norm, self._penalty = micro_batches, clip_norm, penalty
        self._replicas = strategy.num_replicas_in_sync
        self._examples = ExampleLosses(network, objective, scale=None if loss_scale is None else lambda: loss_scale.value)
        # If one replica sees the whole batch at once, dividing its loss divides all gradients.
        self._divided = self._replicas == micro_batches == 1
        if self._replicas > 1:
            _refuse_to_sum_twice(optimizer)
            differ_by_replica(network)
        by_rows = any(map(has_rows_only, network.trainable_variables))
        if by_rows and micro_batches > 1:
            raise ConfigError(
                "weights that are updated by rows require training.micro_batches=1, as micro-batches use different rows",
                received=micro_batches,
            )
        with strategy.scope():
            optimizer.build(network.trainable_variables)
            self._measures = EpochMeasures(objective.metrics, strategy=strategy)
            copies = [type(metric).from_config(metric.get_config()) for metric in objective.metrics]
            self._evaluated = EpochMeasures(copies, strategy=strategy)
        self._sums = (
            tf.function(self._sums_now, autograph=False, jit_compile=True) if xla and not by_rows else self._sums_now
        )
        self._run = tf.function(self._steps, autograph=False)
        self._evaluate = tf.function(self._scores, autograph=False)
        self._collect = tf.function(self._rows, autograph=False)

    def share_out(self, batches: tf.data.Dataset) -> Any:
        """The batches cut for `run`, which takes an iterator over them; see `shared_out`."""
        return shared_out(batches, strategy=self._strategy, micro_batches=self._micro_batches)

    def run(self, iterator: Any, steps: int) -> np.ndarray:
        """Runs training steps in one call of TensorFlow.

        Args:
            iterator: over the result of `share_out`.
            steps: how many to run.

        Returns:
            float32 (steps,), the loss of each step: the mean over its examples.

        Raises:
            LostError: the loss or the gradient of a step is not finite. The training stops at the first such step. In
                float16 a gradient may overflow as long as the loss scale can still fall; such a step changes no weight.
        """
        losses, done, lost = self._run(iterator, tf.constant(steps, tf.int32))
        found: np.ndarray = losses.numpy()[: done.numpy()]
        if lost.numpy():
            raise LostError(len(found) - 1, float(found[-1]))
        return found

    def evaluate(self, batches: tf.data.Dataset, *, collects: bool = True) -> dict[str, float]:
        """`loss` and metrics over all batches, each example once. Does not change the measures of the training.

        Args:
            batches: (inputs, targets) or (inputs, targets, weights). If their number is unknown, they are read twice.
            collects: whether to compute the scores of `Objective.collected` too.

        Raises:
            ConfigError: a score of `Objective.collected` is not usable, or has the name of another measure.
        """
        self._evaluated.reset()
        iterator = iter(shared_out(batches, strategy=self._strategy))
        count = batches.cardinality()
        if count < 0:
            count = batches.reduce(tf.constant(0, tf.int64), lambda count, _: count + 1)
        if not collects or self._collected is None:
            self._evaluate(iterator, tf.cast(count, tf.int32))
            return self._evaluated.results()
        rows = CollectedRows(self._collected, self._workers)
        for _ in range(int(count)):
            rows.add(self._collect(iterator, self._collected))
        return _joined(self._evaluated.results(), rows.scores())

    @property
    def collects_every(self) -> int | None:
        """After how many epochs the scores of `Objective.collected` are computed; None if the objective has none."""
        return None if self._collected is None else self._collected.every

    def results(self) -> dict[str, float]:
        """`loss` and metrics of training since the last `reset`. Each batch is measured with the weights before its step."""
        return self._measures.results()

    def reset(self) -> None:
        """Starts an epoch: clears the measures that `results` returns."""
        self._measures.reset()

    def variables(self) -> dict[str, Any]:
        """All variables that change in training, by names that are the same in every process. A checkpoint saves these."""
        parts = {
            # By position: the numbers in Keras' layer names depend on which layers the process made before.
            "network": {f"{number:04d}/{one.name}": one for number, one in enumerate(self.network.variables)},
            "optimizer": {f"{number:04d}": one for number, one in enumerate(self.optimizer.variables)},
            "measures": self._measures.variables(),
            "loss_scale": self._loss_scale.variables() if self._loss_scale else {},
            "averages": self.averages.variables() if self.averages else {},
        }
        return {f"{part}/{name}": variable for part, variables in parts.items() for name, variable in variables.items()}

    # --- Outside the replicas

    def _steps(self, iterator: Any, steps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        losses = tf.TensorArray(tf.float32, size=steps, element_shape=())

        def one(number: tf.Tensor, lost: tf.Tensor, losses: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
            loss, lost = self._step(iterator)
            return number + 1, lost, losses.write(number, tf.cast(loss, tf.float32))

        # Operations outside `strategy.run` concern all replicas, and need the scope to know them.
        with self._strategy.scope(), as_products(self.network):
            done, lost, losses = tf.while_loop(
                lambda number, lost, losses: (number < steps) & ~lost,
                one,
                (tf.constant(0), tf.constant(False), losses),
                parallel_iterations=1,
            )
        return losses.stack(), done, lost

    def _step(self, iterator: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """The loss, float32 scalar, and whether the training is lost, bool scalar: loss or gradient is not finite."""
        if self._micro_batches == 1:
            whole = self._strategy.run(lambda batch: self._whole(self._sums(batch)), args=(next(iterator),))
        else:
            whole = self._strategy.run(self._whole, args=(self._micro_sums(iterator),))
        # Loss and finiteness are the same on all replicas.
        loss, is_finite = (self._strategy.experimental_local_results(part)[0] for part in whole[1:])
        lost = ~tf.math.is_finite(loss)
        tf.cond(is_finite & ~lost, lambda: self._apply(whole.gradients), lambda: None)
        if self._loss_scale is None:
            return loss, lost | ~is_finite
        lost |= ~is_finite & self._loss_scale.is_lowest
        self._loss_scale.update(is_finite)
        return loss, lost

    def _apply(self, gradients: Sequence[tf.Tensor]) -> None:
        self._strategy.run(lambda own: self.optimizer.apply(own, self._examples.used), args=(gradients,))
        if self.averages is not None:
            self.averages.update()

    def _micro_sums(self, iterator: Any) -> Any:
        """Each replica's sums over its micro-batches. They run one after the other, so memory for one suffices."""
        sums = self._strategy.run(self._sums, args=(next(iterator),))

        def add(number: tf.Tensor, sums: Any) -> tuple[tf.Tensor, Any]:
            return number + 1, self._strategy.run(self._added, args=(sums, next(iterator)))

        _, sums = tf.while_loop(
            lambda number, _: number < self._micro_batches, add, (tf.constant(1), sums), parallel_iterations=1
        )
        return sums

    def _scores(self, iterator: Any, steps: tf.Tensor) -> None:
        def one(number: tf.Tensor) -> tuple[tf.Tensor]:
            self._strategy.run(self._score, args=(next(iterator),))
            return (number + 1,)

        tf.while_loop(lambda number: number < steps, one, (tf.constant(0),), parallel_iterations=1)

    def _rows(self, iterator: Any, collected: Collected) -> dict[str, tf.Tensor]:
        """This worker's rows of the next batch, over its replicas in their order."""

        def own(batch: Any) -> dict[str, tf.Tensor]:
            return self._examples.rows(batch, measures=self._evaluated, collected=collected)

        rows = self._strategy.run(own, args=(next(iterator),))
        joined: dict[str, tf.Tensor] = tf.nest.map_structure(
            lambda part: tf.concat(self._strategy.experimental_local_results(part), axis=0), rows
        )
        return joined

    # --- Within a replica

    def _sums_now(self, batch: Any) -> Sums:
        return self._examples.sums(batch, measures=self._measures, divided=self._divided)

    def _added(self, sums: Sums, batch: Any) -> Sums:
        added: Sums = tf.nest.map_structure(tf.add, sums, self._sums(batch))
        return added

    def _whole(self, sums: Sums) -> Whole:
        if self._replicas > 1:
            sums = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, sums)
        return whole_batch(
            sums,
            weights=self._examples.used,
            is_divided=self._divided,
            scale=None if self._loss_scale is None else self._loss_scale.value,
            clip_norm=self._clip_norm,
            penalties=[self._penalty if is_decayed(weight) else NO_PENALTY for weight in self._examples.used],
            owners=self._examples.owners,
        )

    def _score(self, batch: Any) -> None:
        self._examples.losses(batch, measures=self._evaluated, training=False)


def _joined(measures: dict[str, float], scores: dict[str, float]) -> dict[str, float]:
    if twice := sorted(measures.keys() & scores.keys()):
        raise ConfigError(
            "the scores of an objective's Collected must have other names than its loss and metrics", received=twice
        )
    return measures | scores


def _refuse_to_sum_twice(optimizer: keras.optimizers.Optimizer) -> None:
    if not isinstance(optimizer, TrainingOptimizer):
        raise ConfigError(
            "on several replicas the optimizer must accept gradients that are already summed, and Keras' own sum them again",
            received=type(optimizer).__name__,
            hint="make it with for_training(...), or with make_optimizer",
        )
