"""Segmentation as a task: the class of every pixel, as a map of the size of the original image."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from kerasvision import config as c
from kerasvision import models
from kerasvision.config.example_parts import IGNORED
from kerasvision.config.segmentation import NETWORKS
from kerasvision.errors import ConfigError
from kerasvision.ops.places import Places
from kerasvision.tasks.auxiliary import (
    check_main_logits,
    main_head_only,
    main_logits,
    training_options,
    with_auxiliary_losses,
)
from kerasvision.tasks.base import Baseline, Batch, ExtraSignature, Judgement, Objective, Predictions, Task
from kerasvision.tasks.class_maps import ClassMap
from kerasvision.tasks.segmentation import answers
from kerasvision.tasks.segmentation.counting import collected_counts, from_entries
from kerasvision.tasks.segmentation.judging import judged_maps
from kerasvision.tasks.segmentation.losses import balanced_weights, pixel_losses
from kerasvision.tasks.segmentation.measuring import CONFUSION, measured_maps
from kerasvision.tasks.segmentation.painting import painted
from kerasvision.tasks.segmentation.pictures import caption_line, overlays
from kerasvision.tasks.segmentation.pixel_counts import pixel_counts
from kerasvision.tasks.segmentation.presentation import answers_of
from kerasvision.tasks.segmentation.simple import simple_segmenters
from kerasvision.tasks.segmentation.truth import image_maps, no_maps

# As in torchvision's training of FCN and DeepLab.
AUXILIARY_WEIGHT = 0.5


class SegmentationTask(Task):
    """The class of every pixel. Truth is object (N,) of `truth.ImageMap`; once measured, int64 (N, K), pixels by class."""

    settings: c.Segmentation

    def __init__(self, settings: c.Segmentation, classes: Sequence[str]) -> None:
        super().__init__(settings, classes)
        self._weights: np.ndarray | None = None

    def reduced(self, example: dict[str, Any]) -> dict[str, Any]:
        """The example with `label_map` uint8 (H, W) in place of `objects`, whose masks are painted into it.

        Raises:
            DataError: it has neither a map nor masks.
        """
        kept = {name: part for name, part in example.items() if name != "objects"}
        if "label_map" in kept:
            return kept
        if "mask" not in example.get("objects", {}):
            raise no_maps()
        numbers = painted(example["objects"], settings=self.settings)
        if "covered" in kept:
            # Nothing is known of what lies around the image.
            numbers = tf.where(kept["covered"], numbers, tf.constant(IGNORED, tf.uint8))
        return {**kept, "label_map": numbers}

    def encode(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """The images, unchanged; and their maps, uint8 (N, H, W), 255 where nothing is known.

        Raises:
            DataError: the examples have no maps.
        """
        if "label_map" not in batch:
            raise no_maps()
        return batch["image"], batch["label_map"]

    def learning_from(self, examples: tf.data.Dataset) -> "SegmentationTask":
        """The task with the weights of `class_weighted`, from the pixels of these examples; other losses read nothing.

        Raises:
            DataError: the examples have neither maps nor masks.
        """
        if self.settings.loss != "class_weighted":
            return self
        known = type(self)(self.settings, self.classes)
        counts = pixel_counts(examples, settings=self.settings, count=len(self.classes))
        known._weights = balanced_weights(counts)
        return known

    def build(self, model: c.Model, *, image_shape: tuple[int, int, int]) -> keras.Model:
        """The named network with a logit for each class in each pixel, and with its auxiliary heads.

        Raises:
            ConfigError: it returns something else than float32 (N, H, W, K) of the size of the images.
        """
        network = models.build(
            model.name,
            image_shape=image_shape,
            num_classes=len(self.classes),
            weights=model.weights,
            classes=self.classes,
            **training_options(model),
        )
        check_main_logits(network, name=model.name)
        return check_map(network, name=model.name, image_shape=image_shape, count=len(self.classes))

    def trained(self, model: keras.Model) -> keras.Model:
        """The network without its auxiliary heads."""
        return main_head_only(model)

    def objective(self) -> Objective:
        """The loss of the settings, plus half of it for each auxiliary head; the mean IoU of the validation split.

        Raises:
            ConfigError: the weights of `class_weighted` are not known yet.
        """
        losses = pixel_losses(self.settings, weights=self._weights)
        return Objective(
            with_auxiliary_losses(losses, weight=AUXILIARY_WEIGHT),
            [],
            main_logits,
            collected=collected_counts(len(self.classes)),
        )

    def predictor(self, model: keras.Model, *, temperature: float = 1.0) -> Callable[[tf.Tensor], Predictions]:
        """`class_numbers` uint8 (N, H, W), `shares` float32 (N, K) and what `placed_back` reads; see `answers.predictor`."""
        return answers.predictor(model, classes=self.classes)

    def output_descriptions(self) -> dict[str, str]:
        """A line about each output of the predictor and of `placed_back`."""
        return answers.DESCRIPTIONS

    def in_frame(self, answers_of_predictor: Predictions) -> Predictions:
        """`class_numbers` uint8 (N, H, W), `shares` float32 (N, K) and `classes` string (N, K)."""
        return answers.in_frame(answers_of_predictor)

    def placed_back(self, answers_in_frame: Predictions, places: Places) -> Predictions:
        """`mask_png_bytes` string (N,) of the original size, `shares` float32 (N, K), `image_size` int32 (N, 2)."""
        return answers.placed_back(answers_in_frame, places)

    def maps(self) -> Mapping[str, tuple[str, ...]]:
        """The outputs of class numbers for each pixel, and those that are counted from them."""
        return answers.MAPS

    def binary(self) -> frozenset[str]:
        """The PNG."""
        return frozenset({answers.MAP_PNG})

    def extra_signatures(self, model: keras.Model, *, temperature: float = 1.0) -> dict[str, ExtraSignature]:
        """The probabilities of all classes, in the image that the network sees."""
        return answers.extra_signatures(model)

    def truth(self, batch: Batch) -> np.ndarray:
        """The map of each image, object (N,) of `truth.ImageMap`, encoded.

        Raises:
            DataError: the examples have neither maps nor masks.
        """
        return image_maps(batch, settings=self.settings)

    def measured(self, truth: np.ndarray, predictions: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """True pixels by class, int64 (N, K); and counts and small pictures, see `measuring.measured_maps`.

        Raises:
            DataError: the answers are of other classes, or have another size than the truth.
        """
        kept = measured_maps(list(truth), predictions, classes=self.classes, tolerance=self.settings.boundary_tolerance)
        _, true, _ = from_entries(kept[CONFUSION], count=len(self.classes))
        return true, kept

    def judge(self, *, ids: Sequence[str], truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Judgement:
        """All of `Segmentation.metric_names` that have a value, and those of each class; see `judging.judged_maps`.

        `truth`, int64 (N, K), and `predictions` are what `measured` keeps: `confusion` int64 (N, M, 2) and so on.
        """
        return judged_maps(ids=ids, predictions=predictions, classes=self.classes, settings=self.settings)

    def baselines(self) -> dict[str, Baseline]:
        """The commonest class, the class by place, and a softmax of colour and place."""
        return simple_segmenters(len(self.classes))

    def presentation(self) -> Mapping[str, Any]:
        """The classes are listed with their shares, and painted over the image; see `presentation.PixelClasses`."""
        return answers_of(self.classes, background=self.settings.background)

    def caption(self, row: pd.Series) -> str:
        """The mean IoU of the image, the worst of its classes, and a class that is answered but absent."""
        return caption_line(row)

    def drawings(self, row: pd.Series) -> tuple[ClassMap, ...]:
        """The true and the answered map."""
        return overlays(row, classes=self.classes, background=self.settings.background)


def check_map(network: keras.Model, *, name: str, image_shape: tuple[int, int, int], count: int) -> keras.Model:
    """The same network, whose logits, and those of its auxiliary heads, have the size of its images.

    Raises:
        ConfigError: an output is not float32 (N, H, W, count).

    >>> image = keras.Input((8, 8, 3))
    >>> small = keras.Model(image, keras.layers.Conv2D(5, 3)(image))
    >>> check_map(small, name="mine:net", image_shape=(8, 8, 3), count=5)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: mine:net must return a logit for each class in each pixel, float32 (N, 8, 8, 5); ...
    """
    outputs = getattr(network, "output", None)
    height, width, _ = image_shape
    for output in outputs.values() if isinstance(outputs, dict) else () if outputs is None else (outputs,):
        if tuple(output.shape) != (None, height, width, count):
            received = ", ".join("N" if side is None else str(side) for side in output.shape)
            raise ConfigError(
                f"{name} must return a logit for each class in each pixel, float32 (N, {height}, {width}, {count}); "
                f"received ({received})",
                hint=f"set model.name to one of {', '.join(NETWORKS)}; 'unet' with padding='valid' requires mirrored=True",
            )
    return network
