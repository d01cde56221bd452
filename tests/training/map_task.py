"""Two toy tasks on labelled images, whose scores need the whole validation split.

`Scored` learns logits. `Maps` learns a network whose outputs are a flat dict of maps, as those of a detector are.
"""

from dataclasses import replace
from typing import ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from scipy.special import softmax

from kerasvision import config as c
from kerasvision import models
from kerasvision.tasks.base import Collected, Objective
from kerasvision.tasks.classification.task import ClassificationTask


class Scored(c.Classification):
    implementation: ClassVar[str] = "map_task:ScoredTask"
    every: int = 1
    # Whether the scores have a value; without objects, those of a detector have none.
    gives: Literal["all", "none"] = "all"

    def training_metric_names(self):
        return ("balanced", "in_order", "rows", *super().training_metric_names())


class ScoredTask(ClassificationTask):
    def objective(self):
        return replace(super().objective(), collected=self.collected(answers_of=lambda logits: logits))

    def collected(self, *, answers_of):
        def scores(truth, answers):
            labels = truth["label"]
            each = np.arange(len(labels))
            right = answers["logits"].argmax(axis=1) == labels
            if self.settings.gives == "none":
                return {}
            return {
                "balanced": np.mean([right[labels == label].mean() for label in np.unique(labels)]),
                # Other rows, or another order of the rows, gives another number.
                "in_order": np.sum((1 + each) * softmax(answers["logits"], axis=1)[each, labels]),
                "rows": len(labels),
            }

        return Collected(
            answers=lambda outputs: {"logits": tf.cast(answers_of(outputs), tf.float32)},
            truth=lambda targets: {"label": tf.argmax(targets, axis=1)},
            scores=scores,
            every=self.settings.every,
        )


class Maps(Scored):
    """The label by the mean of all class maps; and all distances are 1."""

    implementation: ClassVar[str] = "map_task:MapTask"


class MapTask(ScoredTask):
    def build(self, model, *, image_shape):
        return models.build(model.name, image_shape=image_shape, num_classes=len(self.classes), **model.options)

    def trained(self, model):
        return model

    def objective(self):
        def losses(targets, outputs, training):
            parts = [tf.cast(part, tf.float32) for name, part in outputs.items() if not name.endswith("logits")]
            apart = [tf.reduce_mean(tf.reduce_sum(tf.square(part - 1.0), axis=-1), axis=[1, 2]) for part in parts]
            return tf.nn.softmax_cross_entropy_with_logits(targets, mean_logits(outputs)) + tf.add_n(apart)

        return Objective(losses, [], collected=self.collected(answers_of=mean_logits))

    def predictor(self, model, *, temperature=1.0):
        def predict(images):
            return {"scores": tf.nn.softmax(mean_logits(model(images, training=False)))}

        return predict


def mean_logits(outputs):
    means = [
        tf.reduce_mean(tf.cast(part, tf.float32), axis=[1, 2]) for name, part in outputs.items() if name.endswith("logits")
    ]
    return tf.add_n(means) / len(means)


def maps(*, image_shape, num_classes, synchronized=False, dropout=0.0, first=1):
    """Stages c1 and c2, and on each from `first` on a map of class logits and one of distances."""
    image = x = keras.Input(image_shape, name="image")
    found = {}
    for stage, width in enumerate((4, 8), 1):
        x = layers.Conv2D(width, 3, 2, padding="same", use_bias=False, name=f"conv{stage}")(x)
        x = layers.BatchNormalization(synchronized=synchronized, name=f"norm{stage}")(x)
        found[f"c{stage}"] = x = layers.ReLU(name=f"relu{stage}")(x)
    if num_classes is None:
        return keras.Model(image, found)
    outputs = {}
    for stage in range(first, 3):
        read = layers.Dropout(dropout)(found[f"c{stage}"]) if dropout else found[f"c{stage}"]
        outputs[f"p{stage}_class_logits"] = layers.Conv2D(num_classes, 1, name=f"classes{stage}")(read)
        distances = layers.Conv2D(4, 1, name=f"distances{stage}")(read)
        outputs[f"p{stage}_distances"] = layers.ReLU(name=f"positive{stage}")(distances)
    return keras.Model(image, outputs, name="maps")
