"""Learning the number that a label names (a grade, an age, a count): a task of its own."""

from typing import ClassVar

import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision.tasks.base import Objective
from kerasvision.tasks.measured import MeasuredTask


def mean_error(truth, answers, weights):
    """float (R,): mean |answer - truth| of N images, float32 (N,), under R weightings of them, float64 (N, R)."""
    return np.abs(answers - truth) @ weights / weights.sum(axis=0)


class Number(c.MeasuredTask):
    """The number that the label of an image names; all labels must be numbers."""

    implementation: ClassVar[str] = "my_task:NumberTask"
    requires = ("labels",)
    metrics: tuple[c.Metric, ...] = (c.Metric("my_task:mean_error", best="min"),)


class NumberTask(MeasuredTask):
    """Minimizes the squared error. The served model answers with `number`, float32 (N,)."""

    answer = "number"

    def target(self, batch):
        return tf.gather([float(name) for name in self.classes], batch["label"])

    def objective(self):
        return Objective(lambda targets, outputs, training: tf.square(outputs[:, 0] - targets), metrics=[])

    def predictor(self, model, *, temperature=1.0):
        return lambda images: {"number": model(images, training=False)[:, 0]}

    def losses(self, truth, answers):
        return np.abs(answers - truth)
