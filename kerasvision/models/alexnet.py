"""AlexNet (Krizhevsky et al., 2012, figure 2), and the single-stream version that Dive into Deep Learning teaches.

Five convolutions and three dense layers. Each of them except the last ends in a ReLU. At 227 x 227:

    layer1   55 x 55 x  96   11x11 convolution, stride 4     (norm)   level c2
             27 x 27 x  96   3x3 max pooling, stride 2
    layer2   27 x 27 x 256   5x5 convolution in two groups   (norm)   level c3
             13 x 13 x 256   3x3 max pooling, stride 2
    layer3   13 x 13 x 384   3x3 convolution
    layer4   13 x 13 x 384   3x3 convolution in two groups
    layer5   13 x 13 x 256   3x3 convolution in two groups            level c4
              6 x  6 x 256   3x3 max pooling, stride 2                level c5
    hidden1     4096
    hidden2     4096
    logits      num_classes

Each of the two groups ran on its own GPU. The single stream has no groups and no norms.

Sources: https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks, which says
224 x 224, although its 55 x 55 maps require 227 x 227; and https://d2l.ai/chapter_convolutional-modern/alexnet.html.
"""

from collections.abc import Callable
from typing import Literal

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import Activation, Initialization
from kerasvision.models.blocks import check_share, conv_relu, dense_logits
from kerasvision.models.units import initialized, units_chosen

# Section 5: a unit with a bias of one starts with a positive output, and so with a gradient.
_BIASES_OF_ONE = {"layer2_conv", "layer4_conv", "layer5_conv", "hidden1_dense", "hidden2_dense"}


