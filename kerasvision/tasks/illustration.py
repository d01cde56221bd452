"""An example with the model's whole answer, as a page shows it. `kerasvision.tasks.base` has these names too."""

from dataclasses import dataclass

import numpy as np

from kerasvision.tasks.class_maps import ClassMap
from kerasvision.tasks.drawing import Drawing
from kerasvision.tasks.versions import Version


@dataclass(frozen=True)
class Part:
    """A part of an answer, and where in the image the network looked for it.

    Attributes:
        text: the part.
        weights: float (h, w), at least 0, a map that covers the image as the network sees it.
    """

    text: str
    weights: np.ndarray


@dataclass(frozen=True)
class Illustration:
    """An example as a page shows it.

    Attributes:
        id: of the example.
        answer: the model's answer.
        truth: all right answers.
        parts: of the answer, in order; empty if the network does not say where it looks.
        drawings: what is drawn over the image; if empty, what `Task.drawings` gives.
    """

    id: str
    answer: str
    truth: tuple[str, ...]
    parts: tuple[Part, ...] = ()
    drawings: tuple[Drawing | ClassMap | Version, ...] = ()
