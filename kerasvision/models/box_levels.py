"""What a detector answers on each of its maps: cells, boxes and receptive field. Data and text; the caller prints it.

Of a network of two stages, these are the maps on which it proposes regions, or the windows that it chooses from: see
`kerasvision.models.region_levels`.
"""

import keras

from kerasvision.models.anchors import anchor_sides, map_name, sides_in, strides_of
from kerasvision.models.receptive import field_text, receptive_fields
from kerasvision.models.region_levels import BoxLevel, anchor_levels, proposes_regions, shapes_text, window_lines

# What a map says about the places of boxes -> what a cell has.
_PLACES = {"distances": "a point", "deltas": "", "offsets": "", "cell_boxes": ""}
_OF_CELL_BOX = 5


def box_levels(model: keras.Model) -> tuple[BoxLevel, ...]:
    """The maps of a detector from fine to coarse; empty for a network without boxes on its maps.

    >>> from kerasvision.models import build
    >>> small = {"backbone": "resnet9", "width": 0.125, "levels": "p3-p3", "channels": 8, "depth": 1, "norm": "none"}
    >>> box_levels(build("fcos", image_shape=(48, 64, 3), num_classes=5, **small))[0].shapes
    'a point'
    """
    names = {name: map_name(name) for name in model.output} if isinstance(model.output, dict) else {}
    places = {name: found for name, found in names.items() if found and found.what in _PLACES}
    if not places:
        return anchor_levels(model)
    fields, levels = receptive_fields(model), []
    for name, (level, what, text) in places.items():
        height, width, size = model.output[name].shape[1:]
        boxes, shapes = 1, _PLACES[what]
        if what == "cell_boxes":
            boxes = size // _OF_CELL_BOX
            shapes = f"{boxes} boxes of any shape"
        elif not shapes:
            sides = sides_in(text) if text else anchor_sides(level)
            boxes, shapes = len(sides), shapes_text(sides)
        levels.append(BoxLevel(level, (height, width), strides_of(level), boxes, shapes, field_text(fields[name])))
    return tuple(sorted(levels, key=lambda one: one.stride))


def level_lines(model: keras.Model) -> tuple[tuple[tuple[str, ...], ...], str]:
    """The maps of a detector as the rows of a table, headings first, and a sentence below it.

    Of R-CNN and Fast R-CNN, they are the shapes of the windows; for a network that finds no boxes, there are no rows.

    >>> from kerasvision.models import build
    >>> small = {"backbone": "resnet9", "width": 0.125, "levels": "p3-p3", "channels": 8, "depth": 1, "norm": "none"}
    >>> rows, sentence = level_lines(build("fcos", image_shape=(48, 64, 3), num_classes=5, **small))
    >>> rows[1][:4], sentence.partition(";")[0]
    (('p3', '8', '6 x 8', 'a point'), '48 boxes')
    """
    levels = box_levels(model)
    if not levels:
        return window_lines(model)
    rows = [("level", "stride", "cells", "boxes of a cell (height x width)", "sees")]
    for one in levels:
        vertical, horizontal = one.stride
        stride = f"{vertical:g}" if vertical == horizontal else f"{vertical:g} x {horizontal:g}"
        rows.append((one.level, stride, " x ".join(map(str, one.cells)), one.shapes, one.field))
    count = sum(one.boxes * one.cells[0] * one.cells[1] for one in levels)
    boxes = f"{count:,} boxes"
    if proposes_regions(model):
        boxes = f"{count:,} anchors, from which at most {model.output['proposals'].shape[1]:,} proposals are made"
    return tuple(rows), f'{boxes}; "sees": the pixels that an answer depends on'
