"""Generation as a task: a network that makes images, a variational autoencoder or a GAN, and how its samples are judged."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Self

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf
from matplotlib.figure import Figure

from kerasvision import config as c
from kerasvision import models
from kerasvision.errors import ConfigError, DataError
from kerasvision.served.model import ServedModel
from kerasvision.tasks.base import (
    Batch,
    ExtraSignature,
    Judgement,
    Objective,
    Predictions,
    SplitPixels,
    Task,
    Teaching,
)
from kerasvision.tasks.generation import answers, pictures
from kerasvision.tasks.generation.judging import judged_samples, measured
from kerasvision.tasks.generation.losses import OUTPUTS, MeanPart, players, whole_losses
from kerasvision.tasks.generation.noise import noise_of
from kerasvision.tasks.generation.reference import Reference


class GenerationTask(Task):
    """Images from noise. Truth is int64 (N,), the class of each example; 0 without labels."""

    settings: c.Generation

    def __init__(self, settings: c.Generation, classes: Sequence[str]) -> None:
        super().__init__(settings, classes)
        self._reference: Reference | None = None

    @property
    def draws(self) -> int:
        """One number for each of a code."""
        return self.settings.latent_size

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, if one can be asked for."""
        return self.classes if self.settings.conditional else ()

    def encode(self, batch: Batch) -> tuple[tuple[tf.Tensor, ...], tf.Tensor]:
        """((images, noise float32 (N, Z)), images); with classes the inputs also have one-hot labels, float32 (N, K).

        Raises:
            DataError: a class can be asked for, but the examples have no labels.
        """
        inputs: tuple[tf.Tensor, ...] = (batch["image"], noise_of(batch["numbers"]))
        if self.settings.conditional:
            if "label" not in batch:
                raise DataError(
                    "a conditional generation requires a label for every image; these images have none",
                    hint="choose a source with labels, or set task.conditional=False",
                )
            inputs = (*inputs, tf.one_hot(batch["label"], len(self.classes)))
        return inputs, batch["image"]

    def build(self, model: c.Model, *, image_shape: tuple[int, int, int]) -> keras.Model:
        """The named network; see `kerasvision.models.generators` for its inputs.

        Raises:
            ConfigError: there are fewer than 2 classes to ask for, or the network lacks an output that the loss requires.
        """
        count = len(self.classes) if self.settings.conditional else None
        if count is not None and count < 2:
            raise ConfigError(
                "task.conditional requires images of at least 2 classes", received=count, hint="set task.conditional=False"
            )
        options: dict[str, Any] = {**model.options, "latent_size": self.settings.latent_size}
        network = models.build(model.name, image_shape=image_shape, num_classes=count, **options)
        _check_outputs(network, name=model.name, loss=self.settings.loss)
        return network

    def objective(self) -> Objective:
        """The loss of the settings and its two parts; with `adversarial`, the generator and the discriminator play."""
        parts = self.settings.training_metric_names()[1:]
        data = self.settings.without_added_metrics().to_data()
        return Objective(
            whole_losses(self.settings),
            [MeanPart(data, name=name) for name in parts],
            players=partial(players, self.settings),
        )

    def predictor(self, model: keras.Model, *, temperature: float = 1.0) -> Callable[[tf.Tensor], Predictions]:
        """The code of an image, or how real it looks; see `answers.predictor`."""
        return answers.predictor(model, settings=self.settings)

    def output_descriptions(self) -> dict[str, str]:
        """A line about each output of the predictor."""
        return answers.DESCRIPTIONS

    def binary(self) -> frozenset[str]:
        """The pictures of `sample` and `restore`."""
        return answers.PICTURES

    def extra_signatures(self, model: keras.Model, *, temperature: float = 1.0) -> dict[str, ExtraSignature]:
        """`sample`, and with `elbo` `restore`; see `answers`."""
        return answers.extra_signatures(model, settings=self.settings, classes=self.classes)

    def evaluation_inputs(self, batch: Batch) -> Mapping[str, Mapping[str, tf.Tensor]]:
        """A sample for each example, of its class."""
        return answers.evaluation_inputs(batch, settings=self.settings, classes=self.classes)

    def truth(self, batch: Batch) -> npt.NDArray[np.int64]:
        """int64 (N,), the classes; zeros without labels.

        Raises:
            DataError: a class can be asked for, but the examples have no labels.
        """
        if "label" in batch:
            labels: npt.NDArray[np.int64] = batch["label"].numpy()
            return labels
        if self.settings.conditional:
            raise DataError("judging a conditional generation requires labels; these examples have none")
        return np.zeros(len(batch["id"]), np.int64)

    def measured(
        self, truth: npt.NDArray[Any], predictions: dict[str, npt.NDArray[Any]]
    ) -> tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]]:
        """The samples as pixels, `samples` uint8 (N, H, W, C), and the numbers."""
        return truth, measured(predictions)

    def with_reference(self, pixels: Callable[[str], SplitPixels]) -> Self:
        """The task with the images that samples are compared with."""
        known = type(self)(self.settings, self.classes)
        known._reference = Reference.of(pixels)
        return known

    def judge(
        self, *, ids: Sequence[str], truth: npt.NDArray[Any], predictions: Mapping[str, npt.NDArray[Any]]
    ) -> Judgement:
        """All of `Generation.metric_names` that have a value; see `judged_samples`.

        Raises:
            DataError: the task does not know the images, see `with_reference`.
        """
        if self._reference is None:
            raise DataError("samples are judged by comparing them with images; call with_reference first")
        return judged_samples(
            ids=ids,
            truth=truth,
            predictions=predictions,
            classes=self.classes,
            settings=self.settings,
            reference=self._reference,
            classifier=ServedModel(self.settings.classifier) if self.settings.classifier else None,
        )

    def caption(self, row: pd.Series) -> str:
        """The class; and what the classifier sees in the sample of this class, if it was asked."""
        return f"{row['label']}, sample: {row['classified_as']}" if "classified_as" in row else str(row["label"])

    def lessons(self) -> Teaching:
        """Samples of the trained network, images between two codes, and restored images."""

        def teach(network: keras.Model, images: np.ndarray, inputs: Any, targets: Any) -> Any:
            return pictures.taught(network, images, inputs, settings=self.settings)

        return teach

    def epoch_picture(self, network: keras.Model) -> Callable[[], npt.NDArray[np.uint8]]:
        """Samples of always the same noise and classes."""
        return pictures.epoch_picture(network, settings=self.settings)

    def figures(self, judgement: Judgement) -> dict[str, Figure]:
        """Samples with the nearest training images."""
        return pictures.judged_figures(judgement, reference=self._reference)


def _check_outputs(network: keras.Model, *, name: str, loss: str) -> None:
    outputs = network.output if isinstance(network.output, dict) else {}
    if missing := [output for output in OUTPUTS[loss] if output not in outputs]:
        raise ConfigError(
            f"{name} must return a dict with {', '.join(OUTPUTS[loss])}, which task.loss={loss!r} requires",
            received=f"no {', '.join(missing)}",
        )
