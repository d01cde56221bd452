"""What a task's network is trained for: the loss, the metrics of batches, and scores of the whole validation split.

`kerasvision.tasks.base` has these names too: the packages above the tasks use them from there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy.typing as npt
import tensorflow as tf

from kerasvision.errors import ConfigError

# name -> array of one row per example.
Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Collected:
    """Scores that need the answers for the whole validation split at once, such as an average precision.

    A training keeps `answers` and `truth` of all validation images in memory, in their order, each image once, on any number
    of replicas and workers. It calls `scores` after an epoch, and adds the results to the history as `val_<name>`.

    Attributes:
        answers: the network's outputs for N images -> name -> tensor of N rows: numbers or booleans that NumPy knows. Its
            further axes are the same in every batch. Runs in a `tf.function`, in each replica. In 16 bits
            (`training.precision`), the outputs are bfloat16 or float16.
        truth: the targets of N images -> name -> tensor, likewise.
        compared: (targets, outputs) of N images -> name -> tensor, likewise: small tensors that need both, such as counts of
            pixels. They are joined to `answers`. None: there are none.
        scores: (truth, answers) as arrays -> name -> finite number. It leaves out a name that has no value for these images.
            The first result decides the columns of the history: a name that later has no value keeps its last value there,
            and a name that first has a value later is left out, with a warning. So a score that depends on the answers
            returns its worst value as long as it has none.
        every: after how many epochs the scores are computed. They are also computed after the first and the last epoch of
            the settings. After the other epochs the history repeats the last values, so `keep="best"` keeps only an epoch
            that was scored, and the patience of early stopping counts all epochs.
    """

    answers: Callable[[Any], Mapping[str, tf.Tensor]]
    truth: Callable[[Any], Mapping[str, tf.Tensor]]
    scores: Callable[[Arrays, Arrays], Mapping[str, float]]
    every: int = 1
    compared: Callable[[Any, Any], Mapping[str, tf.Tensor]] | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError("Collected.every must be at least 1", received=self.every)


@dataclass(frozen=True)
class Player:
    """A part of a network that learns from a loss of its own, such as each of the two networks of a GAN.

    Attributes:
        weights: its trainable weights. A weight belongs to one player.
        losses: as `Objective.losses`.
    """

    weights: Sequence[keras.Variable]
    losses: Callable[..., tf.Tensor]


def _alone(network: keras.Model) -> Sequence[Player]:
    return ()


@dataclass(frozen=True)
class Objective:
    """The loss that training minimizes, and the metrics that it shows.

    With `players`, a step computes the network's outputs once. From them it computes the gradient of each player's loss with
    respect to that player's weights alone, at the weights before the step, and then updates all weights at once: the
    single-step gradient method of Nowozin et al., 2016, https://arxiv.org/abs/1606.00709, algorithm 1.

    Attributes:
        losses: (targets, outputs, training=whether for training) -> float32 (N,), the loss of each example. With players it
            is only shown.
        metrics: Keras metrics of (targets, answers).
        answers: the part of the network's outputs that the metrics receive.
        collected: scores of the whole validation split after an epoch; None: there are none.
        players: the network -> the parts of it that learn from a loss of their own. Together they have all trainable
            weights. Empty, by default: all weights learn from `losses`.
    """

    losses: Callable[..., tf.Tensor]
    metrics: list[keras.metrics.Metric]
    answers: Callable[[Any], Any] = lambda outputs: outputs
    collected: Collected | None = None
    players: Callable[[keras.Model], Sequence[Player]] = _alone
