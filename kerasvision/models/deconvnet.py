"""DeconvNet: VGG-16, and its mirror image that makes the map large again (Noh et al., 2015, figure 2).

Source: https://arxiv.org/abs/1505.04366. At 224 x 224:

    block1   2 convs   224 x 224 x  64    pooled ---- switches ---> unpooled    deblock1   2 deconvs to  64,  64 --> logits
    block2   2 convs   112 x 112 x 128    pooled ---- switches ---> unpooled    deblock2   2 deconvs to 128,  64
    block3   3 convs    56 x  56 x 256    pooled ---- switches ---> unpooled    deblock3   3 deconvs to 256, 256, 128
    block4   3 convs    28 x  28 x 512    pooled ---- switches ---> unpooled    deblock4   3 deconvs to 512, 512, 256
    block5   3 convs    14 x  14 x 512    pooled ---- switches ---> unpooled    deblock5   3 deconvs to 512, 512, 512
    hidden1  7x7 conv, 4096                                                     dehidden1  7x7 deconv to 512
    hidden2  1x1 conv, 4096 -------------------------------------------------------^

A norm and a ReLU follow each of these layers. Unpooling puts each value where its block had the maximum: see
`kerasvision.ops.unpooling`.
"""

from typing import Literal, get_args

import keras
from keras import KerasTensor, layers

from kerasvision.errors import ConfigError
from kerasvision.models.blocks import Norm, batch_norm, check_choice, conv, he_normal, map_logits, norm_relu
from kerasvision.models.figures import AnyShape
from kerasvision.models.least_side import check_step
from kerasvision.models.vgg import convs
from kerasvision.ops.unpooling import pool_with_switches, unpool

Unpooling = Literal["switches", "nearest"]
_REPEATS = (2, 2, 3, 3, 3)
_CHANNELS = (64, 128, 256, 512, 512)
_HIDDEN = 4096
# The side of VGG's last map, which its first hidden layer reads as a whole.
_LARGEST_KERNEL = 7


def encoder(image: KerasTensor, *, channels: list[int], norm: Norm) -> tuple[dict[str, KerasTensor], list[KerasTensor]]:
    """The left side: the pooled map of each block by level, and the switches of each block.

    Level l is float32 (N, H / 2**l, W / 2**l, channels), and its switches are int32 of the same shape.
    """
    maps, switches, x = {}, [], image
    for level, (repeats, width) in enumerate(zip(_REPEATS, channels, strict=True), start=1):
        x = convs(x, repeats=repeats, width=width, norm=norm, name=f"block{level}")
        x, places = pool_with_switches(x)
        maps[f"c{level}"] = x
        switches.append(places)
    return maps, switches


def hidden_layers(x: KerasTensor, *, hidden: int, norm: Norm) -> KerasTensor:
    """VGG's two hidden layers as convolutions, and back: float32 (N, h, w, C) in and out."""
    _, *sides, channels = x.shape
    height, width = (min(side or _LARGEST_KERNEL, _LARGEST_KERNEL) for side in sides)
    kernel = (height, width)
    x = conv(x, width=hidden, kernel=kernel, padding="valid", bias=True, name="hidden1_conv")
    x = norm_relu(x, norm=norm, name="hidden1")
    x = conv(x, width=hidden, kernel=1, bias=True, name="hidden2_conv")
    x = norm_relu(x, norm=norm, name="hidden2")
    x = layers.Conv2DTranspose(channels, kernel, kernel_initializer=he_normal("fan_in"), name="dehidden1_deconv")(x)
    return norm_relu(x, norm=norm, name="dehidden1")


def deconvs(x: KerasTensor, *, widths: list[int], norm: Norm, name: str) -> KerasTensor:
    """3x3 transposed convolutions, each with norm and ReLU: float32 (N, H, W, C) to (N, H, W, widths[-1])."""
    for number, width in enumerate(widths, start=1):
        layer = layers.Conv2DTranspose(
            width, 3, padding="same", kernel_initializer=he_normal("fan_in"), name=f"{name}_deconv{number}"
        )
        x = norm_relu(layer(x), norm=norm, name=name, number=number)
    return x


def decoder(
    x: KerasTensor, switches: list[KerasTensor], *, channels: list[int], unpooling: Unpooling, norm: Norm
) -> KerasTensor:
    """The right side: float32 (N, h, w, C) to (N, 32 * h, 32 * w, channels of the first level)."""
    for level in range(5, 0, -1):
        if unpooling == "switches":
            x = unpool(x, switches[level - 1])
        else:
            x = layers.UpSampling2D(2, name=f"deblock{level}_unpool")(x)
        # Its last layer has the width of the block below, whose switches come next.
        widths = [channels[level - 1]] * (_REPEATS[level - 1] - 1) + [channels[max(level - 2, 0)]]
        x = deconvs(x, widths=widths, norm=norm, name=f"deblock{level}")
    return x


def deconvnet(
    *,
    image_shape: AnyShape,
    num_classes: int | None,
    unpooling: Unpooling = "switches",
    width: float = 1.0,
    synchronized: bool = False,
) -> keras.Model:
    """DeconvNet: 251,805,653 trainable weights with 21 classes, at 224 x 224 pixels or more.

    Args:
        image_shape: (height, width, channels) in pixels. The sides of the images must be multiples of 32. The first hidden
            layer reads 7 x 7 cells, or all of a smaller last map; images of unknown size must have 224 x 224 pixels or more.
        num_classes: how many logits each pixel gets; None gives the left side of the figure.
        unpooling: "switches" puts each value where the maximum was. "nearest" repeats it in its window, to compare.
        width: factor on the paper's channels, at least 1/64.
        synchronized: normalise by the batch of all replicas; see `blocks.batch_norm`.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, H, W, num_classes), or to the maps {"c1", ..., "c5"} of
        strides 2, 4, 8, 16, 32.

    Raises:
        ConfigError: another unpooling, a width under 1/64, or sides that are not multiples of 32.

    >>> deconvnet(image_shape=(96, 64, 3), num_classes=9, width=1 / 16).output_shape
    (None, 96, 64, 9)
    """
    check_choice("deconvnet", "unpooling", unpooling, get_args(Unpooling))
    if not 64 * width >= 1:
        raise ConfigError("width must be at least 1/64: the first block has 64 times as many channels", received=width)
    check_step("deconvnet", image_shape[:2])
    image = keras.Input(image_shape, name="image")
    norm = batch_norm(synchronized=synchronized)
    channels = [round(width * own) for own in _CHANNELS]
    maps, switches = encoder(image, channels=channels, norm=norm)
    if num_classes is None:
        return keras.Model(image, maps, name="deconvnet")
    x = hidden_layers(maps["c5"], hidden=round(width * _HIDDEN), norm=norm)
    x = decoder(x, switches, channels=channels, unpooling=unpooling, norm=norm)
    return keras.Model(image, map_logits(x, num_classes=num_classes), name="deconvnet")
