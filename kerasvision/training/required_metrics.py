"""Whether an epoch measured the metrics that early stopping needs."""

from collections.abc import Collection, Mapping

import keras

from kerasvision.errors import ConfigError


class RequiredMetrics(keras.callbacks.Callback):
    """Rejects an epoch without a metric that another callback reads. Keras' own would only warn, and never stop.

    Most metrics are known before the training. But a score of `Collected` has no value if the validation split lacks what
    it counts. The callback has no state.

    Args:
        names: in the history, such as "val_accuracy".

    >>> RequiredMetrics(["val_recall"]).on_epoch_end(0, {"loss": 0.5, "val_loss": 0.7})
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: training.early_stopping needs val_recall, which has no value; measured are loss, ...
    """

    def __init__(self, names: Collection[str]) -> None:
        super().__init__()
        self._names = tuple(names)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Checks the names.

        Raises:
            ConfigError: one of them is missing.
        """
        measured = logs or {}
        for name in self._names:
            if name not in measured:
                raise ConfigError(
                    f"training.early_stopping needs {name}, which has no value; measured are {', '.join(measured)}",
                    hint="choose one of these, or a validation split in which it has a value",
                )
