"""What early stopping and `keep="best"` did at the end of a training, in sentences."""

from collections.abc import Iterable, Iterator

import keras

from kerasvision import config as c
from kerasvision.training.checkpointing.best_weights import BestWeights
from kerasvision.training.logs.epoch_lines import History, number


def how_it_ended(training: c.Training, history: History, callbacks: Iterable[keras.callbacks.Callback]) -> Iterator[str]:
    """A sentence about early stopping, and one about the weights that the model has. None if neither was set.

    Args:
        training: the settings.
        history: name -> one value per epoch.
        callbacks: of this training, after its last epoch.

    >>> keeper = BestWeights("val_accuracy", best_is="max")
    >>> keeper.best, keeper.best_epoch = 0.75, 2
    >>> history = {"val_accuracy": [0.5, 0.75, 0.7]}
    >>> print(*how_it_ended(c.Training(epochs=3, keep="best", best_metric="accuracy"), history, [keeper]))
    the model has the weights of epoch 2, the best by val_accuracy: 0.7500; after epoch 3, the last, it was 0.7000
    """
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.EarlyStopping):
            yield _about_stopping(training, history, callback)
            if training.keep == "last":
                yield "the model has the weights of the last epoch; training.keep='best' keeps those of the best one"
        if isinstance(callback, BestWeights):
            yield _about_weights(history, callback)


def _about_stopping(training: c.Training, history: History, stop: keras.callbacks.EarlyStopping) -> str:
    settings, name, last = training.early_stopping or c.EarlyStopping(), stop.monitor, len(history[stop.monitor])
    if not stop.stopped_epoch:
        return f"early stopping did not end the training: {name} last improved in epoch {stop.best_epoch + 1} of {last}"
    by = f" by more than {settings.minimum_change:g}" if settings.minimum_change else ""
    return (
        f"early stopping ended the training after epoch {last} of {training.epochs}: {name} has not improved{by} since "
        f"epoch {stop.best_epoch + 1}, in which it was {number(float(history[name][stop.best_epoch]))}"
    )


def _about_weights(history: History, keeper: BestWeights) -> str:
    values = history[keeper.metric]
    if keeper.best is None:
        return f"the model has the weights of the last epoch: {keeper.metric} was never a number"
    if keeper.best_epoch == len(values):
        return f"the model has the weights of the last epoch, the best by {keeper.metric}: {number(keeper.best)}"
    return (
        f"the model has the weights of epoch {keeper.best_epoch}, the best by {keeper.metric}: {number(keeper.best)}; "
        f"after epoch {len(values)}, the last, it was {number(values[-1])}"
    )
