"""Augmentations that mix the images of a batch."""

from typing import ClassVar

from pydantic import Field, model_validator

from kerasvision.config.augmentation import Mixing, Share

# A mosaic may always have this many objects, if its images have them.
LEAST_ROWS = 64


class MixUp(Mixing):
    """Mix each image and its label with another image of the batch, in the same proportions.

    The proportion is drawn for each image from Beta(alpha, alpha). The partners are the same batch in a random order.

    Source: Zhang et al., 2017, https://arxiv.org/abs/1710.09412, section 2; alpha in [0.1, 0.4] for ImageNet, section 3.1.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.mixing:mix_up"
    draws: ClassVar[int] = 3
    keeps_pixels_apart: ClassVar[bool] = False

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
    With label maps, the same rectangle of the other image's map is pasted, and labels are not needed.

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


class Mosaic(Mixing):
    """Put parts of four images of the batch together into one; their objects and label maps come with them.

    A point of the image parts it into four rectangles. The first gets a part of the image itself, each of the others a part
    of another image of the batch, in a random order. Each part is shrunk by its own factor, drawn from `scale`, but never by
    so much that it would not fill its rectangle; its place in its image is random. The point is the same for all images of a
    batch: then a batch takes four operations, instead of four for each image.

    An object stays as long as anything of its box is visible; `VisibleObjects` is stricter. The objects of an image take up
    to four times as many rows, at most the larger of 64 and twice as many; an image that would have more objects is left as
    it is. A label of the whole image is left out.

    Source: Bochkovskiy et al., 2020 (YOLOv4), https://arxiv.org/abs/2004.10934, section 3.3.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.mosaic:mosaic"
    draws: ClassVar[int] = 18
    blends: ClassVar[bool] = False
    mixes_labels: ClassVar[bool] = False

    scale: tuple[float, float] = Field(default=(0.4, 1.0), description="smallest and largest factor of a part's size")
    center: tuple[Share, Share] = Field(
        default=(0.25, 0.75), description="where the four meet: smallest and largest share of the height, and of the width"
    )
    probability: Share = Field(default=1.0, description="share of the images that become mosaics")

    @model_validator(mode="after")
    def _ranges(self) -> "Mosaic":
        if not 0 < self.scale[0] <= self.scale[1] <= 1 or not self.center[0] <= self.center[1]:
            raise ValueError(
                "scale must be (smallest, largest) in (0, 1], and center (smallest, largest); "
                f"received {self.scale} and {self.center}"
            )
        return self

    def rows_of_objects(self, rows: int) -> int:
        """Four images have up to four times as many objects, but hardly ever all at their most."""
        return min(4 * rows, max(2 * rows, LEAST_ROWS))
