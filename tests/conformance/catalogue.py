"""What the package offers, one row each; every row passes every check beside this file.

A builder has a row for each set of options that changes its graph. Images are small: each check runs on each row. A network
that differs from another row's only in how often it repeats a block is `deep`: its checks are slow ones.
"""

from dataclasses import dataclass, field
from typing import Any

import keras

from kerasvision.models import build


@dataclass(frozen=True)
class Network:
    """A builder with its options, the (H, W, C) of the images that the checks feed it, and whether they are slow."""

    name: str
    image_shape: tuple[int, int, int]
    options: dict[str, Any] = field(default_factory=dict)
    deep: bool = False

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{option}={value}" for option, value in self.options.items())])

    def build(self, *, num_classes: int | None = 10, **changes: Any) -> keras.Model:
        """The network on its own images with its own options, unless changed."""
        return build(self.name, num_classes=num_classes, **{"image_shape": self.image_shape, **self.options, **changes})


NETWORKS = [
    Network("lenet5", (28, 28, 1)),
    Network("lenet5", (32, 32, 3), {"activation": "relu", "pooling": "max"}),
    Network("resnet18", (32, 32, 3)),
    Network("resnet20", (16, 16, 3), {"synchronized": True}),
]
