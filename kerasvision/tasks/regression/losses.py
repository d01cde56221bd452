"""What a network of numbers is trained with: the losses of scaled residuals, and the mean errors in the values' units."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kerasvision import config as c
from kerasvision.tasks.regression.scaling import Scaling


def value_losses(settings: c.Regression, scaling: Scaling) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The function from (truth in units, outputs in deviations), both (N, V), to the losses of the images, float32 (N,).

    Truth is NaN where it is missing; there the loss and its gradient are 0.

    >>> losses = value_losses(c.Regression(), Scaling((10.0, 0.0), (2.0, 1.0)))
    >>> losses(tf.constant([[14.0, float("nan")]]), tf.constant([[5.0, 9.0]])).numpy().tolist()  # (5 - 2)^2 / 2
    [4.5]
    """

    def losses(truth: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        known, residuals = _residuals(truth, outputs, scaling)
        each = tf.where(known, residual_losses(residuals, settings), 0.0)
        return tf.reduce_mean(each, axis=-1)

    return losses


def residual_losses(residuals: tf.Tensor, settings: c.Regression) -> tf.Tensor:
    """The loss of each residual, of the same shape; see `kerasvision.config.Regression`.

    >>> residuals = tf.constant([0.5, -3.0])
    >>> for loss in ("l2", "l1", "huber"):
    ...     print(residual_losses(residuals, c.Regression(loss=loss)).numpy().tolist())
    [0.25, 9.0]
    [0.5, 3.0]
    [0.125, 2.5]
    """
    if settings.loss == "l2":
        return tf.square(residuals)
    apart = tf.abs(residuals)
    if settings.loss == "l1":
        return apart
    delta = settings.huber_delta
    return tf.where(apart <= delta, tf.square(residuals) / 2, delta * (apart - delta / 2))


class MeanError(keras.metrics.Metric):
    """The mean over the values of the mean absolute error, or of the root of the mean square, in the values' units.

    Targets are float32 (N, V) in units, NaN where one is missing; answers are (N, V) in deviations. A value without a number
    does not count.

    Args:
        power: 1 for the absolute error, 2 for the root of the mean square.
        mean, deviation: of the V values, see `Scaling`.

    >>> metric = MeanError(power=1, mean=(10.0, 0.0), deviation=(2.0, 1.0))
    >>> metric.update_state(tf.constant([[14.0, 1.0], [10.0, float("nan")]]), tf.constant([[5.0, 3.0], [1.0, 7.0]]))
    >>> float(metric.result())  # the mean of (6 + 2) / 2 and 2
    3.0
    """

    def __init__(
        self,
        *,
        power: int,
        mean: tuple[float, ...],
        deviation: tuple[float, ...],
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name or {1: "mae", 2: "rmse"}[power], dtype=dtype)
        self.power, self.scaling = power, Scaling(tuple(mean), tuple(deviation))
        shape = (len(self.scaling.mean),)
        # In deviations: sums of numbers in large units would lose their last digits.
        self.total = self.add_variable(shape, initializer="zeros", name="total")
        self.count = self.add_variable(shape, initializer="zeros", name="count")

    def update_state(self, targets: tf.Tensor, answers: tf.Tensor, weights: tf.Tensor | None = None) -> None:
        known, residuals = _residuals(targets, answers, self.scaling)
        counted = tf.cast(known, tf.float32)
        if weights is not None:
            counted *= tf.cast(weights, tf.float32)[:, None]
        self.total.assign_add(tf.reduce_sum(counted * tf.abs(residuals) ** self.power, axis=0))
        self.count.assign_add(tf.reduce_sum(counted, axis=0))

    def result(self) -> tf.Tensor:
        total, count = (tf.convert_to_tensor(one) for one in (self.total, self.count))
        of_values = tf.math.divide_no_nan(total, count) ** (1.0 / self.power) * tf.constant(
            self.scaling.deviation, tf.float32
        )
        return tf.math.divide_no_nan(tf.reduce_sum(of_values), tf.reduce_sum(tf.cast(count > 0, tf.float32)))

    def get_config(self) -> dict[str, Any]:
        scaling = {"mean": self.scaling.mean, "deviation": self.scaling.deviation}
        return {**super().get_config(), "power": self.power, **scaling}


def _residuals(truth: tf.Tensor, outputs: tf.Tensor, scaling: Scaling) -> tf.Tensor:
    """bool (N, V), where truth is known; float32 (N, V), the residuals in deviations, 0 elsewhere."""
    known = ~tf.math.is_nan(truth)
    scaled = scaling.scaled(tf.where(known, truth, 0.0))
    # Not after the difference: the gradient of a NaN that is replaced is NaN.
    return known, tf.where(known, tf.cast(outputs, tf.float32) - scaled, 0.0)
