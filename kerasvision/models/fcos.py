"""FCOS: each cell of a pyramid answers one box by its distances to the four sides (Tian et al., 2019).

Source: https://arxiv.org/abs/1904.01355, figure 2, with the changes that its authors made later and torchvision has: the
centerness comes from the tower of the distances, which are in units of the level's stride.

    p3 ... p7 --+-- tower --- class_logits
                |
                +-- tower -+- distances
                           |
                           +- centerness

All levels share the towers. A cell's point lies in its middle; see `kerasvision.models.anchors.pyramid_points`.
"""

from typing import Literal

import keras
from keras import KerasTensor

from kerasvision.config.network_options import Distances, HeadNorm, check_fcos
from kerasvision.models.backbones import backbone_network
from kerasvision.models.pyramid import pyramid
from kerasvision.models.towers import answer_conv, class_conv, tower

_ACTIVATIONS = {"relu": "relu", "exp": "exponential"}


def fcos_head(
    levels: dict[str, KerasTensor],
    *,
    num_classes: int,
    channels: int,
    depth: int,
    norm: HeadNorm,
    distances: Distances,
    synchronized: bool,
) -> dict[str, KerasTensor]:
    """The answers of each level.

    Args:
        levels: level -> float32 (N, h, w, channels).
        num_classes: of the logits.
        channels, depth: of the towers.
        norm: of the towers; see `kerasvision.models.towers`.
        distances: what makes the distances positive.
        synchronized: normalise by the batch of all replicas.

    Returns:
        As `fcos`.
    """
    of_classes = tower(channels=channels, depth=depth, norm=norm, synchronized=synchronized, name="class")
    of_boxes = tower(channels=channels, depth=depth, norm=norm, synchronized=synchronized, name="box")
    to_logits = class_conv(num_classes)
    to_distances = answer_conv(4, activation=_ACTIVATIONS[distances], name="distances")
    to_centerness = answer_conv(1, name="centerness")
    answers = {}
    for level, x in levels.items():
        boxes = of_boxes(x, level)
        answers[f"{level}_class_logits"] = to_logits(of_classes(x, level))
        answers[f"{level}_distances"] = to_distances(boxes)
        answers[f"{level}_centerness"] = to_centerness(boxes)
    return answers


def fcos(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    backbone: str | keras.Model = "resnet50",
    levels: str = "p3-p7",
    channels: int = 256,
    depth: int = 4,
    norm: HeadNorm = "group",
    distances: Distances = "relu",
    width: float | None = None,
    layout: Literal["torchvision", "paper", "keras"] | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """FCOS: 32,322,720 trainable weights with ResNet-50 and 91 classes, of which 53,120 are of the backbone's norms.

    torchvision freezes these norms and counts 32,269,600.

    Args:
        image_shape: (height, width, channels) in pixels.
        num_classes: how many classes; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level.
        levels: the first and the last level of the pyramid. The backbone must have the first one; levels beyond its last one
            are made by convolutions.
        channels: of the pyramid and of the towers.
        depth: how many convolutions a tower has.
        norm: of the towers, "group" as in the paper, "batch" or "none"; see `kerasvision.models.towers`.
        distances: "relu" as in torchvision, or "exp" as in the paper, which also scales each level by a weight.
        width: the backbone's option of that name, if it has one: a factor on its channels.
        layout: the backbone's option of that name, if it has one.
        synchronized: normalise by the batch of all replicas.

    Returns:
        Model from float32 (N, H, W, C) to a dict of float32 maps, for each level "p<l>" of size h x w:
        "p<l>_class_logits" (N, h, w, num_classes), "p<l>_distances" (N, h, w, 4) up, left, down and right in units of the
        stride 2**l, at least 0, and "p<l>_centerness" (N, h, w, 1), logits. The backbone's map of level l has the same size,
        usually ceil(H / 2**l) x ceil(W / 2**l).

    Raises:
        ConfigError: an option out of its range, or a backbone that does not exist or lacks an option or a level.

    >>> small = {"backbone": "resnet9", "width": 0.125, "levels": "p3-p4", "channels": 8, "depth": 1}
    >>> answers = fcos(image_shape=(48, 64, 3), num_classes=5, **small).output
    >>> answers["p3_class_logits"].shape, answers["p4_distances"].shape
    ((None, 6, 8, 5), (None, 3, 4, 4))
    """
    head = {"levels": levels, "channels": channels, "depth": depth, "norm": norm, "distances": distances}
    check_fcos({**head, "width": width, "synchronized": synchronized})
    network = backbone_network(backbone, image_shape, width=width, layout=layout, synchronized=synchronized)
    if num_classes is None:
        return network
    maps = pyramid(network.output, levels=levels, channels=channels)
    answers = fcos_head(
        maps,
        num_classes=num_classes,
        channels=channels,
        depth=depth,
        norm=norm,
        distances=distances,
        synchronized=synchronized,
    )
    return keras.Model(network.input, answers, name="fcos")
