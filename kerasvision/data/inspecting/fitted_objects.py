"""Fits boxes and masks to an image file if they were drawn on a picture of another size or orientation.

COCO states the size of each image. If the file has another size, either it was resized without its annotations, or the
annotator ignored its EXIF orientation. Without fitting, the boxes would be on the wrong pixels.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from PIL import Image

from kerasvision.data.inspecting.inspection import orientation_of
from kerasvision.data.records import Box, Object, Record

SCALED = "the annotations claim another image size, so the boxes were scaled"
TURNED = "the annotations ignore the EXIF orientation, so the boxes were turned with the image"

# A resized image has whole pixels: each side may differ by one from the exact product with the other side's scale.
ROUNDING_PIXELS = 1.0
# EXIF orientations that swap the sides. The others do not change the size, so nothing shows whether they were applied.
_TURNS = {
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def fit_objects(record: Record, data: bytes, *, width: int, height: int) -> tuple[tuple[Object, ...], list[str], str]:
    """The objects of a record in pixels of its upright image, notes on what was changed, and a fault.

    Args:
        record: its `drawn_on` is the size on which its objects were drawn.
        data: the encoded image.
        width, height: size of the upright image.

    Returns:
        (objects, notes, fault): the fault is "" unless the two sizes have different aspect ratios.

    >>> record = Record("a", bytes, objects=(Object((0, 10, 20, 30), "cat"),), drawn_on=(100, 200))
    >>> (thing,), notes, fault = fit_objects(record, b"", width=100, height=50)
    >>> thing.box, notes
    ((0.0, 5.0, 10.0, 15.0), ['the annotations claim another image size, so the boxes were scaled'])
    """
    drawn_on = record.drawn_on
    if drawn_on in (None, (height, width)) or not record.objects:
        return record.objects, [], ""
    turn = swapped_sides(data, width=width, height=height)
    if turn is not None and drawn_on == (width, height):
        return _fitted(record.objects, drawn_on, turn, (height, width)), [TURNED], ""
    if _is_scaled(drawn_on, (height, width)):
        return _fitted(record.objects, drawn_on, None, (height, width)), [SCALED], ""
    if turn is not None and _is_scaled(drawn_on, (width, height)):
        return _fitted(record.objects, drawn_on, turn, (height, width)), [TURNED, SCALED], ""
    claim = f"{drawn_on[1]} x {drawn_on[0]} pixels, and the image has {width} x {height}"
    return (), [], f"the annotation file claims {claim}: its boxes cannot be placed"


def turn_box(box: Box, orientation: int, *, width: float, height: float) -> Box:
    """A box of the stored picture, converted to the upright picture.

    Args:
        box: y_min, x_min, y_max, x_max.
        orientation: EXIF's, 5 to 8.
        width, height: size of the stored picture.

    >>> turn_box((10, 20, 40, 60), 6, width=200, height=100)   # a quarter turn clockwise
    (20, 60, 60, 90)
    """
    top, left, bottom, right = box
    if orientation in (7, 8):  # the right side becomes the top
        left, right = width - right, width - left
    if orientation in (6, 7):  # the bottom becomes the left side
        top, bottom = height - bottom, height - top
    return left, top, right, bottom


def swapped_sides(data: bytes, *, width: int, height: int) -> int | None:
    """The EXIF orientation, 5 to 8, for which the decoder swapped the sides of an image; None if it did not.

    Args:
        data: the encoded image.
        width, height: size of the upright image.
    """
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as header:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            orientation = orientation_of(data, header.format or "")
            return orientation if orientation in _TURNS and header.size == (height, width) else None
    except (OSError, Image.DecompressionBombError):
        return None


def _is_scaled(drawn_on: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether one size is a multiple of the other, except for rounding to whole pixels."""
    (a_height, a_width), (b_height, b_width) = drawn_on, size
    by_width, by_height = b_width / a_width, b_height / a_height
    return abs(a_height * by_width - b_height) <= ROUNDING_PIXELS or abs(a_width * by_height - b_width) <= ROUNDING_PIXELS


def _fitted(
    objects: tuple[Object, ...], drawn_on: tuple[int, int], turn: int | None, size: tuple[int, int]
) -> tuple[Object, ...]:
    """The objects turned, and then scaled to (height, width) `size`."""
    height, width = drawn_on
    upright = (width, height) if turn else (height, width)
    scales = np.array(size * 2) / (upright * 2)

    def fitted(thing: Object) -> Object:
        box = turn_box(thing.box, turn, width=width, height=height) if turn else thing.box
        mask = None if thing.mask is None else partial(_fitted_mask, thing.mask, turn, size)
        area = None if thing.area is None else thing.area * float(scales[0] * scales[1])
        return replace(thing, box=tuple((np.array(box) * scales).tolist()), mask=mask, area=area)

    return tuple(map(fitted, objects))


def _fitted_mask(mask_png: bytes | Callable[[], bytes], turn: int | None, size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(mask_png() if callable(mask_png) else mask_png)) as mask:
        upright = mask.transpose(_TURNS[turn]) if turn else mask
        upright.resize(size[::-1], Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()
