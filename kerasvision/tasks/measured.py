"""A task whose scores are functions of (truth, answers, weights): the short way to a task of your own.

It takes two classes in a module of yours, and `c.Experiment(task={"kind": "my_task:Size"}, ...)`:

```python
class Size(c.MeasuredTask):
    implementation: ClassVar[str] = "my_task:SizeTask"
    metrics: tuple[c.Metric, ...] = (c.Metric("my_task:mean_error", best="min"),)


class SizeTask(MeasuredTask):
    answer = "size"

    def target(self, batch): ...
    def objective(self): ...
    def predictor(self, model, *, temperature=1.0): ...
    def losses(self, truth, answers): ...
```
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from kerasvision import config as c
from kerasvision import lookup, models
from kerasvision.data.feeding.padding import filled_up
from kerasvision.errors import ConfigError, StageError
from kerasvision.tasks.added_metrics import TruthAndAnswers, added_evidence, added_measures, check_added_scores
from kerasvision.tasks.base import Batch, Evidence, Judgement, Task
from kerasvision.tasks.metrics import Floats, weighted_scores
from kerasvision.tasks.networks import check_outputs


@dataclass(frozen=True)
class WeightedAnswers:
    """Answers under R weightings: truth (N, ...), answers (N, ...), weights float64 (N, R)."""

    truth: npt.NDArray[Any]
    answers: npt.NDArray[Any]
    weights: Floats


class MeasuredTask(Task):
    """A task that is judged by the metrics of its settings, see `kerasvision.config.Metric`.

    Attributes:
        answer: the output of `predictor` that the metrics receive.
        num_outputs: how many numbers the network returns for an image.
    """

    settings: c.MeasuredTask

    answer: ClassVar[str]
    num_outputs: ClassVar[int] = 1

    @abstractmethod
    def target(self, batch: Batch) -> tf.Tensor:
        """What is right for each of N examples: a tensor of N rows.

        Called in tf.data while training, and eagerly in an evaluation. An example may have fewer captions or objects than
        another one of its batch: captions are filled up with "", boxes with zeros, and the labels of objects with -1.

        Args:
            batch: `label` int64 (N,); `captions` string (N, K); `objects` with `bbox` float32 (N, M, 4) in [0, 1] (y_min,
                x_min, y_max, x_max) and `label` int64 (N, M); `values` float32 (N, V), NaN where one is missing: each
                where the source gives them.
        """

    @abstractmethod
    def losses(self, truth: npt.NDArray[Any], answers: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """How wrong each answer is, float (N,). The evaluation page shows the examples with the largest values.

        Args:
            truth: what `target` returned, as an array of N rows.
            answers: the predictor's output `answer`, as an array of N rows.
        """

    def encode(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """The images, float32 (N, H, W, C), and `target`."""
        return batch["image"], self.target(batch)

    def truth(self, batch: Batch) -> npt.NDArray[Any]:
        """`target` as an array."""
        truth: npt.NDArray[Any] = self.target(filled_up(dict(batch))).numpy()
        return truth

    def build(self, model: c.Model, *, image_shape: tuple[int, int, int]) -> keras.Model:
        """The named network with `num_outputs` outputs, float32 (N, num_outputs).

        Raises:
            ConfigError: it returns something else, or cannot be built.
        """
        options: dict[str, Any] = dict(model.options)
        network = models.build(
            model.name, image_shape=image_shape, num_classes=self.num_outputs, weights=model.weights, **options
        )
        return check_outputs(network, name=model.name, count=self.num_outputs)

    def judge(
        self, *, ids: Sequence[str], truth: npt.NDArray[Any], predictions: Mapping[str, npt.NDArray[Any]]
    ) -> Judgement:
        """Every metric of the settings, and a row per example with `truth`, `answer` and `loss`.

        Raises:
            ConfigError: the predictor has no output `answer`, or a metric or `losses` returns something of another shape.
            StageError: an answer is not a number, or a metric fails; see `added_metrics`.
        """
        answers, metrics, count = self._answers(predictions), self.settings.metrics, len(ids)
        scores_of = partial(_weighted_scores, truth, answers, metrics)
        scores = {name: float(found[0]) for name, found in scores_of(np.arange(count), np.ones((count, 1))).items()}
        check_added_scores(metrics, scores, count=count)

        def evidence(rows: npt.NDArray[Any]) -> dict[str, Evidence]:
            return added_evidence(metrics, len(rows))

        losses = self._losses(truth, answers)
        rows = pd.DataFrame({"id": list(ids), "truth": list(truth), "answer": list(answers), "loss": losses})
        return Judgement(scores=scores, rows=rows, weighted_scores=scores_of, evidence=evidence)

    def caption(self, row: pd.Series) -> str:
        """`truth → answer`, numbers with four significant digits."""
        return f"{_shown(row['truth'])} → {_shown(row['answer'])}"

    def _answers(self, predictions: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        name: str = getattr(self, "answer", "")
        if name not in predictions:
            raise ConfigError(
                f"{type(self).__name__}.answer must name an output of its predictor",
                received=name,
                hint=lookup.did_you_mean(name, predictions),
            )
        answers = predictions[name]
        if answers.dtype.kind == "f" and (lost := int((~np.isfinite(answers.reshape(len(answers), -1)).all(axis=1)).sum())):
            raise StageError(f"{lost} of {len(answers)} answers of the network are not numbers", hint="train it again")
        return answers

    def _losses(self, truth: npt.NDArray[Any], answers: npt.NDArray[Any]) -> npt.NDArray[Any]:
        losses = np.asarray(self.losses(truth, answers))
        if losses.shape != (len(truth),):
            raise ConfigError(
                f"{type(self).__name__}.losses must return one number for each of {len(truth)} examples",
                received=losses.shape,
                hint=f"it received truth of shape {truth.shape} and answers of shape {answers.shape}",
            )
        return losses


def _weighted_scores(
    truth: npt.NDArray[Any],
    answers: npt.NDArray[Any],
    metrics: Sequence[c.Metric],
    rows: npt.NDArray[np.integer[Any]],
    weights: Floats,
) -> dict[str, Floats]:
    table = added_measures(metrics, _truth_and_answers)
    return weighted_scores(table, WeightedAnswers(truth[rows], answers[rows], weights))


def _truth_and_answers(weighted: WeightedAnswers) -> TruthAndAnswers:
    return weighted.truth, weighted.answers


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, int | float | np.number) else str(value)
