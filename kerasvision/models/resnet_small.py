"""Residual networks for CIFAR-10 (He et al., 2015, https://arxiv.org/abs/1512.03385, section 4.2): 20 to 110 layers.

The blocks of `resnet.basic_block`, with a quarter of the widths and a stem without strides, in three stages of n blocks:
6 n + 2 layers. Shortcuts have no weights (option A), so each network has as many weights as the same one without shortcuts.

Table 6 has these sizes, in millions of weights: 0.27, 0.46, 0.66, 0.85, 1.7.
"""

from functools import partial
from typing import Any, NamedTuple

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import Activation, Initialization
from kerasvision.models.blocks import Norm, batch_norm, conv, pooled_network
from kerasvision.models.families import options_of
from kerasvision.models.resnet import Block, basic_block, last_gamma, stage
from kerasvision.models.units import activated, initialized, units_chosen


def zero_padding(x: KerasTensor, *, width: int, stride: int, name: str) -> KerasTensor:
    """Option A of section 3.3: every `stride`-th pixel of x, and zeros for the channels that x lacks; no weights.

    From float32 (N, H, W, C) to (N, ceil(H / stride), ceil(W / stride), width), for C <= width.
    """
    if stride > 1:
        x = layers.AveragePooling2D(1, strides=stride, name=f"{name}_subsample")(x)
    if x.shape[-1] < width:
        # With "channels_first" this layer pads the last two axes of (N, H, W, C): width and channels. `keras.ops.pad` would
        # be simpler, but it takes no name, and the name that it makes up depends on what was built before.
        missing = ((0, 0), (0, width - x.shape[-1]))
        x = layers.ZeroPadding2D(missing, data_format="channels_first", name=f"{name}_channels")(x)
    return x


def cifar_maps(image: KerasTensor, *, blocks: int, norm: Norm, block: Block) -> dict[str, KerasTensor]:
    """The first table of section 4.2, with n = `blocks`; at 32 x 32:

        stem    32 x 32 x 16    3x3 convolution
        c0      32 x 32 x 16
        c1      16 x 16 x 32
        c2       8 x  8 x 64

    Args:
        image: float32 (N, H, W, C).
        blocks: how many blocks each stage has.
        norm: makes a normalisation layer.
        block: makes a block.

    Returns:
        The maps by level: level l is float32 (N, ceil(H / 2**l), ceil(W / 2**l), channels).
    """
    x = conv(image, width=16, kernel=3, name="stem_conv")
    x = norm(name="stem_norm")(x)
    x = activated(x, name="stem")
    c0 = stage(x, level=0, blocks=blocks, width=16, stride=1, block=block)
    c1 = stage(c0, level=1, blocks=blocks, width=32, stride=2, block=block)
    c2 = stage(c1, level=2, blocks=blocks, width=64, stride=2, block=block)
    return {"c0": c0, "c1": c1, "c2": c2}


class Depth(NamedTuple):
    """A depth of section 4.2.

    Attributes:
        name: the network's name.
        blocks: how many blocks each of the three stages has: n of the 6 n + 2 layers.
    """

    name: str
    blocks: int


def cifar_resnet(
    depth: Depth,
    /,
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    zero_init_last_gamma: bool = False,
    dropout: float = 0.0,
    activation: Activation = "relu",
    initialization: Initialization | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """The network of that depth, with the options that all depths share.

    Args:
        depth: the depth.
        image_shape: (height, width, channels), at least 4 x 4 pixels.
        num_classes: how many logits; None gives the backbone.
        zero_init_last_gamma: start each block as its shortcut alone (Goyal et al., 2017, section 5.1).
        dropout: share of the pooled features that training drops, in [0, 1).
        activation: of all hidden units, see `units`, except maxout.
        initialization: of all kernels, see `units`; None: as `conv` says.
        synchronized: normalise by the whole batch instead of each replica's part of it; see `batch_norm`.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to the maps {"c0", "c1", "c2"} of
        strides 1, 2, 4 and 16, 32, 64 channels.

    Raises:
        ConfigError: dropout outside [0, 1), or an unknown activation or initialization.
    """
    norm = batch_norm(synchronized=synchronized)
    block = partial(basic_block, shortcut=zero_padding, norm=norm, last_gamma=last_gamma(zero_init_last_gamma))
    image = keras.Input(image_shape, name="image")
    with units_chosen(depth.name, activation=activation, initialization=initialization):
        maps = cifar_maps(image, blocks=depth.blocks, norm=norm, block=block)
    return initialized(pooled_network(depth.name, image, maps, num_classes=num_classes, dropout=dropout), initialization)


@options_of(cifar_resnet)
def resnet20(**options: Any) -> keras.Model:
    """ResNet-20 for CIFAR-10: 269,722 trainable weights and 40.6 MMACs at 32 x 32 x 3 and 10 classes.

    >>> resnet20(image_shape=(32, 32, 3), num_classes=None).output["c2"].shape
    (None, 8, 8, 64)
    """
    return cifar_resnet(Depth("resnet20", blocks=3), **options)


@options_of(cifar_resnet)
def resnet32(**options: Any) -> keras.Model:
    """ResNet-32 for CIFAR-10: 464,154 trainable weights and 68.9 MMACs at 32 x 32 x 3, 10 classes; see `cifar_resnet`."""
    return cifar_resnet(Depth("resnet32", blocks=5), **options)


@options_of(cifar_resnet)
def resnet44(**options: Any) -> keras.Model:
    """ResNet-44 for CIFAR-10: 658,586 trainable weights and 97.2 MMACs at 32 x 32 x 3, 10 classes; see `cifar_resnet`."""
    return cifar_resnet(Depth("resnet44", blocks=7), **options)


@options_of(cifar_resnet)
def resnet56(**options: Any) -> keras.Model:
    """ResNet-56 for CIFAR-10: 853,018 trainable weights and 125.5 MMACs at 32 x 32 x 3, 10 classes; see `cifar_resnet`."""
    return cifar_resnet(Depth("resnet56", blocks=9), **options)


@options_of(cifar_resnet)
def resnet110(**options: Any) -> keras.Model:
    """ResNet-110 for CIFAR-10: 1,727,962 trainable weights and 252.9 MMACs at 32 x 32 x 3, 10 classes; see `cifar_resnet`.

    The paper trains it at a learning rate of 0.01 for about the first 400 steps: at 0.1 it started to converge only after
    some epochs.
    """
    return cifar_resnet(Depth("resnet110", blocks=18), **options)
