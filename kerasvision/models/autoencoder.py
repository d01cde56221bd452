"""A convolutional autoencoder: a backbone makes a code of an image, and a mirrored decoder restores the image from it.

Masci et al., 2011, https://doi.org/10.1007/978-3-642-21735-7_7; the dense layers between the two are those of Hinton &
Salakhutdinov, 2006, https://doi.org/10.1126/science.1127647, figure 1. With ResNet-9 and `bottleneck="256-64"`:

    image                                             restored    3x3 convolution, a channel for each of the image
      |                                                  |
     c0   ....................................... decoder_c0
      |                                                  |        each level: the map enlarged to the size and the channels
     c1   ....................................... decoder_c1      of the backbone's level, by a 3x3 convolution, norm, ReLU
      |                                                  |
     c2   ....................................... decoder_c2
      |                                                  |
     c3 -- dense 256 -- code, 64 numbers -- dense 256 -- dense, the size of c3

Nothing but the code joins the two sides. Without `bottleneck` the code is the last map itself, or with `code_channels` a
1x1 convolution of it.
"""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import Upsampled, bottleneck_sizes, check_autoencoder
from kerasvision.errors import ConfigError
from kerasvision.models.backbones import backbone_network, last_map, level_number
from kerasvision.models.blocks import Norm, batch_norm, check_choice, conv_norm_relu, dense_relu, he_normal, norm_relu
from kerasvision.models.enlarging import sides_of

# The channels of the finest levels, if the backbone has no map there: half of the next level's, but at least this many.
_FEWEST_CHANNELS = 16


def encoded(x: KerasTensor, *, sizes: Sequence[int], code_channels: int | None) -> tuple[KerasTensor, KerasTensor]:
    """The code, float32 (N, K), and the map that the decoder begins with, float32 (N, h, w, C).

    Args:
        x: the backbone's last map, float32 (N, h, w, C).
        sizes: units of the dense layers, the code last; empty for a code that is a map.
        code_channels: channels of that map; None: it is x itself.
    """
    # In full precision even under a mixed policy: the code is an answer.
    dtype = keras.config.floatx()
    if not sizes:
        if code_channels is not None:
            x = layers.Conv2D(code_channels, 1, kernel_initializer=he_normal("fan_in"), name="code_map")(x)
        return layers.Flatten(dtype=dtype, name="code")(x), x
    *hidden, size = sizes
    shape = x.shape[1:]
    x = layers.Flatten(name="code_flat")(x)
    for number, units in enumerate(hidden, 1):
        x = dense_relu(x, width=units, name=f"code_hidden{number}")
    code = layers.Dense(size, dtype=dtype, name="code")(x)
    x = code
    for number, units in reversed(list(enumerate(hidden, 1))):
        x = dense_relu(x, width=units, name=f"decoder_hidden{number}")
    x = dense_relu(x, width=math.prod(shape), name="decoder_first")
    return code, layers.Reshape(shape, name="decoder_map")(x)


def enlarged(
    x: KerasTensor, *, sides: tuple[int, int], width: int, upsampling: Upsampled, norm: Norm, name: str
) -> KerasTensor:
    """A map of one level as one of the next finer level: float32 (N, h, w, C) to (N, *sides, width).

    Args:
        x: the map.
        sides: height and width of the finer level.
        width: its channels.
        upsampling: "nearest" repeats pixels before a 3x3 convolution, which leaves no checkerboard (Odena et al., 2016,
            https://doi.org/10.23915/distill.00003). "transposed" is a 3x3 transposed convolution of stride 2.
        norm: makes a normalisation layer.
        name: begins the names of the layers.
    """
    if upsampling == "nearest":
        x = _nearest(x, sides=sides, name=f"{name}_up")
        return conv_norm_relu(x, width=width, kernel=3, norm=norm, name=name)
    x = layers.Conv2DTranspose(
        width, 3, 2, "same", use_bias=False, kernel_initializer=he_normal("fan_in"), name=f"{name}_conv"
    )(x)
    x = norm_relu(x, norm=norm, name=name)
    surplus = [(0, have - want) for have, want in zip(x.shape[1:3], sides, strict=True)]
    return layers.Cropping2D(surplus, name=f"{name}_cut")(x) if any(last for _, last in surplus) else x


