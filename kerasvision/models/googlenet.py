"""GoogLeNet (Szegedy et al., 2014, https://arxiv.org/abs/1409.4842, table 1 and figure 3), the first Inception network.

An Inception module reads its input at four scales and concatenates the results (figure 2b). The 1x1 convolutions before
the large ones make these affordable:

        +-- 1x1 conv ------------------------+
        +-- 1x1 conv ("reduce") -- 3x3 conv -+
    x --+                                    +-- concatenate -->
        +-- 1x1 conv ("reduce") -- 5x5 conv -+
        +-- 3x3 max pooling ------ 1x1 conv -+

In training two auxiliary heads read the maps of modules 4a and 4d, so that gradients reach the lower half.

The paper's figure has two local response normalisations around conv2. They are left out, as in torchvision and in Dive into
Deep Learning: they have no weights, and VGG (Simonyan & Zisserman, 2014, section 4.1) found no benefit in them. The option
`batch_norm` adds batch normalisation.
"""

from collections.abc import Callable
from functools import partial

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import Initialization, check_units
from kerasvision.errors import ConfigError
from kerasvision.models import blocks
from kerasvision.models.blocks import check_share, conv_norm_relu, conv_relu, dense_relu, logits, pooled_logits
from kerasvision.models.figures import AnyShape
from kerasvision.models.units import initialized

# A convolution with its norm, if any, and ReLU: float32 (N, H, W, C) and keywords -> float32 (N, H', W', width).
Unit = Callable[..., KerasTensor]

# Table 1: channels of #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
WIDTHS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
AUXILIARY_DROPOUT = 0.7
# 65 / 16, rounded up, is 5: the side of the pooling window of an auxiliary head.
AUXILIARY_LEAST_SIDE = 65


def inception(x: KerasTensor, *, widths: tuple[int, int, int, int, int, int], unit: Unit, name: str) -> KerasTensor:
    """Four branches over one map, concatenated.

    Args:
        x: float32 (N, H, W, C).
        widths: a row of `WIDTHS`.
        unit: makes a convolution with its norm, if any, and ReLU.
        name: prefix of its layers, and the concatenation's own name.

    Returns:
        float32 (N, H, W, channels of the four branches).
    """
    of_1x1, of_reduce3, of_3x3, of_reduce5, of_5x5, of_pool = widths
    branch1 = unit(x, width=of_1x1, kernel=1, name=f"{name}_1x1")
    branch2 = unit(x, width=of_reduce3, kernel=1, name=f"{name}_3x3_reduce")
    branch2 = unit(branch2, width=of_3x3, kernel=3, name=f"{name}_3x3")
    branch3 = unit(x, width=of_reduce5, kernel=1, name=f"{name}_5x5_reduce")
    branch3 = unit(branch3, width=of_5x5, kernel=5, name=f"{name}_5x5")
    branch4 = layers.MaxPooling2D(3, strides=1, padding="same", name=f"{name}_pool")(x)
    branch4 = unit(branch4, width=of_pool, kernel=1, name=f"{name}_pool_proj")
    return layers.Concatenate(name=name)([branch1, branch2, branch3, branch4])


def stage(x: KerasTensor, *, level: int, modules: str, unit: Unit) -> dict[str, KerasTensor]:
    """Halves the map, then adds one Inception module per letter.

    Args:
        x: float32 (N, H, W, C).
        level: the number in the modules' names, 3 to 5.
        modules: the letters in their names.
        unit: see `inception`.

    Returns:
        The map of each module by its name in table 1: float32 (N, ceil(H / 2), ceil(W / 2), channels).
    """
    x = halve(x, name=f"pool{level}")
    maps = {}
    for letter in modules:
        module = f"{level}{letter}"
        x = maps[module] = inception(x, widths=WIDTHS[module], unit=unit, name=f"inception{module}")
    return maps


def halve(x: KerasTensor, *, name: str) -> KerasTensor:
    """The 3x3 max pooling with stride 2 of figure 3: float32 (N, H, W, C) to (N, ceil(H / 2), ceil(W / 2), C)."""
    return layers.MaxPooling2D(3, strides=2, padding="same", name=name)(x)


def inception_maps(image: KerasTensor, *, unit: Unit) -> dict[str, KerasTensor]:
    """Table 1 up to the last pooling; at 224 x 224:

        conv1   112 x 112 x   64    7x7 convolution                     level c1
        conv2    56 x  56 x  192    3x3 max pooling, 1x1, 3x3           level c2
        3a       28 x  28 x  256    3x3 max pooling, Inception
        3b       28 x  28 x  480                                        level c3
        4a       14 x  14 x  512    3x3 max pooling, Inception
        4b, 4c   14 x  14 x  512
        4d       14 x  14 x  528
        4e       14 x  14 x  832                                        level c4
        5a        7 x   7 x  832    3x3 max pooling, Inception
        5b        7 x   7 x 1024                                        level c5

    Args:
        image: float32 (N, H, W, C).
        unit: see `inception`.

    Returns:
        The maps by the names in the first column; each is float32 (N, height, width, channels).
    """
    conv1 = unit(image, width=64, kernel=7, stride=2, name="conv1")
    x = halve(conv1, name="pool2")
    x = unit(x, width=64, kernel=1, name="conv2_reduce")
    conv2 = unit(x, width=192, kernel=3, name="conv2")
    third = stage(conv2, level=3, modules="ab", unit=unit)
    fourth = stage(third["3b"], level=4, modules="abcde", unit=unit)
    fifth = stage(fourth["4e"], level=5, modules="ab", unit=unit)
    return {"conv1": conv1, "conv2": conv2, **third, **fourth, **fifth}


