"""Inception v3 (Szegedy et al., 2015, https://arxiv.org/abs/1512.00567, table 1), layer for layer as in keras.applications.

GoogLeNet's modules, with each large convolution factorised into small ones: 5x5 into two 3x3 (figure 5), 7x7 into 1x7 and
7x1 (figure 6). keras.applications calls the modules "mixed0" to "mixed10", and so does this file. It also creates the
weights in the same order, so that the published weights match one by one.
"""

from functools import partial

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import Activation, Initialization
from kerasvision.models.blocks import batch_norm, check_share, conv_norm_relu, logits, pooled_logits
from kerasvision.models.googlenet import Unit, check_auxiliary_side
from kerasvision.models.units import initialized, units_chosen

# At 107 pixels the map of "mixed7" has a side of 5, like the pooling window of the auxiliary head.
AUXILIARY_LEAST_SIDE = 107


def factorized_5x5(x: KerasTensor, *, width_of_pool: int, unit: Unit, name: str) -> KerasTensor:
    """Figure 5: a 1x1 convolution, a 5x5 convolution, two 3x3 convolutions, and pooling, side by side.

    The figure has no 5x5 convolution; the authors' code has it.

    Args:
        x: float32 (N, H, W, C).
        width_of_pool: channels of the pooling branch.
        unit: makes a convolution with its norm and ReLU; see `googlenet.Unit`.
        name: prefix of its layers, and the concatenation's own name.

    Returns:
        float32 (N, H, W, 224 + width_of_pool).
    """
    branch1 = unit(x, width=64, kernel=1, name=f"{name}_1x1")
    branch2 = unit(x, width=48, kernel=1, name=f"{name}_5x5_reduce")
    branch2 = unit(branch2, width=64, kernel=5, name=f"{name}_5x5")
    branch3 = unit(x, width=64, kernel=1, name=f"{name}_3x3_reduce")
    branch3 = unit(branch3, width=96, kernel=3, name=f"{name}_3x3_1")
    branch3 = unit(branch3, width=96, kernel=3, name=f"{name}_3x3_2")
    branch4 = pooled(x, width=width_of_pool, unit=unit, name=name)
    return layers.Concatenate(name=name)([branch1, branch2, branch3, branch4])


def factorized_7x7(x: KerasTensor, *, width: int, unit: Unit, name: str) -> KerasTensor:
    """Figure 6 with n = 7: a 1x1 convolution, one 7x7 convolution, two 7x7 convolutions, and pooling, side by side.

    Each 7x7 convolution is a 1x7 and a 7x1 convolution, with `width` channels before the last.

    Args:
        x: float32 (N, H, W, C).
        width: channels between the convolutions.
        unit: see `factorized_5x5`.
        name: see `factorized_5x5`.

    Returns:
        float32 (N, H, W, 768).
    """
    branch1 = unit(x, width=192, kernel=1, name=f"{name}_1x1")
    branch2 = unit(x, width=width, kernel=1, name=f"{name}_7x7_reduce")
    branch2 = unit(branch2, width=width, kernel=(1, 7), name=f"{name}_7x7_1x7")
    branch2 = unit(branch2, width=192, kernel=(7, 1), name=f"{name}_7x7_7x1")
    branch3 = unit(x, width=width, kernel=1, name=f"{name}_double_reduce")
    branch3 = unit(branch3, width=width, kernel=(7, 1), name=f"{name}_double_7x1_1")
    branch3 = unit(branch3, width=width, kernel=(1, 7), name=f"{name}_double_1x7_1")
    branch3 = unit(branch3, width=width, kernel=(7, 1), name=f"{name}_double_7x1_2")
    branch3 = unit(branch3, width=192, kernel=(1, 7), name=f"{name}_double_1x7_2")
    branch4 = pooled(x, width=192, unit=unit, name=name)
    return layers.Concatenate(name=name)([branch1, branch2, branch3, branch4])


def expanded(x: KerasTensor, *, unit: Unit, name: str) -> KerasTensor:
    """Figure 7: on the coarsest map the 1x3 and 3x1 convolutions are side by side instead of one after the other.

    Args:
        x: float32 (N, H, W, C).
        unit: see `factorized_5x5`.
        name: see `factorized_5x5`.

    Returns:
        float32 (N, H, W, 2048).
    """
    branch1 = unit(x, width=320, kernel=1, name=f"{name}_1x1")
    branch2 = unit(x, width=384, kernel=1, name=f"{name}_3x3_reduce")
    branch2 = side_by_side(branch2, unit=unit, name=f"{name}_3x3")
    branch3 = unit(x, width=448, kernel=1, name=f"{name}_double_reduce")
    branch3 = unit(branch3, width=384, kernel=3, name=f"{name}_double_3x3")
    branch3 = side_by_side(branch3, unit=unit, name=f"{name}_double")
    branch4 = pooled(x, width=192, unit=unit, name=name)
    return layers.Concatenate(name=name)([branch1, branch2, branch3, branch4])


