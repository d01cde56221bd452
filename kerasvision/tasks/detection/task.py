"""Detection as a task: boxes with a class and a score, judged as COCO judges them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Self

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.figure import Figure

from kerasvision import config as c
from kerasvision import models
from kerasvision.errors import ConfigError, DataError
from kerasvision.ops.places import Places
from kerasvision.tasks.base import (
    Ask,
    Baseline,
    Batch,
    ExtraSignature,
    Illustration,
    Judgement,
    Objective,
    Predictions,
    Task,
    Teaching,
)
from kerasvision.tasks.detection import answers, pictures
from kerasvision.tasks.detection.answers import SETS, placed_back
from kerasvision.tasks.detection.classes import Classes
from kerasvision.tasks.detection.collecting import collected_boxes
from kerasvision.tasks.detection.fusion import fused_answers
from kerasvision.tasks.detection.judging import box_scores, check_classes, judged_boxes
from kerasvision.tasks.detection.lessons import lessons
from kerasvision.tasks.detection.losses import detection_losses
from kerasvision.tasks.detection.presentation import ANSWERS
from kerasvision.tasks.detection.readings import map_shapes
from kerasvision.tasks.detection.regions import PROPOSALS, check_regions, has_regions
from kerasvision.tasks.detection.sampling import DRAWS
from kerasvision.tasks.detection.scores import best_score
from kerasvision.tasks.detection.simple import simple_detectors
from kerasvision.tasks.detection.truth import image_objects
from kerasvision.tasks.drawing import Drawing


class DetectionTask(Task):
    """All objects of an image. The classes are those of the data set; `found` of them are the network's.

    Attributes:
        found: all classes, and which of them the network finds.
    """

    settings: c.Detection

    def __init__(self, settings: c.Detection, classes: Sequence[str]) -> None:
        super().__init__(settings, classes)
        self.found = Classes.of(self.classes, found=settings.classes)
        self._frame: tuple[int, int] | None = None
        self._best_score: float | None = None

    @property
    def draws(self) -> int:
        """Of each image, the random numbers by which a two-stage detector chooses the regions that learn."""
        return DRAWS

    def encode(self, batch: Batch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The images, and the objects filled up to M: the fields of `assigning.Truth` by name.

        `boxes` float32 (N, M, 4) in pixels of the network's image; `classes` int32 (N, M), numbers of the network's
        outputs, -1 in rows without an object to find; `crowd` bool (N, M). If the batch has `numbers`, float32 (N, 2), they
        are there too.

        Raises:
            DataError: the examples have no objects.
            ConfigError: images were mixed.
        """
        if "label_shares" in batch:
            raise ConfigError("mixed images have no boxes", hint="remove augmentations that mix images")
        objects = _objects(batch)
        height, width = batch["image"].shape[1:3]
        return batch["image"], {
            "boxes": objects["bbox"] * tf.constant([height, width, height, width], tf.float32),
            "classes": self.found.outputs(objects["label"]),
            "crowd": objects["crowd"],
            **{name: batch[name] for name in ("numbers",) if name in batch},
        }

    def build(self, model: c.Model, *, image_shape: tuple[int, int, int]) -> keras.Model:
        """The named network, with a score for each class to find.

        Raises:
            ConfigError: it returns neither the maps that `readings` describes nor the regions of `regions`.
        """
        network = models.build(
            model.name,
            image_shape=image_shape,
            num_classes=self.found.answered,
            weights=model.weights,
            classes=self.found.found,
            **model.options,
        )
        if has_regions(network.output):
            check_regions(network.output, num_classes=self.found.answered)
        else:
            map_shapes(network.output)
        self._frame = image_shape[:2]
        return network

    def objective(self) -> Objective:
        """The loss of `losses`; and the average precision of the validation split, once the network is built."""
        losses = detection_losses(self.settings, num_classes=self.found.answered)
        collected = None
        if self._frame is not None:
            collected = collected_boxes(self.settings, classes=self.found, frame=self._frame)
        return Objective(losses, [], collected=collected)

    def predictor(self, model: keras.Model, *, temperature: float = 1.0) -> Callable[[tf.Tensor], Predictions]:
        """The best boxes with their scores and classes; see `answers.predictor`."""
        return answers.predictor(model, classes=self.found, settings=self.settings)

    def output_descriptions(self) -> dict[str, str]:
        """A line about each output of the predictor, and about `image_size`."""
        return answers.DESCRIPTIONS

    def placed_back(self, answers: Predictions, places: Places) -> Predictions:
        """The same `boxes`, float32 (N, K, 4), as shares of the upright original image; and `image_size`, int32 (N, 2)."""
        return placed_back(answers, places)

    def sets(self) -> Mapping[str, tuple[str, ...]]:
        """The outputs that belong to the rows of `boxes`: these rows are a set, whose order may differ."""
        return SETS

    def extra_signatures(self, model: keras.Model, *, temperature: float = 1.0) -> dict[str, ExtraSignature]:
        """All boxes and scores before those that overlap are dropped; of a two-stage detector, its proposals."""
        return answers.extra_signatures(model, classes=self.found)

    def evaluation_inputs(self, batch: Batch) -> Mapping[str, Mapping[str, tf.Tensor]]:
        """The proposals of a two-stage detector; a model of another one has no such signature."""
        return {PROPOSALS: {}}

    def presentation(self) -> Mapping[str, Any]:
        """Boxes are drawn, and listed in pixels; see `presentation.FoundObjects`."""
        return ANSWERS

    def truth(self, batch: Batch) -> np.ndarray:
        """The objects of each image, object (N,) of `truth.ImageObjects`, from `objects` with `bbox` float32 (N, M, 4).

        Raises:
            DataError: the examples have no objects.
        """
        return image_objects(_objects(batch), classes=self.found)

    def decided_on(self, *, truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Self:
        """The task whose precision, recall and F1 are those at the score with the best F1 on these images.

        `truth` is object (N,). Of `predictions`, `boxes` is float32 (N, K, 4), `scores` float32 (N, K), and so on.
        """
        decided = type(self)(self.settings, self.classes)
        decided._best_score = best_score(box_scores(list(truth), predictions, classes=self.found))
        return decided

    def judge(self, *, ids: Sequence[str], truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Judgement:
        """All of `Detection.metric_names` that have a value, and those of each class; see `judging.judged_boxes`.

        `truth` is object (N,). Of `predictions`, `boxes` is float32 (N, K, 4), `scores` float32 (N, K), and so on.
        """
        return judged_boxes(
            ids=ids,
            truth=list(truth),
            predictions=predictions,
            classes=self.found,
            settings=self.settings,
            chosen_score=self._best_score,
        )

    def averaged(self, predictions: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The answers of several models or views, fused; see `fusion`. `boxes` is float32 (N, K, 4) in each."""
        for one in predictions:
            check_classes(one, self.found)
        return fused_answers(predictions, overlap=self.settings.overlap, names=self.classes)

    def baselines(self) -> dict[str, Baseline]:
        """The same boxes for every image; and coloured regions with a linear classifier."""
        return simple_detectors(self.found)

    def caption(self, row: pd.Series) -> str:
        """How many objects there are, and how many were found, missed and falsely found."""
        return pictures.caption_line(row)

    def drawings(self, row: pd.Series) -> tuple[Drawing, ...]:
        """What was found, found where nothing is, and missed."""
        return pictures.drawings(row)

    def illustrations(self, rows: pd.DataFrame, *, ask: Ask) -> list[Illustration]:
        """Each image with what was found, falsely found and missed."""
        return pictures.illustrations(rows)

    def lessons(self) -> Teaching:
        """Which level learns which object."""
        return partial(lessons, settings=self.settings, num_classes=self.found.answered)

    def figures(self, judgement: Judgement) -> dict[str, Figure]:
        """Precision against recall of each class."""
        return pictures.figures(judgement)


def _objects(batch: Batch) -> Mapping[str, tf.Tensor]:
    if "objects" not in batch:
        raise DataError(
            "detection requires images with objects; these images have none",
            hint="choose a source with boxes, or another task",
        )
    objects: Mapping[str, tf.Tensor] = batch["objects"]
    return objects
