"""What a detection network returned, read as one list of points or boxes over all its maps.

A network returns maps by level. Their names and shapes say everything that a task needs; `kerasvision.models.anchors` says
what the names of levels, "p3" and "s100", and of boxes mean. The kinds of maps, with K classes:

    points          class_logits (N, h, w, K), distances (N, h, w, 4), centerness (N, h, w, 1)     a point for each cell
    anchors         class_logits (N, h, w, B * K), deltas (N, h, w, B * 4)                         B anchors for each cell
    default boxes   class_logits (N, h, w, B * K), background (N, h, w, B), offsets (N, h, w, B * 4)
    cells           class_scores (N, h, w, K), cell_boxes (N, h, w, B * 5)                         B boxes for each cell

"p3_class_logits" is a whole name, and "p3_offsets_21x21_30.7x30.7" another.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.models.anchors import (
    anchor_sides,
    anchors_of_sides,
    default_boxes,
    map_name,
    pyramid_points,
    sides_in,
    strides_of,
)
from kerasvision.ops.boxes import from_cells, from_deltas, from_distances, to_cells, to_deltas, to_distances

Kind = Literal["points", "anchors", "default_boxes", "cells"]
# The maps of each kind: first the one that says where the boxes are, then the others that it must have.
KINDS: Mapping[str, tuple[Kind, tuple[str, ...]]] = {
    "distances": ("points", ("class_logits",)),
    "deltas": ("anchors", ("class_logits",)),
    "offsets": ("default_boxes", ("class_logits", "background")),
    "cell_boxes": ("cells", ("class_scores",)),
}
# Offsets of default boxes are divided by these (Liu et al., 2016, https://arxiv.org/abs/1512.02325, as in their code).
VARIANCES = np.array([0.1, 0.1, 0.2, 0.2], np.float32)
_OPTIONAL = {"centerness"}
# Numbers of a box of a cell: its four places and its confidence.
OF_BOX = 5


class Grid(NamedTuple):
    """The A points or boxes of a network, in the order of its flattened maps.

    Attributes:
        kind: "points", "anchors", "default_boxes" or "cells".
        points: float32 (A, 2), y and x in pixels of the network's image: the middles of cells, or the centres of anchors
            and default boxes.
        strides: float32 (A,), in pixels along y.
        levels: int32 (A,), the place of each one's level in `names`.
        names: of the levels, from fine to coarse: "p3".
        anchors: float32 (A, 4), corners in pixels of anchors or default boxes; None for points and cells.
        per_cell: B, how many of the A belong to one cell.
        frame: height and width of all cells together in pixels.
    """

    kind: Kind
    points: npt.NDArray[np.float32]
    strides: npt.NDArray[np.float32]
    levels: npt.NDArray[np.int32]
    names: tuple[str, ...]
    anchors: npt.NDArray[np.float32] | None
    per_cell: int = 1
    frame: tuple[float, float] = (0.0, 0.0)


class Readings(NamedTuple):
    """What the network says about each of A points or boxes of N images.

    Attributes:
        grid: the points or boxes.
        logits: float32 (N, A, K), of the classes; of default boxes (N, A, 1 + K), with the background first; of cells their
            probabilities, which may lie outside [0, 1].
        places: float32 (N, A, 4): distances up, left, down and right in strides, at least 0; or offsets from anchors, which
            for default boxes are divided by `VARIANCES`; or places in cells, see `kerasvision.ops.boxes.from_cells`.
        centerness: float32 (N, A), logits; None if the network has none.
        confidence: float32 (N, A), of the boxes of cells, perhaps outside [0, 1]; None if the network has none.
    """

    grid: Grid
    logits: tf.Tensor
    places: tf.Tensor
    centerness: tf.Tensor | None
    confidence: tf.Tensor | None = None

    def boxes(self) -> tf.Tensor:
        """float32 (N, A, 4): y_min, x_min, y_max, x_max in pixels of the network's image, perhaps outside it."""
        if self.grid.kind == "cells":
            return from_cells(self.grid.points, self.places, strides=self.grid.strides, frame=self.grid.frame)
        if self.grid.anchors is None:
            return from_distances(self.grid.points, self.places * self.grid.strides[:, None])
        deltas = self.places * VARIANCES if self.grid.kind == "default_boxes" else self.places
        return from_deltas(self.grid.anchors, deltas)

    def encoded(self, boxes: tf.Tensor) -> tf.Tensor:
        """The places that would give these boxes, float32 (N, A, 4) from pixels (N, A, 4)."""
        if self.grid.kind == "cells":
            return to_cells(self.grid.points, boxes, strides=self.grid.strides, frame=self.grid.frame)
        if self.grid.anchors is None:
            return to_distances(self.grid.points, boxes) / self.grid.strides[:, None]
        deltas = to_deltas(self.grid.anchors, boxes)
        return deltas / VARIANCES if self.grid.kind == "default_boxes" else deltas

    def scores(self) -> tf.Tensor:
        """float32 (N, A, K) in [0, 1]: of each class; with centerness the geometric mean of both, as in torchvision.

        Default boxes have the shares of a softmax over the background and the classes. The boxes of a cell have the
        probability of the class times their confidence.
        """
        if self.confidence is not None:
            return _as_share(self.logits) * _as_share(self.confidence)[..., None]
        if self.grid.kind == "default_boxes":
            return tf.nn.softmax(self.logits)[..., 1:]
        scores = tf.sigmoid(self.logits)
        if self.centerness is None:
            return scores
        return tf.sqrt(scores * tf.sigmoid(self.centerness)[..., None])


