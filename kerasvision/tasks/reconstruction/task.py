"""Reconstruction as a task: restore each image from a code of it, with or without noise."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.figure import Figure

from kerasvision import config as c
from kerasvision import introspection, lookup, models
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.ops.places import Places
from kerasvision.progress import say
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
)
from kerasvision.tasks.reconstruction import answers
from kerasvision.tasks.reconstruction.errors import mean_squared_error
from kerasvision.tasks.reconstruction.judging import judged_images, kept_answers
from kerasvision.tasks.reconstruction.losses import CODE, RESTORED, reconstruction_losses, scaled_image
from kerasvision.tasks.reconstruction.noise import numbers_of_places, numbers_of_seeds, seeds_of_ids
from kerasvision.tasks.reconstruction.pictures import caption_line, histogram, versions
from kerasvision.tasks.reconstruction.presentation import ANSWER
from kerasvision.tasks.reconstruction.simple import simple_restorers
from kerasvision.tasks.versions import Version


class ReconstructionTask(Task):
    """The image itself, restored from a code of it. Truth is float64 (N,), zeros: the error that would be right."""

    settings: c.Reconstruction

    def __init__(self, settings: c.Reconstruction, classes: Sequence[str]) -> None:
        super().__init__(settings, classes)
        self._transform: ImageTransform | None = None

    def seeing(self, transform: ImageTransform) -> Self:
        """The task for images of this transform, which it undoes to show and measure what was restored."""
        known = type(self)(self.settings, self.classes)
        known._transform = transform
        return known

    def encode(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """The images with noise, and without, float32 (N, H, W, C). The noise of a training depends on its `place`."""
        images = batch["image"]
        if self.settings.noise is None:
            return images, images
        count, seed = answers.count_of(images), self.settings.noise_seed
        if "place" in batch:
            numbers = numbers_of_places(batch["place"], seed=seed, count=count)
        else:
            numbers = numbers_of_seeds(seeds_of_ids(batch["id"]), seed=seed, count=count)
        transform = self._known_transform
        seen = transform.unscaled(images) / 255.0
        noisy = answers.with_noise(seen, numbers, self.settings)
        # Pixels without noise stay exactly as they are: to scale them again would round them.
        return tf.where(noisy == seen, images, transform.scaled(255.0 * noisy)), images

    def build(self, model: c.Model, *, image_shape: tuple[int, int, int]) -> keras.Model:
        """The named network, whose code has the size of the settings. A line says so if the code is not smaller.

        Raises:
            ConfigError: it returns something else than `code` (N, K) and `restored` of the shape of the images.
        """
        known = introspection.keywords(lookup.MODELS.path(model.name))
        options: dict[str, Any] = dict(model.options)
        if known is None or "bottleneck" in known:
            options["bottleneck"] = self.settings.bottleneck
        network = models.build(
            model.name, image_shape=image_shape, num_classes=image_shape[-1], weights=model.weights, **options
        )
        outputs = network.output if isinstance(network.output, dict) else {}
        shapes = {name: tuple(one.shape) for name, one in outputs.items()}
        if shapes.get(RESTORED) != (None, *image_shape) or len(shapes.get(CODE, ())) != 2:
            height, width, channels = image_shape
            raise ConfigError(
                f"{model.name} must return {CODE!r}, float32 (N, K), and {RESTORED!r}, float32 (N, {height}, {width}, "
                f"{channels})",
                received=shapes or type(network.output).__name__,
                hint="set model.name='autoencoder'",
            )
        if shapes[CODE][1] >= np.prod(image_shape):
            say(f"the code has {shapes[CODE][1]:,} numbers, and an image only {np.prod(image_shape):,}")
        return network

    def objective(self) -> Objective:
        """The loss of the settings; and of the validation split, the mean squared error in [0, 1]."""
        name = self.settings.headline_metric()

        def compared(images: tf.Tensor, outputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            transform = self._known_transform
            restored = transform.unscaled(scaled_image(outputs[RESTORED], loss=self.settings.loss)) / 255.0
            return {name: mean_squared_error(transform.unscaled(images) / 255.0, tf.clip_by_value(restored, 0.0, 1.0))}

        def scores(truth: Arrays, answered: Arrays) -> dict[str, float]:
            return {name: float(np.mean(answered[name], dtype=np.float64))}

        collected = Collected(answers=_nothing, truth=_nothing, scores=scores, compared=compared)
        return Objective(reconstruction_losses(self.settings), [], collected=collected)

    def predictor(self, model: keras.Model, *, temperature: float = 1.0) -> Callable[[tf.Tensor], Predictions]:
        """`code` float32 (N, K), `error` float32 (N,), and `restored` float32 (N, H, W, C) in [0, 1]."""
        return self._restorer(model).answers

    def output_descriptions(self) -> dict[str, str]:
        """A line about each output of the predictor and of `placed_back`."""
        return answers.DESCRIPTIONS

    def placed_back(self, answered: Predictions, places: Places) -> Predictions:
        """The same, with a PNG in place of each image. It has the size of what the network sees, not that of the file."""
        return answers.placed_back(answered)

    def binary(self) -> frozenset[str]:
        """The PNGs of all signatures."""
        return frozenset(answers.PNGS.values())

    def pictures(self) -> frozenset[str]:
        """The PNGs of all signatures."""
        return frozenset(answers.PNGS.values())

    def extra_signatures(self, model: keras.Model, *, temperature: float = 1.0) -> dict[str, ExtraSignature]:
        """`errors`, and with noise `denoised`; see `answers.extra_signatures`."""
        return answers.extra_signatures(self._restorer(model), settings=self.settings)

    def evaluation_inputs(self, batch: Batch) -> Mapping[str, Mapping[str, tf.Tensor]]:
        """Nothing for `errors`, and for `denoised` a seed for each image, from its id."""
        denoised = (
            {} if self.settings.noise is None else {answers.DENOISED_SIGNATURE: {answers.SEED: seeds_of_ids(batch["id"])}}
        )
        return {answers.ERRORS_SIGNATURE: {}, **denoised}

    def presentation(self) -> Mapping[str, Any]:
        """The error is listed, and the restored image drawn next to the original; see `presentation.RestoredImage`."""
        return ANSWER

    def truth(self, batch: Batch) -> np.ndarray:
        """Zeros, float64 (N,)."""
        return np.zeros(len(batch["id"]))

    def measured(self, truth: np.ndarray, predictions: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The measures of each image, and small pictures; see `judging.kept_answers`."""
        return truth, kept_answers(predictions, has_noise=self.settings.noise is not None)

    def judge(self, *, ids: Sequence[str], truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Judgement:
        """All of `Reconstruction.metric_names`; see `judging.judged_images`. `predictions` are what `measured` keeps."""
        return judged_images(ids=ids, truth=truth, kept=predictions, settings=self.settings)

    def baselines(self) -> dict[str, Baseline]:
        """The mean image, principal components and, with noise, the noisy image itself."""
        return simple_restorers(self.settings)

    def caption(self, row: pd.Series) -> str:
        """The error of the image, of what was restored from the noisy one if there is noise."""
        return caption_line(row, headline=self.settings.headline_metric())

    def drawings(self, row: pd.Series) -> tuple[Version, ...]:
        """The image, with noise, and restored."""
        return versions(row, has_noise=self.settings.noise is not None)

    def figures(self, judgement: Judgement) -> dict[str, Figure]:
        """How many images have which error."""
        return {"Errors of the images": histogram(judgement.rows[self.settings.headline_metric()])}

    @property
    def _known_transform(self) -> ImageTransform:
        if self._transform is None:
            raise ConfigError(
                "reconstruction measures images before they were scaled, and does not know how they were scaled",
                hint="call seeing(transform) of the task first",
            )
        return self._transform

    def _restorer(self, model: keras.Model) -> answers.Restorer:
        return answers.Restorer(model, settings=self.settings, transform=self._known_transform)


def _nothing(_: Any) -> Mapping[str, tf.Tensor]:
    return {}
