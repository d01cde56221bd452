"""EfficientNet-Lite 0 to 4 (Tan & Le, 2019, https://arxiv.org/abs/1905.11946, table 1, in the variant for small devices).

A block widens its input six times, filters each channel by itself, and narrows the result (an "MBConv" of table 1). It has a
shortcut where its output has the shape of its input:

    x --+-- 1x1 conv -- norm -- relu6 -- depthwise conv -- norm -- relu6 -- 1x1 conv -- norm --(+)-->
        |                                                                                       |
        +--------------------------------- x itself --------------------------------------------+

The Lite variant (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite) changes three things, so
that small devices and 8-bit integers compute it well: it has no squeeze-and-excitation, its activation is ReLU6 instead of
Swish, and the larger sizes do not scale the stem and the head, nor the depth of the first and the last stage.

    size    channels    depth    trained at    dropout
    lite0     1.0 x     1.0 x    224 x 224       0.2
    lite1     1.0 x     1.1 x    240 x 240       0.2
    lite2     1.1 x     1.2 x    260 x 260       0.3
    lite3     1.2 x     1.4 x    280 x 280       0.3
    lite4     1.4 x     1.8 x    300 x 300       0.3

The authors also drop whole blocks while training (stochastic depth, 0.2). This is not done here.
"""

from math import ceil
from typing import Any, NamedTuple

import keras
from keras import KerasTensor, layers

from kerasvision.models.blocks import Norm, batch_norm, conv, he_normal, pooled_network
from kerasvision.models.families import options_of

# Of the authors' norms.
NORM = {"momentum": 0.99, "epsilon": 1e-3}
STEM, HEAD = 32, 1280


class Stage(NamedTuple):
    """A row of table 1.

    Attributes:
        number: the paper's.
        expansion: how many times wider the inside of a block is.
        kernel: side of the depthwise convolution.
        stride: of the first block.
        width: channels out, at 1.0 x.
        blocks: how many, at 1.0 x.
        level: the stage ends in the map of this level; None if the next stage has the same stride.
    """

    number: int
    expansion: int
    kernel: int
    stride: int
    width: int
    blocks: int
    level: str | None


STAGES = (
    Stage(2, expansion=1, kernel=3, stride=1, width=16, blocks=1, level="c1"),
    Stage(3, expansion=6, kernel=3, stride=2, width=24, blocks=2, level="c2"),
    Stage(4, expansion=6, kernel=5, stride=2, width=40, blocks=2, level="c3"),
    Stage(5, expansion=6, kernel=3, stride=2, width=80, blocks=3, level=None),
    Stage(6, expansion=6, kernel=5, stride=1, width=112, blocks=3, level="c4"),
    Stage(7, expansion=6, kernel=5, stride=2, width=192, blocks=4, level=None),
    Stage(8, expansion=6, kernel=3, stride=1, width=320, blocks=1, level=None),
)


def block(x: KerasTensor, *, width: int, expansion: int, kernel: int, stride: int, norm: Norm, name: str) -> KerasTensor:
    """The block at the top of this file; without its first convolution where it does not widen its input.

    Args:
        x: float32 (N, H, W, C).
        width: channels out.
        expansion: how many times wider the depthwise convolution is than x.
        kernel: side of the depthwise convolution.
        stride: of the depthwise convolution.
        norm: makes a normalisation layer.
        name: prefix of its layers.

    Returns:
        float32 (N, ceil(H / stride), ceil(W / stride), width).
    """
    y = x
    if expansion > 1:
        y = conv(y, width=expansion * x.shape[-1], kernel=1, name=f"{name}_expand_conv")
        y = norm_relu6(y, norm=norm, name=f"{name}_expand")
    y = layers.DepthwiseConv2D(
        kernel, stride, "same", use_bias=False, depthwise_initializer=he_normal(), name=f"{name}_depthwise_conv"
    )(y)
    y = norm_relu6(y, norm=norm, name=f"{name}_depthwise")
    y = conv(y, width=width, kernel=1, name=f"{name}_project_conv")
    y = norm(name=f"{name}_project_norm")(y)
    return layers.Add(name=f"{name}_add")([x, y]) if y.shape == x.shape else y


def stage(x: KerasTensor, row: Stage, *, width: int, blocks: int, norm: Norm) -> KerasTensor:
    """`blocks` blocks of one width; the first has the stride: float32 (N, H, W, C) to (N, H', W', width), as `block`."""
    for number in range(1, blocks + 1):
        x = block(
            x,
            width=width,
            expansion=row.expansion,
            kernel=row.kernel,
            stride=row.stride if number == 1 else 1,
            norm=norm,
            name=f"stage{row.number}_block{number}",
        )
    return x


