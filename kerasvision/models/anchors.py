"""Where the answers of a detector lie in the image: points, anchors and default boxes, as NumPy arrays.

    points          of FCOS: the middle of each cell
    anchors         of RetinaNet: boxes around the upper left corner of each cell
    default boxes   of SSD: boxes around the middle of each cell

A level "p<l>" has stride 2**l, the distance of its cells in pixels. A level "s<stride>" has another one: "s100", or
"s48x53.3333" along y and x. The cell in row i and column j has the point ((i + 1/2) * stride, (j + 1/2) * stride). The cells
of all levels follow each other level by level, row by row, and the boxes of a cell one after the other. This is the order of
a map (h, w, boxes * ...) that is reshaped to (h * w * boxes, ...).

The name of a map says which boxes its cells have, unless they are the nine of RetinaNet: "p3_offsets_21x21_30.7409x30.7409"
has two in each cell, with these heights and widths in pixels. So a network of stock Keras layers carries its boxes with it.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

# Height to width, and sizes relative to the first one (Lin et al., 2017, https://arxiv.org/abs/1708.02002, section 4).
RATIOS = (0.5, 1.0, 2.0)
SCALES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
# The side of the first anchor, in strides: 32 pixels at p3, 512 at p7.
STRIDES_PER_ANCHOR = 4

_NAME = re.compile(r"(p\d+|s[\d.]+(?:x[\d.]+)?)_([a-z]+(?:_[a-z]+)*)((?:_[\d.]+x[\d.]+)*)")

ANCHORS_PER_CELL = len(RATIOS) * len(SCALES)


class MapName(NamedTuple):
    """The parts of the name of a detector's map, such as "p3_offsets_21x21_15x30".

    Attributes:
        level: "p3".
        what: "offsets".
        boxes: "_21x21_15x30", or "" if the name says nothing about boxes.
    """

    level: str
    what: str
    boxes: str


def map_name(name: str) -> MapName | None:
    """The parts of a map's name; None if it has another form.

    >>> map_name("s48x53.3_class_logits")
    MapName(level='s48x53.3', what='class_logits', boxes='')
    >>> map_name("c3") is None
    True
    """
    match = _NAME.fullmatch(name)
    return MapName(*match.groups()) if match else None


def strides_of(level: str) -> tuple[float, float]:
    """The strides of a level along y and x, in pixels.

    >>> strides_of("p3"), strides_of("s48x53.5")
    ((8.0, 8.0), (48.0, 53.5))
    """
    if level.startswith("p"):
        return (2.0 ** int(level[1:]),) * 2
    vertical, _, horizontal = level[1:].partition("x")
    return float(vertical), float(horizontal or vertical)


def level_of(strides: tuple[float, float]) -> str:
    """The name of a level with these strides along y and x: "p<l>" for 2**l, otherwise "s<stride>".

    >>> level_of((8, 8)), level_of((100, 100)), level_of((48, 160 / 3))
    ('p3', 's100', 's48x53.3333')
    """
    vertical, horizontal = strides
    if vertical != horizontal:
        return f"s{vertical:g}x{horizontal:g}"
    power = round(math.log2(vertical))
    return f"p{power}" if vertical == 2.0**power and power >= 0 else f"s{vertical:g}"


def boxes_text(sides: Floats) -> str:
    """The ending of a map's name: the heights and widths of the boxes of a cell, from (B, 2) in pixels.

    >>> boxes_text(np.array([[32, 32], [22.6274, 45.2548]]))
    '_32x32_22.6274x45.2548'
    """
    return "".join(f"_{height:.6g}x{width:.6g}" for height, width in sides.tolist())


def sides_in(text: str) -> Floats:
    """float32 (B, 2), the heights and widths of the boxes of a cell, from the ending of a map's name; see `boxes_text`.

    >>> sides_in("_32x32_22.5x45").tolist()
    [[32.0, 32.0], [22.5, 45.0]]
    """
    return np.array([box.split("x") for box in text.removeprefix("_").split("_")], np.float32)


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
    points = [_middles(level, shape) for level, shape in shapes.items()]
    strides = [np.full(len(of_level), strides_of(level)[0]) for level, of_level in zip(shapes, points, strict=True)]
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
    return anchors_of_sides(shapes, {level: anchor_sides(level, ratios=ratios, scales=scales) for level in shapes})


def anchors_of_sides(shapes: Mapping[str, tuple[int, int]], sides: Mapping[str, Floats]) -> Floats:
    """The anchors of each cell around its upper left corner, float32 (A, 4).

    Args:
        shapes: level -> height and width of its map.
        sides: level -> (B, 2), heights and widths of the anchors of a cell in pixels.
    """
    corners = [_cells(*shape) * strides_of(level) for level, shape in shapes.items()]
    return _boxes_around(corners, [sides[level] for level in shapes])


def default_boxes(shapes: Mapping[str, tuple[int, int]], sides: Mapping[str, Floats]) -> Floats:
    """The default boxes of each cell around its middle, float32 (A, 4) y_min, x_min, y_max, x_max in pixels.

    Boxes may reach beyond the image.

    Args:
        shapes: level -> height and width of its map.
        sides: level -> (B, 2), heights and widths of the boxes of a cell in pixels; see `default_sides`.

    Source: Liu et al., 2016 (SSD), https://arxiv.org/abs/1512.02325, section 2.2, "Choosing scales and aspect ratios".

    >>> default_boxes({"s6": (1, 2)}, {"s6": np.array([[2, 4]])}).tolist()
    [[2.0, 1.0, 4.0, 5.0], [2.0, 7.0, 4.0, 11.0]]
    """
    return _boxes_around([_middles(*item) for item in shapes.items()], [sides[level] for level in shapes])


def default_sides(size: float, next_size: float, *, ratios: Sequence[float], image_size: tuple[int, int]) -> Floats:
    """Heights and widths of the default boxes of a cell, float32 (2 + 2 * len(ratios), 2).

    A square of the map's size, a square between it and the next map's size, and for each ratio a wide box and a tall one
    of the same area as the first. As in torchvision, no side is longer than that of the image.

    Args:
        size: of the map, in pixels.
        next_size: of the next map.
        ratios: the longer side to the shorter one, above 1.
        image_size: (height, width) in pixels.

    Source: Liu et al., 2016 (SSD), https://arxiv.org/abs/1512.02325, section 2.2; the order is torchvision's.

    >>> default_sides(9, 16, ratios=(4,), image_size=(96, 15)).tolist()  # 12 is the root of 9 * 16
    [[9.0, 9.0], [12.0, 12.0], [4.5, 15.0], [18.0, 4.5]]
    """
    between = math.sqrt(size * next_size)
    sides = [(size, size), (between, between)]
    for root in map(math.sqrt, ratios):
        sides += [(size / root, size * root), (size * root, size / root)]
    return np.minimum(np.array(sides, np.float32), np.array(image_size, np.float32))


def anchor_sides(level: str, *, ratios: Sequence[float] = RATIOS, scales: Sequence[float] = SCALES) -> Floats:
    """Heights and widths of the anchors of a cell of a level, float32 (len(ratios) * len(scales), 2); see `cell_anchors`."""
    around = cell_anchors(int(STRIDES_PER_ANCHOR * strides_of(level)[0]), ratios=ratios, scales=scales)
    return around[:, 2:] - around[:, :2]


def cell_anchors(size: int, *, ratios: Sequence[float], scales: Sequence[float]) -> Floats:
    """The anchors of one cell around the origin, float32 (len(ratios) * len(scales), 4), in whole pixels.

    Args:
        size: side of the square anchor of scale 1, in pixels.
        ratios: height to width. All anchors of a scale have about the same area.
        scales: factors of the size.

    >>> cell_anchors(32, ratios=(0.5, 1.0), scales=(1.0,)).tolist()
    [[-11.0, -23.0, 11.0, 23.0], [-16.0, -16.0, 16.0, 16.0]]
    """
    # torchvision keeps the whole pixels of a size, and then rounds half of each side. No side is shorter than two pixels.
    sizes = np.maximum(np.floor(np.multiply(size, scales)), 1)
    heights = np.sqrt(ratios)[:, None] * sizes
    widths = sizes / np.sqrt(ratios)[:, None]
    half = np.stack([heights.ravel(), widths.ravel()], axis=1) / 2
    half = np.maximum(np.round(half), 1)
    return np.concatenate([-half, half], axis=1).astype(np.float32)


def _middles(level: str, shape: tuple[int, int]) -> npt.NDArray[np.floating]:
    """The middle of each cell, (height * width, 2) in pixels."""
    return (_cells(*shape) + 0.5) * strides_of(level)


def _boxes_around(places: Sequence[npt.NDArray[np.floating]], sides: Sequence[Floats]) -> Floats:
    """float32 (A, 4): the boxes of each place, level by level, from (cells, 2) and (B, 2) in pixels."""
    levels = []
    for of_level, of_cell in zip(places, sides, strict=True):
        half = np.concatenate([-of_cell, of_cell], axis=1) / 2
        levels.append((np.tile(of_level, 2)[:, None] + half).reshape(-1, 4))
    return np.concatenate(levels).astype(np.float32)


def _cells(height: int, width: int) -> npt.NDArray[np.int_]:
    """Row and column of each cell, (height * width, 2), row by row."""
    return np.indices((height, width)).reshape(2, -1).T
