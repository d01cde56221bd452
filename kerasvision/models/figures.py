"""What is known of a network before it is built: where it comes from, and which sizes were published of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Figure:
    """A published size of a network.

    Attributes:
        image_shape: (H, W, C) in pixels.
        num_classes: of the head.
        source: who published it.
        trainable_weights: what papers and torchvision count.
        total_weights: what Keras' `count_params` counts: moving statistics too. None where nobody states it.
        giga_multiply_adds: of one image, in 10^9, with as many digits as were published; "" where none were.
        options: what the builder is told for it.
    """

    image_shape: Shape
    num_classes: int
    source: str
    trainable_weights: int | None = None
    total_weights: int | None = None
    giga_multiply_adds: str = ""
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Network:
    """One row of `kerasvision models list`.

    Attributes:
        name: as in `kerasvision.lookup.MODELS`.
        family: the name of its file in `kerasvision/models/`.
        paper: authors, year and the part of the paper that defines it.
        url: where to read that.
        smallest_side: least height and width of an image, in pixels.
        figures: the first is for the images that the paper has and the options that the builder has by itself.
    """

    name: str
    family: str
    paper: str
    url: str
    smallest_side: int
    figures: tuple[Figure, ...]

    @property
    def source(self) -> str:
        """The paper and where to read it, on one line."""
        return f"{self.paper}, {self.url}"


GREY, RGB = (224, 224, 1), (224, 224, 3)
TORCHVISION, KERAS, D2L = "torchvision", "keras.applications", "Dive into Deep Learning"
# Built once by somebody else than us, in other code, from the paper's description.
INDEPENDENT = "an independent count"
