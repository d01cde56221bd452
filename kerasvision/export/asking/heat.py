"""Shows where in an image a classifier sees a class: the image, the redder the more probable the class is there.

A saved model answers for whole images of one size. The trained network, made fully convolutional (see
`kerasvision.models.converting`), gives a map of answers: one for each part of the image that has the size of the images of
its training.

The Keras network is not part of a SavedModel: it is the `.keras` file of the training, named by the user. The SavedModel has
the transform of the network's images.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from kerasvision.config.inference import Listed
from kerasvision.config.keras_files import head_names
from kerasvision.config.preparing import Transform
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.export.asking.pictures import PictureFolder
from kerasvision.lookup import did_you_mean
from kerasvision.models.converting import cell_stride, fully_convolutional
from kerasvision.models.saved import load_network
from kerasvision.ops.images import decode_image
from kerasvision.served.signatures import TRANSFORM_FILE
from kerasvision.tasks.heat import painted

# The shorter side of an image is made this many times that of the network's images. A long image is made smaller if its area
# would be more than this many times theirs.
SIDES, MOST_AREA = 2, 32


class HeatMap:
    """Finds how probable a class is in each part of an image.

    Args:
        network: the trained `.keras` file of a classifier, which names its classes.
        transform: the transform that it was trained with.
        label: the class; None: the one that is the most probable over all parts of an image.

    Raises:
        ConfigError: the network is not a classifier that can be converted, has other images than the transform, or does not
            know the class.
        ExportError: the file is missing or damaged.
    """

    def __init__(self, network: Path, *, transform: ImageTransform, label: str | None = None) -> None:
        classifier = load_network(network)
        self._classes = head_names(network) or ()
        shape = transform.settings.image_shape
        if tuple(classifier.input.shape[1:]) != shape:
            raise ConfigError(
                f"{network} must be the network of this saved model, whose images have the shape {shape}",
                received=tuple(classifier.input.shape[1:]),
            )
        if not self._classes:
            raise ConfigError(f"{network} does not name its classes", hint="give the file that the trainer wrote")
        if label not in (None, *self._classes):
            raise ConfigError(f"{network} does not know the class {label!r}; {did_you_mean(str(label), self._classes)}")
        self._label, self._transform, self._part = label, transform, shape[:2]
        self._network = fully_convolutional(classifier)
        self._stride = cell_stride(self._network, self._part)

    def __call__(self, data: bytes) -> tuple[str, np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """The class and its probabilities.

        Args:
            data: an encoded image.

        Returns:
            label: the class.
            heat: float32 (h, w) in [0, 1], a number for each part of the image.
            middles: float64 (h,) and (w,) in [0, 1], the middles of these parts along the upright image's height and width.
        """
        pixels = decode_image(tf.constant(data), color_mode="rgb")
        size = self._size(*map(int, pixels.shape[:2]))
        settings = {**self._transform.settings.to_data(), "image_size": list(size), "fit": "stretch"}
        transform = replace(self._transform, settings=Transform.parse(settings))
        logits = self._network(transform(tf.constant(data))[None], training=False)[0]
        shares = keras.ops.convert_to_numpy(keras.ops.softmax(keras.ops.cast(logits, "float32"), axis=-1))
        number = int(shares.mean(axis=(0, 1)).argmax()) if self._label is None else self._classes.index(self._label)
        rows, columns = (
            (part / 2 + stride * np.arange(cells)) / side
            for part, stride, cells, side in zip(self._part, self._stride, shares.shape, size, strict=False)
        )
        return self._classes[number], shares[..., number], (rows, columns)

    def _size(self, height: int, width: int) -> tuple[int, int]:
        """The size that an image gets: a part, and a whole number of strides more."""
        rows, columns = self._part
        factor = SIDES * max(rows / height, columns / width)
        factor = min(factor, (MOST_AREA * rows * columns / (height * width)) ** 0.5)
        wanted = (max(factor * height, rows), max(factor * width, columns))
        steps = [round((want - part) / stride) for want, part, stride in zip(wanted, self._part, self._stride, strict=True)]
        return rows + steps[0] * self._stride[0], columns + steps[1] * self._stride[1]

    def drawn(self, data: bytes) -> tuple[str, Image.Image]:
        """The class, and the upright image, redder where the class is more probable."""
        label, heat, middles = self(data)
        pixels = decode_image(tf.constant(data), color_mode="rgb").numpy()
        return label, painted(Image.fromarray(np.asarray(pixels, np.uint8)), heat, middles=middles)


class HeatPictures(PictureFolder):
    """A folder of `HeatMap.drawn`.

    Args:
        folder: see `PictureFolder`.
        saved_model: the version that is used; it has the transform.
        network, label: see `HeatMap`.

    Raises:
        ConfigError, ExportError: as `PictureFolder` and `HeatMap`; or the saved model has no transform.
    """

    suffix, noun = ".jpg", "heat pictures"

    def __init__(self, folder: Path, *, saved_model: Path, network: Path, label: str | None) -> None:
        file = saved_model / TRANSFORM_FILE
        if not file.is_file():
            raise ConfigError(f"--heat requires a saved model with {TRANSFORM_FILE}", hint="export the model again")
        self._heat = HeatMap(network, transform=ImageTransform.load(file), label=label)
        self._labels: Counter[str] = Counter()
        super().__init__(folder)

    def picture(self, image: Listed, kept: Mapping[str, Any]) -> Image.Image:
        """The image, redder where its class is more probable."""
        label, drawn = self._heat.drawn(image.path.read_bytes())
        self._labels[label] += 1
        return drawn

    def finish(self) -> str:
        """A line about how many pictures show which class."""
        of_classes = ", ".join(f"{label} {count:,}" for label, count in self._labels.most_common())
        return super().finish() + (f" ({of_classes})" if of_classes else "")
