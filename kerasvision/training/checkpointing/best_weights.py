"""The weights of the best epoch, in addition to those of the last."""

from typing import Literal

import keras
import numpy as np

from kerasvision.errors import ConfigError


class BestWeights(keras.callbacks.Callback):
    """Keeps a copy of the weights whenever a metric reaches a new best value. A value that is not a number is never best.

    Its state is in plain attributes, and so part of every checkpoint (see callback_state).

    Args:
        metric: a name in the history, such as "val_accuracy".
        best_is: whether the smallest or the largest value is the best.

    Attributes:
        best: the best value; None before the first.
        best_epoch: its epoch, from 1; 0 before the first.
        best_weights: copies of the model's weights after that epoch, each of its weight's shape and dtype.

    >>> keeper = BestWeights("val_accuracy", best_is="max")
    >>> keeper.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
    >>> for epoch, accuracy in enumerate([0.5, 0.7, 0.6]):
    ...     keeper.on_epoch_end(epoch, {"val_accuracy": accuracy})
    >>> keeper.best, keeper.best_epoch
    (0.7, 2)
    """

    remembers = ("best", "best_epoch", "best_weights")

    def __init__(self, metric: str, *, best_is: Literal["min", "max"]) -> None:
        super().__init__()
        self.metric, self.best_is = metric, best_is
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: list[np.ndarray] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keeps the weights if this epoch is the best.

        Raises:
            ConfigError: the history has no such metric.
        """
        logs = logs or {}
        if self.metric not in logs:
            raise ConfigError(f"the metric must be in the history: {', '.join(logs) or 'empty'}", received=self.metric)
        value = float(logs[self.metric])
        if self._is_better(value):
            self.best, self.best_epoch = value, epoch + 1
            self.best_weights = [np.array(array) for array in self.model.get_weights()]

    def _is_better(self, value: float) -> bool:
        if self.best is None:
            return not np.isnan(value)
        return value < self.best if self.best_is == "min" else value > self.best
