"""A network of your own: depthwise-separable convolutions (MobileNet, Howard et al., 2017, https://arxiv.org/abs/1704.04861)."""

import keras
from keras import layers


def separable(*, image_shape: tuple[int, int, int], num_classes: int, width: int = 16) -> keras.Model:
    """Three convolutions, each of twice as many channels as the one before, and a linear layer.

    Args:
        image_shape: (H, W, C) of the images.
        num_classes: how many classes there are.
        width: channels of the first convolution.

    Returns:
        A model from images, float32 (N, H, W, C), to logits, float32 (N, num_classes): without softmax.
    """
    image = keras.Input(image_shape, name="image")
    x = layers.Conv2D(width, 3, padding="same", use_bias=False)(image)
    x = _normalized(x)
    for channels in (2 * width, 4 * width):
        x = layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(x)
        x = _normalized(x)
        x = layers.Conv2D(channels, 1, use_bias=False)(x)
        x = _normalized(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(num_classes, name="logits")(x), name="separable")


def _normalized(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU()(layers.BatchNormalization()(x))