def response_norm(
    x: KerasTensor, *, k: float = 2.0, n: int = 5, alpha: float = 1e-4, beta: float = 0.75, name: str
) -> KerasTensor:
    """Local response normalisation (section 3.3): each value is divided by (k + alpha * sum) ** beta.

    The sum is over the squares of `n` channels at the same pixel: the channel itself and its neighbours on both sides, as
    far as they exist. PyTorch's layer uses their mean instead. The divisor is computed in full precision even under a
    mixed policy: bfloat16 has no number between 2 and 2.0156.

    Args:
        x: float32 (N, H, W, C).
        k: keeps the divisor away from zero.
        n: how many channels, odd.
        alpha: the weight of their sum.
        beta: the exponent.
        name: name of the last layer, and prefix of the others.

    Returns:
        float32 (N, H, W, C).
    """
    full = {"dtype": keras.config.floatx()}
    # With "channels_first" these two layers treat the last two axes of (N, H, W, C) as height and width.
    over_channels = {"data_format": "channels_first", **full}
    squares = layers.Multiply(**full, name=f"{name}_squares")([x, x])
    padded = layers.ZeroPadding2D(((0, 0), (n // 2, n // 2)), **over_channels, name=f"{name}_pad")(squares)
    mean = layers.AveragePooling2D((1, n), strides=1, **over_channels, name=f"{name}_mean")(padded)
    divisor = layers.Rescaling(alpha * n, k, **full, name=f"{name}_rescale")(mean)
    return layers.Multiply(name=name)([x, divisor**-beta])


def no_norm(x: KerasTensor, *, name: str) -> KerasTensor:
    """Returns x, float32 (N, H, W, C), unchanged: it stands in for `response_norm` in a network without norms."""
    return x


def convolutions(image: KerasTensor, *, groups: int, norm: Callable[..., KerasTensor]) -> dict[str, KerasTensor]:
    """Figure 2 up to the last pooling.

    Args:
        image: float32 (N, H, W, C).
        groups: of the convolutions in layers 2, 4 and 5.
        norm: `response_norm` or `no_norm`.

    Returns:
        The last map of each size by level, float32 (N, h, w, channels); the table above has h, w and channels.
    """
    x = conv_relu(image, width=96, kernel=11, stride=4, padding="valid", name="layer1")
    c2 = norm(x, name="layer1_norm")
    x = layers.MaxPooling2D(3, strides=2, name="layer1_pool")(c2)
    x = conv_relu(x, width=256, kernel=5, groups=groups, name="layer2")
    c3 = norm(x, name="layer2_norm")
    x = layers.MaxPooling2D(3, strides=2, name="layer2_pool")(c3)
    x = conv_relu(x, width=384, kernel=3, name="layer3")
    x = conv_relu(x, width=384, kernel=3, groups=groups, name="layer4")
    c4 = conv_relu(x, width=256, kernel=3, groups=groups, name="layer5")
    c5 = layers.MaxPooling2D(3, strides=2, name="layer5_pool")(c4)
    return {"c2": c2, "c3": c3, "c4": c4, "c5": c5}


def alexnet(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    dropout: float = 0.5,
    activation: Activation = "relu",
    initialization: Initialization | None = None,
) -> keras.Model:
    """AlexNet in one stream, without norms: 50,844,008 trainable weights and 1.010 GMACs at 224 x 224 x 3, 1000 classes.

    At 224 x 224 the maps are 54, 26, 12 and 5 pixels wide. (torchvision's "alexnet", of Krizhevsky, 2014, is narrower.)

    Args:
        image_shape: (height, width, channels), at least 67 x 67 pixels.
        num_classes: how many logits; None gives the backbone.
        dropout: share of each hidden layer's units that training drops, in [0, 1).
        activation: of all hidden units, see `units`.
        initialization: of all kernels, see `units`; None: as `conv` and `dense_relu` say.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to the maps {"c2", "c3", "c4", "c5"} of
        strides 4, 8, 16, 32 and 96, 256, 256, 256 channels.

    Raises:
        ConfigError: dropout outside [0, 1), or an unknown activation or initialization.

    >>> alexnet(image_shape=(224, 224, 1), num_classes=None).output["c5"].shape
    (None, 5, 5, 256)
    """
    image = keras.Input(image_shape, name="image")
    with units_chosen("alexnet", activation=activation, initialization=initialization):
        maps = convolutions(image, groups=1, norm=no_norm)
        model = _model("alexnet", image, maps, num_classes=num_classes, dropout=dropout)
    return initialized(model, initialization)


def alexnet_2012(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    dropout: float = 0.5,
    activation: Activation = "relu",
    initialization: Initialization | Literal["paper"] | None = None,
) -> keras.Model:
    """AlexNet of the paper: 60,965,224 trainable weights and 0.724 GMACs at 227 x 227 x 3 and 1000 classes.

    It has two groups in layers 2, 4 and 5, and local response normalisation after layers 1 and 2.

    Args:
        image_shape: (height, width, channels), at least 67 x 67 pixels.
        num_classes: how many logits; None gives the backbone.
        dropout: share of each hidden layer's units that training drops, in [0, 1).
        activation: of all hidden units, see `units`.
        initialization: of all kernels, see `units`; None: as `conv` and `dense_relu` say. "paper" is that of section 5:
            weights of deviation 0.01; biases of one in layers 2, 4 and 5 and both hidden layers, and of zero elsewhere.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to the maps {"c2", "c3", "c4", "c5"} of
        strides 4, 8, 16, 32 and 96, 256, 256, 256 channels.

    Raises:
        ConfigError: dropout outside [0, 1), or an unknown activation or initialization.

    >>> alexnet_2012(image_shape=(227, 227, 3), num_classes=None).output["c5"].shape
    (None, 6, 6, 256)
    """
    image = keras.Input(image_shape, name="image")
    with units_chosen("alexnet_2012", activation=activation, initialization=initialization):
        maps = convolutions(image, groups=2, norm=response_norm)
        model = _model("alexnet_2012", image, maps, num_classes=num_classes, dropout=dropout)
    _name_powers(model)
    if initialization == "paper":
        _start_as_in_section_5(model)
        return model
    return initialized(model, initialization)


def _model(
    name: str, image: KerasTensor, maps: dict[str, KerasTensor], *, num_classes: int | None, dropout: float
) -> keras.Model:
    check_share("dropout", dropout)
    if num_classes is None:
        return keras.Model(image, maps, name=name)
    return keras.Model(image, dense_logits(maps["c5"], num_classes=num_classes, dropout=dropout), name=name)


def _name_powers(model: keras.Model) -> None:
    """Names the operations of the norms that are not layers: Keras' own name for them depends on what was built before."""
    powers = [operation for operation in model.operations if not isinstance(operation, keras.Layer)]
    for power, layer in zip(powers, ("layer1", "layer2"), strict=True):
        power.name = f"{layer}_norm_power"


def _start_as_in_section_5(model: keras.Model) -> None:
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D | layers.Dense):
            layer.kernel_initializer = keras.initializers.RandomNormal(stddev=0.01)
            layer.bias_initializer = keras.initializers.Constant(float(layer.name in _BIASES_OF_ONE))
            layer.kernel.assign(layer.kernel_initializer(layer.kernel.shape, layer.kernel.dtype))
            layer.bias.assign(layer.bias_initializer(layer.bias.shape, layer.bias.dtype))
