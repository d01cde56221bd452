"""LeNet-5 (LeCun et al., 1998, figure 2), as Dive into Deep Learning teaches it.

    image       28 x 28 (zero-padded by 2) or 32 x 32
    conv1       28 x 28 x 6     5 x 5
    pool1       14 x 14 x 6     2 x 2      level c1
    conv2       10 x 10 x 16    5 x 5
    pool2        5 x  5 x 16    2 x 2      level c2
    dense1     120
    dense2      84
    logits      num_classes

Sources: http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf, where each map of conv2 reads only some maps of conv1, the
pools have weights and the output is an RBF; and https://d2l.ai/chapter_convolutional-neural-networks/lenet.html, which
does without these three. This file follows the second.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import Activation, Initialization
from kerasvision.models.blocks import check_choice, logits
from kerasvision.models.figures import AnyShape
from kerasvision.models.units import initialized, unit, units_chosen

# Glorot and Bengio derived their initialisation for units that are linear around zero; He et al. derived theirs for units
# that are zero on one side.
_INITIALIZER = {"sigmoid": "glorot_uniform", "tanh": "glorot_uniform"}
# Keras' layers compute these themselves; the others are layers of their own.
_IN_LAYER = ("sigmoid", "tanh", "relu")
# From a map or a vector, a kind of layer, its sizes and options to the activated outputs of that layer.
Hidden = Callable[..., KerasTensor]
_POOLING = {"average": layers.AveragePooling2D, "max": layers.MaxPooling2D}


def lenet5(
    *,
    image_shape: AnyShape,
    num_classes: int | None,
    activation: Activation = "sigmoid",
    pooling: Literal["average", "max"] = "average",
    initialization: Initialization | None = None,
) -> keras.Model:
    """LeNet-5: 61,706 trainable weights and 416,520 multiply-adds at 28 x 28 x 1 or 32 x 32 x 1 and 10 classes.

    Images under 32 pixels (the shorter side) are zero-padded by 2, so that 28 x 28 and 32 x 32 both reach the
    classifier as 5 x 5 x 16. Other sizes are not adapted: the first dense layer grows with the image. A backbone for images
    of unknown size pads none of them.

    Args:
        image_shape: (height, width, channels), at least 12 x 12 pixels.
        num_classes: how many logits; None gives the backbone.
        activation: "sigmoid" as in d2l, "tanh" as in 1998 except for its scale, or another one of `units`.
        pooling: "average" or "max".
        initialization: of all kernels, see `units`; None: Glorot's uniform one for sigmoid and tanh, He's for the others.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to the maps {"c1", "c2"} of
        strides 2 and 4: at 28 x 28 and 32 x 32 float32 (N, 14, 14, 6) and (N, 5, 5, 16).

    Raises:
        ConfigError: an unknown activation, pooling or initialization.

    >>> lenet5(image_shape=(28, 28, 1), num_classes=10).count_params()
    61706
    """
    check_choice("lenet5", "pooling", pooling, _POOLING)
    with units_chosen("lenet5", activation=activation, initialization=initialization):
        model = _lenet5(image_shape, num_classes, hidden=partial(_hidden, activation=activation), pool=_POOLING[pooling])
    return initialized(model, initialization)


def _lenet5(image_shape: AnyShape, num_classes: int | None, *, hidden: Hidden, pool: type[keras.Layer]) -> keras.Model:
    padding = "same" if any(side is not None and side < 32 for side in image_shape[:2]) else "valid"
    image = keras.Input(image_shape, name="image")
    x = hidden(image, layers.Conv2D, 6, 5, padding=padding, name="conv1")
    c1 = pool(2, name="pool1")(x)
    x = hidden(c1, layers.Conv2D, 16, 5, name="conv2")
    c2 = pool(2, name="pool2")(x)
    if num_classes is None:
        return keras.Model(image, {"c1": c1, "c2": c2}, name="lenet5")

    x = layers.Flatten(name="flatten")(c2)
    x = hidden(x, layers.Dense, 120, name="dense1")
    x = hidden(x, layers.Dense, 84, name="dense2")
    return keras.Model(image, logits(x, num_classes=num_classes), name="lenet5")


def _hidden(x: KerasTensor, layer: Callable[..., Any], *sizes: int, activation: str, name: str, **options: Any) -> Any:
    """A convolution or a dense layer, and the activation."""
    options["kernel_initializer"] = _INITIALIZER.get(activation, "he_uniform")
    if activation in _IN_LAYER:
        return layer(*sizes, activation=activation, **options, name=name)(x)
    return unit(lambda own: layer(*sizes, **options, name=own)(x), name=name)
