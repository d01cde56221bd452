"""Faster R-CNN: a network proposes regions, and a second stage says what they are (Ren et al., 2015).

Source: https://arxiv.org/abs/1506.01497, figure 2. Both stages read the same map, and learn together.

    image -- backbone -- map --+-- region proposal network -- proposals
                               |                                  |
                               +----- pooling of each proposal ---+-- dense -- dense --+-- class_logits
                                                                                       |
                                                                                       +-- region_deltas

`faster_rcnn_fpn` reads a pyramid of maps instead: anchors of one size on each level, and each proposal is pooled from the
level of its size (Lin et al., 2017, https://arxiv.org/abs/1612.03144, sections 4.1 and 4.2).

The network has a fixed number of proposals, so that it can be served as it is. Two differences from the papers follow: the
number is the same in training as later, and the boxes of the objects are not added to the proposals in training.
"""

from collections.abc import Sequence
from typing import Literal

import keras
from keras import KerasTensor, layers

from kerasvision.config.region_options import check_faster_rcnn, check_faster_rcnn_fpn, sides_in_pixels
from kerasvision.models.anchors import strides_of
from kerasvision.models.backbones import backbone_network, level_number
from kerasvision.models.proposals import Anchored, anchors_of, best_proposals, region_proposal_network
from kerasvision.models.pyramid import pyramid
from kerasvision.models.region_heads import check_one_size, dense_head, finest_last_map
from kerasvision.ops.regions import pyramid_roi_align, roi_max_pool


def first_stage(found: Anchored) -> dict[str, KerasTensor]:
    """The outputs from which a region proposal network learns: `anchors` and `anchor_deltas`, float32 (N, A, 4), and
    `objectness`, float32 (N, A).
    """
    return {"anchors": found.anchors, "objectness": found.objectness, "anchor_deltas": found.deltas}


