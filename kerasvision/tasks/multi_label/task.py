"""Multi-label classification as a task: any number of tags per image, a probability for each, and thresholds."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.figure import Figure

from kerasvision import config as c
from kerasvision import models
from kerasvision.errors import ConfigError
from kerasvision.ops.places import Places
from kerasvision.ops.views import View
from kerasvision.tasks.auxiliary import (
    check_main_logits,
    main_head_only,
    main_logits,
    training_options,
    with_auxiliary_losses,
)
from kerasvision.tasks.base import (
    Arrays,
    Baseline,
    Batch,
    Collected,
    ExtraSignature,
    Judgement,
    Objective,
    Predictions,
    Task,
    Temperature,
)
from kerasvision.tasks.features import features_signature
from kerasvision.tasks.multi_label.answers import CHOSEN, DESCRIPTIONS, SCORES, TAG_SCORES, TAGS, measured_answers, with_tags
from kerasvision.tasks.multi_label.counting import balanced_weights, named_weights, no_tags, tag_counts
from kerasvision.tasks.multi_label.judging import judged_tags
from kerasvision.tasks.multi_label.losses import example_losses
from kerasvision.tasks.multi_label.nearly_chosen import tags_may_be
from kerasvision.tasks.multi_label.pictures import caption_line, explained_tags, figures
from kerasvision.tasks.multi_label.presentation import answers_of
from kerasvision.tasks.multi_label.simple import simple_taggers
from kerasvision.tasks.multi_label.temperature import fitted_temperature
from kerasvision.tasks.multi_label.thresholds import HALF, best_thresholds
from kerasvision.tasks.multi_label.views import OverViews
from kerasvision.tasks.networks import check_outputs
from kerasvision.tasks.ranking import mean_average_precision

# As for one label per image: Szegedy et al., 2014, section 5, about the two heads of GoogLeNet.
AUXILIARY_WEIGHT = 0.3


class MultiLabelTask(Task):
    """Any number of tags per image. Truth is bool (N, C): which tags each image has."""

    settings: c.MultiLabel
    serves_decisions: ClassVar[bool] = True

    def __init__(self, settings: c.MultiLabel, classes: Sequence[str]) -> None:
        super().__init__(settings, classes)
        self._weights: np.ndarray | None = None
        self._thresholds = np.full(len(self.classes), HALF, np.float32)

    def encode(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """The images, unchanged; and float32 (N, C) in [0, 1], which tags they have; shares if images were mixed.

        Raises:
            DataError: the examples have no tags.
        """
        if "tags" not in batch:
            raise no_tags()
        return batch["image"], batch["tags"]

    def learning_from(self, examples: tf.data.Dataset) -> Self:
        """The task with the class weights as numbers, which "balanced" takes from these examples.

        Raises:
            ConfigError: there is no tag that `class_weights` names.
            DataError: the examples have no tags.
        """
        chosen = self.settings.class_weights
        if chosen is None:
            return self
        known = copy.copy(self)
        if chosen == "balanced":
            counts, images, _ = tag_counts(examples)
            known._weights = balanced_weights(counts, images)
        else:
            known._weights = named_weights(chosen, self.classes)
        return known

    def build(self, model: c.Model, *, image_shape: tuple[int, int, int]) -> keras.Model:
        """The named network with one logit per tag, and with its auxiliary heads, unless the options turn them off."""
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
        """The network without its auxiliary heads."""
        return main_head_only(model)

    def objective(self) -> Objective:
        """The loss of the settings; the mean average precision of the validation split.

        In training, auxiliary heads add 0.3 times their loss each.

        Raises:
            ConfigError: the weights of `class_weights` are not known yet.
        """
        if self.settings.class_weights is not None and self._weights is None:
            raise ConfigError(
                "the weights of class_weights depend on the training examples",
                hint="call objective() of the task that learning_from(examples) returns",
            )
        losses = example_losses(self.settings, self._weights)
        collected = Collected(
            answers=lambda outputs: {SCORES: tf.cast(main_logits(outputs), tf.float32)},
            truth=lambda targets: {"tags": targets > HALF},
            scores=_validation_scores,
        )
        return Objective(with_auxiliary_losses(losses, weight=AUXILIARY_WEIGHT), [], main_logits, collected=collected)

    def predictor(self, model: keras.Model, *, temperature: float = 1.0) -> Callable[[tf.Tensor], Predictions]:
        """`scores` float32 (N, C), the probability of each tag. `in_frame` and `placed_back` add the answered tags."""

        def predict(images: tf.Tensor) -> Predictions:
            logits = tf.cast(main_logits(model(images, training=False)), tf.float32)
            return {SCORES: tf.sigmoid(logits if temperature == 1.0 else logits / temperature)}

        return predict

    def in_frame(self, answers: Predictions) -> Predictions:
        """The answers with `tags` string (N, K) and `tag_scores` float32 (N, K); see `answers.with_tags`."""
        return with_tags(answers, names=self.classes, thresholds=self._thresholds, most=self.settings.most_tags)

    def placed_back(self, answers: Predictions, places: Places) -> Predictions:
        """The same as `in_frame`: tags are about the whole image, wherever it lies. Features remain as they are."""
        return self.in_frame(answers) if SCORES in answers else answers

    def also_right(
        self, received: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], closeness: float
    ) -> Mapping[str, np.ndarray]:
        """Where the answered tags are those whose score reaches the threshold, but for rounding; see `tags_may_be`."""
        may_be = tags_may_be(
            received, expected[SCORES], names=self.classes, thresholds=self._thresholds, closeness=closeness
        )
        return {TAGS: may_be, TAG_SCORES: may_be}

    def output_descriptions(self) -> dict[str, str]:
        """A line about each output."""
        return DESCRIPTIONS

    def extra_signatures(self, model: keras.Model, *, temperature: float = 1.0) -> dict[str, ExtraSignature]:
        """`features`, float32 (N, D): what the last layer receives; only with the setting of that name."""
        return features_signature(model) if self.settings.features else {}

    def presentation(self) -> Mapping[str, Any]:
        """The answered tags are listed with their scores; see `presentation.ChosenTags`."""
        return answers_of(self.classes, self._thresholds.tolist())

    def fit_temperature(self, model: keras.Model, batches: Iterable[tuple[tf.Tensor, np.ndarray]]) -> Temperature:
        """The temperature that maximizes the likelihood of the truth, with the log loss before and after.

        `batches` are scaled images, float32 (N, H, W, C), with their tags, bool (N, C).
        """
        found = [(np.asarray(main_logits(model(images, training=False)), np.float32), truth) for images, truth in batches]
        logits, truth = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return fitted_temperature(logits, truth)

    def over_views(self, model: keras.Model, views: Sequence[View]) -> keras.Model:
        """A network whose scores are the means of the probabilities over an image and views of it."""
        return OverViews(model, views)

    def truth(self, batch: Batch) -> np.ndarray:
        """Which tags each image has, bool (N, C).

        Raises:
            DataError: the examples have no tags.
        """
        if "tags" not in batch:
            raise no_tags()
        truth: np.ndarray = batch["tags"].numpy() > HALF
        return truth

    def measured(self, truth: np.ndarray, predictions: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The truth, and `scores` float32 (N, C) with `chosen` bool (N, C) in place of the names.

        Raises:
            DataError: the answers are about other tags, which those of an earlier model may be.
        """
        return truth, measured_answers(predictions, names=self.classes, thresholds=self._thresholds)

    def decided_on(self, *, truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Self:
        """The task with the thresholds that are best on these images; see `thresholds`."""
        decided = copy.copy(self)
        decided._thresholds = best_thresholds(truth, predictions[SCORES], kind=self.settings.thresholds)
        return decided

    def decisions(self) -> dict[str, Any]:
        """`thresholds`: tag -> from which score on an answer has it."""
        return {"thresholds": dict(zip(self.classes, self._thresholds.tolist(), strict=True))}

    def with_decisions(self, decisions: Mapping[str, Any]) -> Self:
        """The task with the thresholds that `decisions` returned."""
        known = copy.copy(self)
        known._thresholds = np.array([decisions["thresholds"][name] for name in self.classes], np.float32)
        return known

    def judge(self, *, ids: Sequence[str], truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Judgement:
        """All of `MultiLabel.metric_names` that have a value, and those of each tag; see `judging.judged_tags`.

        `truth` is bool (N, C). `predictions` are what `measured` keeps, or the outputs of the predictor.
        """
        kept = measured_answers(predictions, names=self.classes, thresholds=self._thresholds)
        return judged_tags(
            ids=ids,
            truth=truth,
            predictions=kept,
            names=self.classes,
            thresholds=self._thresholds,
            settings=self.settings,
        )

    def averaged(self, predictions: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The mean of the scores, float32 (N, C), and the tags whose mean reaches their threshold, `chosen` bool (N, C).

        The thresholds are those of this model alone, because the other answers of the validation split are not asked for.
        """
        known = [measured_answers(one, names=self.classes, thresholds=self._thresholds)[SCORES] for one in predictions]
        scores = np.mean(known, axis=0)
        return {SCORES: scores, CHOSEN: scores >= self._thresholds}

    def baselines(self) -> dict[str, Baseline]:
        """The frequency of each tag, nearest neighbours, and a logistic regression per tag."""
        return simple_taggers()

    def caption(self, row: pd.Series) -> str:
        """The true tags, and what is wrong with the answer."""
        return caption_line(row)

    def reasons(self, row: pd.Series) -> list[tuple[str, int]]:
        """What speaks for the tags that are most wrong; for the answered tags, if the answer is right."""
        return explained_tags(row, names=self.classes)

    def figures(self, judgement: Judgement) -> dict[str, Figure]:
        """Precision against recall."""
        return figures(judgement)


def _validation_scores(truth: Arrays, answers: Arrays) -> dict[str, float]:
    """`mean_average_precision`; nothing if no image has a tag. A network that answers NaN has the worst value."""
    scores = answers[SCORES]
    if not np.isfinite(scores).all():
        return {"mean_average_precision": 0.0} if truth["tags"].any() else {}
    found = mean_average_precision(scores, truth["tags"])
    return {} if np.isnan(found) else {"mean_average_precision": found}
