"""Why a saved model gives an image a class: pictures with the places that speak for it, and those that speak against it.

    method                 asks                                  what it needs
    grad_cam               which maps of the network, and where  the .keras file of the training
    occlusion              what is missed if it is covered       the saved model
    integrated_gradients   what each pixel adds                  the saved model

Occlusion and integrated gradients explain the score that the saved model answers with; Grad-CAM explains the number before
the softmax. The mathematics is in `kerasvision.ops.attribution`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from PIL import Image

from kerasvision.config.inference import Listed
from kerasvision.config.keras_files import head_names
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.export.asking.pictures import PictureFolder
from kerasvision.export.asking.predict import ImagePredictor
from kerasvision.lookup import did_you_mean
from kerasvision.models.inside import inside, last_maps
from kerasvision.models.saved import load_network
from kerasvision.ops.attribution import grad_cam, integrated_gradients, occlusion
from kerasvision.ops.images import decode_image
from kerasvision.served.signatures import TENSOR_SIGNATURE, TRANSFORM_FILE
from kerasvision.tasks.heat import painted_where_seen

Method = Literal["grad_cam", "occlusion", "integrated_gradients"]
# The output with a score for each label.
SCORES = "scores"
# Side of the covering square: this share of the shorter side of what the network sees; and its stride, of the square.
WINDOW_SHARE, STRIDE_SHARE = 1 / 5, 1 / 2
# A few pixels have very large integrated gradients: the full colour begins at this share of all pixels.
BRIGHTEST = 0.99
# How far the score of another network's best label may be from that of the best label. Rounding moves a score less.
SAME_ANSWER = 0.02


@dataclass(frozen=True)
class Question:
    """What is asked about an image.

    Attributes:
        pixels: float32 (H, W, C) in [0, 255], as the network sees the image, not yet scaled.
        label: number of the class.
    """

    pixels: np.ndarray
    label: int


@dataclass(frozen=True)
class Reasons:
    """Where the reasons for a score lie.

    Attributes:
        heat: float32 (h, w), which covers what the network sees evenly; negative where it speaks against the class.
        measured: how far the map can be trusted, in words.
    """

    heat: np.ndarray
    measured: str


class Occlusion:
    """Covers each part of the image, and asks the saved model again.

    Args:
        model: the saved model.
        window: side of the square, in pixels of what the network sees; by default a fifth of the shorter side.

    Raises:
        ConfigError: the window is larger than what the network sees.
    """

    def __init__(self, model: ImagePredictor, *, window: int | None = None) -> None:
        height, width, _ = _seen_shape(model)
        self._window = max(1, round(WINDOW_SHARE * min(height, width))) if window is None else window
        if not 1 <= self._window <= min(height, width):
            raise ConfigError(
                f"--window must lie in [1, {min(height, width)}]: the network sees {height} x {width} pixels",
                received=self._window,
            )
        self._model = model

    def __call__(self, asked: Question) -> Reasons:
        """The fall of the score at each pixel."""
        stride = max(1, round(STRIDE_SHARE * self._window))

        def score(images: tf.Tensor) -> tf.Tensor:
            return _scores(self._model, images)[:, asked.label]

        heat = occlusion(score, asked.pixels, window=self._window, stride=stride)
        most, side = max(0.0, float(heat.max())), self._window
        return Reasons(heat, f"the score falls by up to {most:.3f} where squares of {side} x {side} pixels cover the image")


class IntegratedGradients:
    """Follows the saved model's score from a black image to this one."""

    def __init__(self, model: ImagePredictor) -> None:
        _seen_shape(model)
        self._model = model

    def __call__(self, asked: Question) -> Reasons:
        """What each pixel adds to the score."""

        def score(images: tf.Tensor) -> tf.Tensor:
            return _scores(self._model, images)[:, asked.label]

        try:
            found = integrated_gradients(score, asked.pixels)
        except LookupError as error:  # TensorFlow's, for an operation without a gradient
            raise ConfigError(f"this saved model has no gradient: {error}", hint="use --method occlusion") from error
        strong = float(np.quantile(np.abs(found.values), BRIGHTEST)) or 1.0
        return Reasons(
            np.clip(found.values, -strong, strong),
            f"the pixels add up to {found.total:+.3f}, and the score grows by {found.difference:+.3f} ({found.steps} steps)",
        )


class GradCam:
    """Weighs the last maps of the trained network by their gradients.

    Args:
        model: the saved model.
        network: the `.keras` file that it was exported from.

    Raises:
        ConfigError: it is not the network of this saved model, or has no maps.
        ExportError: the file is missing or damaged.
    """

    def __init__(self, model: ImagePredictor, network: Path) -> None:
        self._file, self._model, self._transform = network, model, transform_of(model)
        loaded = network_of(model, network)
        self._layer = last_maps(loaded)
        self._inside = inside(loaded, self._layer)

    def __call__(self, asked: Question) -> Reasons:
        """Where the maps raise the number of the class before the softmax."""
        images = self._transform.scaled(tf.constant(asked.pixels[np.newaxis]))
        self._check_answer(asked, images)
        heat = grad_cam(lambda scaled: self._inside(scaled, training=False), images, [asked.label])[0]
        rows, columns = heat.shape
        nothing = "" if heat.any() else "; no place speaks for it"
        return Reasons(heat, f"layer {self._layer}, {rows} x {columns} places{nothing}")

    def _check_answer(self, asked: Question, images: tf.Tensor) -> None:
        """Checks that the network's best label is among the best of the saved model. Views of an image may change it."""
        served = _scores(self._model, tf.constant(asked.pixels[np.newaxis]))[0].numpy()
        _, numbers = self._inside(images, training=False)
        best = int(np.argmax(numbers[0]))
        if served.max() - served[best] > SAME_ANSWER:
            labels = self._model.labels()
            raise ConfigError(
                f"{self._file} is not the network of {self._model.folder}: it answers {labels[best]!r} to an image, the "
                f"saved model {labels[int(served.argmax())]!r}",
                hint="give the .keras file that the saved model was exported from; for a model with export.test_time, whose "
                "answers are means over views, use --method occlusion",
            )


