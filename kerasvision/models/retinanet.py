"""RetinaNet: each cell of a pyramid answers nine boxes, as changes of its nine anchors (Lin et al., 2017).

Other ratios and scales give other anchors, and then the names of the maps say which.

Source: https://arxiv.org/abs/1708.02002, figure 3.

    p3 ... p7 --+-- tower --- class_logits
                |
                +-- tower --- deltas

All levels share the towers. The anchors are those of `kerasvision.models.anchors.pyramid_anchors`.
"""

from collections.abc import Sequence
from typing import Literal

import keras
from keras import KerasTensor

from kerasvision.config.network_options import HeadNorm, anchor_numbers, check_retinanet
from kerasvision.models.anchors import RATIOS, SCALES, anchor_sides, boxes_text
from kerasvision.models.backbones import backbone_network
from kerasvision.models.pyramid import pyramid
from kerasvision.models.towers import answer_conv, class_conv, tower


def retinanet_head(
    levels: dict[str, KerasTensor],
    *,
    num_classes: int,
    channels: int,
    depth: int,
    norm: HeadNorm,
    synchronized: bool,
    ratios: Sequence[float] = RATIOS,
    scales: Sequence[float] = SCALES,
) -> dict[str, KerasTensor]:
    """The answers of each level.

    Args:
        levels: level -> float32 (N, h, w, channels).
        num_classes: of the logits of an anchor.
        channels, depth: of the towers.
        norm: of the towers; see `kerasvision.models.towers`.
        synchronized: normalise by the batch of all replicas.
        ratios, scales: of the anchors; see `kerasvision.models.anchors.pyramid_anchors`.

    Returns:
        As `retinanet`.
    """
    per_cell, are_usual = len(ratios) * len(scales), (tuple(ratios), tuple(scales)) == (RATIOS, SCALES)
    of_classes = tower(channels=channels, depth=depth, norm=norm, synchronized=synchronized, name="class")
    of_boxes = tower(channels=channels, depth=depth, norm=norm, synchronized=synchronized, name="box")
    to_logits, to_deltas = class_conv(per_cell * num_classes), answer_conv(per_cell * 4, name="deltas")
    answers = {}
    for level, x in levels.items():
        ending = "" if are_usual else boxes_text(anchor_sides(level, ratios=ratios, scales=scales))
        answers[f"{level}_class_logits"] = to_logits(of_classes(x, level))
        answers[f"{level}_deltas{ending}"] = to_deltas(of_boxes(x, level))
    return answers


def retinanet(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    backbone: str | keras.Model = "resnet50",
    levels: str = "p3-p7",
    channels: int = 256,
    depth: int = 4,
    norm: HeadNorm = "none",
    ratios: str | tuple[float, ...] | float | None = None,
    scales: str | tuple[float, ...] | float | None = None,
    width: float | None = None,
    layout: Literal["torchvision", "paper", "keras"] | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """RetinaNet: 34,068,119 trainable weights with ResNet-50 and 91 classes, of which 53,120 are of the backbone's norms.

    torchvision freezes these norms and counts 34,014,999. As there, p6 is made from p5; in the paper it is made from c5.

    Args:
        image_shape: (height, width, channels) in pixels.
        num_classes: how many classes; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level.
        levels: the first and the last level of the pyramid. The backbone must have the first one; levels beyond its last one
            are made by convolutions.
        channels: of the pyramid and of the towers.
        depth: how many convolutions a tower has.
        norm: of the towers, "none" as in the paper, "group" or "batch"; see `kerasvision.models.towers`.
        ratios: height to width of the anchors, as numbers or a text such as "0.5-1-2", which are those of the paper.
        scales: sizes of the anchors as factors of four strides; None: 1 and the cube roots of 2 and 4, as in the paper.
            "0.5-0.7" suits objects of 16 to 22 pixels at p3.
        width: the backbone's option of that name, if it has one: a factor on its channels.
        layout: the backbone's option of that name, if it has one.
        synchronized: normalise by the batch of all replicas.

    Returns:
        Model from float32 (N, H, W, C) to a dict of float32 maps, for each level "p<l>" of size h x w:
        "p<l>_class_logits" (N, h, w, 9 * num_classes), the logits of one anchor after the other, and "p<l>_deltas"
        (N, h, w, 9 * 4), as in `kerasvision.ops.boxes.from_deltas`. The backbone's map of level l has the same size, usually
        ceil(H / 2**l) x ceil(W / 2**l). With other ratios or scales there are as many anchors as pairs of both, and the
        second name ends in their sides; see `kerasvision.models.anchors.boxes_text`.

    Raises:
        ConfigError: an option out of its range, or a backbone that does not exist or lacks an option or a level.

    >>> small = {"backbone": "resnet9", "width": 0.125, "levels": "p3-p4", "channels": 8, "depth": 1}
    >>> answers = retinanet(image_shape=(48, 64, 3), num_classes=5, **small).output
    >>> answers["p3_class_logits"].shape, answers["p4_deltas"].shape
    ((None, 6, 8, 45), (None, 3, 4, 36))
    >>> [*retinanet(image_shape=(48, 64, 3), num_classes=5, ratios="1-2", scales=0.5, **small).output][1]
    'p3_deltas_16x16_22x12'
    """
    head = {"levels": levels, "channels": channels, "depth": depth, "norm": norm, "ratios": ratios, "scales": scales}
    check_retinanet({**head, "width": width, "synchronized": synchronized})
    network = backbone_network(backbone, image_shape, width=width, layout=layout, synchronized=synchronized)
    if num_classes is None:
        return network
    maps = pyramid(network.output, levels=levels, channels=channels)
    answers = retinanet_head(
        maps,
        num_classes=num_classes,
        channels=channels,
        depth=depth,
        norm=norm,
        synchronized=synchronized,
        ratios=RATIOS if ratios is None else anchor_numbers("ratios", ratios),
        scales=SCALES if scales is None else anchor_numbers("scales", scales),
    )
    return keras.Model(network.input, answers, name="retinanet")
