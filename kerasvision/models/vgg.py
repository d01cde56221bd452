"""VGG networks (Simonyan & Zisserman, 2014, https://arxiv.org/abs/1409.1556, table 1): columns A, B, D and E.

Five blocks of 3x3 convolutions, each with a final pooling that halves the map, and three dense layers. At 224 x 224:

              11 13 16 19    convolutions
    block1     1  2  2  2    112 x 112 x  64    level c1
    block2     1  2  2  2     56 x  56 x 128    level c2
    block3     2  2  3  4     28 x  28 x 256    level c3
    block4     2  2  3  4     14 x  14 x 512    level c4
    block5     2  2  3  4      7 x   7 x 512    level c5
    hidden1              4096
    hidden2              4096
    logits               num_classes

The norms came later (Ioffe & Szegedy, 2015). With them these networks are torchvision's "vgg11_bn", "vgg13_bn" and so on.
"""

from typing import Any, NamedTuple

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import Activation, Initialization
from kerasvision.errors import ConfigError
from kerasvision.models.blocks import Norm, check_share, conv, dense_logits
from kerasvision.models.blocks import batch_norm as make_batch_norm
from kerasvision.models.families import options_of
from kerasvision.models.units import activated, initialized, units_chosen


def block(x: KerasTensor, *, repeats: int, width: int, norm: Norm | None, name: str) -> KerasTensor:
    """`convs`, then 2x2 max pooling: float32 (N, H, W, C) to (N, H // 2, W // 2, width)."""
    x = convs(x, repeats=repeats, width=width, norm=norm, name=name)
    return layers.MaxPooling2D(2, name=f"{name}_pool")(x)


def convs(x: KerasTensor, *, repeats: int, width: int, norm: Norm | None, name: str) -> KerasTensor:
    """`repeats` 3x3 convolutions, each followed by the norm, if there is one, and a ReLU or the activation that was chosen.

    Args:
        x: float32 (N, H, W, C).
        repeats: how many convolutions.
        width: channels of each.
        norm: makes a normalisation layer; None for no norms.
        name: prefix of its layers.

    Returns:
        float32 (N, H, W, width).
    """
    for number in range(1, repeats + 1):
        # A norm subtracts the bias of the convolution before it. torchvision still has this bias and counts it.
        x = conv(x, width=width, kernel=3, bias=True, name=f"{name}_conv{number}")
        if norm:
            x = norm(name=f"{name}_norm{number}")(x)
        x = activated(x, name=name, number=number)
    return x


def blocks(
    image: KerasTensor, *, repeats: tuple[int, int, int, int, int], width: float, norm: Norm | None
) -> dict[str, KerasTensor]:
    """Table 1 up to the last pooling, with `width` times its channels.

    Args:
        image: float32 (N, H, W, C).
        repeats: how many convolutions each block has.
        width: how many times the paper's channels.
        norm: makes a normalisation layer; None for no norms.

    Returns:
        The pooled map of each block by level: level l is float32 (N, H // 2**l, W // 2**l, channels).
    """
    maps, x = {}, image
    for level, channels in enumerate((64, 128, 256, 512, 512), start=1):
        x = block(x, repeats=repeats[level - 1], width=round(width * channels), norm=norm, name=f"block{level}")
        maps[f"c{level}"] = x
    return maps


class Column(NamedTuple):
    """A column of table 1.

    Attributes:
        name: the network's name.
        repeats: how many convolutions each of the five blocks has.
    """

    name: str
    repeats: tuple[int, int, int, int, int]


def vgg(
    column: Column,
    /,
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    batch_norm: bool = False,
    width: float = 1.0,
    dropout: float = 0.5,
    activation: Activation = "relu",
    initialization: Initialization | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """The network of a column of table 1, with the options that all columns share.

    Args:
        column: the column.
        image_shape: (height, width, channels), at least 32 x 32 pixels.
        num_classes: how many logits; None gives the backbone.
        batch_norm: normalise between each convolution and its ReLU.
        width: factor on the paper's channels of the convolutions, at least 1/64.
        dropout: share of each hidden layer's units that training drops, in [0, 1).
        activation: of all hidden units, see `units`, except maxout.
        initialization: of all kernels, see `units`; None: as `conv` and `dense_relu` say.
        synchronized: with norms, normalise by the whole batch instead of each replica's part of it; see
            `blocks.batch_norm`.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to the maps {"c1", "c2", "c3", "c4",
        "c5"} of strides 2, 4, 8, 16, 32 and `width` times 64, 128, 256, 512, 512 channels.

    Raises:
        ConfigError: dropout outside [0, 1), width under 1/64, or an unknown activation or initialization.
    """
    check_share("dropout", dropout)
    if not 64 * width >= 1:
        raise ConfigError("width must be at least 1/64: the first block has 64 times as many channels", received=width)
    image = keras.Input(image_shape, name="image")
    norm = make_batch_norm(synchronized=synchronized) if batch_norm else None
    with units_chosen(column.name, activation=activation, initialization=initialization):
        maps = blocks(image, repeats=column.repeats, width=width, norm=norm)
        if num_classes is None:
            model = keras.Model(image, maps, name=column.name)
        else:
            logits = dense_logits(maps["c5"], num_classes=num_classes, dropout=dropout)
            model = keras.Model(image, logits, name=column.name)
    return initialized(model, initialization)


@options_of(vgg)
def vgg11(**options: Any) -> keras.Model:
    """VGG-11, column A: 132,863,336 trainable weights and 7.609 GMACs at 224 x 224 x 3 and 1000 classes.

    With norms 132,868,840, and 5,504 moving statistics. Dive into Deep Learning trains it at `width=0.25`. Arguments, maps
    and errors are those of `vgg`.

    >>> vgg11(image_shape=(224, 224, 3), num_classes=None, width=1 / 16).output["c5"].shape
    (None, 7, 7, 32)
    """
    return vgg(Column("vgg11", (1, 1, 2, 2, 2)), **options)


@options_of(vgg)
def vgg13(**options: Any) -> keras.Model:
    """VGG-13, column B: 133,047,848 trainable weights and 11.308 GMACs at 224 x 224 x 3 and 1000 classes.

    With norms 133,053,736, and 5,888 moving statistics. Arguments, maps and errors are those of `vgg`.

    >>> vgg13(image_shape=(64, 64, 3), num_classes=None, width=1 / 16).output["c5"].shape
    (None, 2, 2, 32)
    """
    return vgg(Column("vgg13", (2, 2, 2, 2, 2)), **options)


@options_of(vgg)
def vgg16(**options: Any) -> keras.Model:
    """VGG-16, column D: 138,357,544 trainable weights and 15.470 GMACs at 224 x 224 x 3 and 1000 classes.

    With norms 138,365,992, and 8,448 moving statistics. Arguments, maps and errors are those of `vgg`.

    >>> vgg16(image_shape=(64, 64, 3), num_classes=None, width=1 / 16).output["c5"].shape
    (None, 2, 2, 32)
    """
    return vgg(Column("vgg16", (2, 2, 3, 3, 3)), **options)


@options_of(vgg)
def vgg19(**options: Any) -> keras.Model:
    """VGG-19, column E: 143,667,240 trainable weights and 19.632 GMACs at 224 x 224 x 3 and 1000 classes.

    With norms 143,678,248, and 11,008 moving statistics. Arguments, maps and errors are those of `vgg`.

    >>> vgg19(image_shape=(64, 64, 3), num_classes=None, width=1 / 16).output["c5"].shape
    (None, 2, 2, 32)
    """
    return vgg(Column("vgg19", (2, 2, 4, 4, 4)), **options)
