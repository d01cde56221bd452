"""The second stage of a detector: what a network says about each of the P regions of an image.

    a small map of each region -- dense -- ReLU -- dense -- ReLU --+-- class_logits     the classes, then background
                                                                   |
                                                                   +-- region_deltas    four for each of them

The deltas change a region into the box of an object of that class (Girshick, 2015, https://arxiv.org/abs/1504.08083, section
2.1). Those of background are never trained; the papers and torchvision count their weights.
"""

from typing import Any

import keras
from keras import KerasTensor, layers, ops

from kerasvision.errors import ConfigError
from kerasvision.models.backbones import last_map, level_number
from kerasvision.models.blocks import he_normal, logits_layer


def region_answers(x: KerasTensor, *, num_classes: int) -> dict[str, KerasTensor]:
    """The logits and deltas of each region.

    Args:
        x: float (N, P, features).
        num_classes: K, without background.

    Returns:
        "class_logits" float32 (N, P, K + 1), background last, and "region_deltas" float32 (N, P, 4 * (K + 1)).
    """
    to_logits = logits_layer(num_classes + 1, name="class_logits")
    to_logits.kernel_initializer = keras.initializers.RandomNormal(stddev=0.01)
    to_deltas = layers.Dense(
        4 * (num_classes + 1),
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
        dtype=keras.config.floatx(),
        name="region_deltas",
    )
    return {"class_logits": to_logits(x), "region_deltas": to_deltas(x)}


def dense_head(x: KerasTensor, *, num_classes: int, hidden: int, dropout: float) -> dict[str, KerasTensor]:
    """The figure above.

    Args:
        x: float (N, P, h, w, C), a map of each region.
        num_classes: K, without background.
        hidden: units of both dense layers.
        dropout: share of their units that training drops, in [0, 1).

    Returns:
        As `region_answers`: float32 tensors (N, P, numbers).
    """
    _, count, height, width, channels = x.shape
    x = ops.reshape(x, (-1, count, height * width * channels))
    for name in ("hidden1", "hidden2"):
        x = layers.Dense(hidden, activation="relu", kernel_initializer=he_normal("fan_in"), name=f"region_{name}")(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"region_{name}_dropout")(x)
    return region_answers(x, num_classes=num_classes)


def finest_last_map(network: keras.Model, output_stride: int | None = None) -> tuple[KerasTensor, int]:
    """The last map of a backbone and its stride; if the map is pooled from another one, that one.

    Of VGG, these are the last convolutions at stride 16, as in the papers. Of other networks, it is the map of the largest
    stride.

    Args:
        network: from an image, float32 (N, H, W, C), to its maps by level, float32 (N, h, w, channels).
        output_stride: the largest stride, if the backbone has that option.
    """
    maps = network.output
    last, stride = last_map(maps), 1 << max(map(level_number, maps))
    made_by = last._keras_history.operation
    if isinstance(made_by, layers.MaxPooling2D):
        return made_by.input, stride // 2
    return last, min(stride, output_stride or stride)


def check_one_size(name: str, image_shape: Any) -> tuple[int, int]:
    """The height and width of the images; raises ConfigError if they are not known."""
    height, width = image_shape[:2]
    if height is None or width is None:
        raise ConfigError(
            f"{name} requires images of one size, as its regions are computed in the network", received=image_shape
        )
    return height, width
