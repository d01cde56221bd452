"""Fully convolutional networks: a classifier's maps give each pixel its logits (Long et al., 2015, figure 3).

Source: https://arxiv.org/abs/1411.4038. On the last map of the backbone a 1x1 convolution scores each cell. FCN-32s enlarges
these scores 32 times at once. FCN-16s and FCN-8s first add those of finer maps:

    c5 -- hidden1, hidden2 -- score5 ---(x 2)---(+)---(x 2)---(+)---(x 8)--> logits    FCN-8s
    c4 ---------------------- score4 ------------+             |
    c3 ---------------------- score3 --------------------------+

On VGG the two hidden layers are its dense ones, as convolutions: 7x7 and 1x1, with 4096 channels.

The paper's code adds a border of 100 zeros to the image, because the 7x7 convolution adds none, and cuts the scores to the
size of the image. Here each convolution adds the zeros that keep its map's size, so that a cell of level l answers for its
own 2**l x 2**l pixels and nothing but a surplus at the far sides is cut. The weights are the same.

torchvision's FCN ("fcn") leaves strides out of the backbone instead of adding finer maps, and interpolates its scores.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import keras
from keras import KerasTensor, layers

from kerasvision.errors import ConfigError
from kerasvision.models.backbones import backbone_network, last_map, level_number
from kerasvision.models.blocks import batch_norm, check_choice, check_share, conv, conv_norm_relu, map_logits
from kerasvision.models.enlarging import Upsampling, fitted, resized, upsampled
from kerasvision.models.families import options_of
from kerasvision.models.figures import AnyShape

Layout = Literal["torchvision", "paper", "keras"]
OutputStride = Literal[8, 16, 32]

# VGG has 4096 hidden units on 512 channels.
_HIDDEN_PER_CHANNEL = 8


def hidden_convs(x: KerasTensor, *, width: int, dropout: float) -> KerasTensor:
    """VGG's two dense layers as convolutions, each with ReLU and dropout: float32 (N, h, w, C) to (N, h, w, width)."""
    for name, kernel in (("hidden1", 7), ("hidden2", 1)):
        x = conv(x, width=width, kernel=kernel, bias=True, fan="fan_in", name=f"{name}_conv")
        x = layers.ReLU(name=f"{name}_relu")(x)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return x


def added_scores(scores: KerasTensor, finer: KerasTensor, *, level: int, upsampling: Upsampling) -> KerasTensor:
    """The scores enlarged twice, plus those of a finer map.

    Args:
        scores: float32 (N, h, w, num_classes) of level + 1.
        finer: the backbone's map of that level, float32 (N, H, W, C).
        level: number of the finer map.
        upsampling: see `enlarging.upsampled`.

    Returns:
        float32 (N, H, W, num_classes).
    """
    scores = upsampled(scores, stride=2, upsampling=upsampling, name=f"score{level + 1}_up")
    dtype = keras.config.floatx()
    scores = fitted(scores, like=finer, dtype=dtype, name=f"score{level + 1}")
    # Zeros, so that training begins with the coarser network's answers, as in the paper.
    own = map_logits(finer, num_classes=scores.shape[-1], kernel_initializer="zeros", name=f"score{level}")
    return layers.Add(dtype=dtype, name=f"score{level}_add")([scores, own])


