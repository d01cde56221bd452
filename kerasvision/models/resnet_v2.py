"""Pre-activation residual networks (He et al., 2016, https://arxiv.org/abs/1603.05027, figure 4e): 18 to 152 layers.

Norm and ReLU come before each convolution instead of after it, so that the sum reaches the last block from the first
without a layer in between:

    x --+-------------------------------------------------------------------------------------(+)-->
        |                                                                                      |
        +-- norm -- relu -- 1x1 conv -- norm -- relu -- 3x3 conv -- norm -- relu -- 1x1 conv --+

Where the channels change, the shortcut is a 1x1 convolution of relu(norm(x)). The last block is followed by one more norm
and ReLU; the stem is not. Stages and widths are those of `resnet`, which also explains levels.

The map of level l is the last relu(norm(x)) at stride 2**l: the next block with a stride reads it, and the pooling reads
the last one. The sum itself is not used as a map, because its scale differs between levels.

The option `layout` says which convolution has the stride:

    "torchvision"   first block of a stage, 3x3 convolution       (torchvision has no such network; as in its ResNets)
    "paper"         first block of a stage, first 1x1
    "keras"         last block of a stage, 3x3 convolution; its shortcut keeps every second pixel of x. So stage 2 ends
                    at stride 8, and stage 5 has no stride. Norms have the constants of keras.applications, and every
                    convolution that is not directly followed by a norm has a bias, as there.

The biases of the blocks have no gradient: every layer that reads the sum subtracts its mean. They exist so that weights
from keras.applications can be loaded.
"""

from functools import partial
from typing import Any, get_args

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import Activation, Initialization
from kerasvision.models.blocks import Norm, check_choice, conv, he_normal, norm_relu, pooled_network
from kerasvision.models.families import options_of
from kerasvision.models.resnet import Block, Depth, Layout, layout_norm
from kerasvision.models.units import initialized, units_chosen


def basic_block(
    x: KerasTensor,
    activated: KerasTensor,
    *,
    width: int,
    stride: int,
    norm: Norm,
    bias: bool,
    zero_init: bool,
    name: str,
) -> KerasTensor:
    """Two 3x3 convolutions and a shortcut around them: shortcut + conv(relu(norm(conv(activated)))).

    Args:
        x: float32 (N, H, W, C), the sum so far.
        activated: relu(norm(x)).
        width: channels of both convolutions.
        stride: stride of the first convolution and of the shortcut.
        norm: makes a normalisation layer.
        bias: whether the last convolution and the shortcut's convolution have a bias.
        zero_init: start the last convolution at zero, and so the block as its shortcut.
        name: prefix of its layers.

    Returns:
        float32 (N, ceil(H / stride), ceil(W / stride), width).
    """
    y = conv(activated, width=width, kernel=3, stride=stride, name=f"{name}_conv1")
    y = norm_relu(y, norm=norm, name=name, number=1)
    y = last_conv(y, width=width, kernel=3, bias=bias, zero_init=zero_init, name=f"{name}_conv2")
    around = shortcut(x, activated, width=width, stride=stride, bias=bias, name=f"{name}_shortcut")
    return layers.Add(name=f"{name}_add")([y, around])


def bottleneck(
    x: KerasTensor,
    activated: KerasTensor,
    *,
    width: int,
    stride: int,
    norm: Norm,
    bias: bool,
    zero_init: bool,
    layout: Layout,
    name: str,
) -> KerasTensor:
    """1x1 to `width` channels, 3x3, 1x1 to four times as many, and a shortcut around them.

    The arguments are those of `basic_block`; `layout` says which of the first two convolutions has the stride.

    Returns:
        float32 (N, ceil(H / stride), ceil(W / stride), 4 * width).
    """
    stride1, stride2 = (stride, 1) if layout == "paper" else (1, stride)
    y = conv(activated, width=width, kernel=1, stride=stride1, name=f"{name}_conv1")
    y = norm_relu(y, norm=norm, name=name, number=1)
    y = conv(y, width=width, kernel=3, stride=stride2, name=f"{name}_conv2")
    y = norm_relu(y, norm=norm, name=name, number=2)
    y = last_conv(y, width=4 * width, kernel=1, bias=bias, zero_init=zero_init, name=f"{name}_conv3")
    around = shortcut(x, activated, width=4 * width, stride=stride, bias=bias, name=f"{name}_shortcut")
    return layers.Add(name=f"{name}_add")([y, around])


