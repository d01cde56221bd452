"""The parts of a detector's head that FCOS and RetinaNet share: convolutions that every level of a pyramid goes through.

A tower is a stack of 3x3 convolutions with ReLU, and a last convolution answers for each cell. All levels share the weights
of the convolutions. Their norm is one of

    "group"   group normalisation over groups of 8 channels, shared by all levels (Wu & He, 2018,
              https://arxiv.org/abs/1803.08494): 32 groups of the 256 channels of FCOS
    "batch"   batch normalisation with weights and statistics of each level's own, because the levels differ in both (as in
              EfficientDet: Tan et al., 2020, https://arxiv.org/abs/1911.09070)
    "none"    no norm

Weights begin as noise with a deviation of 0.01 (RetinaNet: Lin et al., 2017, https://arxiv.org/abs/1708.02002, section 4.1).
"""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import HeadNorm
from kerasvision.models.blocks import batch_norm

# From a map (N, h, w, C) and the name of its level to (N, h, w, channels).
Shared = Callable[[KerasTensor, str], KerasTensor]

_CHANNELS_PER_GROUP = 8
# At the start every class has this probability everywhere: otherwise the many cells without an object drown the others
# (RetinaNet, section 3.3).
_PRIOR = 0.01


def tower(*, channels: int, depth: int, norm: HeadNorm, synchronized: bool, name: str) -> Shared:
    """`depth` blocks of `shared_block`, one after the other."""
    blocks = [
        shared_block(channels=channels, norm=norm, synchronized=synchronized, name=f"{name}_tower{number}")
        for number in range(1, depth + 1)
    ]

    def apply(x: KerasTensor, level: str) -> KerasTensor:
        for block in blocks:
            x = block(x, level)
        return x

    return apply


def shared_block(*, channels: int, norm: HeadNorm, synchronized: bool, name: str) -> Shared:
    """3x3 convolution, norm, ReLU: each call applies the same convolution; see the top of this file for the norms."""
    # Only batch normalisation subtracts all of the bias.
    conv = shared_conv(channels, bias=norm != "batch", name=f"{name}_conv")
    relu = layers.ReLU(name=f"{name}_relu")
    normed = _norm(norm, channels=channels, synchronized=synchronized, name=f"{name}_norm")
    return lambda x, level: relu(normed(conv(x), level))


def shared_conv(channels: int, *, bias: bool = True, name: str, **options: Any) -> layers.Conv2D:
    """A layer: a 3x3 convolution that keeps the size of its map, initialised with small noise."""
    initializer = keras.initializers.RandomNormal(stddev=0.01)
    return layers.Conv2D(channels, 3, padding="same", use_bias=bias, kernel_initializer=initializer, name=name, **options)


def answer_conv(channels: int, *, name: str, activation: str | None = None) -> layers.Conv2D:
    """A layer: the last convolution of a head. Like `blocks.logits`, it computes in full precision."""
    return shared_conv(channels, name=name, activation=activation, dtype=keras.config.floatx())


def class_conv(channels: int) -> layers.Conv2D:
    """A layer "class_logits": the logits of the classes, which all begin at the probability 0.01."""
    bias = keras.initializers.Constant(-math.log((1 - _PRIOR) / _PRIOR))
    return shared_conv(channels, bias_initializer=bias, dtype=keras.config.floatx(), name="class_logits")


def _norm(norm: HeadNorm, *, channels: int, synchronized: bool, name: str) -> Shared:
    if norm == "none":
        return lambda x, _: x
    if norm == "batch":
        make = batch_norm(synchronized=synchronized)
        return lambda x, level: make(name=f"{level}_{name}")(x)
    groups = channels // math.gcd(_CHANNELS_PER_GROUP, channels)
    # Sums over a whole map are too coarse in 16 bits.
    group_norm = layers.GroupNormalization(groups, epsilon=1e-5, dtype=keras.config.floatx(), name=name)
    return lambda x, _: group_norm(x)
