"""A multilayer perceptron: hidden layers between the pixels and the logits (https://cs231n.github.io/neural-networks-1/).

image      H x W x C
flatten    H * W * C
hidden1    512             sums, activation, dropout
...
logits     num_classes
"""

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import Activation, Initialization, hidden_widths
from kerasvision.models.blocks import check_share, he_normal, logits
from kerasvision.models.figures import AnyShape
from kerasvision.models.units import initialized, unit, units_chosen

# Glorot and Bengio derived their initialisation for units that are linear around zero; He et al. derived theirs for units
# that are zero on one side.
_AROUND_ZERO = ("sigmoid", "tanh")


def mlp(
    *,
    image_shape: AnyShape,
    num_classes: int | None,
    hidden: int | tuple[int, ...] = 512,
    activation: Activation = "relu",
    dropout: float = 0.0,
    initialization: Initialization | None = None,
) -> keras.Model:
    """The perceptron: 407,050 weights and 406,528 multiply-adds at 28 x 28 x 1 and 10 classes, with 512 hidden units.

    Dive into Deep Learning has 256 hidden units: 203,530 weights. As a backbone it is the image itself: the hidden layers
    belong to its head, because they have no places.

    Args:
        image_shape: (height, width, channels).
        num_classes: how many logits; None gives the backbone.
        hidden: how many units the hidden layer has, or how many each of several has: `(512, 256)`.
        activation: of the hidden units, see `units`. Maxout has two sums for each unit, so its hidden layers have twice the
            weights.
        dropout: share of each hidden layer's units that training drops, in [0, 1).
        initialization: of all kernels, see `units`; None: Glorot's for sigmoid and tanh, He's for the others.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to {"c0": the image} of stride 1.

    Raises:
        ConfigError: a width below 1, dropout outside [0, 1), or an unknown activation or initialization.

    >>> mlp(image_shape=(28, 28, 1), num_classes=10, hidden=(256,)).count_params()
    203530
    """
    widths = hidden_widths(hidden)
    check_share("dropout", dropout)
    image = keras.Input(image_shape, name="image")
    if num_classes is None:
        return keras.Model(image, {"c0": image}, name="mlp")
    with units_chosen("mlp", activation=activation, initialization=initialization):
        x = layers.Flatten(name="flatten")(image)
        for number, width in enumerate(widths, start=1):
            x = _hidden(x, width, around_zero=activation in _AROUND_ZERO, name=f"hidden{number}")
            x = layers.Dropout(dropout, name=f"hidden{number}_dropout")(x) if dropout else x
        model = keras.Model(image, logits(x, num_classes=num_classes), name="mlp")
    return initialized(model, initialization)


def _hidden(x: KerasTensor, width: int, *, around_zero: bool, name: str) -> KerasTensor:
    def dense(own: str) -> KerasTensor:
        initializer = keras.initializers.GlorotUniform() if around_zero else he_normal("fan_in")
        return layers.Dense(width, kernel_initializer=initializer, name=own)(x)

    return unit(dense, name=name)
