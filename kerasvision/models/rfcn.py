"""R-FCN: every bin of a region asks channels of its own, and the bins vote (Dai et al., 2016).

Source: https://arxiv.org/abs/1605.06409, figures 2 and 3.

    image -- backbone -- 1x1 conv -- ReLU --+-- region proposal network ------- proposals
                                            |                                       |
                                            +-- 1x1 conv, k * k * (K + 1) channels -+-- pooling -- mean -- class_logits
                                            |                                       |
                                            +-- 1x1 conv, k * k * 4 channels -------+-- pooling -- mean -- region_deltas

After the pooling nothing is learned, so a region costs almost nothing. The deltas are the same for all classes.
"""

from collections.abc import Sequence
from typing import Literal

import keras
from keras import KerasTensor, layers, ops

from kerasvision.config.region_options import check_rfcn, sides_in_pixels
from kerasvision.models.backbones import backbone_network
from kerasvision.models.faster_rcnn import first_stage
from kerasvision.models.proposals import anchors_of, best_proposals, region_proposal_network
from kerasvision.models.region_heads import check_one_size, finest_last_map
from kerasvision.ops.regions import position_sensitive_pool


def rfcn(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    backbone: str | keras.Model = "resnet101",
    proposals: int = 300,
    candidates: int = 1000,
    anchor_sizes: str | Sequence[float] | float = (128, 256, 512),
    channels: int = 1024,
    proposal_channels: int = 512,
    bins: int = 7,
    width: float | None = None,
    layout: Literal["torchvision", "paper", "keras"] | None = None,
    output_stride: Literal[8, 16, 32] | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """R-FCN on the last map of a backbone; of a ResNet at `output_stride=16`, as in the paper.

    Args:
        image_shape: (height, width, channels) in pixels.
        num_classes: how many classes, without background; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level.
        proposals: how many regions, P; fewer if there are fewer candidates.
        candidates: how many boxes are compared for overlap before.
        anchor_sizes: sides of the square anchors, in pixels: (128, 256), or the text "128-256". Each also has a wide and a
            tall form.
        channels: of the 1x1 convolution after the backbone.
        proposal_channels: of the region proposal network.
        bins: along each axis of a region, k.
        width: the backbone's option of that name, if it has one: a factor on its channels.
        layout: the backbone's option of that name, if it has one.
        output_stride: the backbone's option of that name, if it has one: the stride of its last map.
        synchronized: normalise by the batch of all replicas.

    Returns:
        As `kerasvision.models.faster_rcnn.faster_rcnn`, but "region_deltas" (N, P, 4).

    Raises:
        ConfigError: an option out of its range, a backbone that does not exist or lacks an option, or images of unknown
            size.

    >>> small = {"backbone": "resnet9", "width": 0.125, "proposals": 8, "anchor_sizes": (16, 32), "channels": 8, "bins": 3}
    >>> answers = rfcn(image_shape=(64, 96, 3), num_classes=5, **small).output
    >>> answers["class_logits"].shape, answers["region_deltas"].shape
    ((None, 8, 6), (None, 8, 4))
    """
    first = {"proposals": proposals, "candidates": candidates, "anchor_sizes": anchor_sizes}
    second = {"channels": channels, "proposal_channels": proposal_channels, "bins": bins}
    check_rfcn({**first, **second, "width": width, "synchronized": synchronized})
    handed_on = {"width": width, "layout": layout, "output_stride": output_stride, "synchronized": synchronized}
    network = backbone_network(backbone, image_shape, **handed_on)
    if num_classes is None:
        return network
    image_size = check_one_size("rfcn", image_shape)
    x, stride = finest_last_map(network, output_stride)
    x = layers.Conv2D(channels, 1, activation="relu", kernel_initializer=_noise(), name="reduced")(x)
    laid = [(x, stride, anchors_of(sides_in_pixels("anchor_sizes", anchor_sizes)))]
    found = region_proposal_network(laid, channels=proposal_channels, objectness="softmax")
    boxes = best_proposals(found, image_size=image_size, count=proposals, candidates=candidates)
    answers = {
        name: _voted(x, boxes, numbers=numbers, bins=bins, stride=stride, name=name)
        for name, numbers in (("class_logits", num_classes + 1), ("region_deltas", 4))
    }
    return keras.Model(network.input, {**first_stage(found), "proposals": boxes, **answers}, name="rfcn")


def _voted(x: KerasTensor, boxes: KerasTensor, *, numbers: int, bins: int, stride: int, name: str) -> KerasTensor:
    """float32 (N, P, numbers): the mean over the bins of each region (equations 1 and 2)."""
    scores = layers.Conv2D(bins * bins * numbers, 1, kernel_initializer=_noise(), dtype=keras.config.floatx(), name=name)(x)
    return ops.mean(position_sensitive_pool(scores, boxes, stride=stride, size=bins), axis=(2, 3))


def _noise() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.01)
