"""What each network is: its family, its paper, the smallest image that it reads, and the size that it must have.

The sizes come from the papers and from independent implementations, never from our own builders: the tests build each
network and compare. `kerasvision.lookup.MODELS` says where the code is.

>>> find("lenet5").weights[(28, 28, 1), 10]
61706
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kerasvision.errors import ConfigError
from kerasvision.lookup import MODELS

Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Network:
    """One row of `kerasvision models list`.

    Attributes:
        name: as in `kerasvision.lookup.MODELS`.
        family: the name of its file in `kerasvision/models/`.
        paper: authors, year and the part of the paper that defines it.
        url: where to read that.
        smallest_side: least height and width of an image, in pixels.
        weights: reference figures: (image shape (H, W, C), number of classes) -> trainable weights; the first for the
            images that the paper has.
    """

    name: str
    family: str
    paper: str
    url: str
    smallest_side: int
    weights: Mapping[tuple[Shape, int], int]

    @property
    def source(self) -> str:
        """The paper and where to read it, on one line."""
        return f"{self.paper}, {self.url}"


NETWORKS = (
    Network(
        name="lenet5",
        family="lenet",
        paper="LeCun et al., 1998, figure 2, as in Dive into Deep Learning, section 7.6",
        url="https://d2l.ai/chapter_convolutional-neural-networks/lenet.html",
        smallest_side=12,  # 12 -> 12 -> 6 -> 2 -> 1: one pixel less leaves the second pooling nothing to pool
        weights={((28, 28, 1), 10): 61_706, ((32, 32, 1), 10): 61_706, ((32, 32, 3), 10): 62_006},
    ),
    Network(
        name="resnet18",
        family="resnet",
        paper="He et al., 2015, table 1",
        url="https://arxiv.org/abs/1512.03385",
        smallest_side=32,  # its last stage has stride 32
        weights={
            ((224, 224, 3), 1000): 11_689_512,
            ((224, 224, 3), 10): 11_181_642,
            ((224, 224, 1), 10): 11_175_370,
        },
    ),
    Network(
        name="resnet20",
        family="resnet",
        paper="He et al., 2015, section 4.2, n = 3",
        url="https://arxiv.org/abs/1512.03385",
        smallest_side=4,  # its last stage has stride 4
        weights={((32, 32, 3), 10): 269_722},
    ),
)


def find(name: str) -> Network | None:
    """The row of that name; None for a network that is plugged in by its path."""
    return next((row for row in NETWORKS if row.name == name), None)


def usual_shape(name: str) -> Shape:
    """(height, width, channels) of the images that the network was made for.

    Raises:
        ConfigError: no such name, or a network that is in no table.

    >>> usual_shape("resnet18")
    (224, 224, 3)
    """
    row = find(MODELS.name(MODELS.path(name)))
    if row is None:
        raise ConfigError(f"no usual image shape is known of {name}", hint="give the image shape")
    image_shape, _ = next(iter(row.weights))
    return image_shape
