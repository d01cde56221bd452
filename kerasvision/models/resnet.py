"""Residual networks (He et al., 2015, https://arxiv.org/abs/1512.03385): ResNet-18 (table 1), ResNet-20 (section 4.2).

A block learns what to add to its input (figure 2):

    x --+-- 3x3 conv -- norm -- relu -- 3x3 conv -- norm --(+)-- relu -->
        |                                                   |
        +--------------------- shortcut --------------------+

Stage l computes at stride 2**l and ends in the map of level l: stage 2 makes "c2", and its first layer is
"stage2_block1_conv1". The paper's "conv2_x" is stage 2 too.
"""

from collections.abc import Callable
from functools import partial

import keras
from keras import KerasTensor, layers

from kerasvision.models.blocks import batch_norm, check_share, conv, pooled_logits


def basic_block(
    x: KerasTensor, *, width: int, stride: int, shortcut: Callable, norm: Callable, last_gamma: str, name: str
) -> KerasTensor:
    """Two 3x3 convolutions and a way around them: relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)).

    Args:
        x: float32 (N, H, W, C).
        width: channels of both convolutions.
        stride: of the first convolution and of the shortcut.
        shortcut: `zero_padding`, or `projection` with its norm.
        norm: makes a normalisation layer.
        last_gamma: initializer of the last norm's scale; with "zeros" the block starts as relu(shortcut(x)).
        name: prefix of its layers.

    Returns:
        float32 (N, ceil(H / stride), ceil(W / stride), width).
    """
    y = conv(x, width=width, kernel=3, stride=stride, name=f"{name}_conv1")
    y = norm(name=f"{name}_norm1")(y)
    y = layers.ReLU(name=f"{name}_relu1")(y)
    y = conv(y, width=width, kernel=3, name=f"{name}_conv2")
    y = norm(gamma_initializer=last_gamma, name=f"{name}_norm2")(y)
    around = shortcut(x, width=width, stride=stride, name=f"{name}_shortcut")
    y = layers.Add(name=f"{name}_add")([y, around])
    return layers.ReLU(name=f"{name}_relu2")(y)


def projection(x: KerasTensor, *, width: int, stride: int, norm: Callable, name: str) -> KerasTensor:
    """Option B of section 3.3: where the shape changes, a 1x1 convolution and a norm; elsewhere x itself."""
    if stride == 1 and x.shape[-1] == width:
        return x
    x = conv(x, width=width, kernel=1, stride=stride, name=f"{name}_conv")
    return norm(name=f"{name}_norm")(x)


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


def stage(x: KerasTensor, *, level: int, blocks: int, width: int, stride: int, block: Callable) -> KerasTensor:
    """`blocks` blocks of one width; the first of them takes the stride."""
    for number in range(1, blocks + 1):
        x = block(x, width=width, stride=stride if number == 1 else 1, name=f"stage{level}_block{number}")
    return x


def imagenet_maps(
    image: KerasTensor, *, blocks: tuple[int, int, int, int], norm: Callable, block: Callable
) -> dict[str, KerasTensor]:
    """Table 1 up to the last pooling; at 224 x 224 with basic blocks:

        stem   112 x 112 x  64    7x7 convolution
                56 x  56 x  64    3x3 max pooling
        c2      56 x  56 x  64
        c3      28 x  28 x 128
        c4      14 x  14 x 256
        c5       7 x   7 x 512

    Returns the maps by level.
    """
    x = conv(image, width=64, kernel=7, stride=2, name="stem_conv")
    x = norm(name="stem_norm")(x)
    x = layers.ReLU(name="stem_relu")(x)
    # No value is below zero here, so a border of zeros never wins: it is the border of minus infinity that is meant.
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    c2 = stage(x, level=2, blocks=blocks[0], width=64, stride=1, block=block)
    c3 = stage(c2, level=3, blocks=blocks[1], width=128, stride=2, block=block)
    c4 = stage(c3, level=4, blocks=blocks[2], width=256, stride=2, block=block)
    c5 = stage(c4, level=5, blocks=blocks[3], width=512, stride=2, block=block)
    return {"c2": c2, "c3": c3, "c4": c4, "c5": c5}


def cifar_maps(image: KerasTensor, *, blocks: int, norm: Callable, block: Callable) -> dict[str, KerasTensor]:
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


def resnet18(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    zero_init_last_gamma: bool = False,
    dropout: float = 0.0,
    synchronized: bool = False,
) -> keras.Model:
    """ResNet-18: 11,689,512 trainable weights and 1.814 GMACs at 224 x 224 x 3 and 1000 classes.

    The network of torchvision: shortcuts are projections where the shape changes (option B), every convolution is
    without bias and every one has a norm. 9,600 moving statistics make 11,699,112 weights in all.

    Args:
        image_shape: (height, width, channels), at least 32 x 32 pixels.
        num_classes: how many logits; None gives the backbone.
        zero_init_last_gamma: start each block as its shortcut alone (Goyal et al., 2017, section 5.1).
        dropout: share of the pooled features that training drops, in [0, 1).
        synchronized: normalise by the whole batch instead of each replica's part of it; see `batch_norm`.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to the maps {"c2", "c3", "c4", "c5"} of
        strides 4, 8, 16, 32 and 64, 128, 256, 512 channels.

    Raises:
        ConfigError: dropout outside [0, 1).

    >>> resnet18(image_shape=(96, 96, 3), num_classes=None).output["c5"].shape
    (None, 3, 3, 512)
    """
    norm = batch_norm(synchronized=synchronized)
    shortcut = partial(projection, norm=norm)
    block = partial(basic_block, shortcut=shortcut, norm=norm, last_gamma=_last_gamma(zero_init_last_gamma))
    image = keras.Input(image_shape, name="image")
    maps = imagenet_maps(image, blocks=(2, 2, 2, 2), norm=norm, block=block)
    return _model("resnet18", image, maps, num_classes=num_classes, dropout=dropout)


def resnet20(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    zero_init_last_gamma: bool = False,
    dropout: float = 0.0,
    synchronized: bool = False,
) -> keras.Model:
    """ResNet-20 for CIFAR-10: 269,722 trainable weights and 40.6 MMACs at 32 x 32 x 3 and 10 classes.

    The paper's table 6 says 0.27 M. Shortcuts have no weights (option A).

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
    norm = batch_norm(synchronized=synchronized)
    block = partial(basic_block, shortcut=zero_padding, norm=norm, last_gamma=_last_gamma(zero_init_last_gamma))
    image = keras.Input(image_shape, name="image")
    maps = cifar_maps(image, blocks=3, norm=norm, block=block)
    return _model("resnet20", image, maps, num_classes=num_classes, dropout=dropout)


def _last_gamma(zero_init: bool) -> str:
    return "zeros" if zero_init else "ones"


def _model(
    name: str, image: KerasTensor, maps: dict[str, KerasTensor], *, num_classes: int | None, dropout: float
) -> keras.Model:
    """The backbone, or with classes: average pooling of the last map, dropout, logits."""
    check_share("dropout", dropout)
    if num_classes is None:
        return keras.Model(image, maps, name=name)
    last = list(maps.values())[-1]
    return keras.Model(image, pooled_logits(last, num_classes=num_classes, dropout=dropout), name=name)
