"""Single fields of COCO's JSON, in the variants that occur in files."""

import math
from typing import NotRequired, TypedDict, TypeGuard

# No image has a longer side, and a file may contain numbers larger than any float.
MOST_SIDE = 10**9
# The texts that `iscrowd` may be, in addition to 0 and 1: some programs write texts.
_CROWD = {"0": False, "false": False, "1": True, "true": True}

# x, y, x, y, ... of each polygon, in pixels.
Polygons = list[list[float]]


class Runs(TypedDict):
    """A mask as run lengths, see `rle`: `size` is [height, width]."""

    size: list[int]
    counts: str | list[int]


class ImageRow(TypedDict):
    """One of `images`."""

    id: int
    file_name: str
    height: NotRequired[object]
    width: NotRequired[object]


class AnnotationRow(TypedDict):
    """One of `annotations`, of captions, instances or panoptic.

    Only `image_id`, `category_id`, and for panoptic `file_name` and `segments_info` are checked when a file is read.
    """

    image_id: int
    id: NotRequired[object]
    caption: NotRequired[object]
    category_id: NotRequired[int]
    bbox: NotRequired[list[float]]
    segmentation: NotRequired[Polygons | Runs | None]
    iscrowd: NotRequired[object]
    area: NotRequired[object]
    file_name: NotRequired[str]
    segments_info: NotRequired[list[object]]


class CategoryRow(TypedDict):
    """One of `categories`."""

    id: int
    name: str
    supercategory: NotRequired[object]


def parse_box(box: object) -> tuple[float, float, float, float] | None:
    """COCO's [x, y, width, height] as y_min, x_min, y_max, x_max; None for anything but four finite numbers.

    >>> parse_box([10, 20, 30, 40])
    (20.0, 10.0, 60.0, 40.0)
    """
    if not _is_box(box):
        return None
    try:
        x, y, width, height = map(float, box)
    except OverflowError:
        return None
    return (y, x, y + height, x + width) if all(map(math.isfinite, (x, y, x + width, y + height))) else None


def is_relative_box(box: object) -> bool:
    """Whether a box is within the first pixel: then its numbers are shares of the image's sides.

    Four whole numbers do not count as shares: [0, 0, 1, 1] is the first pixel itself.

    >>> is_relative_box([0.1, 0.2, 0.3, 0.4]), is_relative_box([0, 0, 1, 1]), is_relative_box([0.5, 0.5, 20, 30])
    (True, False, False)
    """
    return _is_box(box) and all(0 <= n <= 1 for n in box) and any(n != int(n) for n in box)


def parse_crowd(value: object) -> bool | None:
    """Whether `iscrowd` means a crowd; None if it is neither 0 nor 1 in any spelling. Missing or null means no crowd.

    >>> parse_crowd(0), parse_crowd("0"), parse_crowd("True"), parse_crowd(None), parse_crowd([])
    (False, False, True, False, None)
    """
    if value is None:
        return False
    if isinstance(value, str):
        return _CROWD.get(value.strip().lower())
    return bool(value) if isinstance(value, int | float) and value in (0, 1) else None


def is_area(value: object) -> TypeGuard[float]:
    """Whether `area` is a finite number of at least 0.

    >>> is_area(7), is_area(0.5), is_area("7"), is_area(float("nan")), is_area(-2)
    (True, True, False, False, False)
    """
    return is_number(value) and 0 <= value <= MOST_SIDE**2


def parse_size(*, height: object, width: object) -> tuple[int, int] | None:
    """(height, width) of an image; None if one is missing or impossible.

    >>> [parse_size(height=height, width=6.0) for height in (4, "4", 0)]
    [(4, 6), (4, 6), None]
    """
    sides = _side(height), _side(width)
    return (sides[0], sides[1]) if sides[0] and sides[1] else None


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_box(box: object) -> TypeGuard[list[float]]:
    return isinstance(box, list) and len(box) == 4 and all(map(is_number, box))


def _side(value: object) -> int | None:
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 20:
        value = int(value)
    return int(value) if is_number(value) and 0 < value <= MOST_SIDE and value == int(value) else None
