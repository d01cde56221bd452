"""Augmentations that mix the images of a batch."""

from typing import ClassVar

from pydantic import Field

from kerasvision.config.augmentation import Mixing, Share


class MixUp(Mixing):
    """Mix each image and its label with another image of the batch, in the same proportions.

    The proportion is drawn for each image from Beta(alpha, alpha). The partners are the same batch in a random order.

    Source: Zhang et al., 2017, https://arxiv.org/abs/1710.09412, section 2; alpha in [0.1, 0.4] for ImageNet, section 3.1.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.mixing:mix_up"
    draws: ClassVar[int] = 3

    alpha: float = Field(
        default=0.2,
        gt=0,
        le=100,
        description="both parameters of the Beta distribution of the share; below 1, most shares are near 0 or 1",
    )
    probability: Share = Field(default=1.0, description="share of the images that are mixed")


class CutMix(Mixing):
    """Paste a random rectangle of another image of the batch into each image; labels are mixed in proportion to the areas.

    The rectangle's share of the area is drawn for each image from Beta(alpha, alpha). What exceeds the border is cut off.

    Source: Yun et al., 2019, https://arxiv.org/abs/1905.04899, section 3.1 and algorithm A1.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.mixing:cut_mix"
    draws: ClassVar[int] = 5

    alpha: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="both parameters of the Beta distribution of the pasted area's share; 1: uniform",
    )
    probability: Share = Field(default=1.0, description="share of the images that are mixed")
