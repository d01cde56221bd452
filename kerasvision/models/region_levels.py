"""Where a detector of two stages looks for regions: the anchors of each map, or the windows. Read from the network itself.

A region proposal network (Ren et al., 2015, https://arxiv.org/abs/1506.01497, section 3.1) has anchors at each cell of its
maps. R-CNN and Fast R-CNN have windows at a grid of each shape; see `kerasvision.models.windows`. Both lists of boxes are in
the network, in the layers "anchors" and "windows", and are the same for every image. So they are computed here, from zeros.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
from keras import KerasTensor, ops

from kerasvision.models.anchors import level_of
from kerasvision.models.proposer import PREFIX
from kerasvision.models.receptive import Fields, field_text, fields_of
from kerasvision.models.uses import outputs_of

Floats = npt.NDArray[np.float32]

# The layers of a region proposal network that are read here.
_FIRST_STAGE = ("objectness", "anchor_deltas", "anchors")


@dataclass(frozen=True)
class BoxLevel:
    """One map of a detector.

    Attributes:
        level: its name, "p3".
        cells: height and width of the map.
        stride: the distance of two cells along y and x in pixels.
        boxes: how many boxes a cell answers.
        shapes: heights and widths of its anchors or default boxes in pixels, "16x16, 22x12"; or what it has instead.
        field: the receptive field of what it says about places, or of whether there is an object, in pixels: "92 x 92".
    """

    level: str
    cells: tuple[int, int]
    stride: tuple[float, float]
    boxes: int
    shapes: str
    field: str


@dataclass(frozen=True)
class WindowShape:
    """The windows of one shape.

    Attributes:
        size: height and width in pixels.
        stride: the distance of two windows along both axes in pixels; 0 if there is only one window.
        places: how many there are along y and x.
    """

    size: tuple[int, int]
    stride: int
    places: tuple[int, int]


def proposes_regions(model: keras.Model) -> bool:
    """Whether a network returns the regions that its second stage answers about."""
    return isinstance(model.output, dict) and "proposals" in model.output


def anchor_levels(model: keras.Model) -> tuple[BoxLevel, ...]:
    """The maps of a region proposal network from fine to coarse; empty for another network.

    The proposals of Fast R-CNN may come from a trained network that is a part of it; these are the maps of that part.

    >>> from kerasvision.models import build
    >>> small = {"backbone": "resnet9", "width": 0.125, "anchor_sizes": (16, 32), "channels": 8, "hidden": 8}
    >>> [level] = anchor_levels(build("faster_rcnn", image_shape=(32, 64, 3), num_classes=5, **small))
    >>> level.level, level.cells, level.shapes
    ('p3', (4, 8), '12x22, 22x46, 16x16, 32x32, 22x12, 46x22')
    """
    by_name = {layer.name: layer for layer in model.layers} if proposes_regions(model) else {}
    prefix = next((one for one in ("", PREFIX) if {f"{one}{name}" for name in _FIRST_STAGE} <= by_name.keys()), None)
    if prefix is None:
        return ()
    scores = outputs_of(model, by_name[f"{prefix}objectness"])
    maps = sorted(zip(fields_of(model, scores), scores, strict=True), key=lambda one: one[0][0].step)
    anchors = _from_zeros(outputs_of(model, by_name[f"{prefix}anchor_deltas"]), by_name[f"{prefix}anchors"].output)
    each = len(anchors) // sum(x.shape[1] * x.shape[2] for x in scores)
    return tuple(_levels(maps, anchors, each=each))


def window_shapes(model: keras.Model) -> tuple[WindowShape, ...]:
    """The shapes of the windows of R-CNN or Fast R-CNN, the lowest first; empty for another network.

    >>> from kerasvision.models import build
    >>> small = {"backbone": "resnet9", "width": 0.125, "window_sides": (16,), "crop": 16}
    >>> window_shapes(build("rcnn", image_shape=(32, 40, 3), num_classes=5, **small))[1]  # every 16 / 5 pixels
    WindowShape(size=(16, 16), stride=3, places=(6, 9))
    """
    layer = next((one for one in model.layers if one.name == "windows"), None)
    if layer is None or not proposes_regions(model):
        return ()
    windows = _from_zeros(model.inputs, layer.output).astype(int)
    sizes = windows[:, 2:] - windows[:, :2]
    found = []
    for size in np.unique(sizes, axis=0):
        corners = windows[(sizes == size).all(axis=1), :2]
        tops, lefts = np.unique(corners[:, 0]), np.unique(corners[:, 1])
        strides = np.concatenate([np.diff(tops), np.diff(lefts), [0]])
        found.append(WindowShape((int(size[0]), int(size[1])), int(strides[0]), (len(tops), len(lefts))))
    return tuple(found)


def window_lines(model: keras.Model) -> tuple[tuple[tuple[str, ...], ...], str]:
    """The windows as the rows of a table, headings first, and a sentence below it; nothing for another network."""
    shapes = window_shapes(model)
    if not shapes:
        return (), ""
    rows = [("window (height x width)", "stride", "places")]
    for one in shapes:
        height, width = one.size
        rows.append((f"{height}x{width}", str(one.stride or "-"), " x ".join(map(str, one.places))))
    count = sum(one.places[0] * one.places[1] for one in shapes)
    regions = model.output["proposals"].shape[1]
    return tuple(rows), f"{count:,} windows, of which at most {regions:,} become regions: those with the most contrast"


def shapes_text(sides: Floats) -> str:
    """Heights and widths of the boxes of a cell, from float32 (B, 2) in pixels.

    >>> shapes_text(np.array([[16, 16], [22.627, 11.314]], np.float32))
    '16x16, 22.6x11.3'
    """
    return ", ".join(f"{height:g}x{width:g}" for height, width in sides.round(1).tolist())


def _levels(maps: list[tuple[Fields, KerasTensor]], anchors: Floats, *, each: int) -> Iterator[BoxLevel]:
    """The maps, fine to coarse, with the anchors of their cells: (A, 4), map after map, row by row."""
    start = 0
    for field, x in maps:
        height, width = x.shape[1:3]
        cells = anchors[start : start + height * width * each].reshape(height, width, each, 4)
        start += height * width * each
        # A map of one row or column has no distance of two cells, so its stride is that of its layers.
        vertical = cells[1, 0, 0, 0] - cells[0, 0, 0, 0] if height > 1 else field[0].step
        horizontal = cells[0, 1, 0, 1] - cells[0, 0, 0, 1] if width > 1 else field[1].step
        stride = float(vertical), float(horizontal)
        sides = cells[0, 0, :, 2:] - cells[0, 0, :, :2]
        yield BoxLevel(level_of(stride), (height, width), stride, each, shapes_text(sides), field_text(field))


def _from_zeros(inputs: list[KerasTensor], boxes: KerasTensor) -> Floats:
    """The numbers of a tensor (N, A, 4) inside a network for one image, if these inputs of it are zeros: float32 (A, 4)."""
    zeros = [np.zeros((1, *one.shape[1:]), "float32") for one in inputs]
    return np.asarray(ops.convert_to_numpy(keras.Function(inputs, boxes)(zeros))[0], np.float32)
