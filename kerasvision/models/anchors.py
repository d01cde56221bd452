"""Where the answers of a detector lie in the image: the points of FCOS and the anchors of RetinaNet, as NumPy arrays.

A level "p<l>" of a pyramid has stride 2**l. The cell in row i and column j of its map has the point
((i + 1/2) * stride, (j + 1/2) * stride) and one anchor for each pair of a ratio and a size. The cells of all levels follow
each other level by level, row by row; the anchors of a cell follow each other by ratio, then by size. This is the order of
a map (h, w, anchors * ...) that is reshaped to (h * w * anchors, ...).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

# Height to width, and sizes relative to the first one (Lin et al., 2017, https://arxiv.org/abs/1708.02002, section 4).
RATIOS = (0.5, 1.0, 2.0)
SCALES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
# The side of the first anchor, in strides: 32 pixels at p3, 512 at p7.
STRIDES_PER_ANCHOR = 4

ANCHORS_PER_CELL = len(RATIOS) * len(SCALES)


def stride_of(level: str) -> int:
    """The stride of a level in pixels.

    >>> stride_of("p3")
    8
    """
    return 1 << int(level.removeprefix("p"))


def pyramid_points(shapes: Mapping[str, tuple[int, int]]) -> tuple[Floats, Floats]:
    """The middle of each cell.

    Args:
        shapes: level -> height and width of its map, for example {"p3": (12, 12), "p4": (6, 6)}.

    Returns:
        float32 (A, 2) y, x in pixels, and float32 (A,), the stride of each point's level.

    Source: Tian et al., 2019, https://arxiv.org/abs/1904.01355, section 3.1.

    >>> points, strides = pyramid_points({"p3": (1, 2), "p4": (1, 1)})
    >>> points.tolist(), strides.tolist()
    ([[4.0, 4.0], [4.0, 12.0], [8.0, 8.0]], [8.0, 8.0, 16.0])
    """
    points = [(_cells(*shape) + 0.5) * stride_of(level) for level, shape in shapes.items()]
    strides = [np.full(len(of_level), stride_of(level)) for level, of_level in zip(shapes, points, strict=True)]
    return np.concatenate(points).astype(np.float32), np.concatenate(strides).astype(np.float32)


def pyramid_anchors(
    shapes: Mapping[str, tuple[int, int]],
    *,
    ratios: Sequence[float] = RATIOS,
    scales: Sequence[float] = SCALES,
) -> Floats:
    """The anchors of each cell, as torchvision lays them: whole pixels around the upper left corner of the cell.

    Args:
        shapes: level -> height and width of its map.
        ratios: height to width of the anchors.
        scales: sizes of the anchors, as factors of four strides.

    Returns:
        float32 (A, 4) y_min, x_min, y_max, x_max in pixels, where A is the number of cells times that of ratios and scales.
        Anchors may reach beyond the image.

    Source: Lin et al., 2017 (RetinaNet), https://arxiv.org/abs/1708.02002, section 4.

    >>> pyramid_anchors({"p3": (1, 2)}, ratios=(1.0,), scales=(1.0,)).tolist()
    [[-16.0, -16.0, 16.0, 16.0], [-16.0, -8.0, 16.0, 24.0]]
    """
    anchors = []
    for level, shape in shapes.items():
        corners = np.tile(_cells(*shape) * stride_of(level), 2)
        around = cell_anchors(STRIDES_PER_ANCHOR * stride_of(level), ratios=ratios, scales=scales)
        anchors.append((corners[:, None] + around).reshape(-1, 4))
    return np.concatenate(anchors).astype(np.float32)


def cell_anchors(size: int, *, ratios: Sequence[float], scales: Sequence[float]) -> Floats:
    """The anchors of one cell around the origin, float32 (len(ratios) * len(scales), 4), in whole pixels.

    Args:
        size: side of the square anchor of scale 1, in pixels.
        ratios: height to width. All anchors of a scale have about the same area.
        scales: factors of the size.

    >>> cell_anchors(32, ratios=(0.5, 1.0), scales=(1.0,)).tolist()
    [[-11.0, -23.0, 11.0, 23.0], [-16.0, -16.0, 16.0, 16.0]]
    """
    # torchvision keeps the whole pixels of a size, and then rounds half of each side.
    sizes = np.floor(np.multiply(size, scales))
    heights = np.sqrt(ratios)[:, None] * sizes
    widths = sizes / np.sqrt(ratios)[:, None]
    half = np.stack([heights.ravel(), widths.ravel()], axis=1) / 2
    return np.round(np.concatenate([-half, half], axis=1)).astype(np.float32)


def _cells(height: int, width: int) -> npt.NDArray[np.int_]:
    """Row and column of each cell, (height * width, 2), row by row."""
    return np.indices((height, width)).reshape(2, -1).T