def shortcut(x: KerasTensor, activated: KerasTensor, *, width: int, stride: int, bias: bool, name: str) -> KerasTensor:
    """A 1x1 convolution of `activated` if the channels change; otherwise every `stride`-th pixel of x.

    From float32 (N, H, W, C), both x and `activated`, to (N, ceil(H / stride), ceil(W / stride), width).
    """
    if x.shape[-1] != width:
        return conv(activated, width=width, kernel=1, stride=stride, bias=bias, name=f"{name}_conv")
    if stride > 1:
        return layers.MaxPooling2D(1, strides=stride, name=f"{name}_subsample")(x)
    return x


def stage(
    x: KerasTensor, *, level: int, blocks: int, width: int, strided: int | None, norm: Norm, block: Block
) -> tuple[KerasTensor, list[KerasTensor]]:
    """`blocks` blocks of one width; block number `strided` has a stride of 2.

    Args:
        x: float32 (N, H, W, C).
        level: of the stage.
        blocks: how many.
        width: channels in a block.
        strided: the number of the block with the stride, from 1; None for no stride.
        norm: makes a normalisation layer.
        block: makes a block.

    Returns:
        The sum after the last block, float32 (N, H', W', channels), where H' is ceil(H / 2) with a stride; and a list
        with the input of the strided block, relu(norm(the sum before it)). The list is empty without a stride.
    """
    reads = []
    for number in range(1, blocks + 1):
        name = f"stage{level}_block{number}"
        activated = norm_relu(x, norm=norm, name=f"{name}_preact")
        stride = 1
        if number == strided:
            stride, reads = 2, [activated]
        x = block(x, activated, width=width, stride=stride, name=name)
    return x, reads


def imagenet_maps(
    image: KerasTensor, *, blocks: tuple[int, int, int, int], layout: Layout, norm: Norm, block: Block
) -> dict[str, KerasTensor]:
    """The stages of `resnet.imagenet_maps`; at 224 x 224 with bottlenecks, and a quarter of the channels without:

        stem   112 x 112 x   64    7x7 convolution
                56 x  56 x   64    3x3 max pooling
        c2      56 x  56 x  256    as stage 3 reads it (in layout "keras" the last block of stage 2)
        c3      28 x  28 x  512    as stage 4 reads it (in layout "keras" the last block of stage 3)
        c4      14 x  14 x 1024    as stage 5 reads it (in layout "keras" the last block of stage 4)
        c5       7 x   7 x 2048    as the pooling reads it

    Args:
        image: float32 (N, H, W, C).
        blocks: how many blocks the stages 2 to 5 have.
        layout: see the top of this file.
        norm: makes a normalisation layer.
        block: makes a block.

    Returns:
        The maps by level: level l is float32 (N, ceil(H / 2**l), ceil(W / 2**l), channels).
    """
    x = conv(image, width=64, kernel=7, stride=2, bias=layout == "keras", name="stem_conv")
    # The values may be negative here, so a zero of the border can be the maximum, as in keras.applications.
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    reads = []
    for level, width, count in zip((2, 3, 4, 5), (64, 128, 256, 512), blocks, strict=True):
        strided = strided_block(level=level, blocks=count, layout=layout)
        x, read = stage(x, level=level, blocks=count, width=width, strided=strided, norm=norm, block=block)
        reads.extend(read)
    c2, c3, c4 = reads
    return {"c2": c2, "c3": c3, "c4": c4, "c5": norm_relu(x, norm=norm, name="final")}


