"""Localization as a task: one box per image, and its class, by regression."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from kerasvision import config as c
from kerasvision import models
from kerasvision.errors import ConfigError, DataError, StageError
from kerasvision.ops.boxes import areas
from kerasvision.ops.places import Places
from kerasvision.tasks.added_metrics import check_added_scores
from kerasvision.tasks.base import (
    Arrays,
    Batch,
    Collected,
    Judgement,
    Objective,
    Predictions,
    Task,
)
from kerasvision.tasks.detection.located import BOX, ENOUGH, Located, evidence, scores_of_rows
from kerasvision.tasks.detection.located_answers import (
    CLASS_SCORES,
    DESCRIPTIONS,
    LOGITS,
    averaged_answers,
    check_answers,
    nearly_right,
    ordered,
    predictor,
)
from kerasvision.tasks.detection.losses import OVERLAPS
from kerasvision.tasks.detection.matching import iou_of
from kerasvision.tasks.detection.pictures import drawings
from kerasvision.tasks.detection.presentation import ANSWER
from kerasvision.tasks.detection.smooth_l1 import smooth_l1
from kerasvision.tasks.drawing import Drawing

# Below this difference, the smooth L1 loss is a square.
LINEAR_FROM = 1 / 9
# The fields of an object that say which one is learned, and their values in a row without an object.
FILLING = {"bbox": 0, "label": -1, "crowd": False}


class LocalizationTask(Task):
    """The largest object of each image. Truth is float64 (N, 5): its corners and class number; NaN without an object."""

    settings: c.Localization

    def encode(self, batch: Batch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The images; and `box` float32 (N, 4) and `class` int32 (N,), -1 without an object.

        Raises:
            DataError: the examples have no objects.
            ConfigError: images were mixed.
        """
        if "label_shares" in batch:
            raise ConfigError("mixed images have no boxes", hint="remove augmentations that mix images")
        box, number = largest(_objects(batch))
        return batch["image"], {"box": box, "class": number}

    def build(self, model: c.Model, *, image_shape: tuple[int, int, int]) -> keras.Model:
        """The named network, with a logit for each class.

        Raises:
            ConfigError: it returns something else than `box`, (N, 4), and perhaps `class_logits`, (N, classes).
        """
        network = models.build(
            model.name,
            image_shape=image_shape,
            num_classes=len(self.classes),
            weights=model.weights,
            classes=self.classes,
            **model.options,
        )
        found = {name: tuple(one.shape) for name, one in network.output.items()} if isinstance(network.output, dict) else {}
        expected = {BOX: (None, 4), LOGITS: (None, len(self.classes))}
        if BOX not in found or any(found[name] != expected.get(name) for name in found):
            raise ConfigError(
                f"localization requires a network that returns {BOX!r} of shape (N, 4), and perhaps {LOGITS!r}",
                received=found or type(network.output).__name__,
                hint="set model.name='localizer'",
            )
        return network

    def objective(self) -> Objective:
        """The loss of the settings; the mean IoU of the validation split."""
        return Objective(localization_losses(self.settings), [], collected=Collected(_answered, dict, _mean_iou))

    def predictor(self, model: keras.Model, *, temperature: float = 1.0) -> Callable[[tf.Tensor], Predictions]:
        """`box`, and the classes if the network answers them; see `located_answers.predictor`."""
        return predictor(model, self.classes)

    def output_descriptions(self) -> dict[str, str]:
        """A line about each output of the predictor, and about `image_size`."""
        return DESCRIPTIONS

    def placed_back(self, answers: Predictions, places: Places) -> Predictions:
        """The same box as shares of the upright original image, with its `image_size`, int32 (N, 2)."""
        return {**answers, BOX: places.boxes_back(answers[BOX][:, None])[:, 0], "image_size": places.size}

    def also_right(
        self, received: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], closeness: float
    ) -> Mapping[str, np.ndarray]:
        """Where the received class is nearly the best one."""
        return nearly_right(received, expected, names=self.classes, closeness=closeness)

    def presentation(self) -> Mapping[str, Any]:
        """The box is drawn, and listed in pixels; see `presentation.LocatedObject`."""
        return ANSWER

    def truth(self, batch: Batch) -> np.ndarray:
        """The corners and the class number of the largest object, float64 (N, 5); NaN without an object.

        Raises:
            DataError: the examples have no objects.
        """
        # Other fields may be texts, such as masks.
        objects = {name: _dense(_objects(batch)[name], filling) for name, filling in FILLING.items()}
        box, number = (part.numpy() for part in largest(objects))
        return np.where(number[:, None] >= 0, np.concatenate([box, number[:, None]], axis=1), np.nan).astype(np.float64)

    def judge(self, *, ids: Sequence[str], truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Judgement:
        """All of `Localization.metric_names` that have a value; those of the class only if the network answers one.

        Raises:
            StageError: an answer is not a number; or a custom metric fails, see `added_metrics`.
            DataError: no image has an object, or the answers are of other classes.
        """
        check_answers(predictions, self.classes)
        parts = [predictions[name] for name in (BOX, CLASS_SCORES) if name in predictions]
        lost = int((~np.isfinite(np.concatenate(parts, axis=1)).all(axis=1)).sum())
        if lost:
            raise StageError(f"{lost} of {len(ids)} answers of the network are not numbers", hint="train it again")
        if np.isnan(truth[:, 0]).all():
            raise DataError("judging boxes requires objects; none of these images has one")
        located = Located.of(truth, predictions)
        measured = partial(scores_of_rows, located, added=self.settings.metrics)
        whole = {name: float(value[0]) for name, value in measured(np.arange(len(ids)), np.ones((len(ids), 1))).items()}
        check_added_scores(self.settings.metrics, whole, count=len(ids))
        without = int(np.isnan(truth[:, 0]).sum())
        return Judgement(
            scores=whole,
            rows=self._rows(ids, located),
            left_out={f"all metrics, for {without} of {len(ids)} images": "they have no object"} if without else {},
            weighted_scores=measured,
            evidence=partial(evidence, located, added=self.settings.metrics),
        )

    def averaged(self, predictions: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The mean box, float32 (N, 4), and the class with the best mean probability; see `averaged_answers`.

        Raises:
            DataError: the answers are of other classes.
        """
        return averaged_answers(predictions, names=self.classes)

    def caption(self, row: pd.Series) -> str:
        """The class → the answered class, and the IoU."""
        answer = f" → {row['predicted']}" if row["predicted"] else ""
        return f"{row['label'] or '(nothing)'}{answer}, IoU {row['iou']:.2f}" if row["label"] else "(nothing)"

    def drawings(self, row: pd.Series) -> tuple[Drawing, ...]:
        """The answered box, and the true one; nothing for an image without an object."""
        return drawings(row)

    def _rows(self, ids: Sequence[str], located: Located) -> pd.DataFrame:
        names = np.array([*self.classes, ""], object)
        known, iou = located.known, np.where(located.known, located.iou, 0.0)
        predicted = np.full(len(ids), -1) if located.numbers is None else located.numbers
        rows = pd.DataFrame(
            {
                "id": list(ids),
                "label": names[np.where(known, np.nan_to_num(located.truth[:, 4], nan=-1), -1).astype(int)],
                "predicted": names[predicted],
                "iou": iou,
                "loss": np.where(known, 2.0 - iou - located.right, 0.0),
                "correct": known & (iou >= ENOUGH) & (located.right > 0),
            }
        )
        return rows.assign(things=_things(rows, located))


def _things(rows: pd.DataFrame, located: Located) -> list[str]:
    """For each image what `pictures.drawings` reads: the answered box and the true one; nothing without an object."""
    answered, true = np.round(located.boxes, 5).tolist(), np.round(np.nan_to_num(located.truth[:, :4]), 5).tolist()
    kinds = np.where(rows["correct"], "found", "false")
    return [
        json.dumps([(kind, box, predicted, None), ("truth", other, label, None)] if label else [], ensure_ascii=False)
        for kind, box, predicted, other, label in zip(kinds, answered, rows["predicted"], true, rows["label"], strict=True)
    ]


def largest(objects: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """The corners, float32 (N, 4), and the class number, int32 (N,), of the largest object of each image; no crowds.

    Without an object they are 0 and -1.

    >>> boxes = tf.constant([[[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.5, 1.0]]])
    >>> objects = {"bbox": boxes, "label": tf.constant([[3, 7]]), "crowd": tf.constant([[False, False]])}
    >>> [part.numpy().tolist() for part in largest(objects)]
    [[[0.0, 0.0, 0.5, 1.0]], [7]]
    """
    sizes = tf.where((objects["label"] >= 0) & ~objects["crowd"], areas(objects["bbox"]), 0.0)
    # A last object of no size, so that there is one even where no image has any.
    boxes, labels = tf.pad(objects["bbox"], [[0, 0], [0, 1], [0, 0]]), tf.pad(objects["label"], [[0, 0], [0, 1]])
    place = tf.argmax(tf.pad(sizes, [[0, 0], [0, 1]]), axis=-1)
    has_one = tf.reduce_max(tf.pad(sizes, [[0, 0], [0, 1]]), axis=-1) > 0
    box = tf.where(has_one[:, None], tf.gather(boxes, place, batch_dims=1), 0.0)
    return box, tf.where(has_one, tf.cast(tf.gather(labels, place, batch_dims=1), tf.int32), -1)


def localization_losses(settings: c.Localization) -> Callable[..., tf.Tensor]:
    """The function from (targets, outputs, training=) to the losses of the images, float32 (N,); 0 without an object.

    >>> losses = localization_losses(c.Localization(loss="l2"))
    >>> targets = {"box": tf.constant([[0.0, 0.0, 1.0, 1.0]]), "class": tf.constant([0])}
    >>> losses(targets, {"box": tf.constant([[0.5, 0.0, 1.0, 0.5]])}, training=True).numpy().tolist()  # 0.25 + 0.25
    [0.5]
    """

    def losses(targets: Mapping[str, tf.Tensor], outputs: Mapping[str, tf.Tensor], *, training: bool) -> tf.Tensor:
        found, box = tf.cast(outputs[BOX], tf.float32), targets["box"]
        if settings.loss in OVERLAPS:
            loss = 1.0 - OVERLAPS[settings.loss](found, box)
        else:
            apart = found - box
            each = tf.square(apart) if settings.loss == "l2" else smooth_l1(apart, linear_from=LINEAR_FROM)
            loss = tf.reduce_sum(each, axis=-1)
        if LOGITS in outputs:
            number, logits = tf.maximum(targets["class"], 0), tf.cast(outputs[LOGITS], tf.float32)
            loss += settings.class_weight * tf.nn.sparse_softmax_cross_entropy_with_logits(number, logits)
        return tf.where(targets["class"] >= 0, loss, 0.0)

    return losses


def _answered(outputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {BOX: ordered(outputs[BOX])}


def _mean_iou(truth: Arrays, answers: Arrays) -> dict[str, float]:
    known = truth["class"] >= 0
    boxes, others = answers[BOX][known].astype(np.float64), truth["box"][known].astype(np.float64)
    return {"mean_iou": float(iou_of(boxes, others, crowd=np.zeros(len(boxes), bool)).mean())} if known.any() else {}


def _objects(batch: Batch) -> Mapping[str, Any]:
    if "objects" not in batch:
        raise DataError(
            "localization requires images with objects; these images have none",
            hint="choose a source with boxes, or another task",
        )
    objects: Mapping[str, Any] = batch["objects"]
    return objects


def _dense(part: Any, filling: float) -> tf.Tensor:
    return part.to_tensor(tf.cast(filling, part.dtype)) if isinstance(part, tf.RaggedTensor) else part
