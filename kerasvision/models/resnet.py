"""Residual networks for ImageNet (He et al., 2015, https://arxiv.org/abs/1512.03385, table 1): 18 to 152 layers.

A block learns what to add to its input (figures 2 and 5). In networks of up to 34 layers it has the width of its input:

    x --+-- 3x3 conv -- norm -- relu -- 3x3 conv -- norm -----------------------------(+)-- relu -->
        |                                                                              |
        +--------------------- shortcut -----------------------------------------------+

From 50 layers on it computes at a quarter of that width; this block is called a bottleneck:

    x --+-- 1x1 conv -- norm -- relu -- 3x3 conv -- norm -- relu -- 1x1 conv -- norm --(+)-- relu -->
        |                                                                              |
        +--------------------- shortcut -----------------------------------------------+

Stage l computes at stride 2**l and ends in the map of level l: stage 2 makes "c2", and its first layer is
"stage2_block1_conv1". The paper calls stage 2 "conv2_x".

Implementations differ in which convolution of a bottleneck has the stride, and in two constants. The option `layout`
chooses:

    "torchvision"   stride in the 3x3 convolution       epsilon 1e-5       momentum 0.9
    "paper"         stride in the first 1x1 ("v1")      epsilon 1e-5       momentum 0.9
    "keras"         stride in the first 1x1             epsilon 1.001e-5   momentum 0.99

A 1x1 convolution with a stride ignores three of four pixels; a 3x3 convolution with a stride reads them all. The latter
gains about 0.5 points of accuracy on ImageNet and costs about 5 % of the speed (NVIDIA on its ResNet-50 v1.5). Without
bottlenecks all three layouts have the stride in the first 3x3 convolution of a block.

With the option `output_stride` the last stages keep their size. Where a stride of 2 is left out, all later 3x3 convolutions
read pixels at twice the distance, so that they see as much of the image as before, and the weights stay the same (Chen et
al., 2017, https://arxiv.org/abs/1706.05587, section 3.1).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import Activation, Initialization
from kerasvision.errors import ConfigError
from kerasvision.models.blocks import KERAS_NORM, Norm, batch_norm, check_choice, conv, pooled_network
from kerasvision.models.families import options_of
from kerasvision.models.units import activated, initialized, units_chosen

Layout = Literal["torchvision", "paper", "keras"]
# float32 (N, H, W, C), and keywords -> float32 (N, H / stride, W / stride, width).
Block = Callable[..., KerasTensor]


def basic_block(
    x: KerasTensor,
    *,
    width: int,
    stride: int,
    dilations: tuple[int, int],
    shortcut: Block,
    norm: Norm,
    last_gamma: str,
    name: str,
) -> KerasTensor:
    """Two 3x3 convolutions and a shortcut around them: relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)).

    Args:
        x: float32 (N, H, W, C).
        width: channels of both convolutions.
        stride: stride of the first convolution and of the shortcut.
        dilations: distance of the pixels that a 3x3 convolution reads, before and after the place of the stride.
        shortcut: `projection` with its norm, or `resnet_small.zero_padding`.
        norm: makes a normalisation layer.
        last_gamma: initializer of the last norm's scale; with "zeros" the block starts as relu(shortcut(x)).
        name: prefix of its layers.

    Returns:
        float32 (N, ceil(H / stride), ceil(W / stride), width).
    """
    y = conv(x, width=width, kernel=3, stride=stride, dilation=dilations[0], name=f"{name}_conv1")
    y = norm(name=f"{name}_norm1")(y)
    y = activated(y, name=name, number=1)
    y = conv(y, width=width, kernel=3, dilation=dilations[1], name=f"{name}_conv2")
    y = norm(gamma_initializer=last_gamma, name=f"{name}_norm2")(y)
    around = shortcut(x, width=width, stride=stride, name=f"{name}_shortcut")
    y = layers.Add(name=f"{name}_add")([y, around])
    return activated(y, name=name, number=2)


def bottleneck(
    x: KerasTensor,
    *,
    width: int,
    stride: int,
    dilations: tuple[int, int],
    shortcut: Block,
    norm: Norm,
    last_gamma: str,
    layout: Layout,
    name: str,
) -> KerasTensor:
    """1x1 to `width` channels, 3x3, 1x1 to four times as many, and a shortcut around them.

    The arguments are those of `basic_block`; `layout` says which of the first two convolutions has the stride.

    Returns:
        float32 (N, ceil(H / stride), ceil(W / stride), 4 * width).
    """
    stride1, stride2, dilation = (1, stride, dilations[0]) if layout == "torchvision" else (stride, 1, dilations[1])
    y = conv(x, width=width, kernel=1, stride=stride1, name=f"{name}_conv1")
    y = norm(name=f"{name}_norm1")(y)
    y = activated(y, name=name, number=1)
    y = conv(y, width=width, kernel=3, stride=stride2, dilation=dilation, name=f"{name}_conv2")
    y = norm(name=f"{name}_norm2")(y)
    y = activated(y, name=name, number=2)
    y = conv(y, width=4 * width, kernel=1, name=f"{name}_conv3")
    y = norm(gamma_initializer=last_gamma, name=f"{name}_norm3")(y)
    around = shortcut(x, width=4 * width, stride=stride, name=f"{name}_shortcut")
    y = layers.Add(name=f"{name}_add")([y, around])
    return activated(y, name=name, number=3)


def projection(x: KerasTensor, *, width: int, stride: int, norm: Norm, name: str) -> KerasTensor:
    """Option B of section 3.3: a 1x1 convolution and a norm if the shape changes, otherwise x itself.

    From float32 (N, H, W, C) to (N, ceil(H / stride), ceil(W / stride), width).
    """
    if stride == 1 and x.shape[-1] == width:
        return x
    x = conv(x, width=width, kernel=1, stride=stride, name=f"{name}_conv")
    return norm(name=f"{name}_norm")(x)


def stage(
    x: KerasTensor, *, level: int, blocks: int, width: int, stride: int, dilations: tuple[int, int] = (1, 1), block: Block
) -> KerasTensor:
    """`blocks` blocks of one width; the first of them has the stride, and before its place the first of the dilations.

    From float32 (N, H, W, C) to (N, ceil(H / stride), ceil(W / stride), channels), where bottlenecks have 4 * width
    channels and other blocks have `width`.
    """
    for number in range(1, blocks + 1):
        x = block(x, width=width, stride=stride, dilations=dilations, name=f"stage{level}_block{number}")
        stride, dilations = 1, (dilations[1], dilations[1])
    return x


def imagenet_maps(
    image: KerasTensor,
    *,
    blocks: tuple[int, int, int, int],
    norm: Norm,
    block: Block,
    width: float = 1.0,
    output_stride: int = 32,
) -> dict[str, KerasTensor]:
    """Table 1 up to the last pooling; at 224 x 224 with basic blocks, and four times the channels with bottlenecks:

        stem   112 x 112 x  64    7x7 convolution
                56 x  56 x  64    3x3 max pooling
        c2      56 x  56 x  64 or  256
        c3      28 x  28 x 128 or  512
        c4      14 x  14 x 256 or 1024
        c5       7 x   7 x 512 or 2048

    Args:
        image: float32 (N, H, W, C).
        blocks: how many blocks the stages 2 to 5 have.
        norm: makes a normalisation layer.
        block: makes a block.
        width: factor on the channels.
        output_stride: the largest stride of a map; 8, 16 or 32.

    Returns:
        The maps by level: level l is float32 (N, ceil(H / stride), ceil(W / stride), channels), where the stride is 2**l,
        but at most `output_stride`.
    """
    w2, w3, w4, w5 = (round(width * channels) for channels in (64, 128, 256, 512))
    x = conv(image, width=w2, kernel=7, stride=2, name="stem_conv")
    x = norm(name="stem_norm")(x)
    x = activated(x, name="stem")
    # After a ReLU no value is negative, so a border of zeros has the same effect as the intended border of minus infinity.
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    maps = {"c2": stage(x, level=2, blocks=blocks[0], width=w2, stride=1, block=block)}
    for level, channels in ((3, w3), (4, w4), (5, w5)):
        # How much of the stride 2**l is left out before this stage, and after it.
        before, after = max(1, 2 ** (level - 1) // output_stride), max(1, 2**level // output_stride)
        options = {"stride": 2 * before // after, "dilations": (before, after)}
        x = maps[f"c{level - 1}"]
        maps[f"c{level}"] = stage(x, level=level, blocks=blocks[level - 2], width=channels, block=block, **options)
    return maps


class Depth(NamedTuple):
    """A column of table 1.

    Attributes:
        name: the network's name.
        blocks: how many blocks the stages 2 to 5 have.
        bottlenecks: whether these are bottlenecks instead of basic blocks.
    """

    name: str
    blocks: tuple[int, int, int, int]
    bottlenecks: bool


def resnet(
    depth: Depth,
    /,
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    width: float = 1.0,
    layout: Layout = "torchvision",
    output_stride: Literal[8, 16, 32] = 32,
    zero_init_last_gamma: bool = False,
    dropout: float = 0.0,
    activation: Activation = "relu",
    initialization: Initialization | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """The network of a column of table 1, with the options that all columns share.

    Args:
        depth: the column.
        image_shape: (height, width, channels), at least 32 x 32 pixels.
        num_classes: how many logits; None gives the backbone.
        width: factor on the channels of all convolutions, at least 1/64.
        layout: "torchvision", "paper" or "keras" (keras.applications): see the top of this file. Without bottlenecks
            it sets only the constants of the norms, so "paper" equals "torchvision".
        output_stride: the stride of the last map: 8, 16 or 32. Under 32, levels "c5" and "c4" have this stride too.
        zero_init_last_gamma: start each block as its shortcut alone (Goyal et al., 2017, section 5.1).
        dropout: share of the pooled features that training drops, in [0, 1).
        activation: of all hidden units, see `units`, except maxout. The border of the first pooling stays zero.
        initialization: of all kernels, see `units`; None: as `conv` says.
        synchronized: normalise by the whole batch instead of each replica's part of it; see `batch_norm`.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to the maps {"c2", "c3", "c4", "c5"} of
        strides 4, 8, 16, 32 and `width` times 64, 128, 256, 512 channels, with bottlenecks four times as many.

    Raises:
        ConfigError: another layout or output stride; dropout outside [0, 1); width under 1/64; an unknown activation
            or initialization.
    """
    if not 64 * width >= 1:
        raise ConfigError("width must be at least 1/64: the stem has 64 times as many channels", received=width)
    check_choice(depth.name, "layout", layout, get_args(Layout))
    check_choice(depth.name, "output_stride", output_stride, (8, 16, 32))
    norm = layout_norm(layout, synchronized=synchronized)
    unit: Block = partial(bottleneck, layout=layout) if depth.bottlenecks else basic_block
    block = partial(unit, shortcut=partial(projection, norm=norm), norm=norm, last_gamma=last_gamma(zero_init_last_gamma))
    image = keras.Input(image_shape, name="image")
    with units_chosen(depth.name, activation=activation, initialization=initialization):
        maps = imagenet_maps(image, blocks=depth.blocks, norm=norm, block=block, width=width, output_stride=output_stride)
    return initialized(pooled_network(depth.name, image, maps, num_classes=num_classes, dropout=dropout), initialization)


@options_of(resnet)
def resnet18(**options: Any) -> keras.Model:
    """ResNet-18: 11,689,512 trainable weights and 1.814 GMACs at 224 x 224 x 3 and 1000 classes.

    Shortcuts are projections where the shape changes (option B). Every convolution has a norm and no bias. With 9,600
    moving statistics it has 11,699,112 weights in all. The paper counts 1.8 * 10^9 multiply-adds. At `width=0.25` and 10
    classes it has 703,386 trainable weights. See `resnet`.

    >>> resnet18(image_shape=(96, 96, 3), num_classes=None).output["c5"].shape
    (None, 3, 3, 512)
    """
    return resnet(Depth("resnet18", (2, 2, 2, 2), bottlenecks=False), **options)


@options_of(resnet)
def resnet34(**options: Any) -> keras.Model:
    """ResNet-34: 21,797,672 trainable weights and 3.664 GMACs at 224 x 224 x 3 and 1000 classes; see `resnet`.

    21,814,696 weights in all. The paper counts 3.6 * 10^9 multiply-adds: this network without its projections.
    """
    return resnet(Depth("resnet34", (3, 4, 6, 3), bottlenecks=False), **options)


@options_of(resnet)
def resnet50(**options: Any) -> keras.Model:
    """ResNet-50: 25,557,032 trainable weights and 4.089 GMACs at 224 x 224 x 3 and 1000 classes; see `resnet`.

    25,610,152 weights in all. Layout "paper" or "keras": 3.858 GMACs (the paper: 3.8 * 10^9). In keras.applications each
    convolution also has a bias, which the norm after it subtracts: 25,636,712 weights.

    >>> resnet50(image_shape=(64, 64, 3), num_classes=None, layout="keras").output["c5"].shape
    (None, 2, 2, 2048)
    """
    return resnet(Depth("resnet50", (3, 4, 6, 3), bottlenecks=True), **options)


@options_of(resnet)
def resnet101(**options: Any) -> keras.Model:
    """ResNet-101: 44,549,160 trainable weights and 7.801 GMACs at 224 x 224 x 3 and 1000 classes; see `resnet50`.

    44,654,504 weights in all. Layout "paper" or "keras": 7.570 GMACs (the paper: 7.6 * 10^9).
    """
    return resnet(Depth("resnet101", (3, 4, 23, 3), bottlenecks=True), **options)


@options_of(resnet)
def resnet152(**options: Any) -> keras.Model:
    """ResNet-152: 60,192,808 trainable weights and 11.514 GMACs at 224 x 224 x 3 and 1000 classes; see `resnet50`.

    60,344,232 weights in all. Layout "paper" or "keras": 11.282 GMACs (the paper: 11.3 * 10^9).
    """
    return resnet(Depth("resnet152", (3, 8, 36, 3), bottlenecks=True), **options)


def layout_norm(layout: Layout, *, synchronized: bool) -> Norm:
    """A function that makes normalisation layers with the constants of that layout."""
    return batch_norm(synchronized=synchronized, **(KERAS_NORM if layout == "keras" else {}))


def last_gamma(zero_init: bool) -> str:
    """The initializer of the last norm's scale."""
    return "zeros" if zero_init else "ones"