class Size(NamedTuple):
    """A row of the table of sizes.

    Attributes:
        name: the network's name.
        width: factor on the channels.
        depth: factor on the number of blocks.
    """

    name: str
    width: float
    depth: float

    def channels(self, width: int) -> int:
        """Channels at this size: the multiple of 8 that is nearest, or the next one if that is more than 10 % less.

        >>> Size("efficientnet_lite2", 1.1, 1.2).channels(24), Size("efficientnet_lite2", 1.1, 1.2).channels(80)
        (24, 88)
        """
        exact = self.width * width
        nearest = max(8, int(exact + 4) // 8 * 8)
        return nearest if nearest >= 0.9 * exact else nearest + 8

    def blocks(self, row: Stage) -> int:
        """Blocks of a stage at this size. The first and the last stage keep their number.

        >>> [Size("efficientnet_lite1", 1.0, 1.1).blocks(row) for row in STAGES]
        [1, 3, 3, 4, 4, 5, 1]
        """
        return row.blocks if row in (STAGES[0], STAGES[-1]) else ceil(self.depth * row.blocks)


def lite_maps(image: KerasTensor, *, size: Size, norm: Norm) -> dict[str, KerasTensor]:
    """Table 1 up to the last pooling; at 224 x 224 and 1.0 x, with the numbers of the paper's stages:

        1    stem      112 x 112 x   32    3x3 convolution
        2    c1        112 x 112 x   16
        3    c2         56 x  56 x   24
        4    c3         28 x  28 x   40
        5               14 x  14 x   80
        6    c4         14 x  14 x  112
        7                7 x   7 x  192
        8                7 x   7 x  320
        9    c5          7 x   7 x 1280    1x1 convolution

    Args:
        image: float32 (N, H, W, C).
        size: the network.
        norm: makes a normalisation layer.

    Returns:
        The maps by level: level l is float32 (N, ceil(H / 2**l), ceil(W / 2**l), channels).
    """
    x = conv(image, width=STEM, kernel=3, stride=2, padding="same", name="stem_conv")
    x = norm_relu6(x, norm=norm, name="stem")
    maps = {}
    for row in STAGES:
        x = stage(x, row, width=size.channels(row.width), blocks=size.blocks(row), norm=norm)
        if row.level:
            maps[row.level] = x
    x = conv(x, width=HEAD, kernel=1, name="final_conv")
    return maps | {"c5": norm_relu6(x, norm=norm, name="final")}


def efficientnet_lite(
    size: Size,
    /,
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    dropout: float = 0.2,
    synchronized: bool = False,
) -> keras.Model:
    """The network of that size, with the options that all sizes share.

    Args:
        size: the size.
        image_shape: (height, width, channels), at least 32 x 32 pixels.
        num_classes: how many logits; None gives the backbone.
        dropout: share of the pooled features that training drops, in [0, 1). The authors' 0.2 is for lite0 and lite1.
        synchronized: normalise by the whole batch instead of each replica's part of it; see `batch_norm`.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to the maps {"c1", "c2", "c3", "c4", "c5"}
        of strides 2, 4, 8, 16, 32.

    Raises:
        ConfigError: dropout outside [0, 1).
    """
    norm = batch_norm(synchronized=synchronized, **NORM)
    image = keras.Input(image_shape, name="image")
    maps = lite_maps(image, size=size, norm=norm)
    return pooled_network(size.name, image, maps, num_classes=num_classes, dropout=dropout)


@options_of(efficientnet_lite)
def efficientnet_lite0(**options: Any) -> keras.Model:
    """EfficientNet-Lite0: 4,652,008 trainable weights and 0.385 GMACs at 224 x 224 x 3 and 1000 classes.

    4,694,024 weights in all. The maps have 16, 24, 40, 112, 1280 channels. The authors report 75.1 % accuracy on
    ImageNet and list 407 million multiply-adds, counted in another way. See `efficientnet_lite`.

    >>> efficientnet_lite0(image_shape=(64, 64, 3), num_classes=None).output["c4"].shape
    (None, 4, 4, 112)
    """
    return efficientnet_lite(Size("efficientnet_lite0", width=1.0, depth=1.0), **options)


@options_of(efficientnet_lite)
def efficientnet_lite1(**options: Any) -> keras.Model:
    """EfficientNet-Lite1: 5,416,680 trainable weights and 0.600 GMACs at 240 x 240 x 3 and 1000 classes.

    5,470,344 weights in all. The maps have 16, 24, 40, 112, 1280 channels. The authors report 76.7 % accuracy on ImageNet.
    See `efficientnet_lite`.
    """
    return efficientnet_lite(Size("efficientnet_lite1", width=1.0, depth=1.1), **options)


@options_of(efficientnet_lite)
def efficientnet_lite2(**options: Any) -> keras.Model:
    """EfficientNet-Lite2: 6,092,072 trainable weights and 0.860 GMACs at 260 x 260 x 3 and 1000 classes.

    6,150,168 weights in all. The maps have 16, 24, 48, 120, 1280 channels. The authors report 77.6 % accuracy on ImageNet.
    See `efficientnet_lite`.
    """
    return efficientnet_lite(Size("efficientnet_lite2", width=1.1, depth=1.2), **options)


@options_of(efficientnet_lite)
def efficientnet_lite3(**options: Any) -> keras.Model:
    """EfficientNet-Lite3: 8,197,096 trainable weights and 1.383 GMACs at 280 x 280 x 3 and 1000 classes.

    8,273,768 weights in all. The maps have 24, 32, 48, 136, 1280 channels. The authors report 79.8 % accuracy on ImageNet.
    See `efficientnet_lite`.
    """
    return efficientnet_lite(Size("efficientnet_lite3", width=1.2, depth=1.4), **options)


@options_of(efficientnet_lite)
def efficientnet_lite4(**options: Any) -> keras.Model:
    """EfficientNet-Lite4: 13,006,568 trainable weights and 2.553 GMACs at 300 x 300 x 3 and 1000 classes.

    13,118,936 weights in all. The maps have 24, 32, 56, 160, 1280 channels. The authors report 81.5 % accuracy on ImageNet.
    See `efficientnet_lite`.
    """
    return efficientnet_lite(Size("efficientnet_lite4", width=1.4, depth=1.8), **options)


def norm_relu6(x: KerasTensor, *, norm: Norm, name: str) -> KerasTensor:
    """Norm, and ReLU cut off at 6: layers "<name>_norm" and "<name>_relu"; float32 (N, H, W, C) in and out."""
    x = norm(name=f"{name}_norm")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)
