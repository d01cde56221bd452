"""Region proposals without training: of windows at all places, those that differ in colour from what is around them.

Fast R-CNN (Girshick, 2015, https://arxiv.org/abs/1504.08083) gets its regions from selective search, which groups pixels on
the host. A network that is served as one file needs regions that it computes itself. Here they are windows of a few sizes
and three ratios at a regular grid, ranked by the contrast of their colour: the squared distance between the mean colour
inside and that of a frame around, the cue "colour contrast" of Alexe et al., 2010,
https://doi.org/10.1109/CVPR.2010.5540226, with means in place of histograms.
"""

import math
from collections.abc import Sequence

import numpy as np
from keras import KerasTensor, ops

from kerasvision.config.region_options import MOST_WINDOWS
from kerasvision.models.anchors import RATIOS
from kerasvision.models.proposals import first_of, named, taken, unrivalled
from kerasvision.ops.sums import broadcast_sum

# Neighbouring windows are this share of their shorter side apart.
STEP = 1 / 5
# The frame is this share of the shorter side wide.
FRAME = 1 / 4
# Of two windows with a larger IoU, the one with less contrast is dropped.
OVERLAP = 0.5


def window_proposals(image: KerasTensor, *, sides: Sequence[float], count: int) -> KerasTensor:
    """The windows with the most contrast, without those that overlap a better one.

    Args:
        image: float32 (N, H, W, C) of known height and width, in any scale.
        sides: of the square windows, in pixels. Each also has a wide and a tall form. A side above that of the image counts
            as the image's.
        count: how many windows, P; fewer if there are fewer.

    Returns:
        float32 (N, P, 4), corners in pixels, the best first, without a gradient. Rows that remain are zeros.

    >>> image = np.zeros((1, 32, 32, 1), "float32")
    >>> image[:, 8:16, 4:12] = 1.0
    >>> window_proposals(image, sides=(8,), count=1).numpy()[0].tolist()
    [[8.0, 4.0, 16.0, 12.0]]
    """
    image = ops.stop_gradient(ops.convert_to_tensor(image))
    shapes = sorted({_shape(side, ratio, image.shape[1:3]) for side in sides for ratio in RATIOS})
    boxes, contrasts = zip(*(_of_shape(image, *shape) for shape in shapes), strict=True)
    windows = named(ops.concatenate(boxes, axis=1), "windows")
    best, places = ops.top_k(ops.concatenate(contrasts, axis=1), min(MOST_WINDOWS, windows.shape[1]))
    found = taken(windows, places)
    kept = unrivalled(found, is_wanted=ops.ones_like(best) > 0, overlap=OVERLAP)
    return first_of(found, ops.where(kept, best, -1e9), count=count)


def contrast(image: KerasTensor, *, height: int, width: int, step: int, margin: int) -> KerasTensor:
    """The squared distance between the mean colour of each window and that of its frame, float32 (N, rows, columns).

    Args:
        image: float32 (N, H, W, C). At its edges, the frame continues in the mirrored image.
        height, width: of the windows, in pixels.
        step: distance of two windows.
        margin: how wide the frame is.
    """
    mirrored = ops.pad(image, [[0, 0], [margin, margin], [margin, margin], [0, 0]], mode="reflect")
    inside = _means(image, height, width, step)
    whole = _means(mirrored, height + 2 * margin, width + 2 * margin, step)
    share = height * width / ((height + 2 * margin) * (width + 2 * margin))
    frame = (whole - share * inside) / (1 - share)
    return ops.sum(ops.square(inside - frame), axis=-1)


def _means(image: KerasTensor, height: int, width: int, step: int) -> KerasTensor:
    """The mean colour of each window, float32 (N, rows, columns, C): first over its rows, then over its columns."""
    of_rows = ops.average_pool(image, (height, 1), strides=(step, 1), padding="valid")
    return ops.average_pool(of_rows, (1, width), strides=(1, step), padding="valid")


def _shape(side: float, ratio: float, image_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a window, in whole pixels, within the image."""
    height, width = side * math.sqrt(ratio), side / math.sqrt(ratio)
    return max(1, min(round(height), image_size[0])), max(1, min(round(width), image_size[1]))


def _of_shape(image: KerasTensor, height: int, width: int) -> tuple[KerasTensor, KerasTensor]:
    """All windows of a shape, float32 (N, M, 4), and their contrasts, (N, M)."""
    shorter = min(height, width)
    step, margin = max(1, round(STEP * shorter)), max(1, round(FRAME * shorter))
    found = contrast(image, height=height, width=width, step=step, margin=min(margin, min(image.shape[1:3]) - 1))
    rows, columns = found.shape[1:]
    top = step * np.arange(rows, dtype="float32")[:, None]
    left = step * np.arange(columns, dtype="float32")[None]
    boxes = ops.stack(
        [broadcast_sum(ops.zeros_like(found), side) for side in (top, left, top + height, left + width)], axis=-1
    )
    return ops.reshape(boxes, (-1, rows * columns, 4)), ops.reshape(found, (-1, rows * columns))