def side_by_side(x: KerasTensor, *, unit: Unit, name: str) -> KerasTensor:
    """A 1x3 and a 3x1 convolution of the same map, concatenated: float32 (N, H, W, C) to (N, H, W, 768)."""
    across = unit(x, width=384, kernel=(1, 3), name=f"{name}_1x3")
    along = unit(x, width=384, kernel=(3, 1), name=f"{name}_3x1")
    return layers.Concatenate(name=f"{name}_expanded")([across, along])


def pooled(x: KerasTensor, *, width: int, unit: Unit, name: str) -> KerasTensor:
    """The branch that all three kinds of module share: 3x3 average pooling and a 1x1 convolution.

    From float32 (N, H, W, C) to (N, H, W, width).
    """
    x = layers.AveragePooling2D(3, strides=1, padding="same", name=f"{name}_pool")(x)
    return unit(x, width=width, kernel=1, name=f"{name}_pool_proj")


def halved_to_17(x: KerasTensor, *, unit: Unit, name: str) -> KerasTensor:
    """Figure 10: convolutions and a pooling with stride 2, side by side. This avoids a bottleneck (section 5).

    Args:
        x: float32 (N, H, W, C); C is 288 in the network.
        unit: see `factorized_5x5`.
        name: see `factorized_5x5`.

    Returns:
        float32 (N, (H - 1) // 2, (W - 1) // 2, 480 + C).
    """
    branch1 = unit(x, width=384, kernel=3, stride=2, padding="valid", name=f"{name}_3x3")
    branch2 = unit(x, width=64, kernel=1, name=f"{name}_double_reduce")
    branch2 = unit(branch2, width=96, kernel=3, name=f"{name}_double_3x3_1")
    branch2 = unit(branch2, width=96, kernel=3, stride=2, padding="valid", name=f"{name}_double_3x3_2")
    branch3 = layers.MaxPooling2D(3, strides=2, name=f"{name}_pool")(x)
    return layers.Concatenate(name=name)([branch1, branch2, branch3])


def halved_to_8(x: KerasTensor, *, unit: Unit, name: str) -> KerasTensor:
    """Figure 10 again, with a 7x7 convolution before one of the strided ones.

    Args:
        x: float32 (N, H, W, C); C is 768 in the network.
        unit: see `factorized_5x5`.
        name: see `factorized_5x5`.

    Returns:
        float32 (N, (H - 1) // 2, (W - 1) // 2, 512 + C).
    """
    branch1 = unit(x, width=192, kernel=1, name=f"{name}_3x3_reduce")
    branch1 = unit(branch1, width=320, kernel=3, stride=2, padding="valid", name=f"{name}_3x3")
    branch2 = unit(x, width=192, kernel=1, name=f"{name}_7x7_reduce")
    branch2 = unit(branch2, width=192, kernel=(1, 7), name=f"{name}_7x7_1x7")
    branch2 = unit(branch2, width=192, kernel=(7, 1), name=f"{name}_7x7_7x1")
    branch2 = unit(branch2, width=192, kernel=3, stride=2, padding="valid", name=f"{name}_7x7_3x3")
    branch3 = layers.MaxPooling2D(3, strides=2, name=f"{name}_pool")(x)
    return layers.Concatenate(name=name)([branch1, branch2, branch3])


def stem(image: KerasTensor, *, unit: Unit) -> dict[str, KerasTensor]:
    """The first six rows of table 1, up to the first Inception module.

    Args:
        image: float32 (N, H, W, C).
        unit: see `factorized_5x5`.

    Returns:
        The maps {"c1", "c2"}: float32 (N, height, width, 64) at stride 2 and (N, height, width, 192) at stride 4.
    """
    x = unit(image, width=32, kernel=3, stride=2, padding="valid", name="conv1")
    x = unit(x, width=32, kernel=3, padding="valid", name="conv2")
    c1 = unit(x, width=64, kernel=3, name="conv3")
    x = layers.MaxPooling2D(3, strides=2, name="pool3")(c1)
    x = unit(x, width=80, kernel=1, padding="valid", name="conv4")
    c2 = unit(x, width=192, kernel=3, padding="valid", name="conv5")
    return {"c1": c1, "c2": c2}


