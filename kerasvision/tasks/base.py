"""What training, evaluation and export may know of a task. Nothing above this floor knows more."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.axes import Axes

from kerasvision import config as c
from kerasvision import lookup

Batch = Mapping[str, tf.Tensor]
Predictions = dict[str, Any]


@dataclass(frozen=True)
class Judgement:
    """How good a whole data set's predictions are.

    Attributes:
        scores: metric -> value.
        rows: one row per example, in order: id, the truth, the prediction, `loss` (larger is worse) and `correct`.
        tables: further tables by name, a confusion matrix say.
    """

    scores: dict[str, float]
    rows: pd.DataFrame
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class Objective:
    """What training makes small, and what it shows meanwhile.

    Attributes:
        losses: (targets, outputs, training=whether it is for training) -> float32 (N,), the loss of each example.
        metrics: Keras metrics of (targets, answers).
        answers: what of the network's outputs the metrics see.
    """

    losses: Callable[..., tf.Tensor]
    metrics: list[keras.metrics.Metric]
    answers: Callable[[Any], tf.Tensor] = lambda outputs: outputs


class Task(ABC):
    """One kind of thing to be learned.

    Args:
        settings: the task's part of the pipeline file.
        classes: class names in the order of their numbers.
    """

    def __init__(self, settings: c.Task, classes: Sequence[str]) -> None:
        self.settings = settings
        self.classes = tuple(classes)

    @abstractmethod
    def encode(self, batch: Batch) -> tuple[Any, Any]:
        """(inputs, targets) of a batch: what the network receives and what the loss compares with. Runs in tf.data."""

    @abstractmethod
    def build(self, model: c.Model, *, image_shape: tuple[int, int, int]) -> keras.Model:
        """The network to be trained, with all that training needs."""

    def trained(self, model: keras.Model) -> keras.Model:
        """What `build` made, without that which only training needs: the network to be saved. Weights are shared."""
        return model

    @abstractmethod
    def objective(self) -> Objective:
        """The loss, and the metrics shown while training. Made in the scope of the strategy that trains."""

    @abstractmethod
    def predictor(self, model: keras.Model) -> Callable[[tf.Tensor], Predictions]:
        """What serving runs: scaled images float32 (N, H, W, C) to named outputs, in stock TensorFlow operations."""

    @abstractmethod
    def judge(self, *, ids: Sequence[str], labels: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Judgement:
        """Scores over a whole data set.

        Args:
            ids: of the examples.
            labels: int64 (N,), the true class numbers.
            predictions: what `predictor` gave for them, as arrays.
        """

    @abstractmethod
    def draw(self, axes: Axes, *, image: np.ndarray, row: pd.Series) -> None:
        """An image, uint8 (H, W, 3), with its row of a judgement."""


def make_task(settings: c.Task, classes: Sequence[str]) -> Task:
    """The task of these settings."""
    return lookup.load(settings.implementation)(settings, classes)
