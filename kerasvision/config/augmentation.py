"""Random changes to training images, in the order in which they are applied. Evaluation and serving never see them."""

from typing import ClassVar

from pydantic import Field

from kerasvision.config.base import Component


class Augmentation(Component):
    """Base of all augmentations. `implementation` is a function (image, seed, settings) -> image of the same shape."""


class PadCrop(Augmentation):
    """Pad every side by `pad` pixels with the image's own border, then crop back at a random place.

    Source: the CIFAR-10 recipe of He et al., 2015, section 4.2 (pad 4); there the padding is zero.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation:pad_crop"

    pad: int = Field(default=4, ge=1, le=64)


class RandomFlip(Augmentation):
    """Mirror left and right with probability one half."""

    implementation: ClassVar[str] = "kerasvision.data.augmentation:random_flip"
