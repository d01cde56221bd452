"""The images that samples are compared with, as numbers: the training images, and those of the split that is judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kerasvision.data.splits import TEST, TRAIN, VALIDATION
from kerasvision.errors import DataError
from kerasvision.tasks.base import SplitPixels
from kerasvision.tasks.generation.comparing import Components, Nearest, nearest
from kerasvision.tasks.metrics import Floats


@dataclass(frozen=True)
class Reference:
    """What samples are compared with.

    Attributes:
        components: fitted on the training images.
        train: the training images.
        features: of the training images, float64 (M, F).
        others: id -> the pixels of a validation or test image, uint8 (H, W, C).
    """

    components: Components
    train: SplitPixels
    features: Floats
    others: Mapping[str, npt.NDArray[np.uint8]]

    @classmethod
    def of(cls, pixels: Callable[[str], SplitPixels]) -> "Reference":
        """The reference from a function of the name of a split.

        Raises:
            DataError: there are fewer than 2 training images.
        """
        train = pixels(TRAIN)
        if len(train.ids) < 2:
            raise DataError("samples are compared with training images, of which there must be 2", received=len(train.ids))
        components = Components(train.pixels)
        others: dict[str, npt.NDArray[np.uint8]] = {}
        for split in (VALIDATION, TEST):
            found = pixels(split)
            others |= dict(zip(found.ids, found.pixels, strict=True))
        return cls(components, train, components(train.pixels), others)

    def pixels_of(self, ids: Sequence[str]) -> npt.NDArray[np.uint8]:
        """uint8 (N, H, W, C) of some validation or test images."""
        return np.stack([self.others[name] for name in ids])

    def nearest(self, features: Floats) -> Nearest:
        """The nearest training image to each of N, float64 (N, F)."""
        return nearest(features, self.features)
