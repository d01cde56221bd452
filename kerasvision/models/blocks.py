"""What the families share: convolution, batch normalisation, the head, and the checks of options.

A ReLU is said where a builder with the option `activation` may have chosen another activation; see `units`.

Layers are named from the outside in, with the paper's words for the parts: "stage3_block1_conv2". The network names every
layer, so that two builds of one network in one process have the same names.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal

import keras
from keras import KerasTensor, layers

from kerasvision.errors import ConfigError
from kerasvision.lookup import did_you_mean
from kerasvision.models.units import activated, unit
from kerasvision.ops.normalization import fused

# The constants for `batch_norm` with which keras.applications trained its ResNets and DenseNets.
KERAS_NORM = {"momentum": 0.99, "epsilon": 1.001e-5}

# Makes one normalisation layer; takes `name` and other arguments of `keras.layers.BatchNormalization`.
Norm = Callable[..., layers.BatchNormalization]


def conv(
    x: KerasTensor,
    *,
    width: int,
    kernel: int | tuple[int, int],
    stride: int = 1,
    padding: Literal["centred", "same", "valid"] = "centred",
    groups: int = 1,
    dilation: int = 1,
    bias: bool = False,
    fan: Literal["fan_in", "fan_out"] = "fan_out",
    name: str,
) -> KerasTensor:
    """A convolution with He's initialisation for ReLU units (He et al., 2015, https://arxiv.org/abs/1502.01852, eq. 14).

    Args:
        x: float32 (N, H, W, C).
        width: channels out.
        kernel: side, or (height, width).
        stride: along both axes.
        padding: "centred" adds kernel // 2 zeros on each side. "same" adds as many in all, but with a stride and an even
            size more of them on the far side, as TensorFlow's own networks do. "valid" adds no zeros.
        groups: how many independent parts the channels are split into (two in AlexNet of 2012).
        dilation: distance of the pixels that the kernel reads; 1 reads neighbours. With a dilation the stride must be 1.
        bias: False if a normalisation follows, because it would subtract the bias.
        fan: the initial variance is 2 / fan; see `he_normal`. "fan_in" keeps the size of the activations, which matters
            in a network without normalisation.
        name: the layer's name.

    Returns:
        float32 (N, H', W', width). For an odd kernel, H' is ceil(H / stride) with "centred" and "same" padding, and
        (H - kernel) // stride + 1 with "valid" and no dilation; the same holds for W'.
    """
    sides = (kernel, kernel) if isinstance(kernel, int) else kernel
    keras_padding = "valid" if padding == "valid" else "same"
    if padding == "centred" and stride > 1 and max(sides) > 1:
        # As in torchvision. With a stride, Keras' "same" is off the centre: at an even size it pads the far side more.
        x = layers.ZeroPadding2D((sides[0] // 2, sides[1] // 2), name=f"{name}_pad")(x)
        keras_padding = "valid"
    return layers.Conv2D(
        width,
        sides,
        stride,
        keras_padding,
        groups=groups,
        dilation_rate=dilation,
        use_bias=bias,
        kernel_initializer=he_normal(fan),
        name=name,
    )(x)


def he_normal(mode: Literal["fan_in", "fan_out"] = "fan_out") -> keras.initializers.Initializer:
    """Variance 2 / fan. By default this is the fan of the outputs, as in torchvision.

    Each layer has its own initializer: Keras gives layers that share an initializer the same weights.
    """
    return keras.initializers.VarianceScaling(2.0, mode=mode, distribution="untruncated_normal")


def batch_norm(*, momentum: float = 0.9, epsilon: float = 1e-5, synchronized: bool = False) -> Norm:
    """A function that makes normalisation layers, by default with torchvision's constants.

    With Keras' momentum of 0.99 the statistics lag far behind in a short training. (torchvision's 0.1 is 0.9 here.)

    Args:
        momentum: of the moving mean and variance.
        epsilon: added to the variance.
        synchronized: normalise by the whole batch instead of each replica's part of it. Training under MirroredStrategy
            needs this; elsewhere it changes nothing. Keras supports it on TensorFlow only.
    """
    make = partial(layers.BatchNormalization, momentum=momentum, epsilon=epsilon)
    synchronized = synchronized and keras.backend.backend() == "tensorflow"
    return lambda **options: fused(make(synchronized=synchronized, **options))


def conv_norm_relu(x: KerasTensor, *, norm: Norm, name: str, **options: Any) -> KerasTensor:
    """`conv` without bias, norm, ReLU: layers "<name>_conv", "<name>_norm" and "<name>_relu".

    From float32 (N, H, W, C) to (N, H', W', width); `options` are those of `conv`, which states H' and W'.
    """
    return norm_relu(conv(x, **options, name=f"{name}_conv"), norm=norm, name=name)


def norm_relu(x: KerasTensor, *, norm: Norm, name: str, number: int | str = "") -> KerasTensor:
    """Norm, ReLU: layers "<name>_norm<number>" and "<name>_relu<number>"; float32 (N, H, W, C) in and out."""
    return activated(norm(name=f"{name}_norm{number}")(x), name=name, number=number)


def conv_relu(x: KerasTensor, *, name: str, **options: Any) -> KerasTensor:
    """`conv` with bias, ReLU: layers "<name>_conv" and "<name>_relu".

    From float32 (N, H, W, C) to (N, H', W', width); `options` are those of `conv`, which states H' and W'.
    """
    return unit(lambda layer: conv(x, bias=True, **options, name=layer), name=name, kind="conv")


def dense_relu(x: KerasTensor, *, width: int, name: str) -> KerasTensor:
    """A dense layer with bias, ReLU: float32 (N, C) to (N, width), by layers "<name>_dense" and "<name>_relu"."""

    def dense(layer: str) -> KerasTensor:
        return layers.Dense(width, kernel_initializer=he_normal("fan_in"), name=layer)(x)

    return unit(dense, name=name, kind="dense")


def logits(x: KerasTensor, *, num_classes: int, name: str = "logits") -> KerasTensor:
    """A dense layer from float32 (N, features) to (N, num_classes).

    It computes in full precision even under a mixed policy: bfloat16 would round the logits to two or three digits.
    """
    return logits_layer(num_classes, name=name)(x)


def logits_layer(num_classes: int, *, bias: bool = True, name: str = "logits") -> layers.Dense:
    """The layer of `logits`."""
    return layers.Dense(num_classes, use_bias=bias, dtype=keras.config.floatx(), name=name)


def map_logits(
    x: KerasTensor, *, num_classes: int, kernel_initializer: str = "glorot_uniform", name: str = "logits"
) -> KerasTensor:
    """A 1x1 convolution from float32 (N, H, W, C) to (N, H, W, num_classes), in full precision like `logits`."""
    dtype = keras.config.floatx()
    return layers.Conv2D(num_classes, 1, dtype=dtype, kernel_initializer=kernel_initializer, name=name)(x)


def pooled_logits(x: KerasTensor, *, num_classes: int, dropout: float) -> KerasTensor:
    """The head of most networks since 2014: the mean over the last map, dropout, logits.

    From float32 (N, H, W, C) to (N, num_classes).
    """
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return logits(x, num_classes=num_classes)


def dense_logits(x: KerasTensor, *, num_classes: int, dropout: float) -> KerasTensor:
    """The head of AlexNet and VGG: the flattened last map, two layers of 4096 units with dropout, logits.

    From float32 (N, H, W, C) to (N, num_classes).
    """
    x = layers.Flatten(name="flatten")(x)
    for name in ("hidden1", "hidden2"):
        x = dense_relu(x, width=4096, name=name)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return logits(x, num_classes=num_classes)


def pooled_network(
    name: str, image: KerasTensor, maps: dict[str, KerasTensor], *, num_classes: int | None, dropout: float
) -> keras.Model:
    """A model from the image to its maps by level or, with classes, to the `pooled_logits` of the last map.

    Args:
        name: the model's name.
        image: its input, float32 (N, H, W, C).
        maps: by level in ascending order, each float32 (N, h, w, channels).
        num_classes: how many logits; None for the maps.
        dropout: share of the pooled features that training drops, in [0, 1).

    Raises:
        ConfigError: dropout outside [0, 1).
    """
    check_share("dropout", dropout)
    if num_classes is None:
        return keras.Model(image, maps, name=name)
    last = list(maps.values())[-1]
    return keras.Model(image, pooled_logits(last, num_classes=num_classes, dropout=dropout), name=name)


def check_share(option: str, value: float) -> None:
    """Raises ConfigError unless the value is in [0, 1)."""
    if not 0 <= value < 1:
        raise ConfigError(f"{option} must lie in [0, 1)", received=value)


def check_positive(**options: int) -> None:
    """Raises ConfigError unless every value is a positive integer."""
    for option, value in options.items():
        if type(value) is not int or value < 1:
            raise ConfigError(f"{option} must be a positive integer", received=value)


def check_choice(network: str, option: str, value: object, choices: Iterable[object]) -> None:
    """Raises ConfigError, with the closest choice, unless the value is one of the choices."""
    names = [str(choice) for choice in choices]
    if str(value) not in names:
        raise ConfigError(f"{network} has no {option} {value!r}; {did_you_mean(str(value), names)}")
