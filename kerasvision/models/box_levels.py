"""What a detector answers on each of its maps: cells, boxes and receptive field. Data and text; the caller prints it."""

from dataclasses import dataclass

import keras

from kerasvision.models.anchors import anchor_sides, map_name, sides_in, strides_of
from kerasvision.models.receptive import field_text, receptive_fields

# What a map says about the places of boxes -> what a cell has.
_PLACES = {"distances": "a point", "deltas": "", "offsets": "", "cell_boxes": ""}
_OF_CELL_BOX = 5


@dataclass(frozen=True)
class BoxLevel:
    """One map of a detector.

    Attributes:
        level: its name, "p3".
        cells: height and width of the map.
        stride: the distance of two cells along y and x in pixels.
        boxes: how many boxes a cell answers.
        shapes: heights and widths of its anchors or default boxes in pixels, "16x16, 22x12"; or what it has instead.
        field: the receptive field of what it says about places, in pixels: "92 x 92".
    """

    level: str
    cells: tuple[int, int]
    stride: tuple[float, float]
    boxes: int
    shapes: str
    field: str


def box_levels(model: keras.Model) -> tuple[BoxLevel, ...]:
    """The maps of a detector from fine to coarse; empty for another network.

    >>> from kerasvision.models import build
    >>> small = {"backbone": "resnet9", "width": 0.125, "levels": "p3-p3", "channels": 8, "depth": 1, "norm": "none"}
    >>> box_levels(build("fcos", image_shape=(48, 64, 3), num_classes=5, **small))[0].shapes
    'a point'
    """
    names = {name: map_name(name) for name in model.output} if isinstance(model.output, dict) else {}
    places = {name: found for name, found in names.items() if found and found.what in _PLACES}
    if not places:
        return ()
    fields, levels = receptive_fields(model), []
    for name, (level, what, text) in places.items():
        height, width, size = model.output[name].shape[1:]
        boxes, shapes = 1, _PLACES[what]
        if what == "cell_boxes":
            boxes = size // _OF_CELL_BOX
            shapes = f"{boxes} boxes of any shape"
        elif not shapes:
            sides = sides_in(text) if text else anchor_sides(level)
            boxes, shapes = len(sides), ", ".join(f"{tall:g}x{wide:g}" for tall, wide in sides.round(1).tolist())
        levels.append(BoxLevel(level, (height, width), strides_of(level), boxes, shapes, field_text(fields[name])))
    return tuple(sorted(levels, key=lambda one: one.stride))


def level_lines(model: keras.Model) -> tuple[tuple[tuple[str, ...], ...], str]:
    """The maps of a detector as the rows of a table, headings first, and a sentence below it; nothing for another network.

    >>> from kerasvision.models import build
    >>> small = {"backbone": "resnet9", "width": 0.125, "levels": "p3-p3", "channels": 8, "depth": 1, "norm": "none"}
    >>> rows, sentence = level_lines(build("fcos", image_shape=(48, 64, 3), num_classes=5, **small))
    >>> rows[1][:4], sentence.partition(";")[0]
    (('p3', '8', '6 x 8', 'a point'), '48 boxes')
    """
    levels = box_levels(model)
    if not levels:
        return (), ""
    rows = [("level", "stride", "cells", "boxes of a cell (height x width)", "sees")]
    for one in levels:
        vertical, horizontal = one.stride
        stride = f"{vertical:g}" if vertical == horizontal else f"{vertical:g} x {horizontal:g}"
        rows.append((one.level, stride, " x ".join(map(str, one.cells)), one.shapes, one.field))
    count = sum(one.boxes * one.cells[0] * one.cells[1] for one in levels)
    return tuple(rows), f'{count:,} boxes; "sees": the pixels that an answer depends on'
