"""Classification as a task: one-hot targets, cross-entropy or another loss, probabilities and the winning label."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.axes import Axes

from kerasvision import config as c
from kerasvision import models
from kerasvision.errors import DataError, StageError
from kerasvision.tasks.base import Batch, Judgement, Objective, Predictions, Task
from kerasvision.tasks.classification.auxiliary import (
    main_head_only,
    main_logits,
    training_options,
    with_auxiliary_losses,
)
from kerasvision.tasks.classification.losses import answer_logits, example_losses
from kerasvision.tasks.classification.scores import classification_scores, confusion_table


class ClassificationTask(Task):
    """One label per image."""

    settings: c.Classification

    def encode(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Images as they are; labels as float32 (N, C) rows that sum to 1: a single one, or shares where images were mixed.

        Raises:
            DataError: the examples have no labels.
        """
        if "label" not in batch:
            raise DataError("classification needs a label for every image, and these have none",
                            hint="choose a source with labels (source.label), or another task")  # fmt: skip
        shares = batch.get("label_shares")
        return batch["image"], tf.one_hot(batch["label"], len(self.classes)) if shares is None else shares

    def build(self, model: c.Model, *, image_shape: tuple[int, int, int]) -> keras.Model:
        """The named network with one logit per class, and with its auxiliary heads unless the options turn them off."""
        options = training_options(model)
        return models.build(
            model.name, image_shape=image_shape, num_classes=len(self.classes), weights=model.weights, **options
        )

    def trained(self, model: keras.Model) -> keras.Model:
        """The network without its auxiliary heads."""
        return main_head_only(model)

    def objective(self) -> Objective:
        """The loss of the settings; accuracy, log loss, and top-k accuracy where there are more than k classes.

        Auxiliary heads add to the loss in training, each 0.3 times. Metrics see the main logits only.
        """
        loss = self.settings.loss

        def logits_of(outputs: Any) -> tf.Tensor:
            return answer_logits(main_logits(outputs), loss=loss)

        metrics: list[keras.metrics.Metric] = [
            keras.metrics.CategoricalAccuracy(name="accuracy"),
            # Of the softmax, whatever the loss, and without label smoothing.
            keras.metrics.CategoricalCrossentropy(name="log_loss", from_logits=True),
        ]
        if self.settings.top_k < len(self.classes):
            k = self.settings.top_k
            metrics.append(keras.metrics.TopKCategoricalAccuracy(k=k, name=f"top_{k}_accuracy"))
        return Objective(with_auxiliary_losses(example_losses(self.settings)), metrics, logits_of)

    def predictor(self, model: keras.Model) -> Callable[[tf.Tensor], Predictions]:
        """`scores` float32 (N, C), probabilities that sum to 1; `classes` string (N,), the winning labels."""
        names, loss = tf.constant(self.classes), self.settings.loss

        def predict(images: tf.Tensor) -> Predictions:
            scores = tf.nn.softmax(answer_logits(model(images, training=False), loss=loss))
            return {"scores": scores, "classes": tf.gather(names, tf.argmax(scores, axis=-1))}

        return predict

    def judge(self, *, ids: Sequence[str], labels: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Judgement:
        """Accuracy, top-k, log loss, and precision, recall and F1 of every class; the confusion matrix.

        Raises:
            StageError: an answer is not a number. It would count as the first class, and as among the top k.
            DataError: the answers are of other classes, as those of an earlier model may be.
        """
        probabilities = predictions["scores"]
        lost = int(np.isnan(probabilities).any(axis=1).sum())
        if lost:
            raise StageError(f"{lost} of {len(labels)} answers of the network are not numbers", hint="train it anew")
        self._check_classes(probabilities, predictions["classes"])
        names = np.array(self.classes)
        rows = pd.DataFrame(
            {
                "id": list(ids),
                "label": names[labels],
                "predicted": names[probabilities.argmax(axis=1)],
                "score": probabilities.max(axis=1),
                "loss": -np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-12, 1.0)),
                "correct": probabilities.argmax(axis=1) == labels,
            }
        )
        return Judgement(
            scores=classification_scores(labels, probabilities, classes=self.classes, top_k=self.settings.top_k),
            rows=rows,
            tables={"confusion": confusion_table(labels, probabilities, classes=self.classes)},
        )

    def _check_classes(self, probabilities: np.ndarray, answers: np.ndarray) -> None:
        """The answered labels must be ours, by the position of their scores."""
        names = np.array([name.encode() for name in self.classes], object)
        if probabilities.shape[1] != len(names) or (names[probabilities.argmax(axis=1)] != answers).any():
            raise DataError(
                f"a model must answer with the classes {', '.join(self.classes)}; this one knows others",
                hint="where it is the last blessed model, leave NoWorse out of the gate until a new one is blessed",
            )

    def draw(self, axes: Axes, *, image: np.ndarray, row: pd.Series) -> None:
        """The image, and below it `truth -> answer score`, in red where they differ."""
        axes.imshow(image)
        colour = "black" if row["correct"] else "firebrick"
        text = f"{row['label']} → {row['predicted']} {row['score']:.2f}"
        axes.set_xlabel(text, color=colour, fontsize=8, parse_math=False)  # a label may hold $
        axes.set_xticks([])
        axes.set_yticks([])
