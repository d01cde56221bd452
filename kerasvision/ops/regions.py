"""Pooling of regions: each box of an image becomes a small map of one size, whatever the size of the box.

    roi_max_pool              the largest value of each of size x size bins of whole cells (Fast R-CNN)
    roi_align                 the mean of bilinear samples in each bin, without rounding (Mask R-CNN)
    pyramid_roi_align         the same over a pyramid: each box is pooled from the level of its size (FPN)
    position_sensitive_pool   the mean of each bin, in which every bin reads channels of its own (R-FCN)

Boxes are float32 (N, P, 4): y_min, x_min, y_max, x_max in pixels of the image. A cell of a map has `stride` pixels. No
gradient flows to the boxes. The functions use nothing but `keras.ops`: they run on every backend, in a functional model, and
in every format of export.

A bin is a rectangle, so means over it are products of matrices: rows (size, H) times map (H, W) times columns (W, size). The
cost grows with the area of the map.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from kerasvision.ops.sums import broadcast_sum

# FPN: a box of this side is pooled from the level of this number (Lin et al., 2017, equation 1).
CANONICAL_SIDE, CANONICAL_LEVEL = 224, 4
# A side of exactly 112 pixels must not fall to the level below by rounding; torchvision has the same constant.
_EPSILON = 1e-6


def roi_max_pool(x: Any, boxes: Any, *, stride: int, size: int = 7) -> Any:
    """The largest value in each bin of each box.

    The corners of a box are rounded to whole cells, and the last of them belongs to the box too. Bin i of a box of h rows
    covers the rows from floor(i * h / size) up to ceil((i + 1) * h / size), so neighbouring bins may share a row. A bin
    outside the map has the value 0.

    The maximum of any rectangle is that of four overlapping rectangles whose sides are powers of two. These maxima are
    computed once for the map, so the cost of a bin does not depend on its size.

    Args:
        x: float (N, H, W, C) of any precision; H and W must be known.
        boxes: float32 (N, P, 4), in pixels; P must be known.
        stride: pixels of a cell.
        size: bins along each axis.

    Returns:
        (N, P, size, size, C), of the dtype of x. The gradient of a maximum goes to one cell.

    Source: Girshick, 2015, https://arxiv.org/abs/1504.08083, section 2.1, with the integer bins of its code.

    >>> x = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    >>> roi_max_pool(x, [[[0.0, 0.0, 4.0, 4.0]]], stride=1, size=2).numpy()[0, 0, :, :, 0]
    array([[10., 11.],
           [14., 15.]], dtype=float32)
    """
    x = ops.convert_to_tensor(x)
    _, height, width, channels = x.shape
    top, left, bottom, right = _corners(boxes, stride)
    first_row, last_row = _bins(top, bottom, length=height, size=size)
    first_column, last_column = _bins(left, right, length=width, size=size)
    row_level, rows = _powers(last_row - first_row, length=height)
    column_level, columns = _powers(last_column - first_column, length=width)
    tables = [wide for tall in _running_maxima(x, axis=1) for wide in _running_maxima(tall, axis=2)]
    flat = ops.reshape(ops.stack(tables, axis=1), (-1, channels))
    # (N, P, size, size): which of the tables, then which cell of it.
    of_image = ops.cast(_outer(row_level * (1 + _most_level(width)), column_level), "int32")
    table = broadcast_sum(of_image, len(tables) * _row_numbers(top))
    found = None
    for row in (first_row, last_row - rows):
        for column in (first_column, last_column - columns):
            # A bin outside the map reads any cell, and its value is not used.
            cell = _outer(ops.clip(row, 0, height - 1) * width, ops.clip(column, 0, width - 1))
            values = ops.take(flat, table * (height * width) + ops.cast(cell, "int32"), axis=0)
            found = values if found is None else ops.maximum(found, values)
    is_full = ops.logical_and((last_row > first_row)[..., :, None], (last_column > first_column)[..., None, :])
    return ops.where(is_full[..., None], found, ops.zeros_like(found))


def roi_align(x: Any, boxes: Any, *, stride: int, size: int = 7, samples: int = 2, aligned: bool = False) -> Any:
    """The mean of samples x samples bilinear samples in each bin of each box; nothing is rounded.

    Args:
        x: float (N, H, W, C) of any precision; H and W must be known.
        boxes: float32 (N, P, 4), in pixels; P must be known.
        stride: pixels of a cell.
        size: bins along each axis.
        samples: samples along each axis of a bin.
        aligned: True: the value of a cell stands at its middle. False: it stands at its upper left corner, and a box has at
            least one cell along each axis, as in the first version of Detectron and in torchvision's detectors.

    Returns:
        (N, P, size, size, C), of the dtype of x. Samples more than a cell outside the map are 0.

    Source: He et al., 2017 (Mask R-CNN), https://arxiv.org/abs/1703.06870, section 3. The two rules for `aligned` are those
    of torchvision.

    >>> x = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    >>> roi_align(x, [[[0.0, 0.0, 2.0, 2.0]]], stride=1, size=1).numpy().item()  # the mean over 0.5 and 1.5 each way
    5.0
    """
    x = ops.convert_to_tensor(x)
    rows, columns = _weights(boxes, x, stride=stride, size=size, samples=samples, aligned=aligned)
    return _weighted(x, rows, columns)


def pyramid_roi_align(
    maps: Mapping[int, Any],
    boxes: Any,
    *,
    image_size: tuple[int, int],
    size: int = 7,
    samples: int = 2,
    aligned: bool = False,
) -> Any:
    """`roi_align` of each box from the level of its size: floor(4 + log2(sqrt(area) / 224)), or the nearest that exists.

    A level that no box inside the image can reach is not read.

    Args:
        maps: level l -> float (N, H, W, C) of stride 2**l. All have the same number of channels.
        boxes: float32 (N, P, 4), in pixels.
        image_size: height and width of the image, in pixels.
        size, samples, aligned: as in `roi_align`.

    Returns:
        (N, P, size, size, C).

    Source: Lin et al., 2017 (FPN), https://arxiv.org/abs/1612.03144, section 4.2, equation 1.

    >>> maps = {2: np.full((1, 32, 32, 1), 2.0), 3: np.full((1, 16, 16, 1), 3.0)}
    >>> boxes = [[[0.0, 0.0, 20.0, 20.0], [0.0, 0.0, 112.0, 112.0]]]
    >>> pyramid_roi_align(maps, boxes, image_size=(128, 128), size=1).numpy().ravel()
    array([2., 3.])
    """
    boxes = ops.convert_to_tensor(boxes)
    levels = sorted(maps)
    reached = _level_of(math.prod(image_size))
    of_box = ops.clip(ops.floor(_levels(boxes)), levels[0], levels[-1])
    pooled = None
    for level in levels:
        if level > levels[0] and level > reached:
            continue
        x = ops.convert_to_tensor(maps[level])
        rows, columns = _weights(boxes, x, stride=1 << level, size=size, samples=samples, aligned=aligned)
        mine = ops.cast(ops.equal(of_box, level), rows.dtype)
        of_level = _weighted(x, rows * mine[..., None, None], columns)
        pooled = of_level if pooled is None else pooled + of_level
    return pooled


def position_sensitive_pool(x: Any, boxes: Any, *, stride: int, size: int) -> Any:
    """The mean of each bin of each box, in which bin (i, j) reads the channels of its own group.

    The bins are those of `roi_max_pool`. A bin outside the map has the value 0.

    Args:
        x: float (N, H, W, size * size * C): the C channels of bin (0, 0), then those of bin (0, 1), and so on.
        boxes: float32 (N, P, 4), in pixels; P must be known.
        stride: pixels of a cell.
        size: bins along each axis, k in the paper.

    Returns:
        (N, P, size, size, C), of the dtype of x.

    Source: Dai et al., 2016 (R-FCN), https://arxiv.org/abs/1605.06409, equation 1.

    >>> x = np.array([10.0, 20.0, 30.0, 40.0], dtype="float32") * np.ones((1, 2, 2, 4), "float32")
    >>> position_sensitive_pool(x, [[[0.0, 0.0, 1.0, 1.0]]], stride=1, size=2).numpy()[0, 0, :, :, 0]
    array([[10., 20.],
           [30., 40.]], dtype=float32)
    """
    x = ops.convert_to_tensor(x)
    _, height, width, channels = x.shape
    of_bin = channels // size**2
    top, left, bottom, right = _corners(boxes, stride)
    rows = ops.cast(_means(*_bins(top, bottom, length=height, size=size), length=height), x.dtype)
    columns = ops.cast(_means(*_bins(left, right, length=width, size=size), length=width), x.dtype)
    by_column = ops.transpose(columns, (0, 1, 3, 2))[..., None]
    groups = ops.reshape(x, (-1, height, width, size, size * of_bin))
    pooled = []
    for row in range(size):
        group = ops.reshape(groups[:, :, :, row], (-1, height, width * size * of_bin))
        band = ops.reshape(ops.matmul(rows[:, :, row], group), (-1, rows.shape[1], width, size, of_bin))
        pooled.append(ops.sum(band * by_column, axis=2))
    return ops.stack(pooled, axis=2)


def _corners(boxes: Any, stride: int) -> list[Any]:
    """y_min, x_min, y_max and x_max in cells, float32 (N, P) each, without a gradient."""
    cells = ops.stop_gradient(ops.cast(ops.convert_to_tensor(boxes), "float32")) / stride
    return [cells[..., side] for side in range(4)]


def _bins(low: Any, high: Any, *, length: int, size: int) -> tuple[Any, Any]:
    """The first cell of each bin, and the one after its last: whole numbers, float32 (N, P, size) in [0, length].

    Whole numbers below 2 ** 24 and their exact quotients are exact in float32, and LiteRT lacks operations for int32.
    """
    # Halves are rounded away from zero, as in the code of the paper.
    first, last = ((ops.sign(side) * ops.floor(ops.abs(side) + 0.5))[..., None] for side in (low, high))
    count = ops.maximum(last - first + 1, 1.0)
    numbers = np.arange(size, dtype="float32")
    starts = broadcast_sum(first, ops.floor(count * numbers / size))
    ends = broadcast_sum(first, ops.floor((count * (numbers + 1) + (size - 1)) / size))
    return ops.clip(starts, 0, length), ops.clip(ends, 0, length)


def _means(starts: Any, ends: Any, *, length: int) -> Any:
    """The weights of the mean over the cells of each bin, float32 (N, P, size, length)."""
    cells = np.arange(length, dtype="float32")
    inside = ops.logical_and(ops.less_equal(starts[..., None], cells), ops.greater(ends[..., None], cells))
    return ops.cast(inside, "float32") / ops.maximum(ends - starts, 1.0)[..., None]


def _weights(boxes: Any, x: Any, *, stride: int, size: int, samples: int, aligned: bool) -> tuple[Any, Any]:
    """What each cell weighs in each bin of `roi_align`: (N, P, size, H) for rows, (N, P, size, W) for columns."""
    top, left, bottom, right = _corners(boxes, stride)
    shares = ((np.arange(size * samples) + 0.5) / (size * samples)).astype("float32")

    def of_axis(low: Any, high: Any, length: int) -> Any:
        extent = high - low if aligned else ops.maximum(high - low, 1.0)
        places = broadcast_sum((low - 0.5 * aligned)[..., None], extent[..., None] * shares)
        is_near = ops.logical_and(places >= -1, places <= length)
        # Between two cells, the weight falls from 1 to 0.
        apart = ops.abs(ops.clip(places, 0, length - 1)[..., None] - np.arange(length, dtype="float32"))
        weights = ops.relu(1 - apart) * ops.cast(is_near, "float32")[..., None]
        of_bins = ops.reshape(weights, (-1, weights.shape[1], size, samples, length))
        return ops.cast(ops.mean(of_bins, axis=3), x.dtype)

    return of_axis(top, bottom, x.shape[1]), of_axis(left, right, x.shape[2])


def _weighted(x: Any, rows: Any, columns: Any) -> Any:
    """rows (N, P, size, H) times x (N, H, W, C) times columns (N, P, size, W): (N, P, size, size, C)."""
    _, height, width, channels = x.shape
    _, count, size, _ = rows.shape
    bands = ops.matmul(ops.reshape(rows, (-1, count * size, height)), ops.reshape(x, (-1, height, width * channels)))
    bands = ops.reshape(bands, (-1, count, size, width, channels))
    return ops.matmul(columns[:, :, None], bands)


def _levels(boxes: Any) -> Any:
    """The level of each box before it is rounded down, float32 (N, P)."""
    top, left, bottom, right = _corners(boxes, 1)
    areas = ops.maximum(bottom - top, 0.0) * ops.maximum(right - left, 0.0)
    return CANONICAL_LEVEL + _EPSILON + ops.log(ops.maximum(areas, _EPSILON) / CANONICAL_SIDE**2) / math.log(4)


def _level_of(area: float) -> int:
    return math.floor(CANONICAL_LEVEL + _EPSILON + math.log(area / CANONICAL_SIDE**2, 4))


def _most_level(length: int) -> int:
    """The largest l for which 2**l cells fit."""
    return length.bit_length() - 1


def _powers(counts: Any, *, length: int) -> tuple[Any, Any]:
    """The largest l with 2**l <= counts, and 2**l: float32 (N, P, size) each, from counts in [0, length]; 0 counts as 1."""
    level, power = ops.zeros_like(counts), ops.ones_like(counts)
    for number in range(1, _most_level(length) + 1):
        is_larger = ops.cast(counts >= 2**number, "float32")
        level, power = level + is_larger, power + 2 ** (number - 1) * is_larger
    return level, power


def _running_maxima(x: Any, *, axis: int) -> list[Any]:
    """For each l with 2**l <= length: the maximum of the 2**l cells from each cell on, along an axis of x (N, H, W, C).

    Near the end, where fewer cells remain, it is anything.
    """
    maxima = [x]
    for level in range(_most_level(x.shape[axis])):
        last, shift = maxima[-1], 1 << level
        later = last[:, shift:] if axis == 1 else last[:, :, shift:]
        end = last[:, :shift] if axis == 1 else last[:, :, :shift]
        maxima.append(ops.maximum(last, ops.concatenate([later, end], axis=axis)))
    return maxima


def _outer(rows: Any, columns: Any) -> Any:
    """The sum of each pair: (N, P, size, size) from (N, P, size) and (N, P, size)."""
    return broadcast_sum(rows[..., :, None], columns[..., None, :])


def _row_numbers(x: Any) -> Any:
    """The number of each image in its batch, int32 (N, 1, 1, 1), from x (N, P)."""
    # Counted, because the number of images is not known.
    ones = ops.cast(ops.ones_like(x[:, :1]), "int32")
    return (ops.cumsum(ones, axis=0) - 1)[..., None, None]