def skip_fcn(
    finest: int,
    /,
    *,
    image_shape: AnyShape,
    num_classes: int | None,
    backbone: str | keras.Model = "vgg16",
    upsampling: Upsampling = "learned",
    hidden: int | None = None,
    dropout: float = 0.5,
    width: float | None = None,
    layout: Layout | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """The network that adds the scores down to one level, with the options that FCN-32s, FCN-16s and FCN-8s share.

    Args:
        finest: number of the finest level that is scored: 5, 4 or 3.
        image_shape: (height, width, channels) in pixels; of unknown size, the sides of the images must be multiples of 32.
        num_classes: how many logits each pixel gets; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level. It must have level
            c5, and the finer ones that are scored.
        upsampling: "learned" by transposed convolutions that begin as bilinear interpolation, or "fixed", which
            interpolates and has no weights; see `enlarging.upsampled`.
        hidden: channels of the two hidden convolutions; 0 leaves them out. None is 8 times the channels of c5 on VGG, which
            has 4096 on 512, and 0 on other backbones.
        dropout: share of each hidden map that training drops, in [0, 1).
        width: the backbone's option of that name, if it has one: a factor on its channels.
        layout: the backbone's option of that name, if it has one.
        synchronized: normalise by the batch of all replicas.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, H, W, num_classes), or to the backbone's maps.

    Raises:
        ConfigError: an option out of its range, or a backbone that does not exist or lacks an option or a level.
    """
    name = f"fcn{2**finest}s"
    check_share("dropout", dropout)
    check_choice(name, "upsampling", upsampling, get_args(Upsampling))
    network = backbone_network(backbone, image_shape, width=width, layout=layout, synchronized=synchronized)
    if num_classes is None:
        return network
    x, *finer = checked_levels(name, network.output, levels=range(5, finest - 1, -1))
    hidden = checked_hidden(hidden, network=network)
    x = hidden_convs(x, width=hidden, dropout=dropout) if hidden else x
    scores = map_logits(x, num_classes=num_classes, name="score5")
    for level, feature_map in zip(range(4, finest - 1, -1), finer, strict=True):
        scores = added_scores(scores, feature_map, level=level, upsampling=upsampling)
    logits = upsampled(scores, stride=2**finest, upsampling=upsampling, name="logits")
    logits = fitted(logits, like=network.input, dtype=keras.config.floatx(), name="logits")
    return keras.Model(network.input, logits, name=name)


@options_of(skip_fcn)
def fcn32s(**options: Any) -> keras.Model:
    """FCN-32s: 136,152,917 trainable weights on VGG-16 with 21 classes; see `skip_fcn`.

    >>> fcn32s(image_shape=(64, 96, 3), num_classes=21, backbone="resnet18", width=0.25).output_shape
    (None, 64, 96, 21)
    """
    return skip_fcn(5, **options)


@options_of(skip_fcn)
def fcn16s(**options: Any) -> keras.Model:
    """FCN-16s: 134,815,994 trainable weights on VGG-16 with 21 classes; see `skip_fcn`."""
    return skip_fcn(4, **options)


@options_of(skip_fcn)
def fcn8s(**options: Any) -> keras.Model:
    """FCN-8s: 134,489,759 trainable weights on VGG-16 with 21 classes; see `skip_fcn`.

    The paper trains FCN-32s first, then FCN-16s from its weights, then FCN-8s. Here each can be trained at once.
    """
    return skip_fcn(3, **options)


def score_head(x: KerasTensor, *, num_classes: int, dropout: float, synchronized: bool, name: str) -> KerasTensor:
    """A 3x3 convolution to a quarter of the channels with norm and ReLU, dropout, and a 1x1 convolution.

    Args:
        x: float32 (N, h, w, C).
        num_classes: how many logits each cell gets.
        dropout: share of the narrow map that training drops.
        synchronized: see `blocks.batch_norm`.
        name: of the last layer, and a prefix of the others.

    Returns:
        float32 (N, h, w, num_classes).
    """
    norm = batch_norm(synchronized=synchronized)
    x = conv_norm_relu(x, norm=norm, width=max(1, x.shape[-1] // 4), kernel=3, name=f"{name}_head")
    x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return map_logits(x, num_classes=num_classes, name=name)


def pixel_network(
    network: keras.Model,
    logits: KerasTensor,
    *,
    auxiliary_head: bool,
    output_stride: OutputStride | None,
    synchronized: bool,
    name: str,
) -> keras.Model:
    """The network from an image to the logits of its pixels, with a second head for training, if it is wanted.

    Args:
        network: the backbone.
        logits: float32 (N, h, w, num_classes), of the last level.
        auxiliary_head: whether the level before the last one has a `score_head`, too.
        output_stride: the largest stride of a map; None if that is the backbone's own.
        synchronized: see `blocks.batch_norm`.
        name: of the network.

    Returns:
        As `fcn`.
    """
    image = network.input
    *finer, last = sorted(network.output, key=level_number)
    whole = resized(logits, image=image, stride=_stride(last, output_stride), name="logits_resized")
    if not auxiliary_head:
        return keras.Model(image, whole, name=name)
    if not finer:
        raise ConfigError(f"an auxiliary head requires a second level; the backbone has {last}")
    x = network.output[finer[-1]]
    x = score_head(x, num_classes=logits.shape[-1], dropout=0.1, synchronized=synchronized, name="auxiliary_logits")
    x = resized(x, image=image, stride=_stride(finer[-1], output_stride), name="auxiliary_logits_resized")
    return keras.Model(image, {"logits": whole, "auxiliary_logits": x}, name=name)


def fcn(
    *,
    image_shape: AnyShape,
    num_classes: int | None,
    backbone: str | keras.Model = "resnet50",
    output_stride: OutputStride | None = 8,
    auxiliary_head: bool = False,
    dropout: float = 0.1,
    width: float | None = None,
    layout: Layout | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """torchvision's FCN-ResNet50: 32,957,013 trainable weights with 21 classes; 35,322,218 with its auxiliary head.

    Args:
        image_shape: (height, width, channels) in pixels; of unknown size, the sides of the images must be multiples of the
            stride of the last level, or with an auxiliary head of both last levels.
        num_classes: how many logits each pixel gets; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level. The last one is
            scored.
        output_stride: the backbone's option of that name: the stride of its last map. None keeps the backbone's own.
        auxiliary_head: score the level before the last one, too, for training.
        dropout: share of the map before the logits that training drops, in [0, 1).
        width: the backbone's option of that name, if it has one: a factor on its channels.
        layout: the backbone's option of that name, if it has one.
        synchronized: normalise by the batch of all replicas.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, H, W, num_classes); with an auxiliary head to a dict of two of
        them, {"logits", "auxiliary_logits"}; or to the backbone's maps.

    Raises:
        ConfigError: an option out of its range, or a backbone that does not exist or lacks an option.

    >>> small = {"backbone": "resnet18", "width": 0.125}
    >>> fcn(image_shape=(64, 90, 3), num_classes=21, **small).output_shape
    (None, 64, 90, 21)
    """
    check_share("dropout", dropout)
    options = {"width": width, "layout": layout, "output_stride": output_stride, "synchronized": synchronized}
    network = backbone_network(backbone, image_shape, **options)
    if num_classes is None:
        return network
    x = last_map(network.output)
    return pixel_network(
        network,
        score_head(x, num_classes=num_classes, dropout=dropout, synchronized=synchronized, name="logits"),
        auxiliary_head=auxiliary_head,
        output_stride=output_stride,
        synchronized=synchronized,
        name="fcn",
    )


def checked_levels(name: str, maps: dict[str, KerasTensor], *, levels: Sequence[int]) -> list[KerasTensor]:
    """The maps of these levels; raises ConfigError if the backbone lacks one."""
    for level in levels:
        if f"c{level}" not in maps:
            raise ConfigError(
                f"{name} scores level c{level}; its backbone has {', '.join(maps)}",
                hint="choose a backbone with a map of stride 32, such as resnet18, or a network of fewer levels",
            )
    return [maps[f"c{level}"] for level in levels]


def checked_hidden(hidden: int | None, *, network: keras.Model) -> int:
    """How many channels the hidden convolutions have; see `skip_fcn`."""
    if hidden is None:
        return _HIDDEN_PER_CHANNEL * network.output["c5"].shape[-1] if network.name.startswith("vgg") else 0
    if type(hidden) is not int or hidden < 0:
        raise ConfigError("hidden must be a whole number of channels, 0 for no hidden convolutions", received=hidden)
    return hidden


def _stride(level: str, output_stride: OutputStride | None) -> int:
    """The stride of a level's map, where the backbone has none above `output_stride`."""
    own: int = 2 ** level_number(level)
    return min(own, output_stride or own)
