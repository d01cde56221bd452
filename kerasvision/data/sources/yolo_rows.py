"""One line of a YOLO label file: a box or a polygon, in shares of the sides of the upright image."""

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from kerasvision.data.records import Box, Object
from kerasvision.data.sources.coco_masks import mask_png
from kerasvision.data.sources.values import UnusableValue

# Files have six decimals, and some programs round upwards: a share may be above 1 by this much, or below 0.
ROUNDING = 1e-3
BOX_NUMBERS = 4
# Three points.
LEAST_POLYGON_NUMBERS = 6


class AboveOne(UnusableValue):
    """A number of a row is too large for a share of a side: it may be in pixels."""


def parse_row(line: str, *, names: Mapping[int, str], size: tuple[int, int], masks: bool) -> Object:
    """The object that a line describes.

    Args:
        line: `class center_x center_y width height`, or `class x1 y1 x2 y2 x3 y3 ...`.
        names: number of a class -> its name.
        size: (height, width) of the upright image in pixels.
        masks: whether a polygon also becomes a mask.

    Raises:
        UnusableValue: what is wrong, as the end of a sentence.

    >>> parse_row("1 0.5 0.5 0.2 1", names={1: "cat"}, size=(10, 20), masks=True).box
    (0.0, 8.0, 10.0, 12.0)
    >>> triangle = parse_row("1 0 0 0.5 0 0.5 1", names={1: "cat"}, size=(10, 20), masks=False)
    >>> triangle.box, triangle.label, triangle.area
    ((0.0, 0.0, 10.0, 10.0), 'cat', 50.0)
    """
    first, *others = line.split()
    count = len(others)
    if count != BOX_NUMBERS and (count < LEAST_POLYGON_NUMBERS or count % 2):
        raise UnusableValue(
            f"has {count} numbers after the class; a box has {BOX_NUMBERS}, and a polygon has two for each point, at least "
            f"{LEAST_POLYGON_NUMBERS}"
        )
    name = names.get(_whole(first))
    if name is None:
        raise UnusableValue(f"has class {first}, which data.yaml does not name")
    shares = [_share(number) for number in others]
    return _of_box(shares, name, size) if count == BOX_NUMBERS else _of_polygon(shares, name, size, masks=masks)


def _of_box(shares: list[float], name: str, size: tuple[int, int]) -> Object:
    x, y, width, height = shares
    return Object(_pixels((y - height / 2, x - width / 2, y + height / 2, x + width / 2), size), name)


def _of_polygon(shares: list[float], name: str, size: tuple[int, int], *, masks: bool) -> Object:
    points = np.array(shares).reshape(-1, 2) * size[::-1]
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    mask = partial(mask_png, (points.astype(np.float32).ravel(),), *size) if masks else None
    return Object((top, left, bottom, right), name, mask, area=_polygon_area(points))


def _polygon_area(points: NDArray[np.float64]) -> float:
    """The area within (N, 2) points, by the shoelace formula."""
    x, y = points.T
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


def _pixels(box: Box, size: tuple[int, int]) -> Box:
    y_min, x_min, y_max, x_max = box
    height, width = size
    return y_min * height, x_min * width, y_max * height, x_max * width


def _whole(text: str) -> int:
    """The number of a class; some programs write it as 3.0. -1 for anything else."""
    number = _number(text)
    return int(number) if math.isfinite(number) and number == int(number) else -1


def _share(text: str) -> float:
    number = _number(text)
    # NaN fails the comparison too.
    if not -ROUNDING <= number <= 1 + ROUNDING:
        kind = AboveOne if number > 1 else UnusableValue
        raise kind(f"has {text}; the numbers after the class must be shares of the image's sides, in [0, 1]")
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
