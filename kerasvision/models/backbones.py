"""The backbone that a network is built on: a network of the table by its name, or a model, and its maps by level."""

from typing import Any

import keras
from keras import KerasTensor

from kerasvision.backbone_options import backbone_with_options
from kerasvision.models import build
from kerasvision.models.figures import AnyShape


def backbone_network(backbone: str | keras.Model, image_shape: AnyShape, **options: Any) -> keras.Model:
    """A model from an image to its maps by level: the given one, or the one of that name.

    Args:
        backbone: a name of `kerasvision.lookup.MODELS`, or the model itself.
        image_shape: (height, width, channels) in pixels; (None, None, channels) for images of any size.
        options: of `kerasvision.backbone_options.HANDED_ON`, for the network of that name; those that are None are left out.

    Raises:
        ConfigError: there is no such network, or it has no such option.

    >>> maps = backbone_network("resnet9", (32, 32, 3), width=0.25, layout=None).output
    >>> {level: feature_map.shape[1:] for level, feature_map in maps.items()}
    {'c0': (32, 32, 16), 'c1': (16, 16, 32), 'c2': (8, 8, 64), 'c3': (4, 4, 128)}
    """
    if isinstance(backbone, keras.Model):
        return backbone
    name, chosen = backbone_with_options(backbone, options)
    return build(name, image_shape=image_shape, num_classes=None, **chosen)


def last_map(maps: dict[str, KerasTensor]) -> KerasTensor:
    """The map of the last level, that with the largest stride."""
    return maps[max(maps, key=level_number)]


def level_number(level: str) -> int:
    """l of a level "c<l>" or "p<l>", which has stride 2**l.

    >>> level_number("c5")
    5
    """
    return int(level[1:])
