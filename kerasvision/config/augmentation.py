"""Random changes to training images, in the order in which they are applied. Evaluation and serving never see them."""

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from kerasvision.config.base import Component
from kerasvision.errors import ConfigError

Share = Annotated[float, Field(ge=0, le=1)]
Triple = tuple[float, float, float]
Level = Annotated[float, Field(ge=0, le=255)]
Grey = Annotated[float, Field(ge=0, le=255, description="brightness of what comes in from outside the image")]
# As AutoAugment and RandAugment fill.
MIDDLE_GREY = 128.0


class Augmentation(Component):
    """Base of all augmentations, a user's own ones too.

    `implementation` is a function (batch, *, numbers, settings) -> batch. Batch is a dict of tensors, with
    "image" float32 (N, H, W, C) in [0, 255], and where the data have objects "objects", whose boxes and masks must follow
    the pixels (see `kerasvision.data.augmentation`). `numbers` is float32 (N, draws) in [0, 1): all the chance there is.
    """

    # Whether it is much faster for one image at a time, in parallel, than for a whole batch.
    per_image: ClassVar[bool] = False
    # Whether it lays differently moved images over each other, so that no box could say where a thing is.
    blends: ClassVar[bool] = False

    @property
    def draws(self) -> int:
        """How many random numbers an image needs: `draws: ClassVar[int] = 2` in a class whose fields do not change that."""
        return 1


class PadCrop(Augmentation):
    """Pad every side by `pad` pixels with the image's own border, then crop back at a random place.

    Source: the CIFAR-10 recipe of He et al., 2015, section 4.2 (pad 4); there the padding is zero.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:pad_crop"
    draws: ClassVar[int] = 2

    pad: int = Field(default=4, ge=1, le=64)


class RandomFlip(Augmentation):
    """Mirror left and right, upside down, or each by itself, with probability one half."""

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:random_flip"
    draws: ClassVar[int] = 2

    direction: Literal["horizontal", "vertical", "both"] = "horizontal"


class Rotate(Augmentation):
    """Turn about the middle by up to `degrees` either way; linear between pixels."""

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:rotate"

    degrees: float = Field(default=15.0, gt=0, le=180)
    fill: Grey = MIDDLE_GREY


class Translate(Augmentation):
    """Move by up to a share of the image's height and width each way; linear between pixels."""

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:translate"
    draws: ClassVar[int] = 2

    height: Share = 0.1
    width: Share = 0.1
    fill: Grey = MIDDLE_GREY


class Zoom(Augmentation):
    """Make the image smaller or larger about its middle; linear between pixels."""

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:zoom"

    factor: tuple[float, float] = Field(default=(0.8, 1.25), description="smallest and largest; above 1 things get larger")
    fill: Grey = MIDDLE_GREY

    @model_validator(mode="after")
    def _range(self) -> "Zoom":
        if not 0.05 <= self.factor[0] <= self.factor[1] <= 20:
            raise ValueError(f"factor is (smallest, largest), both in [0.05, 20]; received {self.factor}")
        return self


class RandomResizedCrop(Augmentation):
    """Crop a random part of the undecoded image, and resize it to the size that the network takes.

    It takes the place of the transform's own resizing, and so comes first in the list.

    Source: Szegedy et al., 2014, https://arxiv.org/abs/1409.4842, section 6: 8 % to 100 % of the area, sides 3:4 to 4:3.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.crop:random_resized_crop"
    draws: ClassVar[int] = 4

    area: tuple[Share, Share] = Field(default=(0.08, 1.0), description="smallest and largest share of the image's area")
    ratio: tuple[float, float] = Field(default=(3 / 4, 4 / 3), description="smallest and largest width over height")

    @model_validator(mode="after")
    def _ranges(self) -> "RandomResizedCrop":
        if not 0 < self.area[0] <= self.area[1] or not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError(f"area and ratio are (smallest, largest), above 0; received {self.area} and {self.ratio}")
        return self


class ColorJitter(Augmentation):
    """Change brightness, contrast, saturation and hue at random, in one pass.

    Each of the first three is multiplied by a factor in [1 - x, 1 + x]; hue turns by up to `hue` of the circle.

    Source: the order brightness, contrast, saturation and their meaning are those of Howard, 2013,
    https://arxiv.org/abs/1312.5402, section 2.2.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.colour:color_jitter"
    draws: ClassVar[int] = 4

    brightness: Share = 0.4
    contrast: Share = 0.4
    saturation: Share = 0.4
    hue: float = Field(default=0.0, ge=0, le=0.5)


