"""R-CNN and Fast R-CNN: what is in each of some regions of an image (Girshick et al., 2013; Girshick, 2015).

    rcnn        image -- crop of each region -- backbone -- mean --------------------+-- class_logits
                                                                                     |
                                                                                     +-- region_deltas

    fast_rcnn   image -- backbone -- map -- pooling of each region -- dense -- dense +-- class_logits
                                                                                     |
                                                                                     +-- region_deltas

R-CNN (https://arxiv.org/abs/1311.2524) runs the backbone once for each region, Fast R-CNN (https://arxiv.org/abs/1504.08083,
figure 1) once for the image. Both take the same regions here: the windows of `kerasvision.models.windows`, which need no
training, instead of those of selective search. Fast R-CNN can also take the proposals of a trained Faster R-CNN. Of R-CNN's
three trainings (network, support vector machines, regression of boxes) one remains, with Fast R-CNN's loss.
"""

from collections.abc import Sequence
from typing import Literal

import keras
from keras import KerasTensor, layers, ops

from kerasvision.config.region_options import check_fast_rcnn, check_rcnn, sides_in_pixels
from kerasvision.models.backbones import backbone_network, last_map
from kerasvision.models.proposer import proposed_regions
from kerasvision.models.region_heads import check_one_size, dense_head, finest_last_map, region_answers
from kerasvision.models.scaling import reading
from kerasvision.models.windows import window_proposals
from kerasvision.ops.regions import roi_align, roi_max_pool


def fast_rcnn(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    backbone: str | keras.Model = "vgg16",
    proposals: int = 300,
    window_sides: str | Sequence[float] | float = (64, 128, 256, 512),
    proposer: str | None = None,
    hidden: int = 4096,
    pooled: int = 7,
    dropout: float = 0.5,
    width: float | None = None,
    layout: Literal["torchvision", "paper", "keras"] | None = None,
    output_stride: Literal[8, 16, 32] | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """Fast R-CNN: 134,690,729 trainable weights with VGG-16 and 20 classes.

    Args:
        image_shape: (height, width, channels) in pixels.
        num_classes: how many classes, without background; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level. Its last map is read;
            of VGG, the last convolutions.
        proposals: how many regions, P; fewer if there are fewer windows.
        window_sides: sides of the square windows, in pixels: (64, 128), or the text "64-128"; see
            `windows.window_proposals`.
        proposer: path of the `.keras` file of a trained Faster R-CNN. Its proposals are the regions, in place of windows;
            it becomes a part of this network that learns nothing.
        hidden: units of the two dense layers.
        pooled: each region becomes a map of pooled x pooled cells.
        dropout: share of the units of the dense layers that training drops, in [0, 1).
        width: the backbone's option of that name, if it has one: a factor on its channels.
        layout: the backbone's option of that name, if it has one.
        output_stride: the backbone's option of that name, if it has one: the stride of its last map.
        synchronized: normalise by the batch of all replicas.

    Returns:
        Model from float32 (N, H, W, C) to a dict of float32 tensors: "proposals" (N, P, 4), corners in pixels, then zeros;
        "class_logits" (N, P, num_classes + 1), background last; "region_deltas" (N, P, 4 * (num_classes + 1)).

    Raises:
        ConfigError: an option out of its range, a backbone that does not exist or lacks an option, images of unknown size,
            or a proposer that does not fit.
        ExportError: the file of the proposer is missing, damaged or hostile.

    >>> small = {"backbone": "vgg11", "width": 0.0625, "proposals": 8, "window_sides": (16, 32), "hidden": 8}
    >>> {name: x.shape for name, x in fast_rcnn(image_shape=(64, 96, 3), num_classes=5, **small).output.items()}
    {'proposals': (None, 8, 4), 'class_logits': (None, 8, 6), 'region_deltas': (None, 8, 24)}
    """
    check_fast_rcnn(
        {
            "proposals": proposals,
            **({"window_sides": window_sides} if proposer is None else {"proposer": proposer}),
            "hidden": hidden,
            "pooled": pooled,
            "dropout": dropout,
            "width": width,
            "synchronized": synchronized,
        }
    )
    handed_on = {"width": width, "layout": layout, "output_stride": output_stride, "synchronized": synchronized}
    network = backbone_network(backbone, image_shape, **handed_on)
    if num_classes is None:
        return network
    check_one_size("fast_rcnn", image_shape)
    x, stride = finest_last_map(network, output_stride)
    if proposer is None:
        boxes = window_proposals(network.input, sides=sides_in_pixels("window_sides", window_sides), count=proposals)
    else:
        boxes = proposed_regions(network, proposer, count=proposals)
    regions = roi_max_pool(x, boxes, stride=stride, size=pooled)
    answers = dense_head(regions, num_classes=num_classes, hidden=hidden, dropout=dropout)
    return keras.Model(network.input, {"proposals": boxes, **answers}, name="fast_rcnn")


def rcnn(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    backbone: str | keras.Model = "alexnet",
    proposals: int = 300,
    window_sides: str | Sequence[float] | float = (64, 128, 256, 512),
    crop: int = 227,
    width: float | None = None,
    layout: Literal["torchvision", "paper", "keras"] | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """R-CNN on any backbone, for the comparison with Fast R-CNN: the same regions and the same loss.

    Args:
        image_shape: (height, width, channels) in pixels.
        num_classes: how many classes, without background; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level. It reads the crops.
        proposals, window_sides: as in `fast_rcnn`.
        crop: each region is warped to crop x crop pixels, by bilinear interpolation.
        width: the backbone's option of that name, if it has one: a factor on its channels.
        layout: the backbone's option of that name, if it has one.
        synchronized: normalise by the batch of all replicas.

    Returns:
        As `fast_rcnn`.

    Raises:
        ConfigError: as `fast_rcnn`.

    >>> small = {"backbone": "resnet9", "width": 0.0625, "proposals": 8, "window_sides": (16, 32), "crop": 16}
    >>> {name: x.shape for name, x in rcnn(image_shape=(64, 96, 3), num_classes=5, **small).output.items()}
    {'proposals': (None, 8, 4), 'class_logits': (None, 8, 6), 'region_deltas': (None, 8, 24)}
    """
    check_rcnn(
        {"proposals": proposals, "window_sides": window_sides, "crop": crop, "width": width, "synchronized": synchronized}
    )
    handed_on = {"width": width, "layout": layout, "synchronized": synchronized}
    network = backbone_network(backbone, (crop, crop, image_shape[-1]), **handed_on)
    if num_classes is None:
        return network
    check_one_size("rcnn", image_shape)
    image = keras.Input(image_shape, name="image")
    boxes = window_proposals(image, sides=sides_in_pixels("window_sides", window_sides), count=proposals)
    crops = roi_align(image, boxes, stride=1, size=crop, samples=1, aligned=True)
    answers = region_answers(_features(crops, network, image), num_classes=num_classes)
    return keras.Model(image, {"proposals": boxes, **answers}, name="rcnn")


def _features(crops: KerasTensor, network: keras.Model, image: KerasTensor) -> KerasTensor:
    """The mean over the last map of the network for each crop: from (N, P, h, w, C) to (N, P, channels)."""
    _, count, *shape = crops.shape
    reader = reading(network, ops.reshape(crops, (-1, *shape)), image=image)
    for layer in network.layers:
        reader.get_layer(layer.name).set_weights(layer.get_weights())
    x = layers.GlobalAveragePooling2D(name="pool")(last_map(reader.output))
    return ops.reshape(x, (-1, count, x.shape[-1]))
