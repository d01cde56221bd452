"""A localizer: one box for each image, and its class, by regression from the last map of a backbone.

    backbone -- pooling --+-- box            4 numbers
                          |
                          +-- class_logits

This is the first step from classification to detection: "localization as regression" in cs231n
(http://cs231n.stanford.edu/slides/2017/cs231n_2017_lecture11.pdf), as in OverFeat (Sermanet et al., 2013,
https://arxiv.org/abs/1312.6229, section 4).
"""

import math
from typing import Literal

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import Pooling, Squashing, check_localizer
from kerasvision.errors import ConfigError
from kerasvision.models.backbones import backbone_network, last_map
from kerasvision.models.blocks import logits


def localizer(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    backbone: str | keras.Model = "resnet18",
    pooling: Pooling = "mean",
    activation: Squashing = "sigmoid",
    class_logits: bool = True,
    dropout: float = 0.0,
    width: float | None = None,
    layout: Literal["torchvision", "paper", "keras"] | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """A localizer: 11,225,247 trainable weights with ResNet-18 and 91 classes.

    Args:
        image_shape: (height, width, channels) in pixels.
        num_classes: how many classes; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level.
        pooling: "mean" over the last map, or "flatten", which keeps what each of its cells has found; that takes more
            weights, and images of one size.
        activation: "sigmoid" keeps the box inside the image, but its gradient is small near the edges. "linear" has no such
            limit: its box may reach beyond [0, 1].
        class_logits: False leaves the class out. The answer is then the box alone.
        dropout: share of the pooled features that training drops, in [0, 1).
        width: the backbone's option of that name, if it has one: a factor on its channels.
        layout: the backbone's option of that name, if it has one.
        synchronized: normalise by the batch of all replicas.

    Returns:
        Model from float32 (N, H, W, C) to {"box": float32 (N, 4), "class_logits": float32 (N, num_classes)}; the box is
        y_min, x_min, y_max, x_max as shares of the image's sides. It begins near the middle half of the image. Nothing makes
        the minimum smaller than the maximum.

    Raises:
        ConfigError: an option out of its range, a backbone that does not exist or lacks an option, or "flatten" for images
            of unknown size.

    >>> {name: x.shape for name, x in localizer(image_shape=(32, 32, 3), num_classes=5, backbone="lenet5").output.items()}
    {'box': (None, 4), 'class_logits': (None, 5)}
    """
    check_localizer({"pooling": pooling, "activation": activation, "dropout": dropout, "class_logits": class_logits})
    network = backbone_network(backbone, image_shape, width=width, layout=layout, synchronized=synchronized)
    if num_classes is None:
        return network
    x = _pooled(last_map(network.output), pooling)
    x = layers.Dropout(dropout, name="dropout")(x)
    answers = {"box": _box(x, activation)}
    if class_logits:
        answers["class_logits"] = logits(x, num_classes=num_classes, name="class_logits")
    return keras.Model(network.input, answers, name="localizer")


def _box(x: KerasTensor, activation: Squashing) -> KerasTensor:
    """A dense layer from float32 (N, C) to (N, 4), which begins near the middle half of the image: 1/4, 1/4, 3/4, 3/4.

    A box without an area, or with its corners exchanged, has an IoU of 0 with every other box, and may get no gradient. It
    computes in full precision, as `blocks.logits`: near 1, a step of bfloat16 is the 256th part of the image.
    """
    # The logit of 3/4 is log 3.
    bias = [-math.log(3)] * 2 + [math.log(3)] * 2 if activation == "sigmoid" else [0.25, 0.25, 0.75, 0.75]
    return layers.Dense(
        4,
        activation=activation,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=keras.initializers.Constant(bias),
        dtype=keras.config.floatx(),
        name="box",
    )(x)


def _pooled(x: KerasTensor, pooling: Pooling) -> KerasTensor:
    """From float32 (N, h, w, C) to (N, C), or with "flatten" to (N, h * w * C)."""
    if pooling == "mean":
        return layers.GlobalAveragePooling2D(name="pool")(x)
    if None in x.shape[1:]:
        raise ConfigError("pooling='flatten' requires images of one size", received=x.shape[1:], hint="set pooling='mean'")
    return layers.Flatten(name="flatten")(x)
