"""Random changes to the colours of training images, and rectangles that cover a part of them; policies that do several."""

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from kerasvision.config.augmentation import MIDDLE_GREY, Augmentation, Grey, Share, check_area_and_ratio

Triple = tuple[float, float, float]
Level = Annotated[float, Field(ge=0, le=255)]


class ColorJitter(Augmentation):
    """Change brightness, contrast, saturation and hue at random, in one pass.

    Each of the first three is multiplied by a factor in [1 - x, 1 + x]. Hue shifts by up to `hue` of a full turn.

    Source: the order brightness, contrast, saturation and their meaning follow Howard, 2013,
    https://arxiv.org/abs/1312.5402, section 2.2.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.colour:color_jitter"
    draws: ClassVar[int] = 4

    brightness: Share = Field(default=0.4, description="x: brightness is multiplied by a factor in [1 - x, 1 + x]")
    contrast: Share = Field(default=0.4, description="x: contrast is multiplied by a factor in [1 - x, 1 + x]")
    saturation: Share = Field(default=0.4, description="x: saturation is multiplied by a factor in [1 - x, 1 + x]")
    hue: float = Field(
        default=0.0, ge=0, le=0.5, description="largest turn of the hue in either direction, as a share of the circle"
    )


class Lighting(Augmentation):
    """Add a random colour to the whole image, along the axes in which the colours of photographs vary most.

    It adds the sum of axis x eigenvalue x a normal random number with the given deviation, and clips the result to
    [0, 255]. Requires images in colour.

    Source: Krizhevsky et al., 2012, "ImageNet Classification with Deep Convolutional Neural Networks", section 4.1. The
    paper prints no eigenvalues; these are from facebook/fb.resnet.torch, datasets/imagenet.lua, and belong to the covariance
    of ImageNet's RGB values in [0, 1].
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.lighting:lighting"
    draws: ClassVar[int] = 3

    deviation: float = Field(default=0.1, gt=0, le=10, description="standard deviation of the random number of each axis")
    fit: Literal["given", "training"] = Field(
        default="given",
        description="given: the axes are eigenvalues and eigenvectors below, by default ImageNet's; training: those of the "
        "covariance of all pixels of the training images, in [0, 1], which are read once more for it",
    )
    eigenvalues: Triple = Field(
        default=(0.2175, 0.0188, 0.0045), description="how much the colours vary along each axis, for colours in [0, 1]"
    )
    eigenvectors: tuple[Triple, Triple, Triple] = Field(
        default=((-0.5675, -0.5808, -0.5836), (0.7192, -0.0045, -0.6948), (0.4009, -0.8140, 0.4203)),
        description="the direction of each eigenvalue in (red, green, blue), of length 1",
    )

    @model_validator(mode="after")
    def _axes(self) -> "Lighting":
        fields = type(self).model_fields
        given = [name for name in ("eigenvalues", "eigenvectors") if getattr(self, name) != fields[name].default]
        if self.fit == "training" and given:
            raise ValueError(f"fit='training' takes the axes from the training images; received {' and '.join(given)} too")
        lengths = [math.hypot(*vector) for vector in self.eigenvectors]
        if min(self.eigenvalues) < 0 or max(abs(length - 1) for length in lengths) > 0.01:
            raise ValueError(
                "eigenvalues must not be negative and eigenvectors must have length 1; "
                f"received {self.eigenvalues} and lengths {[round(length, 3) for length in lengths]}"
            )
        return self


class Grayscale(Augmentation):
    """Convert to grey and keep the number of channels. The luma is that of `transform.color_mode="grayscale"`.

    Requires images in colour.

    Source: Chen et al., 2020 (SimCLR), https://arxiv.org/abs/2002.05709, appendix A: probability 0.2.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.lighting:grayscale"

    probability: Share = Field(default=0.2, description="share of the images that become grey")


class GaussianBlur(Augmentation):
    """Blur with a Gaussian of random width, truncated at three times the largest deviation. The border is mirrored.

    Source: Chen et al., 2020 (SimCLR), https://arxiv.org/abs/2002.05709, appendix A: deviation 0.1 to 2 at 224 x 224,
    probability 0.5.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.blur:gaussian_blur"
    draws: ClassVar[int] = 2
    per_image: ClassVar[bool] = True

    sigma: tuple[float, float] = Field(
        default=(0.1, 2.0), description="smallest and largest standard deviation, in [0.01, 30] pixels"
    )
    probability: Share = Field(default=0.5, description="share of the images that are blurred")

    @model_validator(mode="after")
    def _range(self) -> "GaussianBlur":
        if not 0.01 <= self.sigma[0] <= self.sigma[1] <= 30:
            raise ValueError(f"sigma must be (smallest, largest), both in [0.01, 30]; received {self.sigma}")
        return self


