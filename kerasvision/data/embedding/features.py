"""What an image is described by: numbers in which similar images are near each other."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasvision.data.embedding.hog import BLOCK, CELL, hog
from kerasvision.errors import ConfigError
from kerasvision.lookup import did_you_mean

# Most of what tells small images apart is there; the covariance of the pixels of larger ones takes long.
MOST_PIXELS_SIDE = 32
MOST_HOG_SIDE = 64
# Without a network.
PLAIN = ("pixels", "hog")


@dataclass(frozen=True)
class Features:
    """A way to describe images by D numbers each.

    Attributes:
        name: what it is, for a reader.
        image_size: (height, width) of the images that it describes; they are stretched to it.
        color_mode: "rgb" or "grayscale".
        describe: a batch, {"pixels": float32 (N, height, width, C) in [0, 255]}, or {"file": N whole files} if
            `reads_files` -> float32 (N, D); NaN in the row of an image that it cannot describe.
        reads_files: whether it decodes the images itself.
        are_pixels: whether the D numbers are the pixels, so that axes are images.
    """

    name: str
    image_size: tuple[int, int]
    color_mode: str
    describe: Callable[[Mapping[str, Any]], NDArray[np.float32]]
    reads_files: bool = False
    are_pixels: bool = False

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images that it describes."""
        return (*self.image_size, 1 if self.color_mode == "grayscale" else 3)


def plain_features(name: str, *, max_side: int, is_grey: bool) -> Features:
    """Features that need no network.

    Args:
        name: "pixels", at most 32 x 32; or "hog", see `kerasvision.data.embedding.hog`, at most 64 x 64.
        max_side: the largest side of the images, in pixels. Smaller images than the limit keep this size.
        is_grey: whether all images are grey.

    Raises:
        ConfigError: another name.

    >>> plain_features("hog", max_side=28, is_grey=True).image_shape
    (32, 32, 1)
    """
    if name not in PLAIN:
        raise ConfigError(f"no features are named {name!r}; {did_you_mean(name, PLAIN)}", hint="a network is a --model")
    mode, colour = ("grayscale", "grey") if is_grey else ("rgb", "colour")
    if name == "pixels":
        side = min(max_side, MOST_PIXELS_SIDE)
        return Features(f"pixels, {side} x {side}, {colour}", (side, side), mode, _pixels, are_pixels=True)
    side = min(max(CELL * math.ceil(max_side / CELL), BLOCK * CELL), MOST_HOG_SIDE)
    title = f"histograms of oriented gradients, {side} x {side}, {colour}"
    return Features(title, (side, side), mode, lambda batch: hog(batch["pixels"]))


def _pixels(batch: Mapping[str, Any]) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = batch["pixels"].reshape(len(batch["pixels"]), -1)
    return rows