def auxiliary_logits(x: KerasTensor, *, num_classes: int, dropout: float, unit: Unit, name: str) -> KerasTensor:
    """A head for training only (section 5): average pooling to 4 x 4 at 224 x 224, 1x1 convolution, 1024 units, logits.

    Args:
        x: float32 (N, H, W, C), at least 5 x 5 pixels.
        num_classes: how many logits.
        dropout: share of the 1024 units that training drops.
        unit: see `inception`.
        name: prefix of its layers.

    Returns:
        float32 (N, num_classes).
    """
    x = layers.AveragePooling2D(5, strides=3, name=f"{name}_pool")(x)
    x = unit(x, width=128, kernel=1, name=f"{name}_1x1")
    x = layers.Flatten(name=f"{name}_flatten")(x)
    x = dense_relu(x, width=1024, name=name)
    x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return logits(x, num_classes=num_classes, name=f"{name}_logits")


def googlenet(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    auxiliary_heads: bool = False,
    batch_norm: bool = False,
    dropout: float = 0.4,
    synchronized: bool = False,
    initialization: Initialization | None = None,
) -> keras.Model:
    """GoogLeNet: 6,998,552 trainable weights and 1.58 GMACs at 224 x 224 x 3 and 1000 classes.

    With both auxiliary heads 13,378,280 weights. With batch normalisation 7,005,832, and 14,560 moving statistics.
    (torchvision's has 3x3 convolutions where the paper has 5x5: 6,624,904 weights and 1.498 GMACs.)

    Args:
        image_shape: (height, width, channels), at least 32 x 32 pixels, and 65 x 65 with auxiliary heads. The first
            dense layer of these heads grows with the image.
        num_classes: how many logits; None gives the backbone, without any head.
        auxiliary_heads: add the two heads for training.
        batch_norm: normalise after each convolution, which then has no bias (Ioffe & Szegedy, 2015).
        dropout: share of the pooled features that training drops, in [0, 1). The auxiliary heads drop 0.7 of their
            features, or nothing if this is 0.
        synchronized: normalise by the whole batch instead of each replica's part of it; see `blocks.batch_norm`.
        initialization: of all kernels, see `units`; None: as `conv` and `dense_relu` say.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes); with auxiliary heads to a dict of three of
        them, {"logits", "auxiliary1", "auxiliary2"}; or to the maps {"c1", "c2", "c3", "c4", "c5"} of strides 2, 4, 8,
        16, 32 and 64, 192, 480, 832, 1024 channels.

    Raises:
        ConfigError: dropout outside [0, 1); an image too small for the auxiliary heads; an unknown initialization.

    >>> googlenet(image_shape=(96, 96, 3), num_classes=None).output["c5"].shape
    (None, 3, 3, 1024)
    """
    check_share("dropout", dropout)
    check_units("googlenet", {"initialization": initialization})
    unit = _unit(batch_norm, synchronized)
    image = keras.Input(image_shape, name="image")
    maps = inception_maps(image, unit=unit)
    if num_classes is None:
        levels = {"c1": "conv1", "c2": "conv2", "c3": "3b", "c4": "4e", "c5": "5b"}
        backbone = keras.Model(image, {level: maps[name] for level, name in levels.items()}, name="googlenet")
        return initialized(backbone, initialization)
    outputs = pooled_logits(maps["5b"], num_classes=num_classes, dropout=dropout)
    if auxiliary_heads:
        check_auxiliary_side(image_shape, least=AUXILIARY_LEAST_SIDE)
        head = partial(auxiliary_logits, num_classes=num_classes, dropout=AUXILIARY_DROPOUT if dropout else 0.0, unit=unit)
        outputs = {
            "logits": outputs,
            "auxiliary1": head(maps["4a"], name="auxiliary1"),
            "auxiliary2": head(maps["4d"], name="auxiliary2"),
        }
    return initialized(keras.Model(image, outputs, name="googlenet"), initialization)


def check_auxiliary_side(image_shape: AnyShape, *, least: int) -> None:
    """Raises ConfigError if the image is too small for the pooling of an auxiliary head, or its size is unknown."""
    if any(side is None for side in image_shape):
        raise ConfigError(
            "auxiliary heads require images of one size",
            received=tuple(image_shape),
            hint="give height and width, or set auxiliary_heads=False",
        )
    if any(side is not None and side < least for side in image_shape[:2]):
        raise ConfigError(
            f"auxiliary heads read images of at least {least} x {least} pixels",
            received=tuple(image_shape),
            hint=f"resize the images to {least} x {least} or more, or set auxiliary_heads=False",
        )


def _unit(batch_norm: bool, synchronized: bool) -> Unit:
    """Makes a convolution with its norm, if any, and ReLU."""
    if batch_norm:
        return partial(conv_norm_relu, norm=blocks.batch_norm(synchronized=synchronized))
    # Reductions make the map some ten times narrower. If the variance were 2 / fan_out, every module would double the
    # activations, and the first logits would be in the hundreds.
    return partial(conv_relu, fan="fan_in")