class ExplanationPictures(PictureFolder):
    """A folder with a picture for each image: its original with the reasons for a class over it.

    Attributes:
        lines: for each picture its class, its score, and how far the map can be trusted.

    Args:
        folder: see `PictureFolder`.
        model: the saved model.
        method: finds the reasons.
        label: the class; None: the one with the highest score.

    Raises:
        ConfigError: as `PictureFolder`; the model does not score its classes, or does not know the class.
        ExportError: as `PictureFolder`; or the model has no transform.
    """

    suffix, noun = ".png", "pictures"

    def __init__(
        self, folder: Path, *, model: ImagePredictor, method: Occlusion | IntegratedGradients | GradCam, label: str | None
    ) -> None:
        self._labels, self._label, self._method = scored_labels(model), label, method
        if label is not None and label not in self._labels:
            raise ConfigError(f"{model.folder} does not know the class {label!r}; {did_you_mean(label, self._labels)}")
        self._transform = transform_of(model)
        super().__init__(folder)
        self.lines: list[tuple[str, ...]] = []

    def picture(self, image: Listed, kept: Mapping[str, Any]) -> Image.Image:
        """The upright image; red speaks for the class, blue against it."""
        data = tf.constant(image.path.read_bytes())
        pixels, placement, _ = self._transform.placed(data)
        scores = kept[SCORES]
        number = int(np.argmax(scores)) if self._label is None else self._labels.index(self._label)
        reasons = self._method(Question(pixels.numpy(), number))
        self.lines.append((self._labels[number], f"{scores[number]:.4f}", reasons.measured))
        upright = decode_image(data, color_mode="rgb", significant_bits=self._transform.settings.significant_bits).numpy()
        return painted_where_seen(
            Image.fromarray(upright),
            reasons.heat,
            placement=placement,
            size=upright.shape[:2],
            frame=self._transform.settings.image_size,
        )


def scored_labels(model: ImagePredictor) -> tuple[str, ...]:
    """The names of the classes that a model scores, in order.

    Raises:
        ConfigError: its answer does not have one score for each of its classes.
    """
    dtype, shape = model.outputs.get(SCORES, ("", ()))
    labels = model.labels() if dtype == "float32" and len(shape) == 1 and model.presentation is None else ()
    if not labels or shape not in ((None,), (len(labels),)):
        raise ConfigError(
            "explain requires a model that answers with a score for each class",
            received=f"{model.folder}, which answers with {', '.join(model.outputs)}",
            hint="`kerasvision predict --draw` shows the answers of a model that finds places",
        )
    return labels


def transform_of(model: ImagePredictor) -> ImageTransform:
    """The transform of a saved model.

    Raises:
        ConfigError: the model has none.
    """
    file = model.folder / TRANSFORM_FILE
    if not file.is_file():
        raise ConfigError(f"explain requires a saved model with {TRANSFORM_FILE}", hint="export the model again")
    return ImageTransform.load(file)


def network_of(model: ImagePredictor, file: Path) -> Any:
    """The network in a `.keras` file, which must fit the saved model: the same images, and the same classes.

    Raises:
        ConfigError: it does not fit.
        ExportError: the file is missing or damaged.
    """
    network, shape = load_network(file), transform_of(model).settings.image_shape
    inputs = list(getattr(network, "inputs", None) or [])
    if len(inputs) != 1 or tuple(inputs[0].shape[1:]) != shape:
        raise ConfigError(f"{file} must be the network of {model.folder}, whose images have the shape {shape}")
    names = head_names(file)
    if names is not None and tuple(" ".join(name.splitlines()) for name in names) != model.labels():
        raise ConfigError(
            f"{file} must be the network of {model.folder}: the classes differ",
            hint="give the .keras file that the saved model was exported from",
        )
    return network


def _seen_shape(model: ImagePredictor) -> tuple[int, int, int]:
    shape = model.served.image_shape
    if shape is None or SCORES not in model.served.signatures[TENSOR_SIGNATURE].structured_outputs:
        raise ConfigError(
            f"this method asks the signature {TENSOR_SIGNATURE} for {SCORES}, and {model.folder} does not answer it",
            hint="export the model again",
        )
    return shape


def _scores(model: ImagePredictor, images: tf.Tensor) -> tf.Tensor:
    """float32 (N, C): the saved model's scores of images, float32 (N, H, W, C) in [0, 255]."""
    return model.served(TENSOR_SIGNATURE, image=images)[SCORES]
