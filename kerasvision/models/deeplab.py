"""DeepLabV3: convolutions that read pixels at several distances give each pixel its logits (Chen et al., 2017, figure 5).

Source: https://arxiv.org/abs/1706.05587, with the rates and the head of torchvision. The backbone keeps the size of its last
maps (see `kerasvision.models.resnet`), and a pyramid of parallel convolutions reads the last one ("ASPP"):

          +-- 1x1 conv ---------------------------+
          +-- 3x3 conv, at distance 12 -----------+
    c5 ---+-- 3x3 conv, at distance 24 -----------+-- concatenated -- 1x1 conv -- 3x3 conv -- 1x1 conv -- enlarged
          +-- 3x3 conv, at distance 36 -----------+
          +-- mean over the map -- 1x1 conv ------+

A norm and a ReLU follow each convolution but the last. At output stride 16 the distances are half as large.
"""

import keras
from keras import KerasTensor, layers, ops

from kerasvision.models.backbones import backbone_network, last_map
from kerasvision.models.blocks import Norm, batch_norm, check_positive, check_share, conv_norm_relu, map_logits
from kerasvision.models.fcn import Layout, OutputStride, pixel_network
from kerasvision.models.figures import AnyShape

# Of 3x3 convolutions on a map of stride 8. On one of stride 16 the same parts of the image are half as many cells apart.
_RATES = (12, 24, 36)


def atrous_pyramid(x: KerasTensor, *, channels: int, rates: tuple[int, ...], dropout: float, norm: Norm) -> KerasTensor:
    """The five branches of the figure and the 1x1 convolution over them ("atrous spatial pyramid pooling").

    Args:
        x: float32 (N, h, w, C).
        channels: of each branch and of the result.
        rates: distance of the cells that each 3x3 convolution reads.
        dropout: share of the result that training drops.
        norm: makes a normalisation layer.

    Returns:
        float32 (N, h, w, channels).
    """
    branches = [conv_norm_relu(x, norm=norm, width=channels, kernel=1, name="aspp_1x1")]
    for number, rate in enumerate(rates, start=1):
        branch = conv_norm_relu(x, norm=norm, width=channels, kernel=3, dilation=rate, name=f"aspp_3x3_{number}")
        branches.append(branch)
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="aspp_mean")(x)
    mean = conv_norm_relu(mean, norm=norm, width=channels, kernel=1, name="aspp_mean")
    # The sum with zeros gives each cell the mean, also where the size of the map is not known.
    branches.append(layers.Add(name="aspp_mean_everywhere")([ops.zeros_like(branches[0]), mean]))
    x = layers.Concatenate(name="aspp_concat")(branches)
    x = conv_norm_relu(x, norm=norm, width=channels, kernel=1, name="aspp_project")
    return layers.Dropout(dropout, name="aspp_dropout")(x)


def deeplab_v3(
    *,
    image_shape: AnyShape,
    num_classes: int | None,
    backbone: str | keras.Model = "resnet50",
    output_stride: OutputStride | None = 8,
    auxiliary_head: bool = False,
    channels: int = 256,
    dropout: float = 0.5,
    width: float | None = None,
    layout: Layout | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """DeepLabV3: 39,638,869 trainable weights on ResNet-50 with 21 classes; 42,004,074 with its auxiliary head.

    Args:
        image_shape: (height, width, channels) in pixels; of unknown size, the sides of the images must be multiples of the
            stride of the last level, or with an auxiliary head of both last levels.
        num_classes: how many logits each pixel gets; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level. The last one is read.
        output_stride: the backbone's option of that name: the stride of its last map, 8 or 16 in the paper. None keeps the
            backbone's own.
        auxiliary_head: score the level before the last one, too, for training, as torchvision does.
        channels: of each branch of the pyramid and of the map before the logits.
        dropout: share of the pyramid's map that training drops, in [0, 1).
        width: the backbone's option of that name, if it has one: a factor on its channels.
        layout: the backbone's option of that name, if it has one.
        synchronized: normalise by the batch of all replicas.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, H, W, num_classes); with an auxiliary head to a dict of two of
        them, {"logits", "auxiliary_logits"}; or to the backbone's maps.

    Raises:
        ConfigError: an option out of its range, or a backbone that does not exist or lacks an option.

    >>> small = {"backbone": "resnet18", "width": 0.125, "channels": 16}
    >>> deeplab_v3(image_shape=(64, 90, 3), num_classes=21, **small).output_shape
    (None, 64, 90, 21)
    """
    check_share("dropout", dropout)
    check_positive(channels=channels)
    options = {"width": width, "layout": layout, "output_stride": output_stride, "synchronized": synchronized}
    network = backbone_network(backbone, image_shape, **options)
    if num_classes is None:
        return network
    norm = batch_norm(synchronized=synchronized)
    x, rates = last_map(network.output), rates_at(output_stride)
    x = atrous_pyramid(x, channels=channels, rates=rates, dropout=dropout, norm=norm)
    x = conv_norm_relu(x, norm=norm, width=channels, kernel=3, name="logits_head")
    return pixel_network(
        network,
        map_logits(x, num_classes=num_classes),
        auxiliary_head=auxiliary_head,
        output_stride=output_stride,
        synchronized=synchronized,
        name="deeplab_v3",
    )


def rates_at(output_stride: OutputStride | None) -> tuple[int, ...]:
    """The distances that fit a map of that stride; None counts as 32.

    >>> rates_at(8), rates_at(16)
    ((12, 24, 36), (6, 12, 18))
    """
    return tuple(8 * rate // (output_stride or 32) for rate in _RATES)