def resnet_v2(
    depth: Depth,
    /,
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    layout: Layout = "torchvision",
    zero_init_last_conv: bool = False,
    dropout: float = 0.0,
    activation: Activation = "relu",
    initialization: Initialization | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """The network of that depth, with the options that all depths share.

    Args:
        depth: the depth.
        image_shape: (height, width, channels), at least 32 x 32 pixels.
        num_classes: how many logits; None gives the backbone.
        layout: "torchvision", "paper" or "keras": see the top of this file. Without bottlenecks the stride is in the
            first 3x3 convolution of its block, so "paper" equals "torchvision". keras.applications has no network
            without bottlenecks; "keras" applies its rules to them.
        zero_init_last_conv: start each block as its shortcut alone. (In `resnet` the last norm does that. Here a ReLU
            and a convolution follow each norm: with a scale of zero, neither would get a gradient.)
        dropout: share of the pooled features that training drops, in [0, 1).
        activation: of all hidden units, see `units`, except maxout.
        initialization: of all kernels, see `units`, but those that `zero_init_last_conv` starts at zero; None: as `conv`
            says.
        synchronized: normalise by the whole batch instead of each replica's part of it; see `batch_norm`.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to the maps {"c2", "c3", "c4", "c5"} of
        strides 4, 8, 16, 32 and 64, 128, 256, 512 channels, with bottlenecks four times as many, after norm and ReLU.

    Raises:
        ConfigError: another layout; dropout outside [0, 1); an unknown activation or initialization.
    """
    check_choice(depth.name, "layout", layout, get_args(Layout))
    norm = layout_norm(layout, synchronized=synchronized)
    unit: Block = partial(bottleneck, layout=layout) if depth.bottlenecks else basic_block
    block = partial(unit, norm=norm, bias=layout == "keras", zero_init=zero_init_last_conv)
    image = keras.Input(image_shape, name="image")
    with units_chosen(depth.name, activation=activation, initialization=initialization):
        maps = imagenet_maps(image, blocks=depth.blocks, layout=layout, norm=norm, block=block)
    return initialized(pooled_network(depth.name, image, maps, num_classes=num_classes, dropout=dropout), initialization)


@options_of(resnet_v2)
def resnet18_v2(**options: Any) -> keras.Model:
    """ResNet-18 with pre-activation: 11,687,720 trainable weights and 1.814 GMACs at 224 x 224 x 3 and 1000 classes.

    11,695,528 weights in all. See `resnet_v2`.

    >>> resnet18_v2(image_shape=(96, 96, 3), num_classes=None).output["c5"].shape
    (None, 3, 3, 512)
    """
    return resnet_v2(Depth("resnet18_v2", (2, 2, 2, 2), bottlenecks=False), **options)


@options_of(resnet_v2)
def resnet34_v2(**options: Any) -> keras.Model:
    """ResNet-34 with pre-activation: 21,795,880 trainable weights and 3.664 GMACs at 224 x 224 x 3 and 1000 classes.

    21,811,112 weights in all. See `resnet_v2`.
    """
    return resnet_v2(Depth("resnet34_v2", (3, 4, 6, 3), bottlenecks=False), **options)


@options_of(resnet_v2)
def resnet50_v2(**options: Any) -> keras.Model:
    """ResNet-50 with pre-activation: 25,549,352 trainable weights at 1000 classes; see `resnet_v2`.

    25,594,792 weights in all; 25,613,800 weights in all in layout "keras". At 224 x 224 x 3: 4.089 GMACs,
    in layout "paper" 3.858, in layout "keras" 3.482.

    >>> resnet50_v2(image_shape=(64, 64, 3), num_classes=None, layout="keras").output["c2"].shape
    (None, 16, 16, 256)
    """
    return resnet_v2(Depth("resnet50_v2", (3, 4, 6, 3), bottlenecks=True), **options)


@options_of(resnet_v2)
def resnet101_v2(**options: Any) -> keras.Model:
    """ResNet-101 with pre-activation: 44,541,480 trainable weights at 1000 classes; see `resnet50_v2`.

    44,639,144 weights in all; 44,675,560 weights in all in layout "keras". At 224 x 224 x 3: 7.801 GMACs,
    in layout "paper" 7.570, in layout "keras" 7.194.
    """
    return resnet_v2(Depth("resnet101_v2", (3, 4, 23, 3), bottlenecks=True), **options)


@options_of(resnet_v2)
def resnet152_v2(**options: Any) -> keras.Model:
    """ResNet-152 with pre-activation: 60,185,128 trainable weights at 1000 classes; see `resnet50_v2`.

    60,328,872 weights in all; 60,380,648 weights in all in layout "keras". At 224 x 224 x 3: 11.514 GMACs,
    in layout "paper" 11.282, in layout "keras" 10.907.
    """
    return resnet_v2(Depth("resnet152_v2", (3, 8, 36, 3), bottlenecks=True), **options)


def strided_block(*, level: int, blocks: int, layout: Layout) -> int | None:
    """The number of the block of a stage that has the stride, from 1; None for a stage without a stride."""
    if layout == "keras":
        return blocks if level < 5 else None
    return 1 if level > 2 else None


def last_conv(x: KerasTensor, *, width: int, kernel: int, bias: bool, zero_init: bool, name: str) -> KerasTensor:
    """`blocks.conv` at stride 1, or with a kernel of zeros: float32 (N, H, W, C) to (N, H, W, width)."""
    start = "zeros" if zero_init else he_normal()
    return layers.Conv2D(width, kernel, padding="same", use_bias=bias, kernel_initializer=start, name=name)(x)
