"""Classification as a task: one-hot targets, cross-entropy or another loss, probabilities and the winning label."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.figure import Figure

from kerasvision import config as c
from kerasvision import models
from kerasvision.errors import DataError, StageError
from kerasvision.ops.views import View
from kerasvision.shortened import shortened
from kerasvision.tasks.auxiliary import (
    check_main_logits,
    main_head_only,
    main_logits,
    training_options,
    with_auxiliary_losses,
)
from kerasvision.tasks.base import Batch, ExtraSignature, Judgement, Objective, Predictions, Task, Temperature
from kerasvision.tasks.classification.answers import Answers
from kerasvision.tasks.classification.calibration import calibration_table, reliability_plot
from kerasvision.tasks.classification.class_weights import balanced_weights, class_weights, weighted_by_class
from kerasvision.tasks.classification.confusion import confused_pairs, confusion_table
from kerasvision.tasks.classification.evidence import evidence
from kerasvision.tasks.classification.hierarchical import (
    PathAccuracy,
    PathLogLoss,
    answering,
    class_tree,
    on_paths,
    path_losses,
    with_tree,
)
from kerasvision.tasks.classification.losses import answer_logits, example_losses, focal_gamma
from kerasvision.tasks.classification.nearly_best import nearly_best
from kerasvision.tasks.classification.remarks import one_answer_remarks
from kerasvision.tasks.classification.scores import classification_scores, scores_of_rows, undefined_scores
from kerasvision.tasks.classification.simple import simple_classifiers
from kerasvision.tasks.classification.temperature import fitted_temperature
from kerasvision.tasks.classification.tree import Tree
from kerasvision.tasks.classification.views import OverViews
from kerasvision.tasks.features import features_signature
from kerasvision.tasks.networks import check_outputs

# Szegedy et al., 2014, section 5, say so about the two heads of GoogLeNet; here it applies to every auxiliary head.
AUXILIARY_WEIGHT = 0.3


class ClassificationTask(Task):
    """One label per image."""

    settings: c.Classification

    # How many training images each class has; empty as long as that is not known.
    _counts: Sequence[int] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes."""
        return self.classes

    @cached_property
    def tree(self) -> Tree:
        """That of the hierarchical loss; without `learning_from`, as if all classes had equally many images.

        Raises:
            ConfigError: `hierarchy` misses a class, or there is only one class.
        """
        return class_tree(self.settings, self.classes, self._counts or [1] * len(self.classes))

    def encode(self, batch: Batch) -> tuple[Any, Any]:
        """The images, unchanged; and float32 (N, C) label rows that sum to 1: one label, or shares if images were mixed.

        With the hierarchical loss: the images and int32 (N, L), the nodes on the paths of the labels; and "signs" and
        "weight" as `path_losses` takes them.

        Raises:
            ConfigError: images were mixed, and the loss is hierarchical.
            DataError: the examples have no labels.
        """
        if "label" not in batch:
            raise _no_labels()
        if self.settings.loss == "hierarchical":
            return on_paths(batch, self.tree, weights=class_weights(self.settings, self.classes))
        shares = batch.get("label_shares")
        return batch["image"], tf.one_hot(batch["label"], len(self.classes)) if shares is None else shares

    def learning_from(self, examples: tf.data.Dataset) -> "ClassificationTask":
        """The task with what depends on the labels of these examples: the numbers of balanced class weights, and the tree.

        Raises:
            ConfigError: there is no class that `class_weights` or `gamma` names, or `hierarchy` misses a class.
            DataError: the examples have no labels.
        """
        settings = self.settings
        if settings.class_weights == "balanced":
            weights = balanced_weights(_labels(examples), classes=self.classes)
            settings = settings.model_copy(update={"class_weights": weights})
        # Checked here already: a training may need minutes before it makes the objective.
        class_weights(settings, self.classes)
        focal_gamma(settings, self.classes)
        learning = type(self)(settings, self.classes)
        if settings.loss == "hierarchical":
            counts = Counter(_labels(examples))
            learning._counts = [counts[number] for number in range(len(self.classes))]
            _ = learning.tree
        return learning

    def build(self, model: c.Model, *, image_shape: tuple[int, int, int]) -> keras.Model:
        """The named network with one logit per class, and with its auxiliary heads, unless the options turn them off.

        With the hierarchical loss, it has the nodes of the tree in place of its last layer, and no auxiliary heads.
        """
        if self.settings.loss == "hierarchical":
            own: dict[str, Any] = {"weights": model.weights, **model.options}
            network = models.build(model.name, image_shape=image_shape, num_classes=1, **own)
            return with_tree(main_head_only(network), self.tree, name=model.name)
        options = training_options(model)
        network = models.build(
            model.name,
            image_shape=image_shape,
            num_classes=len(self.classes),
            weights=model.weights,
            classes=self.classes,
            **options,
        )
        check_main_logits(network, name=model.name)
        return check_outputs(network, name=model.name, count=len(self.classes))

    def trained(self, model: keras.Model) -> keras.Model:
        """The network without its auxiliary heads; with the hierarchical loss, the one that answers for all classes."""
        return answering(model) if hasattr(model, "tree") else main_head_only(model)

    def objective(self) -> Objective:
        """The loss, weighted by class; accuracy, log loss, and top-k accuracy if there are more than k classes.

        With the hierarchical loss: the loss, `path_accuracy` and log loss, as only the nodes on the paths are known.

        In training, auxiliary heads add 0.3 times their loss each. Metrics use the main logits only.

        Raises:
            ConfigError: there is no class that `class_weights` names, or its weights are not known yet.
        """
        if self.settings.loss == "hierarchical":
            return Objective(path_losses, [PathAccuracy(name="path_accuracy"), PathLogLoss(name="log_loss")])
        loss, losses = self.settings.loss, example_losses(self.settings, self.classes)
        if self.settings.class_weights is not None:
            losses = weighted_by_class(losses, class_weights(self.settings, self.classes))

        def logits_of(outputs: Any) -> tf.Tensor:
            return answer_logits(main_logits(outputs), loss=loss)

        metrics: list[keras.metrics.Metric] = [
            keras.metrics.CategoricalAccuracy(name="accuracy"),
            # Of the softmax, for every loss, and without label smoothing.
            keras.metrics.CategoricalCrossentropy(name="log_loss", from_logits=True),
        ]
        if self.settings.top_k < len(self.classes):
            k = self.settings.top_k
            metrics.append(keras.metrics.TopKCategoricalAccuracy(k=k, name=f"top_{k}_accuracy"))
        return Objective(with_auxiliary_losses(losses, weight=AUXILIARY_WEIGHT), metrics, logits_of)

    def predictor(self, model: keras.Model, *, temperature: float = 1.0) -> Callable[[tf.Tensor], Predictions]:
        """`scores` float32 (N, C), probabilities that sum to 1, and `classes` string (N,), the winning labels.

        `top_classes` string and `top_scores` float32, (N, k): the k best, best first; k is `top_k`, but at most C.
        """
        loss, k = self.settings.loss, min(self.settings.top_k, len(self.classes))

        def predict(images: tf.Tensor) -> Predictions:
            logits = answer_logits(model(images, training=False), loss=loss)
            scores = tf.nn.softmax(logits if temperature == 1.0 else logits / temperature)
            top_scores, best = tf.math.top_k(scores, k=k)
            # The labels are a constant inside: converters to other formats treat captured tensors as inputs.
            top_classes = tf.gather(tf.constant(self.classes), best)
            # Of equal scores the first class wins, in both.
            return {"scores": scores, "classes": top_classes[:, 0], "top_classes": top_classes, "top_scores": top_scores}

        return predict

    def also_right(
        self, received: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], closeness: float
    ) -> Mapping[str, np.ndarray]:
        """Where the labels of `classes` and `top_classes` are nearly the best ones; see `nearly_best`."""
        labels = {name: received[name] for name in ("classes", "top_classes") if name in received}
        scores = expected["scores"]
        return {name: nearly_best(each, scores, self.classes, closeness=closeness) for name, each in labels.items()}

    def output_descriptions(self) -> dict[str, str]:
        """A line about each output of the predictor."""
        return {
            "scores": "probability of each label, in the order of labels.txt; they sum to 1",
            "classes": "the label with the highest score",
            "top_classes": "the labels with the highest scores, best first",
            "top_scores": "their scores",
        }

    def extra_signatures(self, model: keras.Model, *, temperature: float = 1.0) -> dict[str, ExtraSignature]:
        """`features`, float32 (N, D): what the last layer receives; only with the setting of that name."""
        return features_signature(model) if self.settings.features else {}

    def fit_temperature(self, model: keras.Model, batches: Iterable[tuple[tf.Tensor, np.ndarray]]) -> Temperature:
        """The temperature that maximizes the labels' likelihood, with log loss and calibration error before and after.

        `batches` are scaled images, float32 (N, H, W, C), with class numbers, int64 (N,).
        """
        loss, found = self.settings.loss, []
        for images, labels in batches:
            logits = answer_logits(model(images, training=False), loss=loss)
            found.append((np.asarray(logits, np.float64), labels))
        logits, labels = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return fitted_temperature(logits, labels)

    def over_views(self, model: keras.Model, views: Sequence[View]) -> keras.Model:
        """A network whose scores are the means of the probabilities over an image and views of it."""
        return OverViews(model, views, loss=self.settings.loss)

    def truth(self, batch: Batch) -> np.ndarray:
        """The class numbers, int64 (N,).

        Raises:
            DataError: the examples have no labels.
        """
        if "label" not in batch:
            raise DataError("judging a classifier requires labels; these examples have none")
        labels: np.ndarray = batch["label"].numpy()
        return labels

    def judge(self, *, ids: Sequence[str], truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Judgement:
        """All of `Classification.metric_names` that have a value; confusion, the most confused pairs, and calibration.

        `truth` is int64 (N,). Of `predictions`, `scores` is float32 (N, C) and `classes` is object (N,) of bytes.

        Raises:
            StageError: an answer is not a number (it would count as the first class, and as among the top k); or a custom
                metric fails, see `added_metrics`.
            ConfigError: a custom metric does not return numbers.
            DataError: the answers are of other classes, which those of an earlier model may be.
        """
        probabilities = predictions["scores"]
        lost = int((~np.isfinite(probabilities).all(axis=1)).sum())
        if lost:
            raise StageError(f"{lost} of {len(truth)} answers of the network are not numbers", hint="train it again")
        self._check_classes(probabilities, predictions["classes"])
        answers, added = Answers(truth, probabilities, self.classes, self.settings.top_k), self.settings.metrics
        scores, left_out = classification_scores(answers, added=added)
        confusion = confusion_table(answers)
        return Judgement(
            scores=scores,
            rows=_rows(ids, answers),
            tables={
                "confusion": confusion,
                "confused_pairs": confused_pairs(confusion),
                "calibration": calibration_table(answers.confidence, answers.correct),
            },
            left_out=left_out,
            undefined=undefined_scores(answers),
            weighted_scores=partial(scores_of_rows, answers, added=added),
            within_label=partial(scores_of_rows, answers, added=added, within_label=True),
            evidence=partial(evidence, answers, added=added),
            remarks=one_answer_remarks(answers),
        )

    def averaged(self, predictions: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The mean of the probabilities, `scores` float32 (N, C), and its best label, `classes` object (N,) of bytes.

        Raises:
            DataError: the answers are of other classes.
        """
        for one in predictions:
            self._check_classes(one["scores"], one["classes"])
        scores = np.mean([one["scores"] for one in predictions], axis=0)
        names = np.array([name.encode() for name in self.classes], object)
        return {"scores": scores, "classes": names[scores.argmax(axis=1)]}

    def simple_models(self) -> dict[str, Any]:
        """Nearest neighbours, a linear softmax, a linear support vector machine."""
        return simple_classifiers()

    def caption(self, row: pd.Series) -> str:
        """`truth → answer score`."""
        return f"{row['label']} → {row['predicted']} {row['score']:.2f}"

    def reasons(self, row: pd.Series) -> list[tuple[str, int]]:
        """What speaks for the answered label, and if that is wrong, what speaks for the right one."""
        labels = dict.fromkeys((row["predicted"], row["label"]))
        return [(f"for {label}", self.classes.index(label)) for label in labels]

    def figures(self, judgement: Judgement) -> dict[str, Figure]:
        """The reliability plot."""
        return {"Reliability": reliability_plot(judgement.tables["calibration"])}

    def _check_classes(self, probabilities: np.ndarray, answers: np.ndarray) -> None:
        """Checks that the answered labels are this task's, in the order of their scores."""
        names = np.array([name.encode() for name in self.classes], object)
        if probabilities.shape[1] != len(names) or (names[probabilities.argmax(axis=1)] != answers).any():
            raise DataError(
                f"a model must answer with the classes {shortened(self.classes, most=10)}; this one has others",
                hint="if it is the last blessed model, leave NoWorse out of the gate until a new one is blessed; if it is "
                "in evaluation.ensemble, remove it there",
            )


def _labels(examples: tf.data.Dataset) -> list[int]:
    if "label" not in examples.element_spec:
        raise _no_labels()
    labels = examples.map(lambda example: example["label"]).batch(1024)
    return [int(label) for batch in labels.as_numpy_iterator() for label in batch]


def _no_labels() -> DataError:
    return DataError(
        "classification requires a label for every image; these images have none",
        hint="choose a source with labels (source.label), or another task",
    )


def _rows(ids: Sequence[str], answers: Answers) -> pd.DataFrame:
    names = np.array(answers.classes)
    return pd.DataFrame(
        {
            "id": list(ids),
            "label": names[answers.labels],
            "predicted": names[answers.predicted],
            "score": answers.confidence,
            "loss": answers.losses,
            "correct": answers.correct,
        }
    )