def inception_maps(image: KerasTensor, *, unit: Unit) -> dict[str, KerasTensor]:
    """Table 1 up to the last pooling; at 299 x 299:

        conv1-3    147 x 147 x   64    3x3 convolutions                   level c1
        conv4-5     71 x  71 x  192    3x3 max pooling, 1x1, 3x3          level c2
        mixed0      35 x  35 x  256    3x3 max pooling, figure 5
        mixed1-2    35 x  35 x  288    figure 5                           level c3
        mixed3      17 x  17 x  768    figure 10
        mixed4-7    17 x  17 x  768    figure 6                           level c4
        mixed8       8 x   8 x 1280    figure 10
        mixed9-10    8 x   8 x 2048    figure 7                           level c5

    Args:
        image: float32 (N, H, W, C).
        unit: see `factorized_5x5`.

    Returns:
        The maps by level; each is float32 (N, height, width, channels).
    """
    maps = stem(image, unit=unit)
    x = layers.MaxPooling2D(3, strides=2, name="pool5")(maps["c2"])
    for number, width_of_pool in enumerate((32, 64, 64)):
        x = factorized_5x5(x, width_of_pool=width_of_pool, unit=unit, name=f"mixed{number}")
    maps["c3"] = x
    x = halved_to_17(x, unit=unit, name="mixed3")
    for number, width in enumerate((128, 160, 160, 192), start=4):
        x = factorized_7x7(x, width=width, unit=unit, name=f"mixed{number}")
    maps["c4"] = x
    x = halved_to_8(x, unit=unit, name="mixed8")
    for number in (9, 10):
        x = expanded(x, unit=unit, name=f"mixed{number}")
    return {**maps, "c5": x}


def auxiliary_logits(x: KerasTensor, *, num_classes: int, unit: Unit) -> KerasTensor:
    """A head for training only (figure 8): at 299 x 299 pooled to 5 x 5, and to one pixel by the second convolution.

    Args:
        x: float32 (N, H, W, C), at least 5 x 5 pixels.
        num_classes: how many logits.
        unit: see `factorized_5x5`.

    Returns:
        float32 (N, num_classes).
    """
    x = layers.AveragePooling2D(5, strides=3, name="auxiliary_pool")(x)
    x = unit(x, width=128, kernel=1, name="auxiliary_1x1")
    # As in the authors' code: if the map is smaller than the kernel, the kernel has the size of the map.
    kernel = (min(5, x.shape[1]), min(5, x.shape[2]))
    x = unit(x, width=768, kernel=kernel, padding="valid", name="auxiliary_5x5")
    x = layers.GlobalAveragePooling2D(name="auxiliary_mean")(x)
    return logits(x, num_classes=num_classes, name="auxiliary_logits")


def inception_v3(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    auxiliary_heads: bool = False,
    dropout: float = 0.2,
    activation: Activation = "relu",
    initialization: Initialization | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """Inception v3: 23,817,352 trainable weights and 5.713 GMACs at 299 x 299 x 3 and 1000 classes.

    It is the network of keras.applications: no convolution has a bias, and no normalisation has a scale. With 34,432 moving
    statistics it has 23,851,784 weights in all. With the auxiliary head it has 27,143,152 trainable weights. (torchvision's
    has scales, and so 18,112 more.)

    Args:
        image_shape: (height, width, channels), at least 75 x 75 pixels, and 107 x 107 with the auxiliary head.
        num_classes: how many logits; None gives the backbone, without any head.
        auxiliary_heads: add the head for training.
        dropout: share of the pooled features that training drops, in [0, 1); 0.2 in the authors' code.
        activation: of all hidden units, see `units`, except maxout.
        initialization: of all kernels, see `units`; None: as `conv` says.
        synchronized: normalise by the whole batch instead of each replica's part of it; see `batch_norm`.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes); with the auxiliary head to a dict of two of
        them, {"logits", "auxiliary"}; or to the maps {"c1", "c2", "c3", "c4", "c5"} of strides 2, 4, 8, 16, 32 and 64,
        192, 288, 768, 2048 channels. Convolutions and poolings with a stride add no border: see `inception_maps`.

    Raises:
        ConfigError: dropout outside [0, 1); an image too small for the auxiliary head; an unknown activation or
            initialization.

    >>> inception_v3(image_shape=(75, 75, 3), num_classes=None).output["c5"].shape
    (None, 1, 1, 2048)
    """
    check_share("dropout", dropout)
    norm = partial(batch_norm(epsilon=1e-3, synchronized=synchronized), scale=False)
    unit = partial(conv_norm_relu, norm=norm)
    image = keras.Input(image_shape, name="image")
    with units_chosen("inception_v3", activation=activation, initialization=initialization):
        outputs = maps = inception_maps(image, unit=unit)
        if num_classes is not None:
            outputs = pooled_logits(maps["c5"], num_classes=num_classes, dropout=dropout)
        if num_classes is not None and auxiliary_heads:
            check_auxiliary_side(image_shape, least=AUXILIARY_LEAST_SIDE)
            outputs = {"logits": outputs, "auxiliary": auxiliary_logits(maps["c4"], num_classes=num_classes, unit=unit)}
    return initialized(keras.Model(image, outputs, name="inception_v3"), initialization)
