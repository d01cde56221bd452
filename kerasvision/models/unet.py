"""U-Net: a contracting path, and an expanding one that gets its maps back (Ronneberger et al., 2015, figure 1).

Source: https://arxiv.org/abs/1505.04597. With `depth` = 4 and 64 channels, as in the paper:

    c0  two 3x3 convs,   64 -------------------- cut, concatenated --> up0  two 3x3 convs,  64 --> 1x1 conv, logits
         | 2x2 max pooling                                              | 2x2 up-convolution
    c1  two 3x3 convs,  128 -------------------- cut, concatenated --> up1  two 3x3 convs, 128
         |                                                              |
    c2  two 3x3 convs,  256 -------------------- cut, concatenated --> up2  two 3x3 convs, 256
         |                                                              |
    c3  two 3x3 convs,  512 -------------------- cut, concatenated --> up3  two 3x3 convs, 512
         |                                                              |
    c4  two 3x3 convs, 1024 --------------------------------------------+

The paper's convolutions add no border ("valid"), so that every answer is computed from true pixels alone: at depth 4, 572
pixels become 388. The missing border can be mirrored, as in the paper's figure 2. With padding "same" the map keeps its
size.
"""

import math
from typing import Literal, get_args

import keras
from keras import KerasTensor, layers, ops

from kerasvision.errors import ConfigError
from kerasvision.models.blocks import Norm, check_choice, check_positive, check_share, conv, he_normal, map_logits
from kerasvision.models.blocks import batch_norm as make_batch_norm
from kerasvision.models.enlarging import fitted, sides_of
from kerasvision.models.figures import AnyShape

Padding = Literal["same", "valid"]


def two_convs(x: KerasTensor, *, width: int, padding: Padding, norm: Norm | None, name: str) -> KerasTensor:
    """Two 3x3 convolutions, each with its norm, if there is one, and a ReLU.

    From float32 (N, H, W, C) to (N, H, W, width), or with padding "valid" (N, H - 4, W - 4, width).
    """
    for number in (1, 2):
        x = conv(x, width=width, kernel=3, padding=padding, bias=norm is None, fan="fan_in", name=f"{name}_conv{number}")
        if norm:
            x = norm(name=f"{name}_norm{number}")(x)
        x = layers.ReLU(name=f"{name}_relu{number}")(x)
    return x


def contracting_path(
    image: KerasTensor, *, width: int, depth: int, padding: Padding, norm: Norm | None, dropout: float
) -> dict[str, KerasTensor]:
    """The left side of the figure: level -> float32 (N, h, w, 2**l * width); the last two levels end in dropout."""
    maps, x = {}, image
    for level in range(depth + 1):
        if level:
            # At an odd size the last row is pooled alone, so that no pixel is lost.
            x = layers.MaxPooling2D(2, padding="same", name=f"pool{level}")(x)
        x = two_convs(x, width=width * 2**level, padding=padding, norm=norm, name=f"down{level}")
        if level >= depth - 1:
            x = layers.Dropout(dropout, name=f"down{level}_dropout")(x)
        maps[f"c{level}"] = x
    return maps


def expanding_path(maps: dict[str, KerasTensor], *, padding: Padding, norm: Norm | None) -> KerasTensor:
    """The right side of the figure: the maps of the levels to float32 (N, h, w, width)."""
    *skips, (_, x) = maps.items()
    # How many pixels a skip is larger than the enlarged map, on each side: 4 at the bottom, then twice as many and 8 more.
    surplus = 4
    for level, skip in reversed(skips):
        name = f"up{level[1:]}"
        initializer = he_normal("fan_in")
        x = layers.Conv2DTranspose(skip.shape[-1], 2, 2, kernel_initializer=initializer, name=f"{name}_conv0")(x)
        if padding == "valid":
            skip, surplus = layers.Cropping2D(surplus, name=f"{name}_cut")(skip), 2 * surplus + 8
        else:
            x = fitted(x, like=skip, name=name)
        x = layers.Concatenate(name=f"{name}_concat")([skip, x])
        x = two_convs(x, width=skip.shape[-1], padding=padding, norm=norm, name=name)
    return x


def mirrored_borders(image: KerasTensor, *, sides: tuple[int, int]) -> KerasTensor:
    """The image with a border of its mirror images: float32 (N, H, W, C) to (N, *sides, C), in the middle the image.

    A border wider than the image needs several mirrors, one after the other.
    """
    while tuple(image.shape[1:3]) != sides:
        borders = [_mirror(have, want) for have, want in zip(image.shape[1:3], sides, strict=True)]
        image = ops.pad(image, ((0, 0), *borders, (0, 0)), mode="reflect")
    return image


