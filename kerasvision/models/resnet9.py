"""ResNet-9, designed to learn CIFAR-10 fast (Page, 2018, https://myrtle.ai/learn/how-to-train-your-resnet-4-architecture/).

At 32 x 32:

    stem      32 x 32 x  64    3x3 convolution, norm, relu
    layer1    16 x 16 x 128    3x3 convolution, 2x2 max pooling, norm, relu; a residual pair
    layer2     8 x  8 x 256    as layer1 without the pair
    layer3     4 x  4 x 512    as layer1
    pool            512        the largest value of each channel
    logits    num_classes

A residual pair is (3x3 convolution, norm, relu) twice, and its result is added to its input. No relu follows the sum:
unlike the blocks of He et al., 2015, these end in a sum of values that are not negative.

Two things differ from the author's network: its logits have no bias and are divided by 8.
"""

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import Activation, Initialization
from kerasvision.errors import ConfigError
from kerasvision.models.blocks import Norm, batch_norm, check_share, conv, conv_norm_relu, logits, norm_relu
from kerasvision.models.units import initialized, units_chosen


def residual_pair(x: KerasTensor, *, norm: Norm, name: str) -> KerasTensor:
    """x plus the result of (3x3 convolution, norm, relu) twice on x; float32 (N, H, W, C) in and out."""
    y = conv_norm_relu(x, width=x.shape[-1], kernel=3, norm=norm, name=f"{name}_residual1")
    y = conv_norm_relu(y, width=x.shape[-1], kernel=3, norm=norm, name=f"{name}_residual2")
    return layers.Add(name=f"{name}_add")([x, y])


def halved(x: KerasTensor, *, width: int, norm: Norm, name: str) -> KerasTensor:
    """3x3 convolution, 2x2 max pooling, norm, relu: float32 (N, H // 2, W // 2, width)."""
    x = conv(x, width=width, kernel=3, name=f"{name}_conv")
    # The pooling comes before the norm, which then has a quarter of the values to normalise.
    x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
    return norm_relu(x, norm=norm, name=name)


def resnet9_maps(image: KerasTensor, *, width: float, norm: Norm) -> dict[str, KerasTensor]:
    """The table at the top of this file, with `width` times its channels.

    Args:
        image: float32 (N, H, W, C).
        width: factor on the channels.
        norm: makes a normalisation layer.

    Returns:
        The maps by level, "c0" to "c3": level l is float32 (N, H // 2**l, W // 2**l, channels).
    """
    w0, w1, w2, w3 = (round(width * channels) for channels in (64, 128, 256, 512))
    c0 = conv_norm_relu(image, width=w0, kernel=3, norm=norm, name="stem")
    c1 = residual_pair(halved(c0, width=w1, norm=norm, name="layer1"), norm=norm, name="layer1")
    c2 = halved(c1, width=w2, norm=norm, name="layer2")
    c3 = residual_pair(halved(c2, width=w3, norm=norm, name="layer3"), norm=norm, name="layer3")
    return {"c0": c0, "c1": c1, "c2": c2, "c3": c3}


def resnet9(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    width: float = 1.0,
    dropout: float = 0.0,
    activation: Activation = "relu",
    initialization: Initialization | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """ResNet-9: 6,573,130 trainable weights and 379.3 MMACs at 32 x 32 x 3 and 10 classes.

    With 4,480 moving statistics it has 6,577,610 weights in all. At `width=0.25` and 28 x 28 x 1 it has 412,666 trainable
    weights and 17.2 MMACs.

    Args:
        image_shape: (height, width, channels), at least 8 x 8 pixels.
        num_classes: how many logits; None gives the backbone.
        width: factor on the author's channels of the convolutions, at least 1/64.
        dropout: share of the pooled features that training drops, in [0, 1).
        activation: of all hidden units, see `units`, except maxout.
        initialization: of all kernels, see `units`; None: as `conv` says.
        synchronized: normalise by the whole batch instead of each replica's part of it; see `batch_norm`.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to the maps {"c0", "c1", "c2", "c3"} of
        strides 1, 2, 4, 8 and `width` times 64, 128, 256, 512 channels.

    Raises:
        ConfigError: dropout outside [0, 1), width under 1/64, or an unknown activation or initialization.

    >>> resnet9(image_shape=(28, 28, 1), num_classes=None, width=0.25).output["c3"].shape
    (None, 3, 3, 128)
    """
    check_share("dropout", dropout)
    if not 64 * width >= 1:
        raise ConfigError("width must be at least 1/64: the stem has 64 times as many channels", received=width)
    image = keras.Input(image_shape, name="image")
    with units_chosen("resnet9", activation=activation, initialization=initialization):
        maps = resnet9_maps(image, width=width, norm=batch_norm(synchronized=synchronized))
    if num_classes is None:
        return initialized(keras.Model(image, maps, name="resnet9"), initialization)
    x = layers.GlobalMaxPooling2D(name="pool")(maps["c3"])
    x = layers.Dropout(dropout, name="dropout")(x)
    model = keras.Model(image, logits(x, num_classes=num_classes), name="resnet9")
    return initialized(model, initialization)
