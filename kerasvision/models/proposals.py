"""Region proposals inside a network: anchors that learn where objects are, and the best of their boxes (Ren et al., 2015).

Source: Faster R-CNN, https://arxiv.org/abs/1506.01497, section 3.

    map -- 3x3 conv -- ReLU --+-- 1x1 conv -- objectness        one number for each anchor of a cell
                              |
                              +-- 1x1 conv -- anchor_deltas     four for each: how the anchor changes into a box
                                       |
                                   the best boxes, without those that overlap a better one: proposals

No gradient flows through the proposals: the first stage learns from its anchors alone. Everything is made of `keras.ops`, so
a saved network needs nothing else.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from kerasvision.models.anchors import RATIOS, cell_anchors
from kerasvision.ops.boxes import LARGEST_GROWTH
from kerasvision.ops.sums import broadcast_sum

Objectness = Literal["softmax", "logistic"]

# Of two proposals with a larger IoU, the one with the lower score is dropped.
OVERLAP = 0.7
# Boxes with a shorter side, in pixels, are no proposals.
LEAST_SIDE = 1.0
# How often the rule of `unrivalled` is applied. An odd number never keeps a box that a kept one drops.
ROUNDS = 11
_NEVER = -1e9


class Anchored(NamedTuple):
    """What a region proposal network answers, for the A anchors of all its maps, one map after the other.

    Attributes:
        anchors: float32 (N, A, 4), corners in pixels; the same for every image.
        objectness: float32 (N, A), logits.
        deltas: float32 (N, A, 4), as in `kerasvision.ops.boxes.from_deltas`.
        counts: how many anchors each map has.
    """

    anchors: KerasTensor
    objectness: KerasTensor
    deltas: KerasTensor
    counts: tuple[int, ...]


def anchors_of(sizes: Sequence[float]) -> np.ndarray:
    """The anchors of a cell: three ratios of each size in pixels, float32 (3 * len(sizes), 4) around the origin.

    >>> anchors_of((128, 256, 512)).shape
    (9, 4)
    """
    return cell_anchors(1, ratios=RATIOS, scales=tuple(sizes))


def region_proposal_network(
    maps: Sequence[tuple[KerasTensor, int, np.ndarray]], *, channels: int, objectness: Objectness
) -> Anchored:
    """The head above, with weights that all maps share.

    On a map of 512 channels with nine anchors, 512 channels of its own and "softmax": 2,387,510 weights, as in the paper.

    Args:
        maps: for each map, float32 (N, h, w, C) of known height and width; its stride; and the anchors of a cell, (B, 4).
        channels: of the 3x3 convolution.
        objectness: "softmax" as in the paper, with a score for an object and one for none, of which the difference is
            returned; or "logistic", with one score.
    """
    each = len(maps[0][2])
    answers = 2 * each if objectness == "softmax" else each
    conv = layers.Conv2D(
        channels, 3, padding="same", activation="relu", kernel_initializer=_noise(0.01), name="proposal_conv"
    )
    # Like the logits, they are computed in full precision.
    to_objectness = _answers(answers, name="objectness")
    to_deltas = _answers(4 * each, name="anchor_deltas")
    anchors, scores, deltas = [], [], []
    for x, stride, around in maps:
        height, width = x.shape[1:3]
        hidden = conv(x)
        of_cells = ops.reshape(to_deltas(hidden), (-1, height, width, each, 4))
        deltas.append(ops.reshape(of_cells, (-1, height * width * each, 4)))
        anchors.append(ops.reshape(_laid(of_cells, stride, around), (-1, height * width * each, 4)))
        scores.append(_scores(to_objectness(hidden), height * width * each, objectness))
    counts = tuple(one.shape[1] for one in scores)
    return Anchored(named(_joined(anchors), "anchors"), _joined(scores), _joined(deltas), counts)


def best_proposals(
    found: Anchored, *, image_size: tuple[int, int], count: int, candidates: int, overlap: float = OVERLAP
) -> KerasTensor:
    """The boxes of the anchors with the best objectness, cut at the edges of the image.

    Those that overlap a better one are dropped. Boxes of different maps do not drop each other, as in torchvision.

    Args:
        found: see `region_proposal_network`.
        image_size: height and width in pixels.
        count: how many proposals, P; fewer if there are fewer candidates.
        candidates: how many boxes of each map are compared.
        overlap: the IoU above which a box is dropped.

    Returns:
        float32 (N, P, 4), corners in pixels, the best first, without a gradient. Rows that remain are zeros.
    """
    boxes, scores = [], []
    for start, size in zip(np.cumsum((0, *found.counts)), found.counts, strict=False):
        rows = slice(int(start), int(start) + size)
        best, places = ops.top_k(ops.stop_gradient(found.objectness[:, rows]), min(candidates, size))
        anchors, deltas = (taken(one[:, rows], places) for one in (found.anchors, found.deltas))
        of_map = inside(changed(anchors, ops.stop_gradient(deltas)), image_size)
        kept = unrivalled(of_map, is_wanted=has_sides(of_map), overlap=overlap)
        boxes.append(of_map)
        scores.append(ops.where(kept, best, _NEVER))
    return first_of(ops.concatenate(boxes, axis=1), ops.concatenate(scores, axis=1), count=count)


def first_of(boxes: KerasTensor, scores: KerasTensor, *, count: int) -> KerasTensor:
    """The `count` boxes (N, M, 4) with the best scores (N, M); zeros for those that `unrivalled` dropped."""
    best, places = ops.top_k(scores, min(count, scores.shape[1]))
    is_kept = ops.cast(ops.greater(best, _NEVER / 2), "float32")
    return taken(boxes, places) * is_kept[..., None]


def unrivalled(boxes: KerasTensor, *, is_wanted: KerasTensor, overlap: float) -> KerasTensor:
    """Which boxes greedy non-maximum suppression keeps: a box is kept if no kept box before it overlaps it.

    Applied to all boxes at once, this rule settles one more box of each chain of overlaps in each of `ROUNDS` rounds (Zheng
    et al., 2020, Cluster-NMS, https://arxiv.org/abs/2005.03572). Keras cannot save a loop that ends when nothing changes. At
    the end of a longer chain of boxes, each of which overlaps the next, a box may be dropped wrongly.

    Args:
        boxes: float32 (N, M, 4), the best first.
        is_wanted: bool (N, M); other boxes are dropped, and drop none.
        overlap: the IoU above which a box is dropped.

    Returns:
        bool (N, M).

    >>> boxes = np.array([[[0, 0, 2, 2], [0, 0, 2, 1.9], [0, 0, 2, 1.2]]], "float32")  # the last overlaps the second alone
    >>> unrivalled(boxes, is_wanted=np.ones((1, 3), bool), overlap=0.62).numpy().tolist()
    [[True, False, True]]
    """
    boxes, wanted = ops.convert_to_tensor(boxes), ops.cast(is_wanted, "float32")[:, None]
    number = boxes.shape[1]
    drops = ops.cast(ops.greater(_pairwise_iou(boxes), overlap), "float32") * wanted
    # Two short lists instead of a large triangle: the file of a network lists all numbers of its constants.
    order = np.arange(number, dtype="float32")
    drops *= ops.cast(ops.less(broadcast_sum(ops.zeros_like(drops), order[:, None]), order), "float32")
    kept = wanted
    for _ in range(ROUNDS):
        kept = wanted * ops.cast(ops.less_equal(ops.matmul(kept, drops), 0), "float32")
    return ops.greater(kept[:, 0], 0)


def changed(anchors: KerasTensor, deltas: KerasTensor) -> KerasTensor:
    """Boxes from anchors and deltas, float32 (N, M, 4) each: `kerasvision.ops.boxes.from_deltas`, for every backend."""
    low, high = anchors[..., :2], anchors[..., 2:]
    sizes = high - low
    centres = (low + high) / 2 + deltas[..., :2] * sizes
    half = ops.exp(ops.minimum(deltas[..., 2:], LARGEST_GROWTH)) * sizes / 2
    return ops.concatenate([centres - half, centres + half], axis=-1)


def inside(boxes: KerasTensor, image_size: tuple[int, int]) -> KerasTensor:
    """Boxes in pixels, cut at the edges of an image of this height and width."""
    return ops.minimum(ops.maximum(boxes, 0.0), np.array([*image_size, *image_size], "float32"))


def has_sides(boxes: KerasTensor) -> KerasTensor:
    """bool (N, M): whether both sides are at least `LEAST_SIDE`."""
    return ops.all(ops.greater_equal(boxes[..., 2:] - boxes[..., :2], LEAST_SIDE), axis=-1)


def named(boxes: KerasTensor, name: str) -> KerasTensor:
    """The same boxes, float32 (N, A, 4), from a layer of that name, by which `models.region_levels` finds them."""
    return layers.Identity(dtype="float32", name=name)(boxes)


def taken(x: KerasTensor, places: KerasTensor) -> KerasTensor:
    """Rows of each image: from x (N, A, C) and int32 places (N, M) to (N, M, C)."""
    _, number, channels = x.shape
    # The number of images is not known, so their rows are counted.
    image = ops.cumsum(ops.ones_like(places[:, :1]), axis=0) - 1
    return ops.take(ops.reshape(x, (-1, channels)), broadcast_sum(places, image * number), axis=0)


def _pairwise_iou(boxes: KerasTensor) -> KerasTensor:
    """The IoU of each pair of boxes (N, M, 4), float32 (N, M, M); 0 where both have no area."""
    top, left, bottom, right = (boxes[..., side] for side in range(4))

    def shared(low: KerasTensor, high: KerasTensor) -> KerasTensor:
        least, most = ops.maximum(low[:, :, None], low[:, None]), ops.minimum(high[:, :, None], high[:, None])
        return ops.relu(most - least)

    both = shared(top, bottom) * shared(left, right)
    areas = (bottom - top) * (right - left)
    return both / ops.maximum(broadcast_sum(areas[:, :, None], areas[:, None]) - both, 1e-6)


def _laid(like: KerasTensor, stride: int, around: np.ndarray) -> KerasTensor:
    """The anchors of each cell, float32 of the shape of `like` (N, h, w, B, 4); see `models.anchors.pyramid_anchors`."""
    height, width = like.shape[1:3]
    rows = stride * np.arange(height, dtype="float32")[:, None, None]
    columns = stride * np.arange(width, dtype="float32")[None, :, None]
    zeros = ops.zeros_like(like[..., 0])
    sides = [broadcast_sum(zeros, axis + around[:, side]) for side, axis in enumerate((rows, columns, rows, columns))]
    return ops.stack(sides, axis=-1)


def _joined(parts: Sequence[KerasTensor]) -> KerasTensor:
    return ops.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]


def _scores(answers: KerasTensor, number: int, objectness: Objectness) -> KerasTensor:
    """The logit of each anchor, float32 (N, number)."""
    if objectness == "logistic":
        return ops.reshape(answers, (-1, number))
    # Softmax over two scores is the sigmoid of their difference.
    two = ops.reshape(answers, (-1, number, 2))
    return two[..., 1] - two[..., 0]


def _answers(channels: int, *, name: str) -> layers.Conv2D:
    return layers.Conv2D(channels, 1, kernel_initializer=_noise(0.01), dtype=keras.config.floatx(), name=name)


def _noise(deviation: float) -> Any:
    return keras.initializers.RandomNormal(stddev=deviation)