class Lighting(Augmentation):
    """Add a random colour to the whole image, along the axes in which the colours of photographs vary most.

    Each axis times its eigenvalue times a normal number of the given deviation. The result is cut to [0, 255]. Images must
    have colour.

    Source: Krizhevsky et al., 2012, "ImageNet Classification with Deep Convolutional Neural Networks", section 4.1. It
    prints no eigenvalues; these, of the covariance of ImageNet's RGB in [0, 1], are those of facebook/fb.resnet.torch,
    datasets/imagenet.lua.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.lighting:lighting"
    draws: ClassVar[int] = 3

    deviation: float = Field(default=0.1, gt=0, le=10)
    eigenvalues: Triple = (0.2175, 0.0188, 0.0045)
    eigenvectors: tuple[Triple, Triple, Triple] = Field(
        default=((-0.5675, -0.5808, -0.5836), (0.7192, -0.0045, -0.6948), (0.4009, -0.8140, 0.4203)),
        description="for each eigenvalue the direction in (red, green, blue), of length 1",
    )

    @model_validator(mode="after")
    def _axes(self) -> "Lighting":
        lengths = [math.hypot(*vector) for vector in self.eigenvectors]
        if min(self.eigenvalues) < 0 or max(abs(length - 1) for length in lengths) > 0.01:
            raise ValueError(
                "eigenvalues are not negative and eigenvectors have length 1; "
                f"received {self.eigenvalues} and lengths {[round(length, 3) for length in lengths]}"
            )
        return self


class Grayscale(Augmentation):
    """Turn into grey, the luma of `transform.color_mode="grayscale"`, in as many channels. Images must have colour.

    Source: Chen et al., 2020 (SimCLR), https://arxiv.org/abs/2002.05709, appendix A: probability 0.2.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.lighting:grayscale"

    probability: Share = 0.2


class GaussianBlur(Augmentation):
    """Blur with a Gaussian of random width, cut off at three of the largest deviations; beyond the border its mirror image.

    Source: Chen et al., 2020 (SimCLR), https://arxiv.org/abs/2002.05709, appendix A: deviation 0.1 to 2 at 224 x 224,
    probability 0.5.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.blur:gaussian_blur"
    draws: ClassVar[int] = 2
    per_image: ClassVar[bool] = True

    sigma: tuple[float, float] = Field(default=(0.1, 2.0), description="smallest and largest deviation in pixels")
    probability: Share = 0.5

    @model_validator(mode="after")
    def _range(self) -> "GaussianBlur":
        if not 0.01 <= self.sigma[0] <= self.sigma[1] <= 30:
            raise ValueError(f"sigma is (smallest, largest), both in [0.01, 30]; received {self.sigma}")
        return self


class RandomErasing(Augmentation):
    """Cover a random rectangle, at a random place inside the image. An object that it covers whole is taken out.

    A side that would be longer than the image's is cut to it, where the paper draws anew.

    Source: Zhong et al., 2017, https://arxiv.org/abs/1708.04896, algorithm 1 and section 4.2 (the defaults).
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.erasing:random_erasing"
    draws: ClassVar[int] = 6

    probability: Share = 0.5
    area: tuple[Share, Share] = Field(default=(0.02, 0.4), description="smallest and largest share of the image's area")
    ratio: tuple[float, float] = Field(default=(0.3, 1 / 0.3), description="smallest and largest height over width")
    fill: Level | Literal["noise"] = Field(default="noise", description="one brightness, or a random one for every value")

    @model_validator(mode="after")
    def _ranges(self) -> "RandomErasing":
        if not 0 < self.area[0] <= self.area[1] or not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError(f"area and ratio are (smallest, largest), above 0; received {self.area} and {self.ratio}")
        return self


class Cutout(Augmentation):
    """Cover a square whose middle is anywhere in the image, so that part of it may lie outside.

    An object that it covers whole is taken out.

    Source: DeVries & Taylor, 2017, https://arxiv.org/abs/1708.04552, section 3.2; 16 pixels for CIFAR-10, 8 for CIFAR-100.
    There the fill is the data's mean.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.erasing:cutout"
    draws: ClassVar[int] = 2

    size: int = Field(default=16, ge=1, le=4096, description="side of the square in pixels")
    fill: Level = MIDDLE_GREY


class RandAugment(Augmentation):
    """Apply some operations, each drawn from 14 with the same probability, at one strength.

    identity, autocontrast, equalize; posterize, solarize; color, contrast, brightness, sharpness; rotate, shear_x, shear_y,
    translate_x, translate_y. At their strongest: 4 bits; threshold 0; factor 1 +- 0.9; 30 degrees; slope 0.3; 150/331 of the
    side. The sign of the last nine is drawn too. They work on 8 bits, as Pillow does, and moves take the nearest pixel. On
    grey images color does nothing.

    Source: Cubuk et al., 2019, https://arxiv.org/abs/1909.13719, section 3; ranges of AutoAugment (Cubuk et al., 2018,
    https://arxiv.org/abs/1805.09501, table 6), but that here each grows with the magnitude.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.policies:rand_augment"
    per_image: ClassVar[bool] = True

    operations: int = Field(default=2, ge=1, le=10, description="how many, one after the other: N in the paper")
    magnitude: float = Field(default=9.0, ge=0, description="their strength: M in the paper")
    strongest: Literal[10, 30] = Field(default=10, description="the magnitude of the strongest; the paper uses both scales")
    fill: Grey = MIDDLE_GREY

    @property
    def draws(self) -> int:
        """Operation and sign, of each."""
        return 2 * self.operations

    @model_validator(mode="after")
    def _range(self) -> "RandAugment":
        if self.magnitude > self.strongest:
            raise ValueError(
                f"magnitude must not exceed strongest; received magnitude={self.magnitude}, strongest={self.strongest}"
            )
        return self


