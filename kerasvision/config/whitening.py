"""Whitening of whole images: what `Transform(scale=...)` may be in addition to a name."""

from math import prod
from typing import ClassVar

from pydantic import Field

from kerasvision.config.base import Component
from kerasvision.errors import ConfigError

# How many numbers an image may have: their covariance is 134 MB in float64, and the axes are 67 MB in the saved model.
MOST_NUMBERS = 4096


class Whitening(Component):
    """Base class of the whitenings of whole images, which are fitted to the training images.

    Each image is one vector of height x width x channels numbers, in [0, 1]. The mean of the training images is subtracted,
    the rest is projected on the principal axes of the training images, and each coordinate is divided by the square root of
    its variance plus `epsilon`. So the coordinates are uncorrelated, with variance 1.

    Source: https://cs231n.github.io/neural-networks-2/, "PCA and Whitening".
    """

    epsilon: float = Field(
        default=1e-5,
        ge=0,
        le=1,
        description="is added to every variance, so that directions in which the training images hardly differ are not "
        "enlarged; a larger number smooths the images",
    )
    components: int | None = Field(
        default=None, ge=1, description="how many axes are kept, those of the largest variances first; None: all"
    )

    def check_shape(self, image_shape: tuple[int, int, int]) -> None:
        """Raises ConfigError for images of too many numbers, or fewer than `components`.

        >>> ZcaWhitening().check_shape((224, 224, 3))
        Traceback (most recent call last):
        ...
        kerasvision.errors.ConfigError: whitening requires the covariance of all numbers of an image with each other; ...
        """
        numbers = prod(image_shape)
        if numbers > MOST_NUMBERS:
            raise ConfigError(
                f"whitening requires the covariance of all numbers of an image with each other; with {numbers:,} numbers it "
                f"takes {8 * numbers**2 / 1e9:,.1f} GB, and at most {MOST_NUMBERS:,} numbers are allowed",
                received=image_shape,
                hint="choose smaller images, at most 36 x 36 in colour or 64 x 64 in grey, or scale='whiten' for colours",
            )
        if self.components is not None and self.components > numbers:
            raise ConfigError(
                f"an image of {' x '.join(map(str, image_shape))} numbers has {numbers:,} principal axes",
                received=f"components={self.components}",
                hint=f"set components to at most {numbers}",
            )


class PcaWhitening(Whitening):
    """The whitened coordinates themselves, the one of the largest variance first, row after row in the place of the pixels.

    Neighbours in the result are not neighbours in the image, so the network must flatten its image: `linear`, `mlp`, or
    one of your own. After the last of `components` coordinates come zeros.
    """

    implementation: ClassVar[str] = "kerasvision.data.whole_images:WholeImages"


class ZcaWhitening(Whitening):
    """The whitened coordinates turned back to pixels: of all whitened images they are the most like the originals.

    Source: Bell & Sejnowski, 1997, "The 'independent components' of natural scenes are edge filters"; Krizhevsky, 2009,
    "Learning Multiple Layers of Features from Tiny Images", appendix A.
    """

    implementation: ClassVar[str] = "kerasvision.data.whole_images:WholeImages"
