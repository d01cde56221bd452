"""What each network is: its family, its paper, the smallest image that it reads, and the sizes that were published of it.

The sizes come from papers and from independent implementations, never from our own builders: the tests build each
network and compare. `kerasvision.lookup.MODELS` says where the code is.

>>> find("lenet5").figures[0].trainable_weights
61706
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kerasvision.errors import ConfigError
from kerasvision.lookup import MODELS

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

RESNET_URL = "https://arxiv.org/abs/1512.03385"

NETWORKS = (
    Network(
        name="lenet5",
        family="lenet",
        paper="LeCun et al., 1998, figure 2, as in Dive into Deep Learning, section 7.6",
        url="https://d2l.ai/chapter_convolutional-neural-networks/lenet.html",
        smallest_side=12,  # 12 -> 12 -> 6 -> 2 -> 1: one pixel less leaves the second pooling nothing to pool
        figures=(
            Figure((28, 28, 1), 10, D2L, 61_706),
            Figure((32, 32, 1), 10, INDEPENDENT, 61_706),
            Figure((32, 32, 3), 10, INDEPENDENT, 62_006),
        ),
    ),
    Network(
        name="resnet18",
        family="resnet",
        paper="He et al., 2015, table 1",
        url=RESNET_URL,
        smallest_side=32,  # its last stage has stride 32
        figures=(
            Figure(RGB, 1000, TORCHVISION, 11_689_512, 11_699_112, "1.814"),
            Figure(RGB, 10, INDEPENDENT, 11_181_642),
            Figure(GREY, 10, INDEPENDENT, 11_175_370),
        ),
    ),
    Network(
        name="resnet20",
        family="resnet",
        paper="He et al., 2015, section 4.2, n = 3",
        url=RESNET_URL,
        smallest_side=4,  # its last stage has stride 4
        figures=(Figure((32, 32, 3), 10, INDEPENDENT, 269_722),),
    ),
)


def find(name: str) -> Network | None:
    """The row of that name; None for a network that is plugged in by its path."""
    return next((row for row in NETWORKS if row.name == name), None)


def published(name: str, *, image_shape: Shape, num_classes: int) -> tuple[Figure, ...]:
    """The sizes published of this network for these images and classes, whatever its options."""
    row = find(MODELS.name(MODELS.path(name)))
    figures = row.figures if row else ()
    return tuple(figure for figure in figures if (figure.image_shape, figure.num_classes) == (image_shape, num_classes))


def usual(name: str) -> Figure:
    """The images and the number of classes that the network was made for, and its size then.

    Raises:
        ConfigError: no such name, or a network that is in no table.

    >>> usual("resnet18").image_shape, usual("resnet18").num_classes
    ((224, 224, 3), 1000)
    """
    row = find(MODELS.name(MODELS.path(name)))
    if row is None:
        raise ConfigError(f"no usual image shape is known of {name}", hint="give the image shape")
    return row.figures[0]