def autoencoder(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    backbone: str | keras.Model = "resnet18",
    bottleneck: int | str | None = None,
    code_channels: int | None = None,
    upsampling: Upsampled = "nearest",
    width: float | None = None,
    layout: Literal["torchvision", "paper", "keras"] | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """An autoencoder: 12,749,267 trainable weights on ResNet-18 with RGB images.

    Args:
        image_shape: (height, width, channels) in pixels.
        num_classes: how many channels are restored; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level.
        bottleneck: how many numbers the code has: 64. "256-64" has a dense layer of 256 units before the code and one
            after it. None: the code is a map.
        code_channels: the channels of that map; None: those of the backbone's last map.
        upsampling: "nearest" or "transposed"; see `enlarged`.
        width: the backbone's option of that name, if it has one: a factor on its channels.
        layout: the backbone's option of that name, if it has one.
        synchronized: normalise by the batch of all replicas.

    Returns:
        Model from float32 (N, H, W, C) to {"code": float32 (N, K), "restored": float32 (N, H, W, num_classes)}. The code
        has no activation, and neither has the restored image: a loss may put a sigmoid on it.

    Raises:
        ConfigError: an option out of its range, a backbone that does not exist or lacks an option, images of unknown size,
            or with "transposed" a size that the decoder cannot rebuild.

    >>> network = autoencoder(image_shape=(28, 28, 1), num_classes=1, backbone="resnet9", width=0.125, bottleneck=16)
    >>> {name: x.shape for name, x in network.output.items()}
    {'code': (None, 16), 'restored': (None, 28, 28, 1)}
    """
    check_autoencoder({"bottleneck": bottleneck, "code_channels": code_channels})
    check_choice("autoencoder", "upsampling", upsampling, get_args(Upsampled))
    network = backbone_network(backbone, image_shape, width=width, layout=layout, synchronized=synchronized)
    if num_classes is None:
        return network
    sizes = level_sizes(network, image_shape)
    if upsampling == "transposed":
        _check_doubling(sizes, image_shape)
    code, x = encoded(last_map(network.output), sizes=bottleneck_sizes(bottleneck), code_channels=code_channels)
    norm = batch_norm(synchronized=synchronized)
    for level in range(max(sizes) - 1, -1, -1):
        height, side, channels = sizes[level]
        x = enlarged(x, sides=(height, side), width=channels, upsampling=upsampling, norm=norm, name=f"decoder_c{level}")
    dtype = keras.config.floatx()
    restored = layers.Conv2D(num_classes, 3, padding="same", dtype=dtype, name="restored")(x)
    return keras.Model(network.input, {"code": code, "restored": restored}, name="autoencoder")


def level_sizes(network: keras.Model, image_shape: tuple[int, int, int]) -> dict[int, tuple[int, int, int]]:
    """Level -> (height, width, channels) of the decoder's map, from 0 to the backbone's last level.

    They are those of the backbone's maps. A level without a map has half of the next coarser level's channels, at least 16;
    its sides are those of the image, halved for each level and rounded up. Level 0 has the size of the image.

    Raises:
        ConfigError: the images have no fixed size.

    >>> maps = backbone_network("resnet18", (48, 36, 3), width=0.25)
    >>> level_sizes(maps, (48, 36, 3))
    {5: (2, 2, 128), 4: (3, 3, 64), 3: (6, 5, 32), 2: (12, 9, 16), 1: (24, 18, 16), 0: (48, 36, 16)}
    """
    sides = sides_of(image_shape)
    if sides is None:
        raise ConfigError("an autoencoder requires images of one size", received=image_shape, hint="give height and width")
    maps = {level_number(level): feature_map.shape[1:] for level, feature_map in network.output.items()}
    sizes: dict[int, tuple[int, int, int]] = {}
    channels = 0
    for level in range(max(maps), -1, -1):
        has_map = level in maps
        channels = maps[level][2] if has_map else max(channels // 2, _FEWEST_CHANNELS)
        height, width = maps[level][:2] if has_map and level else (-(-side // 2**level) for side in sides)
        sizes[level] = height, width, channels
    return sizes


def _nearest(x: KerasTensor, *, sides: tuple[int, int], name: str) -> KerasTensor:
    """The map at another size, each pixel with the value of the nearest cell: float32 (N, h, w, C) to (N, *sides, C)."""
    doubled = (2 * x.shape[1], 2 * x.shape[2])
    if all(side in (twice, twice - 1) for side, twice in zip(sides, doubled, strict=True)):
        x = layers.UpSampling2D(2, name=name)(x)
        surplus = [(0, have - want) for have, want in zip(doubled, sides, strict=True)]
        return layers.Cropping2D(surplus, name=f"{name}_cut")(x) if sides != doubled else x
    # A pooling without a border drops a row at an odd size: 7 pixels become 3 cells.
    return layers.Resizing(*sides, interpolation="nearest", name=name)(x)


def _check_doubling(sizes: dict[int, tuple[int, int, int]], image_shape: tuple[int, int, int]) -> None:
    """Raises ConfigError if twice the size of a level is not that of the next finer one, or a pixel more."""
    for level in range(max(sizes), 0, -1):
        here, finer = sizes[level][:2], sizes[level - 1][:2]
        if any(want not in (2 * have, 2 * have - 1) for have, want in zip(here, finer, strict=True)):
            multiple = 2 ** max(sizes)
            fitting = tuple(-(-side // multiple) * multiple for side in image_shape[:2])
            raise ConfigError(
                f"upsampling='transposed' doubles a map; the {here[0]} x {here[1]} cells of level c{level} cannot become "
                f"the {finer[0]} x {finer[1]} of level c{level - 1}",
                received=image_shape,
                hint=f"set upsampling='nearest', or transform.image_size={fitting}",
            )