class AugMix(Augmentation):
    """Mix the image with the mean of some chains of operations, all at random shares.

    A chain has one to three of autocontrast, equalize, posterize, rotate, solarize, shear_x, shear_y, translate_x and
    translate_y; the shares of the chains are Dirichlet(1, ..., 1), and that of the image itself is Beta(1, 1): uniform. The
    paper's consistency loss is no part of it.

    Source: Hendrycks et al., 2019, https://arxiv.org/abs/1912.02781, algorithm 1 and section 4 (the defaults).
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.policies:aug_mix"
    per_image: ClassVar[bool] = True
    blends: ClassVar[bool] = True

    severity: float = Field(default=3.0, ge=0.1, le=10, description="an operation's strength is uniform in [0.1, severity]")
    width: int = Field(default=3, ge=1, le=10, description="how many chains")
    depth: int = Field(default=3, ge=1, le=10, description="the longest chain")
    fill: Grey = MIDDLE_GREY

    @property
    def draws(self) -> int:
        """The image's share; of each chain its share and length; of each of its operations which, strength and sign."""
        return 1 + self.width * (2 + 3 * self.depth)


class Mixing(Augmentation):
    """Base of those that mix the images of a batch, and their labels. They come last, after batches are made.

    `implementation` changes "image" and, alike, "label_shares", float32 (N, classes).
    """

    blends: ClassVar[bool] = True


class MixUp(Mixing):
    """Mix each image, and its label alike, with another one of the batch.

    The share is drawn for each image from Beta(alpha, alpha); the others are the batch in a random order.

    Source: Zhang et al., 2017, https://arxiv.org/abs/1710.09412, section 2; alpha in [0.1, 0.4] for ImageNet, section 3.1.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.mixing:mix_up"
    draws: ClassVar[int] = 3

    alpha: float = Field(default=0.2, gt=0, le=100)
    probability: Share = Field(default=1.0, description="share of the images that are mixed")


class CutMix(Mixing):
    """Paste a random rectangle of another image of the batch into each; the label is mixed by the areas.

    The other's share of the area is drawn for each image from Beta(alpha, alpha), and what hangs over the border is cut.

    Source: Yun et al., 2019, https://arxiv.org/abs/1905.04899, section 3.1 and algorithm A1.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.mixing:cut_mix"
    draws: ClassVar[int] = 5

    alpha: float = Field(default=1.0, gt=0, le=100)
    probability: Share = Field(default=1.0, description="share of the images that are mixed")


def check_data(augment: Sequence[Augmentation], *, labelled: bool, has_objects: bool) -> None:
    """Raises ConfigError for mixing without labels, and for objects in images that are laid over each other."""
    for settings in augment:
        name = type(settings).__name__
        if isinstance(settings, Mixing) and not labelled:
            raise ConfigError(f"{name} mixes labels, and these examples have none", hint=f"take {name} out of augment")
        if settings.blends and has_objects:
            raise ConfigError(
                f"{name} lays images over each other, where boxes and masks cannot follow",
                hint=f"take {name} out of augment",
            )


def check_order(augment: Sequence[Augmentation]) -> None:
    """Raises ConfigError where a crop that replaces resizing is not first, or a mixing one is not last."""
    for number, (settings, following) in enumerate(zip(augment, [*augment, None][1:], strict=True)):
        if isinstance(settings, RandomResizedCrop) and number > 0:
            raise ConfigError(
                "RandomResizedCrop cuts the undecoded image, so it comes first in augment",
                received=[type(member).__name__ for member in augment],
            )
        if isinstance(settings, Mixing) and following is not None and not isinstance(following, Mixing):
            raise ConfigError(
                "what mixes the images of a batch comes last in augment",
                received=[type(member).__name__ for member in augment],
                hint=f"put {type(settings).__name__} behind {type(following).__name__}",
            )
