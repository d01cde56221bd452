"""The images of a split as the network sees them. `kerasvision.tasks.base` has this name too."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class SplitPixels:
    """Images of a split, decoded and resized.

    Attributes:
        ids: of the N examples.
        pixels: uint8 (N, H, W, C).
    """

    ids: list[str]
    pixels: npt.NDArray[np.uint8]