def faster_rcnn(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    backbone: str | keras.Model = "vgg16",
    proposals: int = 300,
    candidates: int = 1000,
    anchor_sizes: str | Sequence[float] | float = (128, 256, 512),
    channels: int = 512,
    hidden: int = 4096,
    pooled: int = 7,
    dropout: float = 0.5,
    width: float | None = None,
    layout: Literal["torchvision", "paper", "keras"] | None = None,
    output_stride: Literal[8, 16, 32] | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """Faster R-CNN on one map: 137,078,239 trainable weights with VGG-16 and 20 classes.

    These are the 134,690,729 of Fast R-CNN and the 2,387,510 of the region proposal network.

    Args:
        image_shape: (height, width, channels) in pixels.
        num_classes: how many classes, without background; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level. Its last map is read;
            of VGG, the last convolutions.
        proposals: how many regions the second stage sees, P; fewer if there are fewer candidates.
        candidates: how many boxes are compared for overlap before.
        anchor_sizes: sides of the square anchors, in pixels: (128, 256), or the text "128-256". Each also has a wide and a
            tall form.
        channels: of the region proposal network.
        hidden: units of the two dense layers.
        pooled: each region becomes a map of pooled x pooled cells.
        dropout: share of the units of the dense layers that training drops, in [0, 1).
        width: the backbone's option of that name, if it has one: a factor on its channels.
        layout: the backbone's option of that name, if it has one.
        output_stride: the backbone's option of that name, if it has one: the stride of its last map.
        synchronized: normalise by the batch of all replicas.

    Returns:
        Model from float32 (N, H, W, C) to a dict of float32 tensors: "proposals" (N, P, 4), corners in pixels, the best
        first, then zeros; "class_logits" (N, P, num_classes + 1), background last; "region_deltas"
        (N, P, 4 * (num_classes + 1)); and of the A anchors "anchors" (N, A, 4), corners in pixels, "objectness" (N, A),
        logits, and "anchor_deltas" (N, A, 4).

    Raises:
        ConfigError: an option out of its range, a backbone that does not exist or lacks an option, or images of unknown
            size.

    >>> small = {"backbone": "vgg11", "width": 0.0625, "proposals": 8, "anchor_sizes": (16, 32), "channels": 8, "hidden": 8}
    >>> answers = faster_rcnn(image_shape=(64, 96, 3), num_classes=5, **small).output
    >>> answers["class_logits"].shape, answers["anchors"].shape  # 4 x 6 cells of 6 anchors
    ((None, 8, 6), (None, 144, 4))
    """
    first = {"proposals": proposals, "candidates": candidates, "anchor_sizes": anchor_sizes, "channels": channels}
    second = {"hidden": hidden, "pooled": pooled, "dropout": dropout}
    check_faster_rcnn({**first, **second, "width": width, "synchronized": synchronized})
    handed_on = {"width": width, "layout": layout, "output_stride": output_stride, "synchronized": synchronized}
    network = backbone_network(backbone, image_shape, **handed_on)
    if num_classes is None:
        return network
    image_size = check_one_size("faster_rcnn", image_shape)
    x, stride = finest_last_map(network, output_stride)
    laid = [(x, stride, anchors_of(sides_in_pixels("anchor_sizes", anchor_sizes)))]
    found = region_proposal_network(laid, channels=channels, objectness="softmax")
    boxes = best_proposals(found, image_size=image_size, count=proposals, candidates=candidates)
    regions = roi_max_pool(x, boxes, stride=stride, size=pooled)
    answers = dense_head(regions, num_classes=num_classes, hidden=hidden, dropout=dropout)
    return keras.Model(network.input, {**first_stage(found), "proposals": boxes, **answers}, name="faster_rcnn")


def faster_rcnn_fpn(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    backbone: str | keras.Model = "resnet50",
    levels: str = "p2-p5",
    proposals: int = 300,
    candidates: int = 1000,
    anchor_strides: float = 8.0,
    channels: int = 256,
    hidden: int = 1024,
    pooled: int = 7,
    width: float | None = None,
    layout: Literal["torchvision", "paper", "keras"] | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """Faster R-CNN on a pyramid: 41,808,406 trainable weights with ResNet-50 and 90 classes.

    These are the weights of torchvision's network of 91 classes, one of which is background. 53,120 of them are of the
    backbone's norms, which torchvision freezes: it counts 41,755,286.

    Args:
        image_shape: (height, width, channels) in pixels.
        num_classes: how many classes, without background; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level.
        levels: the first and the last level of the pyramid. The region proposal network also reads one level more, every
            second cell of the last one.
        proposals: how many regions the second stage sees, P; fewer if there are fewer candidates.
        candidates: how many boxes of each level are compared for overlap before.
        anchor_strides: side of the square anchor of a level, in strides of the level. Each level also has a wide and a tall
            anchor.
        channels: of the pyramid and the region proposal network.
        hidden: units of the two dense layers.
        pooled: each region becomes a map of pooled x pooled cells.
        width: the backbone's option of that name, if it has one: a factor on its channels.
        layout: the backbone's option of that name, if it has one.
        synchronized: normalise by the batch of all replicas.

    Returns:
        As `faster_rcnn`.

    Raises:
        ConfigError: an option out of its range, a backbone that does not exist or lacks an option or a level, or images of
            unknown size.

    >>> small = {"backbone": "resnet9", "width": 0.125, "levels": "p2-p3", "proposals": 8, "channels": 8, "hidden": 8}
    >>> answers = faster_rcnn_fpn(image_shape=(32, 64, 3), num_classes=5, **small).output
    >>> answers["region_deltas"].shape, answers["anchors"].shape  # 8 x 16, 4 x 8 and 2 x 4 cells of 3 anchors
    ((None, 8, 24), (None, 504, 4))
    """
    first = {"proposals": proposals, "candidates": candidates, "anchor_strides": anchor_strides, "channels": channels}
    second = {"levels": levels, "hidden": hidden, "pooled": pooled}
    check_faster_rcnn_fpn({**first, **second, "width": width, "synchronized": synchronized})
    network = backbone_network(backbone, image_shape, width=width, layout=layout, synchronized=synchronized)
    if num_classes is None:
        return network
    image_size = check_one_size("faster_rcnn_fpn", image_shape)
    maps = pyramid(network.output, levels=levels, channels=channels)
    found = region_proposal_network(
        [(x, stride, anchors_of((anchor_strides * stride,))) for x, stride in _with_one_more(maps)],
        channels=channels,
        objectness="logistic",
    )
    boxes = best_proposals(found, image_size=image_size, count=proposals, candidates=candidates)
    by_number = {level_number(level): x for level, x in maps.items()}
    regions = pyramid_roi_align(by_number, boxes, image_size=image_size, size=pooled)
    answers = dense_head(regions, num_classes=num_classes, hidden=hidden, dropout=0.0)
    return keras.Model(network.input, {**first_stage(found), "proposals": boxes, **answers}, name="faster_rcnn_fpn")


def _with_one_more(maps: dict[str, KerasTensor]) -> list[tuple[KerasTensor, int]]:
    """The maps with their strides; then every second cell of the last map, as in the paper's footnote 2."""
    found = [(x, int(strides_of(level)[0])) for level, x in maps.items()]
    last, stride = found[-1]
    return [*found, (layers.MaxPooling2D(1, strides=2, name=f"p{stride.bit_length()}")(last), 2 * stride)]
