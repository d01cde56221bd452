"""Densely connected networks (Huang et al., 2016, https://arxiv.org/abs/1608.06993, table 1): DenseNet-121, 169, 201.

A layer reads the outputs of all layers before it and adds 32 channels of its own to them (figure 1):

    x --+-------------------------------------------------------- concatenate -->
        |                                                              |
        +-- norm -- relu -- 1x1 conv -- norm -- relu -- 3x3 conv ------+

These are the "BC" networks of section 3. The 1x1 convolution (B, bottleneck) makes the 3x3 convolution cheap. Between two
stages a transition halves the channels (C, compression) and the sides:

    x -- norm -- relu -- 1x1 conv -- 2x2 average pooling -->

Stage l computes at stride 2**l. Its map is the relu of its transition, before convolution and pooling. The map of the last
stage is what the head pools. The paper's "dense block (1)" is stage 2.

The option `layout` chooses the constants of the norms: "torchvision" (epsilon 1e-5, momentum 0.9) or "keras", those of
keras.applications (1.001e-5, 0.99). The graph is the same.

`densenet_small` is the network of Dive into Deep Learning, https://d2l.ai/chapter_convolutional-modern/densenet.html.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import Initialization, check_units
from kerasvision.models import blocks
from kerasvision.models.blocks import KERAS_NORM, Norm, batch_norm, check_choice, norm_relu, pooled_network
from kerasvision.models.families import options_of
from kerasvision.models.units import initialized

Layout = Literal["torchvision", "keras"]
# float32 (N, H, W, C), and a name -> float32 (N, H, W, growth).
Layer = Callable[..., KerasTensor]

GROWTH = 32

# As in torchvision, the variance of a kernel depends on its inputs. A dense layer has more inputs than outputs.
conv = partial(blocks.conv, fan="fan_in")


def bottleneck_layer(x: KerasTensor, *, norm: Norm, name: str) -> KerasTensor:
    """Norm, ReLU, 1x1 convolution to 4 x 32 channels; norm, ReLU, 3x3 convolution to 32.

    Args:
        x: float32 (N, H, W, C).
        norm: makes a normalisation layer.
        name: prefix of its layers.

    Returns:
        float32 (N, H, W, 32).
    """
    x = norm_relu(x, norm=norm, name=name, number=1)
    x = conv(x, width=4 * GROWTH, kernel=1, name=f"{name}_conv1")
    x = norm_relu(x, norm=norm, name=name, number=2)
    return conv(x, width=GROWTH, kernel=3, name=f"{name}_conv2")


def plain_layer(x: KerasTensor, *, norm: Norm, bias: bool, name: str) -> KerasTensor:
    """Norm, ReLU, 3x3 convolution: float32 (N, H, W, C) to (N, H, W, 32); see `bottleneck_layer`."""
    x = norm_relu(x, norm=norm, name=name, number=1)
    return conv(x, width=GROWTH, kernel=3, bias=bias, name=f"{name}_conv1")


def stage(x: KerasTensor, *, level: int, count: int, layer: Layer) -> KerasTensor:
    """`count` layers, each concatenated to its input: float32 (N, H, W, C) to (N, H, W, C + 32 * count)."""
    for number in range(1, count + 1):
        name = f"stage{level}_layer{number}"
        x = layers.Concatenate(name=f"{name}_concat")([x, layer(x, name=name)])
    return x


def transition(x: KerasTensor, *, norm: Norm, bias: bool, name: str) -> tuple[KerasTensor, KerasTensor]:
    """relu(norm(x)), and a map with half its channels at half its height and width.

    From float32 (N, H, W, C) to (N, H, W, C) and (N, H // 2, W // 2, C // 2).
    """
    activated = norm_relu(x, norm=norm, name=name)
    x = conv(activated, width=x.shape[-1] // 2, kernel=1, bias=bias, name=f"{name}_conv")
    return activated, layers.AveragePooling2D(2, name=f"{name}_pool")(x)


def dense_maps(
    image: KerasTensor, *, counts: tuple[int, int, int, int], norm: Norm, layer: Layer, bias: bool = False
) -> dict[str, KerasTensor]:
    """Table 1 up to the last pooling; at 224 x 224 with 6, 12, 24 and 16 layers, DenseNet-121:

        stem   112 x 112 x   64    7x7 convolution
                56 x  56 x   64    3x3 max pooling
        c2      56 x  56 x  256    64 + 6 * 32, then halved
        c3      28 x  28 x  512    128 + 12 * 32, then halved
        c4      14 x  14 x 1024    256 + 24 * 32, then halved
        c5       7 x   7 x 1024    512 + 16 * 32

    Args:
        image: float32 (N, H, W, C).
        counts: how many layers the stages 2 to 5 have.
        norm: makes a normalisation layer.
        layer: makes the new channels of a layer.
        bias: whether the convolutions outside the layers have a bias.

    Returns:
        The maps by level; each is float32 (N, height, width, channels).
    """
    x = conv(image, width=64, kernel=7, stride=2, bias=bias, name="stem_conv")
    x = norm_relu(x, norm=norm, name="stem")
    # No value is negative here, so a border of zeros has the same effect as the intended border of minus infinity.
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    x = stage(x, level=2, count=counts[0], layer=layer)
    c2, x = transition(x, norm=norm, bias=bias, name="transition2")
    x = stage(x, level=3, count=counts[1], layer=layer)
    c3, x = transition(x, norm=norm, bias=bias, name="transition3")
    x = stage(x, level=4, count=counts[2], layer=layer)
    c4, x = transition(x, norm=norm, bias=bias, name="transition4")
    x = stage(x, level=5, count=counts[3], layer=layer)
    return {"c2": c2, "c3": c3, "c4": c4, "c5": norm_relu(x, norm=norm, name="final")}


class Depth(NamedTuple):
    """A column of table 1.

    Attributes:
        name: the network's name.
        counts: how many layers the stages 2 to 5 have.
    """

    name: str
    counts: tuple[int, int, int, int]


def densenet(
    depth: Depth,
    /,
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    layout: Layout = "torchvision",
    dropout: float = 0.0,
    synchronized: bool = False,
    initialization: Initialization | None = None,
) -> keras.Model:
    """The network of a column of table 1, with the options that all columns share.

    Args:
        depth: the column.
        image_shape: (height, width, channels), at least 29 x 29 pixels.
        num_classes: how many logits; None gives the backbone.
        layout: "torchvision" or "keras" (keras.applications): the constants of the norms.
        dropout: share of the pooled features that training drops, in [0, 1). (The paper drops 0.2 after every
            convolution, but only for small data without augmentation.)
        synchronized: normalise by the whole batch instead of each replica's part of it; see `batch_norm`.
        initialization: of all kernels, see `units`; None: as `conv` says.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to the maps {"c2", "c3", "c4", "c5"} of
        strides 4, 8, 16, 32, after norm and ReLU.

    Raises:
        ConfigError: another layout; dropout outside [0, 1); an unknown initialization.
    """
    check_choice(depth.name, "layout", layout, get_args(Layout))
    check_units(depth.name, {"initialization": initialization})
    norm = batch_norm(synchronized=synchronized, **(KERAS_NORM if layout == "keras" else {}))
    layer = partial(bottleneck_layer, norm=norm)
    image = keras.Input(image_shape, name="image")
    maps = dense_maps(image, counts=depth.counts, norm=norm, layer=layer)
    return initialized(pooled_network(depth.name, image, maps, num_classes=num_classes, dropout=dropout), initialization)


@options_of(densenet)
def densenet121(**options: Any) -> keras.Model:
    """DenseNet-121: 7,978,856 trainable weights and 2.834 GMACs at 224 x 224 x 3 and 1000 classes.

    8,062,504 weights in all. The maps have 256, 512, 1024, 1024 channels. See `densenet`.

    >>> densenet121(image_shape=(64, 64, 3), num_classes=None).output["c5"].shape
    (None, 2, 2, 1024)
    """
    return densenet(Depth("densenet121", (6, 12, 24, 16)), **options)


@options_of(densenet)
def densenet169(**options: Any) -> keras.Model:
    """DenseNet-169: 14,149,480 trainable weights and 3.360 GMACs at 224 x 224 x 3 and 1000 classes; see `densenet`.

    14,307,880 weights in all. The maps have 256, 512, 1280, 1664 channels.
    """
    return densenet(Depth("densenet169", (6, 12, 32, 32)), **options)


@options_of(densenet)
def densenet201(**options: Any) -> keras.Model:
    """DenseNet-201: 20,013,928 trainable weights and 4.291 GMACs at 224 x 224 x 3 and 1000 classes; see `densenet`.

    20,242,984 weights in all. The maps have 256, 512, 1792, 1920 channels.
    """
    return densenet(Depth("densenet201", (6, 12, 48, 32)), **options)


def densenet_small(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    bias: bool = False,
    dropout: float = 0.0,
    synchronized: bool = False,
    initialization: Initialization | None = None,
) -> keras.Model:
    """Four stages of four plain layers: 757,322 trainable weights at 96 x 96 x 1 and 10 classes.

    Dive into Deep Learning trains it on Fashion-MNIST, with a bias in each convolution: 758,226 trainable weights,
    764,834 in all. Every layer that reads a convolution here subtracts the mean, so those 904 biases change nothing and
    have no gradient.

    Args:
        image_shape: (height, width, channels), at least 29 x 29 pixels.
        num_classes: how many logits; None gives the backbone.
        bias: add these biases, so that the network has exactly the same weights.
        dropout: share of the pooled features that training drops, in [0, 1).
        synchronized: normalise by the whole batch instead of each replica's part of it; see `batch_norm`.
        initialization: of all kernels, see `units`; None: as `conv` says.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to the maps {"c2", "c3", "c4", "c5"} of
        strides 4, 8, 16, 32 and 192, 224, 240, 248 channels, after norm and ReLU.

    Raises:
        ConfigError: dropout outside [0, 1); an unknown initialization.

    >>> densenet_small(image_shape=(96, 96, 1), num_classes=10, bias=True).count_params()
    764834
    """
    check_units("densenet_small", {"initialization": initialization})
    norm = batch_norm(synchronized=synchronized)
    layer = partial(plain_layer, norm=norm, bias=bias)
    image = keras.Input(image_shape, name="image")
    maps = dense_maps(image, counts=(4, 4, 4, 4), norm=norm, layer=layer, bias=bias)
    network = pooled_network("densenet_small", image, maps, num_classes=num_classes, dropout=dropout)
    return initialized(network, initialization)
