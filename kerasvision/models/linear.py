"""A linear classifier: one layer from the pixels to the logits (https://cs231n.github.io/linear-classify/).

    image      H x W x C
    flatten    H * W * C
    logits     num_classes     w . x + b for each class

A row of weights, w, has a number for each number of the image. Shaped as an image it is the template of its class: what the
class looks like to the network. With the loss "cross_entropy" of `c.Classification` this is softmax regression, with "hinge"
a linear support vector machine.
"""

import keras
from keras import layers

from kerasvision.config.network_options import Initialization
from kerasvision.models.blocks import logits_layer
from kerasvision.models.figures import AnyShape
from kerasvision.models.units import initialized, units_chosen


def linear(
    *,
    image_shape: AnyShape,
    num_classes: int | None,
    bias: bool = True,
    initialization: Initialization | None = None,
) -> keras.Model:
    """The linear classifier: 7,850 weights and 7,840 multiply-adds at 28 x 28 x 1 and 10 classes.

    As a backbone it is the image itself: no layer comes before the logits.

    Args:
        image_shape: (height, width, channels).
        num_classes: how many logits; None gives the backbone.
        bias: add a number to each logit that does not depend on the image.
        initialization: of the weights, see `units`; None: Glorot's. "zeros" is as good as any here: no hidden unit could
            stay like another.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to {"c0": the image} of stride 1.

    Raises:
        ConfigError: an unknown initialization.

    >>> linear(image_shape=(28, 28, 1), num_classes=10).count_params()
    7850
    """
    image = keras.Input(image_shape, name="image")
    if num_classes is None:
        return keras.Model(image, {"c0": image}, name="linear")
    with units_chosen("linear", activation="relu", initialization=initialization):
        x = layers.Flatten(name="flatten")(image)
        model = keras.Model(image, logits_layer(num_classes, bias=bias)(x), name="linear")
    return initialized(model, initialization)
