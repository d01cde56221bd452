"""An augmentation of your own: light that falls off to one side, as on a photographed page."""

from math import pi
from typing import ClassVar

import tensorflow as tf
from pydantic import Field

from kerasvision import config as c


class Shade(c.Augmentation):
    """Makes an image darker towards a random side."""

    implementation: ClassVar[str] = "my_augmentation:shade"
    # Random numbers for each image: one for the direction, one for the strength.
    draws: ClassVar[int] = 2

    strength: float = Field(default=0.5, gt=0, le=1, description="share of its light that the darkest corner loses at most")


def shade(batch: dict[str, tf.Tensor], *, numbers: tf.Tensor, settings: Shade) -> dict[str, tf.Tensor]:
    """The batch with shaded images. Labels and boxes stay as they are.

    Args:
        batch: `image` float32 (N, H, W, C) in [0, 255], and the rest of the examples.
        numbers: float32 (N, 2) in [0, 1). They are all the chance there is: the same numbers give the same images.
        settings: how strong the shade is.
    """
    images = batch["image"]
    height, width = images.shape[1:3]
    angle, strength = 2 * pi * numbers[:, 0, None, None], settings.strength * numbers[:, 1, None, None]
    down, right = tf.linspace(-1.0, 1.0, height)[:, None], tf.linspace(-1.0, 1.0, width)[None, :]
    darkness = (1 + (tf.sin(angle) * down + tf.cos(angle) * right) / 2**0.5) / 2  # (N, H, W) in [0, 1]
    return {**batch, "image": images * (1 - strength * darkness)[..., None]}