class RandomErasing(Augmentation):
    """Cover a random rectangle at a random place inside the image. Objects that it covers completely are removed.

    A label map says nothing about the pixels that it covers: they become 255. A side that is longer than the image's is
    shortened to fit; the paper draws again instead.

    Source: Zhong et al., 2017, https://arxiv.org/abs/1708.04896, algorithm 1 and section 4.2 (the defaults).
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.erasing:random_erasing"
    draws: ClassVar[int] = 6

    probability: Share = Field(default=0.5, description="share of the images that get a rectangle")
    area: tuple[Share, Share] = Field(default=(0.02, 0.4), description="smallest and largest share of the image's area")
    ratio: tuple[float, float] = Field(default=(0.3, 1 / 0.3), description="smallest and largest height over width")
    fill: Level | Literal["noise"] = Field(default="noise", description="one brightness, or noise: a random one per value")

    @model_validator(mode="after")
    def _ranges(self) -> "RandomErasing":
        check_area_and_ratio(self.area, self.ratio)
        return self


class Cutout(Augmentation):
    """Cover a square whose center is anywhere in the image, so part of the square may be outside.

    Objects that it covers completely are removed, and a label map says nothing about the pixels that it covers.

    Source: DeVries & Taylor, 2017, https://arxiv.org/abs/1708.04552, section 3.2; 16 pixels for CIFAR-10, 8 for CIFAR-100.
    The paper fills with the mean of the data.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.erasing:cutout"
    draws: ClassVar[int] = 2

    size: int = Field(default=16, ge=1, le=4096, description="side of the square in pixels")
    fill: Level = Field(default=MIDDLE_GREY, description="brightness of the square, 0 to 255")


class RandAugment(Augmentation):
    """Apply a few operations at one strength, each drawn from these 14 with equal probability.

    identity, autocontrast, equalize; posterize, solarize; color, contrast, brightness, sharpness; rotate, shear_x, shear_y,
    translate_x, translate_y. At their strongest: 4 bits; threshold 0; factor 1 +- 0.9; 30 degrees; slope 0.3; 150/331 of the
    side. The sign of the last nine is also drawn. They work on 8 bits, as Pillow does. The geometric ones take the nearest
    pixel. On grey images color has no effect.

    Source: Cubuk et al., 2019, https://arxiv.org/abs/1909.13719, section 3. The ranges are AutoAugment's (Cubuk et al.,
    2018, https://arxiv.org/abs/1805.09501, table 6), except that here every effect grows with the magnitude.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.policies:rand_augment"
    moves_things: ClassVar[bool] = True
    per_image: ClassVar[bool] = True

    operations: int = Field(default=2, ge=1, le=10, description="how many operations, one after the other: N in the paper")
    magnitude: float = Field(default=9.0, ge=0, description="their strength: M in the paper")
    strongest: Literal[10, 30] = Field(default=10, description="the highest magnitude; the paper uses both scales")
    fill: Grey = MIDDLE_GREY

    @property
    def draws(self) -> int:
        """Two for each operation: which one, and its sign."""
        return 2 * self.operations

    @model_validator(mode="after")
    def _range(self) -> "RandAugment":
        if self.magnitude > self.strongest:
            raise ValueError(
                f"magnitude must not exceed strongest; received magnitude={self.magnitude}, strongest={self.strongest}"
            )
        return self


class AugMix(Augmentation):
    """Mix the image with the weighted mean of several chains of operations, with random weights.

    A chain has one to `depth` of autocontrast, equalize, posterize, rotate, solarize, shear_x, shear_y, translate_x and
    translate_y. The weights of the chains are drawn from Dirichlet(1, ..., 1), that of the image itself from Beta(1, 1),
    which is uniform. The paper's consistency loss is not included.

    Source: Hendrycks et al., 2019, https://arxiv.org/abs/1912.02781, algorithm 1 and section 4 (the defaults).
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.policies:aug_mix"
    moves_things: ClassVar[bool] = True
    per_image: ClassVar[bool] = True
    blends: ClassVar[bool] = True
    keeps_pixels_apart: ClassVar[bool] = False

    severity: float = Field(default=3.0, ge=0.1, le=10, description="an operation's strength is uniform in [0.1, severity]")
    width: int = Field(default=3, ge=1, le=10, description="how many chains")
    depth: int = Field(default=3, ge=1, le=10, description="the longest chain")
    fill: Grey = MIDDLE_GREY

    @property
    def draws(self) -> int:
        """One for the image's weight, two per chain (weight, length), three per operation (which, strength, sign)."""
        return 1 + self.width * (2 + 3 * self.depth)
