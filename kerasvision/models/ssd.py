"""SSD: each cell of several maps answers some boxes, as changes of its default boxes (Liu et al., 2016).

Source: https://arxiv.org/abs/1512.02325, figure 2, in torchvision's variant. At 300 x 300 pixels:

    level     map                          default boxes of a cell
    p3        38 x 38 x  512, conv4_3      4     normalised along its channels, with a learned scale
    p4        19 x 19 x 1024, conv7        6     VGG's dense layers as convolutions, the first one dilated
    p5        10 x 10 x  512, conv8_2      6
    p6         5 x  5 x  256, conv9_2      6
    s100       3 x  3 x  256, conv10_2     4
    s300       1 x  1 x  256, conv11_2     4     8,732 boxes in all

On each map a 3x3 convolution answers for every box: logits of the classes and of the background, and the offsets of the box.
`ssd` is the same head on the maps of any backbone. The boxes are `kerasvision.models.anchors.default_boxes`.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import box_ratios, check_ssd, check_ssd300, level_numbers
from kerasvision.errors import ConfigError
from kerasvision.models.anchors import Floats, boxes_text, default_sides, level_of
from kerasvision.models.backbones import backbone_network, level_number
from kerasvision.models.blocks import conv_relu
from kerasvision.models.scaling import copied

# torchvision's scales of the six maps and of a seventh, as shares of the side of the image, and the ratios of their boxes.
_SCALES = (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)
_RATIOS: tuple[tuple[float, ...], ...] = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
# The cells of the first four maps are this far apart; those of the last two lie evenly in the image.
_STRIDES = (8, 16, 32, 64)
# With a smaller image, the last map would be empty.
LEAST_SIDE = 268
# The first value of the scale of conv4_3, whose numbers are larger than those of the other maps (section 3.1).
_FIRST_SCALE = 20.0


def ssd300(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    backbone: str | keras.Model = "vgg16",
    width: float | None = None,
) -> keras.Model:
    """SSD300 on VGG-16: 35,641,826 trainable weights with 90 classes, which are 91 with the background.

    Args:
        image_shape: (height, width, channels): a square of at least 268 pixels, 300 in the paper.
        num_classes: how many classes, without the background; None gives the backbone.
        backbone: "vgg16" or another VGG, or a model of one from an image to its maps.
        width: factor on all channels, also those that come after the backbone.

    Returns:
        Model from float32 (N, H, W, C) to a dict of float32 maps; see `ssd_head`.

    Raises:
        ConfigError: an option out of its range, an image that is not such a square, or a backbone that is not a VGG.

    >>> maps = ssd300(image_shape=(300, 300, 3), num_classes=20, width=1 / 64).output
    >>> maps["p3_class_logits"].shape, maps["s300_background"].shape
    ((None, 38, 38, 80), (None, 1, 1, 4))
    """
    check_ssd300({"width": width, **({"backbone": backbone} if isinstance(backbone, str) else {})})
    network = backbone_network(backbone, image_shape, width=width)
    if num_classes is None:
        return network
    height, side, _ = image_shape
    if height != side or side < LEAST_SIDE:
        raise ConfigError(
            f"ssd300 reads square images of at least {LEAST_SIDE} pixels; received {image_shape[:2]}",
            hint="set transform.image_size=(300, 300), or choose ssd, which reads images of any size",
        )
    image, maps = _vgg_maps(network, width=width or 1.0)
    strides = [*_STRIDES, *(side / x.shape[1] for x in maps[len(_STRIDES) :])]
    sizes = [scale * side for scale in _SCALES]
    sides = [
        default_sides(size, following, ratios=ratios, image_size=(side, side))
        for (size, following), ratios in zip(pairwise(sizes), _RATIOS, strict=True)
    ]
    places = [(stride, stride) for stride in strides]
    return keras.Model(image, ssd_head(maps, strides=places, sides=sides, num_classes=num_classes), name="ssd300")


def ssd(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    backbone: str | keras.Model = "resnet50",
    levels: str = "p3-p7",
    channels: int = 256,
    smallest: float = 0.1,
    largest: float = 0.9,
    ratios: str | tuple[float, ...] | float = "2-3",
    width: float | None = None,
    layout: Literal["torchvision", "paper", "keras"] | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """SSD's head on the maps of any backbone: 25,837,270 trainable weights with ResNet-50 and 90 classes.

    Args:
        image_shape: (height, width, channels) in pixels.
        num_classes: how many classes, without the background; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level.
        levels: the first and the last map that answers. The backbone must have the first one; maps beyond its last one are
            made from it, each by a 1x1 and a 3x3 convolution with stride 2.
        channels: of the maps beyond the backbone's last one.
        smallest, largest: size of the square boxes of the first and of the last map, as shares of the shorter side of the
            image. The sizes of the maps between them lie evenly (section 2.2, equation 4).
        ratios: the longer side of the other boxes to their shorter one: "2-3", or the numbers themselves. Each of them
            gives a wide and a tall box.
        width: the backbone's option of that name, if it has one: a factor on its channels.
        layout: the backbone's option of that name, if it has one.
        synchronized: normalise by the batch of all replicas.

    Returns:
        Model from float32 (N, H, W, C) to a dict of float32 maps; see `ssd_head`.

    Raises:
        ConfigError: an option out of its range, images of unknown size, two levels with maps of one size, or a backbone that
            does not exist or lacks an option or a level.

    >>> small = {"backbone": "resnet9", "width": 0.125, "levels": "p2-p4", "channels": 8}
    >>> maps = ssd(image_shape=(48, 64, 3), num_classes=5, ratios="2", **small).output
    >>> [name for name in maps if name.startswith("p2")]
    ['p2_class_logits', 'p2_background', 'p2_offsets_4.8x4.8_10.7331x10.7331_3.39411x6.78823_6.78823x3.39411']
    """
    check_ssd(
        {
            "levels": levels, "channels": channels, "smallest": smallest, "largest": largest, "ratios": ratios,
            "width": width, "synchronized": synchronized,
        }
    )  # fmt: skip
    network = backbone_network(backbone, image_shape, width=width, layout=layout, synchronized=synchronized)
    if num_classes is None:
        return network
    if None in image_shape:
        raise ConfigError("ssd requires images of one size, because its boxes are shares of it", received=image_shape)
    maps = _maps_of(network.output, levels=levels, channels=channels)
    height, side = image_shape[:2]
    sizes = [share * min(height, side) for share in _shares(smallest, largest, count=len(maps))]
    sides = [
        default_sides(size, following, ratios=box_ratios(ratios), image_size=(height, side))
        for size, following in pairwise(sizes)
    ]
    strides = [(height / x.shape[1], side / x.shape[2]) for x in maps]
    if len({*strides}) < len(strides):
        raise ConfigError(
            f"each level of ssd must have a smaller map than the one before it; received levels={levels!r}, whose maps have "
            f"{', '.join(f'{x.shape[1]} x {x.shape[2]}' for x in maps)} cells",
            hint="end levels with the first map of one cell, or enlarge the images",
        )
    answers = ssd_head(maps, strides=strides, sides=sides, num_classes=num_classes)
    return keras.Model(network.input, answers, name="ssd")


def ssd_head(
    maps: Sequence[KerasTensor],
    *,
    strides: Sequence[tuple[float, float]],
    sides: Sequence[Floats],
    num_classes: int,
) -> dict[str, KerasTensor]:
    """The answers of each map, by a 3x3 convolution.

    Args:
        maps: from fine to coarse, each float32 (N, h, w, C).
        strides: of each map, the distance of its cells along y and x in pixels.
        sides: of each map, heights and widths of the B default boxes of a cell in pixels, float32 (B, 2).
        num_classes: how many classes, without the background.

    Returns:
        For each map, with `kerasvision.models.anchors.level_of` and `boxes_text`: "<level>_class_logits" (N, h, w,
        B * num_classes), the logits of one box after the other; "<level>_background" (N, h, w, B), its logit; and
        "<level>_offsets<boxes>" (N, h, w, B * 4): how far a box moves down and right and how it grows, as in
        `kerasvision.ops.boxes.from_deltas`, divided by the variances 0.1, 0.1, 0.2 and 0.2.
    """
    answers = {}
    for place, (x, stride, of_cell) in enumerate(zip(maps, strides, sides, strict=True), start=1):
        level, count = level_of(stride), len(of_cell)
        answers[f"{level}_class_logits"] = _answer(x, count * num_classes, name=f"map{place}_class_logits")
        answers[f"{level}_background"] = _answer(x, count, name=f"map{place}_background")
        answers[f"{level}_offsets{boxes_text(of_cell)}"] = _answer(x, count * 4, name=f"map{place}_offsets")
    return answers


def _answer(x: KerasTensor, channels: int, *, name: str) -> KerasTensor:
    """A 3x3 convolution in full precision, as `blocks.logits`: float32 (N, h, w, C) to (N, h, w, channels)."""
    return layers.Conv2D(channels, 3, padding="same", dtype=keras.config.floatx(), name=name)(x)


def _shares(smallest: float, largest: float, *, count: int) -> list[float]:
    """Evenly spaced sizes of the maps, and the one that would follow; of a single map its own and the largest.

    >>> [round(share, 2) for share in _shares(0.2, 0.9, count=2)], _shares(0.5, 1.0, count=1)
    ([0.2, 0.9, 1.6], [0.5, 1.0])
    """
    step = (largest - smallest) / max(count - 1, 1)
    return [smallest + place * step for place in range(count + 1)]


def _maps_of(maps: dict[str, KerasTensor], *, levels: str, channels: int) -> list[KerasTensor]:
    """The backbone's maps of these levels, and those that are made from its last one."""
    last = max(map(level_number, maps))
    found: list[KerasTensor] = []
    for number in level_numbers(levels):
        if number > last and found:
            found.append(_next_map(found[-1], channels=channels, name=f"extra{number}"))
        elif f"c{number}" in maps:
            found.append(maps[f"c{number}"])
        else:
            raise ConfigError(
                f"levels must begin with levels of the backbone, which has {', '.join(maps)}",
                received=levels,
                hint="choose other levels, or another backbone",
            )
    return found


