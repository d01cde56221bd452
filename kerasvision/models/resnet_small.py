"""Residual networks for CIFAR-10 (He et al., 2015, https://arxiv.org/abs/1512.03385, section 4.2): 20 to 110 layers.

The blocks of `resnet.basic_block`, at a quarter of the widths and without the strides of the stem, in three stages of n
blocks: 6 n + 2 layers. Shortcuts have no weights (option A), so each network has as many as its plain counterpart.

Table 6 has these sizes, in millions of weights: 0.27, 0.46, 0.66, 0.85, 1.7.
"""

from collections.abc import Callable
from functools import partial

import keras
from keras import KerasTensor, layers

from kerasvision.models.blocks import Norm, batch_norm, conv, pooled_network
from kerasvision.models.resnet import basic_block, last_gamma, stage


def zero_padding(x: KerasTensor, *, width: int, stride: int, name: str) -> KerasTensor:
    """Option A of section 3.3: every `stride`-th pixel of x, and zeros for the channels that x lacks; no weights."""
    if stride > 1:
        x = layers.AveragePooling2D(1, strides=stride, name=f"{name}_subsample")(x)
    if x.shape[-1] < width:
        # Told that channels come first, this layer pads the last two axes of (N, H, W, C): width and channels. Simpler
        # would be `keras.ops.pad`, but it takes no name, and the one it invents depends on what was built before.
        missing = ((0, 0), (0, width - x.shape[-1]))
        x = layers.ZeroPadding2D(missing, data_format="channels_first", name=f"{name}_channels")(x)
    return x


def cifar_maps(image: KerasTensor, *, blocks: int, norm: Norm, block: Callable) -> dict[str, KerasTensor]:
    """The first table of section 4.2, of 6 n + 2 layers where n = `blocks`; at 32 x 32:

        stem    32 x 32 x 16    3x3 convolution
        c0      32 x 32 x 16
        c1      16 x 16 x 32
        c2       8 x  8 x 64

    Returns the maps by level.
    """
    x = conv(image, width=16, kernel=3, name="stem_conv")
    x = norm(name="stem_norm")(x)
    x = layers.ReLU(name="stem_relu")(x)
    c0 = stage(x, level=0, blocks=blocks, width=16, stride=1, block=block)
    c1 = stage(c0, level=1, blocks=blocks, width=32, stride=2, block=block)
    c2 = stage(c1, level=2, blocks=blocks, width=64, stride=2, block=block)
    return {"c0": c0, "c1": c1, "c2": c2}


def resnet20(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    zero_init_last_gamma: bool = False,
    dropout: float = 0.0,
    synchronized: bool = False,
) -> keras.Model:
    """ResNet-20 for CIFAR-10: 269,722 trainable weights and 40.6 MMACs at 32 x 32 x 3 and 10 classes.

    Args:
        image_shape: (height, width, channels), at least 4 x 4 pixels.
        num_classes: how many logits; None gives the backbone.
        zero_init_last_gamma: start each block as its shortcut alone (Goyal et al., 2017, section 5.1).
        dropout: share of the pooled features that training drops, in [0, 1).
        synchronized: normalise by the whole batch instead of each replica's part of it; see `batch_norm`.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to the maps {"c0", "c1", "c2"} of
        strides 1, 2, 4 and 16, 32, 64 channels.

    Raises:
        ConfigError: dropout outside [0, 1).

    >>> resnet20(image_shape=(32, 32, 3), num_classes=None).output["c2"].shape
    (None, 8, 8, 64)
    """
    norm, block = _parts(zero_init_last_gamma, synchronized)
    image = keras.Input(image_shape, name="image")
    maps = cifar_maps(image, blocks=3, norm=norm, block=block)
    return pooled_network("resnet20", image, maps, num_classes=num_classes, dropout=dropout)


def resnet32(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    zero_init_last_gamma: bool = False,
    dropout: float = 0.0,
    synchronized: bool = False,
) -> keras.Model:
    """ResNet-32 for CIFAR-10: 464,154 trainable weights and 68.9 MMACs at 32 x 32 x 3 and 10 classes; see `resnet20`."""
    norm, block = _parts(zero_init_last_gamma, synchronized)
    image = keras.Input(image_shape, name="image")
    maps = cifar_maps(image, blocks=5, norm=norm, block=block)
    return pooled_network("resnet32", image, maps, num_classes=num_classes, dropout=dropout)


def resnet44(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    zero_init_last_gamma: bool = False,
    dropout: float = 0.0,
    synchronized: bool = False,
) -> keras.Model:
    """ResNet-44 for CIFAR-10: 658,586 trainable weights and 97.2 MMACs at 32 x 32 x 3 and 10 classes; see `resnet20`."""
    norm, block = _parts(zero_init_last_gamma, synchronized)
    image = keras.Input(image_shape, name="image")
    maps = cifar_maps(image, blocks=7, norm=norm, block=block)
    return pooled_network("resnet44", image, maps, num_classes=num_classes, dropout=dropout)


def resnet56(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    zero_init_last_gamma: bool = False,
    dropout: float = 0.0,
    synchronized: bool = False,
) -> keras.Model:
    """ResNet-56 for CIFAR-10: 853,018 trainable weights and 125.5 MMACs at 32 x 32 x 3 and 10 classes; see `resnet20`."""
    norm, block = _parts(zero_init_last_gamma, synchronized)
    image = keras.Input(image_shape, name="image")
    maps = cifar_maps(image, blocks=9, norm=norm, block=block)
    return pooled_network("resnet56", image, maps, num_classes=num_classes, dropout=dropout)


def resnet110(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    zero_init_last_gamma: bool = False,
    dropout: float = 0.0,
    synchronized: bool = False,
) -> keras.Model:
    """ResNet-110 for CIFAR-10: 1,727,962 trainable weights and 252.9 MMACs at 32 x 32 x 3 and 10 classes; see `resnet20`.

    The paper trains its first 400 or so steps at a learning rate of 0.01: at 0.1 it took epochs to start to converge.
    """
    norm, block = _parts(zero_init_last_gamma, synchronized)
    image = keras.Input(image_shape, name="image")
    maps = cifar_maps(image, blocks=18, norm=norm, block=block)
    return pooled_network("resnet110", image, maps, num_classes=num_classes, dropout=dropout)


def _parts(zero_init_last_gamma: bool, synchronized: bool) -> tuple[Norm, Callable]:
    """What the options change: the norm, and the block with it."""
    norm = batch_norm(synchronized=synchronized)
    return norm, partial(basic_block, shortcut=zero_padding, norm=norm, last_gamma=last_gamma(zero_init_last_gamma))
