"""What is known about a network before it is built: its source, and its published sizes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Shape = tuple[int, int, int]
# Of images whose size is not known: (None, None, channels).
AnyShape = tuple[int | None, int | None, int]


@dataclass(frozen=True)
class Figure:
    """A published size of a network.

    Attributes:
        image_shape: (H, W, C) in pixels.
        num_classes: of the head.
        source: who published it.
        trainable_weights: what papers and torchvision count.
        total_weights: what Keras' `count_params` counts, which includes moving statistics. None if nobody published it.
        giga_multiply_adds: for one image, in 10^9, with the published digits; "" if nobody published it.
        options: the builder's options for this size.
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
        url: address of the paper or of the chapter.
        smallest_side: least height and width of an image, in pixels; of a network on a backbone, with its usual one.
        side_step: height and width of an image must be multiples of it.
        own_side: what a network on a backbone requires itself, whatever its backbone reads.
        flattens: whether it requires images of one size, because its head reads a flattened map, or its boxes are shares of
            the image.
        figures: published sizes; the first is for the paper's images and the builder's default options.
    """

    name: str
    family: str
    paper: str
    url: str
    smallest_side: int
    side_step: int = 1
    own_side: int = 1
    flattens: bool = False
    figures: tuple[Figure, ...]

    @property
    def source(self) -> str:
        """The paper and its address, on one line."""
        return f"{self.paper}, {self.url}"


GREY, RGB = (224, 224, 1), (224, 224, 3)
TORCHVISION, KERAS, D2L = "torchvision", "keras.applications", "Dive into Deep Learning"
# Counted once by somebody else, with other code, from the paper's description.
INDEPENDENT = "an independent count"
