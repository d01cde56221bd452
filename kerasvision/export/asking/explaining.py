"""Why a saved model gives an image a class, a tag or a number: the places that speak for it, and those against it.

    method                 asks                                  what it needs
    grad_cam               which maps of the network, and where  the .keras file of the training
    occlusion              what is missed if it is covered       the saved model
    integrated_gradients   what each pixel adds                  the saved model

Occlusion and integrated gradients explain the score or the number that the saved model answers with; Grad-CAM explains the
network's own number, of a class or a tag that before the softmax or sigmoid. What speaks for a number raises it. The
mathematics is in `kerasvision.ops.attribution`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from kerasvision.config.inference import Listed
from kerasvision.errors import ConfigError
from kerasvision.export.asking.explained import explained_by, network_of, transform_of
from kerasvision.export.asking.pictures import PictureFolder
from kerasvision.export.asking.predict import ImagePredictor
from kerasvision.lookup import did_you_mean
from kerasvision.models.inside import inside, last_maps
from kerasvision.ops.attribution import TOLERANCE, Scores, grad_cam, integrated_gradients, occlusion
from kerasvision.ops.images import decode_image
from kerasvision.served.signatures import TENSOR_SIGNATURE
from kerasvision.tasks.heat import painted_where_seen
from kerasvision.tasks.presentation import Explained

Method = Literal["grad_cam", "occlusion", "integrated_gradients"]
# Side of the covering square: this share of the shorter side of what the network sees; and its stride, of the square.
WINDOW_SHARE, STRIDE_SHARE = 1 / 5, 1 / 2
# A few pixels have very large integrated gradients: the full colour begins at this share of all pixels.
BRIGHTEST = 0.99
# How far the score of another network's best label may be from that of the best label, and how far its number may be from
# that of the saved model, in deviations. Rounding moves both less.
SAME_ANSWER = 0.02


@dataclass(frozen=True)
class Question:
    """What is asked about an image.

    Attributes:
        pixels: float32 (H, W, C) in [0, 255], as the network sees the image, not yet scaled.
        label: number of the class, the tag or the value.
    """

    pixels: np.ndarray
    label: int


@dataclass(frozen=True)
class Reasons:
    """Where the reasons for a score lie.

    Attributes:
        heat: float32 (h, w), which covers what the network sees evenly; negative where it speaks against the answer.
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
        ConfigError: the window is larger than what the network sees, or the model answers nothing to explain.
    """

    def __init__(self, model: ImagePredictor, *, window: int | None = None) -> None:
        self._explained = explained_by(model)
        height, width, _ = _seen_shape(model, self._explained)
        self._window = max(1, round(WINDOW_SHARE * min(height, width))) if window is None else window
        if not 1 <= self._window <= min(height, width):
            raise ConfigError(
                f"--window must lie in [1, {min(height, width)}]: the network sees {height} x {width} pixels",
                received=self._window,
            )
        self._model = model

    def __call__(self, asked: Question) -> Reasons:
        """The fall of the score or the number at each pixel."""
        stride = max(1, round(STRIDE_SHARE * self._window))
        number = _asked_number(self._model, self._explained, asked)
        heat = occlusion(number, asked.pixels, window=self._window, stride=stride)
        falls, rises, side = max(0.0, float(heat.max())), max(0.0, -float(heat.min())), self._window
        said = f"the score falls by up to {falls:.3f}"
        if not self._explained.is_score:
            said = f"the number falls by up to {falls:.4g} and rises by up to {rises:.4g}"
        return Reasons(heat, f"{said} where squares of {side} x {side} pixels cover the image")


class IntegratedGradients:
    """Follows the saved model's score or number from a black image to this one.

    The sum may miss a score by 0.01; a number, whose unit may be anything, by a hundredth of the whole difference.
    """

    def __init__(self, model: ImagePredictor) -> None:
        self._model, self._explained = model, explained_by(model)
        _seen_shape(model, self._explained)

    def __call__(self, asked: Question) -> Reasons:
        """What each pixel adds to the score or the number."""
        number, is_score = _asked_number(self._model, self._explained, asked), self._explained.is_score
        tolerance = TOLERANCE * (1.0 if is_score else _from_black(number, asked.pixels))
        try:
            found = integrated_gradients(number, asked.pixels, tolerance=tolerance)
        except LookupError as error:  # TensorFlow's, for an operation without a gradient
            raise ConfigError(f"this saved model has no gradient: {error}", hint="use --method occlusion") from error
        strong = float(np.quantile(np.abs(found.values), BRIGHTEST)) or 1.0
        what, form = ("score", "+.3f") if is_score else ("number", "+.4g")
        return Reasons(
            np.clip(found.values, -strong, strong),
            f"the pixels add up to {found.total:{form}}, and the {what} grows by {found.difference:{form}} "
            f"({found.steps} steps)",
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
        self._inside, self._units, self._explained = inside(loaded, self._layer), _units(loaded), explained_by(model)

    def __call__(self, asked: Question) -> Reasons:
        """Where the maps raise the number of the class, before the softmax, or the number itself."""
        images = self._transform.scaled(tf.constant(asked.pixels[np.newaxis]))
        self._check_answer(asked, images)
        heat = grad_cam(lambda scaled: self._inside(scaled, training=False), images, [asked.label])[0]
        rows, columns = heat.shape
        nothing = "" if heat.any() else "; no place speaks for it"
        return Reasons(heat, f"layer {self._layer}, {rows} x {columns} places{nothing}")

    def _check_answer(self, asked: Question, images: tf.Tensor) -> None:
        """Checks that the network gives an image the answer of the saved model. Views of the image may change it.

        Of scores, its best label must be among the best of the saved model; numbers must agree.
        """
        served = _numbers(self._model, self._explained, tf.constant(asked.pixels[np.newaxis]))[0].numpy()
        found, labels = np.asarray(self._inside(images, training=False)[1])[0], self._model.labels()
        if self._explained.is_score:
            best = int(found.argmax())
            is_other = served.max() - served[best] > SAME_ANSWER
            answers = f"{labels[best]!r} to an image, the saved model {labels[int(served.argmax())]!r}"
        else:
            apart = np.abs(served - found) / self._units
            is_other, worst = not (apart <= SAME_ANSWER).all(), int(apart.argmax())
            answers = f"{labels[worst]} {found[worst]:.4g} to an image, the saved model {served[worst]:.4g}"
        if is_other:
            raise ConfigError(
                f"{self._file} is not the network of {self._model.folder}: it answers {answers}",
                hint="give the .keras file that the saved model was exported from; for a model with export.test_time, whose "
                "answers are means over views, use --method occlusion",
            )


class ExplanationPictures(PictureFolder):
    """A folder with a picture for each image: its original with the reasons for a class, a tag or a number over it.

    Attributes:
        columns: what the first two parts of a line are.
        lines: for each picture its label, the score or the number, and how far the map can be trusted.

    Args:
        folder: see `PictureFolder`.
        model: the saved model.
        method: finds the reasons.
        label: the class, the tag or the value; None: the one with the highest score, or the only value.

    Raises:
        ConfigError: as `PictureFolder`; the model answers nothing to explain, does not know the label, or answers several
            values and none was named.
        ExportError: as `PictureFolder`; or the model has no transform.
    """

    suffix, noun = ".png", "pictures"

    def __init__(
        self, folder: Path, *, model: ImagePredictor, method: Occlusion | IntegratedGradients | GradCam, label: str | None
    ) -> None:
        self._explained, self._labels, self._label, self._method = explained_by(model), model.labels(), label, method
        what = self._explained.what
        if label is not None and label not in self._labels:
            raise ConfigError(f"{model.folder} does not know the {what} {label!r}; {did_you_mean(label, self._labels)}")
        if label is None and not self._explained.is_score and len(self._labels) > 1:
            raise ConfigError(
                "explain requires --label for a model that answers several values, which have no best one",
                received=f"a model of {', '.join(self._labels)}",
            )
        self.columns = ("label", "score") if self._explained.is_score else ("value", "number")
        self._transform = transform_of(model)
        super().__init__(folder)
        self.lines: list[tuple[str, ...]] = []

    def picture(self, image: Listed, kept: Mapping[str, Any]) -> Image.Image:
        """The upright image; red speaks for the class or the tag, or raises the number; blue is against it."""
        data = tf.constant(image.path.read_bytes())
        pixels, placement, _ = self._transform.placed(data)
        numbers = kept[self._explained.output]
        number = int(np.argmax(numbers)) if self._label is None else self._labels.index(self._label)
        reasons = self._method(Question(pixels.numpy(), number))
        form = ".4f" if self._explained.is_score else ".4g"
        self.lines.append((self._labels[number], f"{numbers[number]:{form}}", reasons.measured))
        upright = decode_image(data, color_mode="rgb", significant_bits=self._transform.settings.significant_bits).numpy()
        return painted_where_seen(
            Image.fromarray(upright),
            reasons.heat,
            placement=placement,
            size=upright.shape[:2],
            frame=self._transform.settings.image_size,
        )


def _seen_shape(model: ImagePredictor, explained: Explained) -> tuple[int, int, int]:
    shape, output = model.served.image_shape, explained.output
    if shape is None or output not in model.served.signatures[TENSOR_SIGNATURE].structured_outputs:
        raise ConfigError(
            f"this method asks the signature {TENSOR_SIGNATURE} for {output}, and {model.folder} does not answer it",
            hint="export the model again",
        )
    return shape


def _numbers(model: ImagePredictor, explained: Explained, images: tf.Tensor) -> tf.Tensor:
    """float32 (N, C): the saved model's scores or numbers for images, float32 (N, H, W, C) in [0, 255]."""
    return model.served(TENSOR_SIGNATURE, image=images)[explained.output]


def _asked_number(model: ImagePredictor, explained: Explained, asked: Question) -> Scores:
    return lambda images: _numbers(model, explained, images)[:, asked.label]


def _from_black(number: Scores, pixels: np.ndarray) -> float:
    """How far a number is from that of a black image."""
    image, black = number(tf.constant(np.stack([pixels, np.zeros_like(pixels)]))).numpy()
    return abs(float(image) - float(black))


def _units(network: Any) -> np.ndarray:
    """What differences of a network's numbers are divided by: the deviations, if its last layer multiplies by them."""
    last = network.layers[-1]
    return np.asarray(last.scale if isinstance(last, keras.layers.Rescaling) else 1.0, np.float64)
