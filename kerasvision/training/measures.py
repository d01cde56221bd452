"""The loss and the metrics over many batches. Each example counts once, on any number of replicas."""

import keras
import tensorflow as tf


class EpochMeasures:
    """Mean loss and Keras metrics. Each replica sums over its own examples, and the results combine all replicas.

    Args:
        metrics: Keras metrics whose state consists of sums over examples, as in all of Keras' own metrics.
        strategy: the one in whose scope the metrics were made.

    >>> measures = EpochMeasures([keras.metrics.BinaryAccuracy(name="accuracy")])
    >>> targets, answers = tf.constant([[1.0], [0.0], [0.0]]), tf.constant([[0.9], [0.8], [0.1]])
    >>> measures.update(tf.constant([0.1, 1.6, 0.1]), targets=targets, answers=answers, weights=tf.constant([1.0, 1.0, 0.0]))
    >>> {name: round(value, 3) for name, value in measures.results().items()}  # the third row has weight 0
    {'loss': 0.85, 'accuracy': 0.5}
    """

    def __init__(self, metrics: list[keras.metrics.Metric], *, strategy: tf.distribute.Strategy | None = None) -> None:
        with (strategy or tf.distribute.get_strategy()).scope():
            self._loss = keras.metrics.Mean(name="loss")
        self._metrics = metrics
        self._results = tf.function(self._results_now, autograph=False)

    def update(self, losses: tf.Tensor, *, targets: tf.Tensor, answers: tf.Tensor, weights: tf.Tensor | None) -> None:
        """Adds a batch. Call it in the context of a replica.

        Args:
            losses: float32 (N,), weighted.
            targets: (N, ...), the truth, of the shape and dtype that the metrics expect.
            answers: float32 (N, ...), the network's predictions as the metrics expect them (`Objective.answers`).
            weights: float32 (N,); a row of weight 0 is not counted. None: all are 1.
        """
        self._loss.update_state(losses, None if weights is None else tf.cast(weights > 0, tf.float32))
        for metric in self._metrics:
            metric.update_state(targets, answers, weights)

    def results(self) -> dict[str, float]:
        """`loss`, the mean over examples, and the metrics by name."""
        return {name: keras.ops.convert_to_numpy(value).item() for name, value in self._results().items()}

    def reset(self) -> None:
        """Forgets all batches."""
        for metric in self._all():
            metric.reset_state()

    def variables(self) -> dict[str, tf.Variable]:
        """What a checkpoint must contain to resume within an epoch: name -> variable, of its metric's shape and dtype."""
        return {
            f"{metric.name}/{number}": variable.value
            for metric in self._all()
            for number, variable in enumerate(metric.variables)
        }

    def _all(self) -> tuple[keras.metrics.Metric, ...]:
        return (self._loss, *self._metrics)

    def _results_now(self) -> dict[str, tf.Tensor]:
        return {metric.name: metric.result() for metric in self._all()}