def unet(
    *,
    image_shape: AnyShape,
    num_classes: int | None,
    padding: Padding = "same",
    mirrored: bool = False,
    width: int = 64,
    depth: int = 4,
    batch_norm: bool = False,
    dropout: float = 0.5,
    synchronized: bool = False,
) -> keras.Model:
    """U-Net: 31,030,658 trainable weights for one channel and 2 classes.

    Args:
        image_shape: (height, width, channels) in pixels. With padding "valid", height and width must be 2**depth times a
            whole number plus 4 * (2**depth - 1), as 572 is. Images of unknown size must have such sides, or with padding
            "same" multiples of 2**depth.
        num_classes: how many logits each pixel gets; None gives the contracting path.
        padding: "same" adds zeros, and the logits have the size of the image; "valid" is the paper's, and they are
            12 * 2**depth - 8 pixels smaller.
        mirrored: with padding "valid", put a border of mirror images around an image of any one size, so that the
            logits have the size of the image.
        width: channels of level c0; each level has twice those of the one before.
        depth: how many times the map is halved.
        batch_norm: normalise between each 3x3 convolution and its ReLU; these convolutions then have no bias.
        dropout: share of the last two contracted maps that training drops, in [0, 1).
        synchronized: with norms, normalise by the batch of all replicas; see `blocks.batch_norm`.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, H, W, num_classes), with padding "valid" (N, H - 184,
        W - 184, num_classes) at depth 4; or to the maps {"c0", ..., "c4"} of strides 1, 2, 4, 8, 16.

    Raises:
        ConfigError: an option out of its range, or images of a size that padding "valid" does not halve evenly.

    >>> unet(image_shape=(572, 572, 1), num_classes=2, padding="valid").output_shape
    (None, 388, 388, 2)
    >>> unet(image_shape=(96, 90, 3), num_classes=9, width=16).output_shape
    (None, 96, 90, 9)
    """
    _check(image_shape, padding=padding, mirrored=mirrored, width=width, depth=depth)
    check_share("dropout", dropout)
    image = keras.Input(image_shape, name="image")
    norm = make_batch_norm(synchronized=synchronized) if batch_norm else None
    sides = sides_of(image_shape)
    inner = image
    if mirrored and sides:
        inner = mirrored_borders(image, sides=(_valid_side(sides[0], depth), _valid_side(sides[1], depth)))
    maps = contracting_path(inner, width=width, depth=depth, padding=padding, norm=norm, dropout=dropout)
    if num_classes is None:
        return keras.Model(image, maps, name="unet")
    logits = map_logits(expanding_path(maps, padding=padding, norm=norm), num_classes=num_classes)
    if mirrored:
        logits = _middle(logits, image)
    return keras.Model(image, logits, name="unet")


def _check(image_shape: AnyShape, *, padding: Padding, mirrored: bool, width: int, depth: int) -> None:
    check_choice("unet", "padding", padding, get_args(Padding))
    check_positive(width=width, depth=depth)
    if mirrored and padding != "valid":
        raise ConfigError("mirrored=True requires padding='valid'", received=padding)
    sides = sides_of(image_shape)
    if mirrored and sides is None:
        raise ConfigError("mirrored=True requires images of one size", received=image_shape, hint="give height and width")
    if mirrored and sides and min(sides) < 2:
        raise ConfigError(
            "mirrored=True requires at least 2 x 2 pixels, because the edge is not repeated", received=image_shape
        )
    if padding == "valid" and not mirrored and sides:
        _check_valid_sides(sides, depth)


def _check_valid_sides(sides: tuple[int, int], depth: int) -> None:
    """Raises ConfigError unless every pooling meets an even size, and a map is left."""
    for side in sides:
        fitting = _valid_side(side - _lost(depth), depth)
        if side != fitting:
            raise ConfigError(
                f"padding='valid' at depth {depth} requires sides that every pooling halves evenly",
                received=sides,
                hint=f"{fitting} is the next such side after {side}; or set mirrored=True or padding='same'",
            )


def _lost(depth: int) -> int:
    """How many pixels smaller the logits are than the image: 3x3 convolutions take 4 * 2**l at level l, on both paths."""
    stride: int = 2**depth
    return 12 * stride - 8


def _valid_side(answered: int, depth: int) -> int:
    """The smallest side of an image that gets logits for `answered` pixels, at least one, and halves evenly.

    >>> _valid_side(388, depth=4)
    572
    """
    stride: int = 2**depth
    before_the_bottom = 4 * (stride - 1)
    bottom = math.ceil((max(answered, 1) + _lost(depth) - before_the_bottom) / stride)
    return bottom * stride + before_the_bottom


def _mirror(have: int, want: int) -> tuple[int, int]:
    """The border of one mirror image before and after `have` pixels, which towards `want` pixels is in the middle."""
    before, after = (want - have) // 2, (want - have + 1) // 2
    # A mirror image has one pixel less than the image: it does not repeat the edge.
    return min(before, have - 1), min(after, have - 1)


def _middle(logits: KerasTensor, image: KerasTensor) -> KerasTensor:
    """The logits (N, h, w, num_classes) of the image's own pixels, at its size."""
    surplus = [have - want for have, want in zip(logits.shape[1:3], image.shape[1:3], strict=True)]
    if not any(surplus):
        return logits
    borders = tuple((pixels // 2, (pixels + 1) // 2) for pixels in surplus)
    return layers.Cropping2D(borders, dtype=keras.config.floatx(), name="middle")(logits)
