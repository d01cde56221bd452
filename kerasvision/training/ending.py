"""What early stopping and `keep="best"` did at the end of a training: in sentences, and in epochs."""

from collections.abc import Iterable, Iterator
from typing import Literal

import keras

from kerasvision import config as c
from kerasvision.training.checkpointing.best_weights import BestWeights
from kerasvision.training.logs.epoch_lines import History, best_of, number


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


def kept_epochs(training: c.Training, history: History, *, began: int, best_is: Literal["min", "max"]) -> tuple[int, ...]:
    """How many epochs of each phase made the weights that the model has.

    With `keep="best"` a phase starts from the best epoch of the phase before, and the epochs after that one do not count.

    Args:
        training: the settings.
        history: name -> one value per epoch of all phases.
        began: after how many epochs the second phase began; 0: there is only one phase.
        best_is: whether the smallest or the largest value of `training.best_by` is the best.

    >>> history = {"val_loss": [0.9, 0.5, 0.7, 0.6, 0.4, 0.8]}
    >>> for keep in ("last", "best"):
    ...     training = c.Training(keep=keep)
    ...     kept_epochs(training, history, began=0, best_is="min"), kept_epochs(training, history, began=3, best_is="min")
    ((6,), (3, 3))
    ((5,), (2, 2))
    """
    values = history.get(f"val_{training.best_by}", ()) if training.keep == "best" else ()
    total = max(map(len, history.values()), default=0)
    best, first = (best_of(some, best_is) or (0.0, len(some)) for some in (values, values[:began]))
    last, border = (best[1], first[1]) if values else (total, began)
    return (border, last - began) if 0 < began < last else (last,)


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
