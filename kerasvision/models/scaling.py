"""A layer "scaling" before a network, so that it takes RGB images in [0, 1] whatever range its weights were trained on.

    caffe       0..255 less the mean colour of ImageNet     (Simonyan & Zisserman, 2014, section 2.1)
    unit        [-1, 1]                                     (TensorFlow's own networks)
    signed      0..255 over 128, less 1                     (EfficientNetV2-S, M and L)
    edge        0..255 less 127, over 128                   (EfficientNet-Lite, for 8-bit integers)
    imagenet    less ImageNet's mean, over its deviation    (torchvision, "normalize")

Caffe reads images as BGR. The layer does not change that: the code that loads such weights reverses the first convolution.
"""

from functools import cache
from typing import Literal

import keras
from keras import layers

from kerasvision.ops.normalization import fused

Pixels = Literal["caffe", "unit", "signed", "edge", "imagenet"]

NAME = "scaling"

# Red, green, blue. Caffe and torchvision each computed the mean colour of ImageNet.
_CAFFE_MEAN = (123.68, 116.779, 103.939)
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def scaling(pixels: Pixels) -> layers.Rescaling:
    """A layer from RGB in [0, 1] to the range that such weights require, float32 (N, H, W, 3) in and out.

    It computes in float32 even under a mixed policy: bfloat16 is not precise enough.

    >>> import numpy as np
    >>> scaling("caffe")(np.ones((1, 1, 1, 3), "float32")).numpy().ravel().round(3)
    array([131.32 , 138.221, 151.061], dtype=float32)
    """
    scale, offset = {
        "caffe": ([255.0] * 3, [-mean for mean in _CAFFE_MEAN]),
        "unit": ([2.0] * 3, [-1.0] * 3),
        "signed": ([255 / 128] * 3, [-1.0] * 3),
        "edge": ([255 / 128] * 3, [-127 / 128] * 3),
        "imagenet": (
            [1 / deviation for deviation in _DEVIATION],
            [-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)],
        ),
    }[pixels]
    return layers.Rescaling(scale, offset, dtype="float32", name=NAME)


def scaled(model: keras.Model, first: keras.Layer) -> keras.Model:
    """The same functional model, freshly initialised, with one more layer directly after the image.

    Its layers are copies: a layer in two models would belong to the graph of the older one.
    """
    image = keras.Input(model.input.shape[1:], name=model.input.name)
    return reading(model, first(image), image=image)


def reading(model: keras.Model, x: keras.KerasTensor, *, image: keras.KerasTensor) -> keras.Model:
    """Copies of a functional model's layers, freshly initialised, that read x, which is made from the image.

    Args:
        model: from a tensor of the shape of x, or of one with other sides.
        x: what the copies read instead of the image.
        image: a `keras.Input`, the input of the new model.

    Returns:
        Model from the image to the outputs of the copies.
    """

    def call(layer: keras.Layer, *args: object, **kwargs: object) -> object:
        def replaced(value: object) -> object:
            return x if value is image else value

        args, kwargs = keras.tree.map_structure(replaced, (args, kwargs))
        return layer(*args, **kwargs)

    return keras.models.clone_model(model, input_tensors=image, clone_function=cache(copied), call_function=call)


def scaling_of(model: keras.Model) -> layers.Rescaling | None:
    """A copy of the layer that `scaled` added; None if the model has no such layer."""
    found = next((layer for layer in model.layers if layer.name == NAME), None)
    return None if found is None else copied(found)


def copied(layer: keras.Layer, **changes: object) -> keras.Layer:
    """A layer with the same settings but for `changes`, and with weights of its own, freshly initialised."""
    copy = type(layer).from_config({**layer.get_config(), **changes})
    return fused(copy) if isinstance(copy, layers.BatchNormalization) else copy
