"""Regression as a task: numbers per image, learned in deviations from the mean and answered in their units."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.figure import Figure

from kerasvision import config as c
from kerasvision import models
from kerasvision.errors import ConfigError
from kerasvision.ops.views import View
from kerasvision.tasks.auxiliary import (
    check_main_logits,
    main_head_only,
    main_logits,
    training_options,
    with_auxiliary_losses,
)
from kerasvision.tasks.base import Baseline, Batch, ExtraSignature, Judgement, Objective, Predictions, Task
from kerasvision.tasks.features import features_signature
from kerasvision.tasks.networks import check_outputs
from kerasvision.tasks.regression.judging import NAMES, VALUES, check_names, judged_values
from kerasvision.tasks.regression.losses import MeanError, value_losses
from kerasvision.tasks.regression.names import no_values
from kerasvision.tasks.regression.pictures import caption_line, explained_values, value_plots
from kerasvision.tasks.regression.presentation import answers_of
from kerasvision.tasks.regression.scaling import Scaling, units_of
from kerasvision.tasks.regression.simple import simple_regressions
from kerasvision.tasks.regression.views import MeanOverViews

# As for classification; Szegedy et al., 2014, section 5.
AUXILIARY_WEIGHT = 0.3


class RegressionTask(Task):
    """V numbers per image; the classes are their names. Truth is float32 (N, V), NaN where a number is missing."""

    settings: c.Regression

    def __init__(self, settings: c.Regression, classes: Sequence[str]) -> None:
        super().__init__(settings, classes)
        self._scaling: Scaling | None = None

    def encode(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """The images, unchanged; and their values, float32 (N, V), in their units.

        Raises:
            DataError: the examples have no numbers.
        """
        if "values" not in batch:
            raise no_values()
        return batch["image"], batch["values"]

    def learning_from(self, examples: tf.data.Dataset) -> "RegressionTask":
        """The task with mean and deviation of each value of these examples.

        Raises:
            DataError: the examples have no numbers, or none of a value.
        """
        known = type(self)(self.settings, self.classes)
        known._scaling = Scaling.of_examples(examples, names=self.classes)
        return known

    def build(self, model: c.Model, *, image_shape: tuple[int, int, int]) -> keras.Model:
        """The named network with a number for each value, float32 (N, V) in deviations, and with its auxiliary heads."""
        network = models.build(
            model.name,
            image_shape=image_shape,
            num_classes=len(self.classes),
            weights=model.weights,
            classes=self.classes,
            **training_options(model),
        )
        check_main_logits(network, name=model.name)
        return check_outputs(network, name=model.name, count=len(self.classes))

    def trained(self, model: keras.Model) -> keras.Model:
        """The network without its auxiliary heads, with answers in the units of the values.

        Raises:
            ConfigError: mean and deviation are not known yet.
        """
        return self._known_scaling.in_units(main_head_only(model))

    def objective(self) -> Objective:
        """The loss of the settings, plus 0.3 of it for each auxiliary head; `mae` and `rmse` in the units of the values.

        Raises:
            ConfigError: mean and deviation are not known yet.
        """
        scaling = self._known_scaling
        losses = with_auxiliary_losses(value_losses(self.settings, scaling), weight=AUXILIARY_WEIGHT)
        metrics = [MeanError(power=power, mean=scaling.mean, deviation=scaling.deviation) for power in (1, 2)]
        return Objective(losses, metrics, main_logits)

    def predictor(self, model: keras.Model, *, temperature: float = 1.0) -> Callable[[tf.Tensor], Predictions]:
        """`values` float32 (N, V), in their units, and `names` string (N, V)."""

        def predict(images: tf.Tensor) -> Predictions:
            values = tf.cast(model(images, training=False), tf.float32)
            names = tf.broadcast_to(tf.constant([self.classes]), tf.shape(values))
            return {VALUES: values, NAMES: tf.ensure_shape(names, [None, len(self.classes)])}

        return predict

    def output_descriptions(self) -> dict[str, str]:
        """A line about each output of the predictor."""
        return {VALUES: "the numbers, each in the unit of the training data", NAMES: "the name of each number"}

    def extra_signatures(self, model: keras.Model, *, temperature: float = 1.0) -> dict[str, ExtraSignature]:
        """`features`, float32 (N, D): what the last layer with weights receives; only with the setting of that name."""
        return features_signature(model) if self.settings.features else {}

    def units(self, model: keras.Model) -> Mapping[str, np.ndarray]:
        """The deviation of each value, float64 (V,): two models agree if they differ by little of it."""
        found = units_of(model)
        return {} if found is None else {VALUES: found}

    def over_views(self, model: keras.Model, views: Sequence[View]) -> keras.Model:
        """A network whose answers are the means over an image and views of it."""
        return MeanOverViews(model, views)

    def truth(self, batch: Batch) -> np.ndarray:
        """The values, float32 (N, V).

        Raises:
            DataError: the examples have no numbers.
        """
        if "values" not in batch:
            raise no_values()
        values: np.ndarray = batch["values"].numpy()
        return values

    def judge(self, *, ids: Sequence[str], truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Judgement:
        """All of `Regression.metric_names` that have a value, and those of each value; see `judging.judged_values`."""
        return judged_values(ids=ids, truth=truth, predictions=predictions, names=self.classes, settings=self.settings)

    def averaged(self, predictions: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The means of the numbers, `values` float32 (N, V), with their `names`.

        Raises:
            DataError: the answers are of other values.
        """
        for one in predictions:
            check_names(one, self.classes)
        return {**predictions[0], VALUES: np.mean([one[VALUES] for one in predictions], axis=0)}

    def baselines(self) -> dict[str, Baseline]:
        """The mean, ridge regression on the pixels, and nearest neighbours."""
        return simple_regressions(self.classes)

    def presentation(self) -> Mapping[str, Any]:
        """Each number with its name; see `presentation.NamedNumbers`."""
        return answers_of(self.classes)

    def caption(self, row: pd.Series) -> str:
        """`age 31 → 33.5`, the values that are most wrong first."""
        return caption_line(row, names=self.classes)

    def reasons(self, row: pd.Series) -> list[tuple[str, int]]:
        """What raises the value that is most wrong."""
        return explained_values(row, names=self.classes)

    def figures(self, judgement: Judgement) -> dict[str, Figure]:
        """For each value its answers and its residuals against the truth."""
        return value_plots(judgement.rows, judgement.tables["values"])

    @property
    def _known_scaling(self) -> Scaling:
        if self._scaling is None:
            raise ConfigError(
                "mean and deviation of the values are not known yet",
                hint="use the task that learning_from(examples) returns",
            )
        return self._scaling
