"""Pictures of what is inside a trained network: the filters of its first layer, and the maps of any layer for an image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from kerasvision.config.inference import Listed
from kerasvision.config.keras_files import head_names
from kerasvision.errors import ConfigError
from kerasvision.export.asking.explained import network_of, transform_of
from kerasvision.export.asking.pictures import PictureFolder
from kerasvision.export.asking.predict import ImagePredictor
from kerasvision.models.inside import first_filters, inside
from kerasvision.models.saved import load_network
from kerasvision.shortened import shortened

# A picture shows at most this many filters or maps. Each is enlarged by a whole factor to at least this many pixels.
MOST, LEAST_SIDE = 256, 48
GAP, GROUND = 2, 255


def filters_picture(network: Path) -> tuple[Image.Image, str]:
    """The filters of the first layer in one picture, row by row, and a line about them.

    Grey is 0. Brighter is above 0 and darker below, in each channel; the largest absolute weight of each filter is white or
    black. The weights are those for the channels that the network receives, after the transform.

    Args:
        network: a `.keras` file.

    Raises:
        ConfigError: the first layer is neither a convolution nor a dense layer of the flattened image.
        ExportError: the file is missing or damaged.
    """
    found, names = first_filters(load_network(network)), head_names(network) or ()
    strongest = np.abs(found.weights).max(axis=(1, 2, 3), keepdims=True)
    shown = 0.5 + found.weights / np.maximum(2 * strongest, np.finfo(np.float32).tiny)
    count, height, width, _ = shown.shape
    kind = "templates" if found.are_templates else "filters"
    line = f"layer {found.layer}: {_first(count)}{kind} of {height} x {width} pixels"
    if found.are_templates and len(names) == count:
        line += f", row by row {shortened(names[:MOST], most=MOST)}"
    return grid(shown[:MOST]), line


class LayerPictures(PictureFolder):
    """A folder with a picture for each image: the maps of a layer side by side, in the order of their channels.

    Black is the least and white the largest value of all maps of the image. A layer without places has one cell per output.

    Attributes:
        lines: for each picture, what it shows.

    Args:
        folder: see `PictureFolder`.
        model: the saved model, whose transform makes the images.
        network: the `.keras` file that it was exported from.
        layer: the layer's name.

    Raises:
        ConfigError: as `PictureFolder`; the network does not fit the saved model, or has no such layer.
        ExportError: as `PictureFolder`; or a file is missing or damaged.
    """

    suffix, noun = ".png", "pictures"

    def __init__(self, folder: Path, *, model: ImagePredictor, network: Path, layer: str) -> None:
        self._inside = inside(network_of(model, network), layer)
        rank = len(self._inside.outputs[0].shape)
        if rank not in (2, 4):
            raise ConfigError(f"layer {layer!r} must answer with maps or with a row of numbers", received=f"{rank} axes")
        self._transform, self._layer = transform_of(model), layer
        super().__init__(folder)
        self.lines: list[tuple[str, ...]] = []

    def picture(self, image: Listed, kept: Mapping[str, Any]) -> Image.Image:
        """The maps."""
        scaled = self._transform(tf.constant(image.path.read_bytes()))[tf.newaxis]
        output, _ = self._inside(scaled, training=False)
        values = tf.cast(output, tf.float32).numpy()
        maps = np.moveaxis(values.reshape(*(values.shape[1:3] if values.ndim == 4 else (1, 1)), -1), -1, 0)
        least, largest = float(maps.min()), float(maps.max())
        count, height, width = maps.shape
        silent = int((maps == 0).all(axis=(1, 2)).sum())
        same = f"; {silent} are 0 everywhere" if silent else ""
        self.lines.append((f"{_first(count)}maps of {height} x {width}, values {least:.3g} to {largest:.3g}{same}",))
        return grid(((maps - least) / ((largest - least) or 1.0))[:MOST, ..., np.newaxis])


def grid(pictures: np.ndarray) -> Image.Image:
    """Pictures of one size in about as many rows as columns, enlarged by a whole factor, with white between them.

    Args:
        pictures: float (K, h, w, 1 or 3) in [0, 1].

    >>> grid(np.zeros((5, 24, 24, 1))).size  # three columns and two rows of 48 pixels, with gaps of 2
    (152, 102)
    """
    count, height, width, _ = pictures.shape
    factor = max(1, -(-LEAST_SIDE // max(height, width)))
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    high, wide = factor * height + GAP, factor * width + GAP
    sheet = np.full((rows * high + GAP, columns * wide + GAP, 3), GROUND, np.uint8)
    large = np.rint(255 * pictures).astype(np.uint8).repeat(factor, axis=1).repeat(factor, axis=2)
    for number, picture in enumerate(large):
        top, left = GAP + number // columns * high, GAP + number % columns * wide
        sheet[top : top + high - GAP, left : left + wide - GAP] = picture
    return Image.fromarray(sheet)


def _first(count: int) -> str:
    return f"{count} " if count <= MOST else f"the first {MOST} of {count:,} "