def _next_map(x: KerasTensor, *, channels: int, name: str, padding: Literal["centred", "valid"] = "centred") -> KerasTensor:
    """A 1x1 convolution to half the channels, and a 3x3 convolution, each with a ReLU.

    Returns:
        float32 (N, ceil(h / 2), ceil(w / 2), channels) of (N, h, w, C); with "valid" padding and no stride
        (N, h - 2, w - 2, channels).
    """
    x = conv_relu(x, width=max(1, channels // 2), kernel=1, fan="fan_in", name=f"{name}_narrow")
    stride = 2 if padding == "centred" else 1
    return conv_relu(x, width=channels, kernel=3, stride=stride, padding=padding, fan="fan_in", name=name)


def _vgg_maps(network: keras.Model, *, width: float) -> tuple[KerasTensor, list[KerasTensor]]:
    """The image and the six maps of the table at the top of this file, on copies of a VGG network's layers."""

    def channels(count: int) -> int:
        return max(1, round(width * count))

    image, x, conv4_3 = _trunk(network)
    # The pooling before conv6 keeps the size of the map, and conv6 reads as far as VGG's dense layer did.
    x = layers.MaxPooling2D(3, 1, "same", name="block5_pool_kept")(x)
    x = conv_relu(x, width=channels(1024), kernel=3, dilation=6, fan="fan_in", name="conv6")
    maps = [_scaled(conv4_3), conv_relu(x, width=channels(1024), kernel=1, fan="fan_in", name="conv7")]
    maps.append(_next_map(maps[-1], channels=channels(512), name="conv8"))
    maps.append(_next_map(maps[-1], channels=channels(256), name="conv9"))
    maps.append(_next_map(maps[-1], channels=channels(256), padding="valid", name="conv10"))
    maps.append(_next_map(maps[-1], channels=channels(256), padding="valid", name="conv11"))
    return image, maps


def _trunk(network: keras.Model) -> tuple[KerasTensor, KerasTensor, KerasTensor]:
    """The image, VGG's last map before its last pooling, and the one before its fourth.

    The layers are copies with the same weights, because the third pooling is another: it keeps the 38th row of a map of 75.
    """
    names = {layer.name for layer in network.layers}
    if not {f"block{number}_pool" for number in range(1, 6)} <= names:
        raise ConfigError(
            "ssd300 is built on a VGG network", received=network.name, hint="choose ssd, which takes other backbones"
        )
    image = x = keras.Input(network.input.shape[1:], name=network.input.name)
    for layer in network.layers[1:]:
        if layer.name == "block4_pool":
            conv4_3 = x
        if layer.name == "block5_pool":
            break
        rounded_up = {"padding": "same"} if layer.name == "block3_pool" else {}
        copy = copied(layer, **rounded_up)
        x = copy(x)
        for ours, theirs in zip(copy.weights, layer.weights, strict=True):
            ours.assign(theirs)
    return image, x, conv4_3


def _scaled(x: KerasTensor) -> KerasTensor:
    """Each cell at length 1 along its channels, times a learned factor for each channel: float32 (N, h, w, C).

    Source: ParseNet (Liu et al., 2015, https://arxiv.org/abs/1506.04579, section 3.3).
    """
    # In full precision: 16 bits are too few for a sum of 512 squares.
    dtype = keras.config.floatx()
    x = layers.UnitNormalization(dtype=dtype, name="conv4_3_unit")(x)
    return layers.DepthwiseConv2D(
        1,
        use_bias=False,
        depthwise_initializer=keras.initializers.Constant(_FIRST_SCALE),
        dtype=dtype,
        name="conv4_3_scale",
    )(x)