def read(outputs: Mapping[str, tf.Tensor], *, num_classes: int) -> Readings:
    """The readings of a network's outputs.

    Args:
        outputs: the maps by name, of static height and width.
        num_classes: K.

    Raises:
        ConfigError: these are not the outputs of a detection network.
    """
    shapes = map_shapes(outputs)
    kind, parts = _kind_and_parts(outputs)
    place = next(part for part, (its_kind, _) in KINDS.items() if its_kind == kind)
    has_boxes = kind in ("anchors", "default_boxes")
    sides = {level: _sides(level, of_level[place]) for level, of_level in parts.items()} if has_boxes else None

    def flat(what: str, size: int) -> tf.Tensor:
        found = []
        for level, (height, width) in shapes.items():
            one = tf.cast(outputs[parts[level][what]], tf.float32)
            found.append(tf.reshape(one, [-1, height * width * (one.shape[-1] // size), size]))
        return tf.concat(found, axis=1)

    if kind == "cells":
        return _of_cells(flat("class_scores", num_classes), flat(place, OF_BOX), shapes)
    has_centerness = all("centerness" in of_level for of_level in parts.values())
    logits = flat("class_logits", num_classes)
    return Readings(
        grid=grid(shapes, kind=kind, sides=sides),
        logits=tf.concat([flat("background", 1), logits], axis=-1) if kind == "default_boxes" else logits,
        places=flat(place, 4),
        centerness=flat("centerness", 1)[..., 0] if has_centerness else None,
    )


def _of_cells(scores: tf.Tensor, boxes: tf.Tensor, shapes: Mapping[str, tuple[int, int]]) -> Readings:
    """Of float32 (N, cells, K) and (N, cells * B, 5): the boxes of a cell have the same probabilities of the classes."""
    per_cell = boxes.shape[1] // scores.shape[1]
    return Readings(
        grid=grid(shapes, kind="cells", per_cell=per_cell),
        logits=tf.repeat(scores, per_cell, axis=1),
        places=boxes[..., :4],
        centerness=None,
        confidence=boxes[..., 4],
    )


def grid(
    shapes: Mapping[str, tuple[int, int]],
    *,
    kind: Kind = "points",
    sides: Mapping[str, npt.NDArray[np.float32]] | None = None,
    per_cell: int = 1,
) -> Grid:
    """The points or boxes of maps of these heights and widths, by level.

    Args:
        shapes: level -> height and width of its map, from fine to coarse.
        kind: what each cell has.
        sides: level -> heights and widths of the boxes of a cell, float32 (B, 2), in pixels. None: RetinaNet's nine anchors.
        per_cell: how many boxes a cell has, if these have no sides.

    >>> grid({"p3": (1, 2)}).strides.tolist()
    [8.0, 8.0]
    """
    points, strides = pyramid_points(shapes)
    cells = [height * width for height, width in shapes.values()]
    if kind in ("points", "cells"):
        (rows, columns), (vertical, horizontal) = next(iter(shapes.values())), strides_of(next(iter(shapes)))
        return Grid(
            kind,
            points=np.repeat(points, per_cell, axis=0),
            strides=np.repeat(strides, per_cell),
            levels=np.repeat(np.arange(len(shapes)), np.multiply(cells, per_cell)).astype(np.int32),
            names=tuple(shapes),
            anchors=None,
            per_cell=per_cell,
            frame=(rows * vertical, columns * horizontal),
        )
    sides = sides or {level: anchor_sides(level) for level in shapes}
    anchors = (anchors_of_sides if kind == "anchors" else default_boxes)(shapes, sides)
    counts = [len(sides[level]) for level in shapes]
    return Grid(
        kind,
        points=((anchors[:, :2] + anchors[:, 2:]) / 2).astype(np.float32),
        strides=np.repeat(strides, np.repeat(counts, cells)),
        levels=np.repeat(np.arange(len(shapes)), np.multiply(cells, counts)).astype(np.int32),
        names=tuple(shapes),
        anchors=anchors,
    )


def map_shapes(outputs: Mapping[str, tf.Tensor]) -> dict[str, tuple[int, int]]:
    """Level -> height and width of its maps, from the finest level to the coarsest.

    Raises:
        ConfigError: there are other outputs, a map is missing, or a map's size is not known.

    >>> map_shapes({"p4_class_logits": tf.zeros((1, 2, 3, 8)), "p4_deltas": tf.zeros((1, 2, 3, 4))})
    {'p4': (2, 3)}
    """
    _, parts = _kind_and_parts(outputs)
    shapes = {level: tuple(outputs[next(iter(of_level.values()))].shape[1:3]) for level, of_level in parts.items()}
    if None in {side for shape in shapes.values() for side in shape}:
        raise ConfigError("detection requires images of one size; received a network of any size")
    return shapes


def _kind_and_parts(outputs: Mapping[str, tf.Tensor]) -> tuple[Kind, dict[str, dict[str, str]]]:
    """What the maps are, and level -> what a map says -> its whole name, from the finest level to the coarsest."""
    names = [*outputs] if isinstance(outputs, Mapping) else [""]
    parts: dict[str, dict[str, str]] = {}
    for name in names:
        found = map_name(name)
        parts.setdefault(found.level if found else "", {})[found.what if found else name] = name
    for place, (kind, others) in KINDS.items():
        if parts and all({place, *others} <= of_level.keys() <= {place, *others, *_OPTIONAL} for of_level in parts.values()):
            return kind, {level: parts[level] for level in sorted(parts, key=strides_of)}
    raise ConfigError(
        "detection requires a network that returns maps named p3_class_logits and p3_distances, or others that "
        "kerasvision.tasks.detection.readings describes",
        received=sorted(names),
        hint="set model.name='fcos', 'retinanet', 'ssd' or 'yolo'",
    )


def _as_share(values: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(values, 0.0, 1.0)


def _sides(level: str, name: str) -> npt.NDArray[np.float32]:
    """float32 (B, 2): heights and widths of the boxes of a cell, from the whole name of the map of their places."""
    found = map_name(name)
    return sides_in(found.boxes) if found and found.boxes else anchor_sides(level)
