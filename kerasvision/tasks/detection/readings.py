"""What a detection network returned, read as one list of points or anchors over all levels of its pyramid.

A network returns maps by level; level l has stride 2**l. The names and shapes of the maps say everything that a task needs:

    p3_class_logits (N, h, w, K), p3_distances (N, h, w, 4), p3_centerness (N, h, w, 1)     a point for each cell
    p3_class_logits (N, h, w, B * K), p3_deltas (N, h, w, B * 4)                            B anchors for each cell
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.models.anchors import pyramid_anchors, pyramid_points
from kerasvision.ops.boxes import from_deltas, from_distances, to_deltas, to_distances

LOGITS, DISTANCES, CENTERNESS, DELTAS = "class_logits", "distances", "centerness", "deltas"
_MAP = re.compile(r"p(\d+)_(class_logits|distances|centerness|deltas)")


class Grid(NamedTuple):
    """The A points or anchors of a network, in the order of its flattened maps.

    Attributes:
        points: float32 (A, 2), y and x in pixels of the network's image; of anchors, their centres.
        strides: float32 (A,), in pixels.
        levels: int32 (A,), the level of each.
        anchors: float32 (A, 4), corners in pixels; None for a network of points.
    """

    points: npt.NDArray[np.float32]
    strides: npt.NDArray[np.float32]
    levels: npt.NDArray[np.int32]
    anchors: npt.NDArray[np.float32] | None


class Readings(NamedTuple):
    """What the network says about each of A points or anchors of N images.

    Attributes:
        grid: the points or anchors.
        logits: float32 (N, A, K), of the classes.
        places: float32 (N, A, 4): distances up, left, down and right in strides, at least 0; or offsets from anchors.
        centerness: float32 (N, A), logits; None if the network has none.
    """

    grid: Grid
    logits: tf.Tensor
    places: tf.Tensor
    centerness: tf.Tensor | None

    def boxes(self) -> tf.Tensor:
        """float32 (N, A, 4): y_min, x_min, y_max, x_max in pixels of the network's image, perhaps outside it."""
        if self.grid.anchors is not None:
            return from_deltas(self.grid.anchors, self.places)
        return from_distances(self.grid.points, self.places * self.grid.strides[:, None])

    def encoded(self, boxes: tf.Tensor) -> tf.Tensor:
        """The places that would give these boxes, float32 (N, A, 4) from pixels (N, A, 4)."""
        if self.grid.anchors is not None:
            return to_deltas(self.grid.anchors, boxes)
        return to_distances(self.grid.points, boxes) / self.grid.strides[:, None]

    def scores(self) -> tf.Tensor:
        """float32 (N, A, K) in [0, 1]: of each class; with centerness the geometric mean of both, as in torchvision."""
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
    kind = DISTANCES if f"p{min(shapes)}_{DISTANCES}" in outputs else DELTAS
    of_cell = 1
    if kind == DELTAS:
        of_cell = outputs[f"p{min(shapes)}_{DELTAS}"].shape[-1] // 4

    def flat(name: str, size: int) -> tf.Tensor:
        maps = [outputs[f"p{level}_{name}"] for level in shapes]
        counts = [height * width * of_cell for height, width in shapes.values()]
        parts = [tf.reshape(tf.cast(one, tf.float32), [-1, count, size]) for one, count in zip(maps, counts, strict=True)]
        return tf.concat(parts, axis=1)

    has_centerness = all(f"p{level}_{CENTERNESS}" in outputs for level in shapes)
    return Readings(
        grid=grid(shapes, anchors_per_cell=of_cell if kind == DELTAS else None),
        logits=flat(LOGITS, num_classes),
        places=flat(kind, 4),
        centerness=flat(CENTERNESS, 1)[..., 0] if has_centerness else None,
    )


def grid(shapes: Mapping[int, tuple[int, int]], *, anchors_per_cell: int | None) -> Grid:
    """The points or anchors of maps of these heights and widths, by level.

    >>> grid({3: (1, 2)}, anchors_per_cell=None).strides.tolist()
    [8.0, 8.0]
    """
    named = {f"p{level}": shape for level, shape in shapes.items()}
    repeats = 1 if anchors_per_cell is None else anchors_per_cell
    levels = np.repeat([*shapes], [height * width * repeats for height, width in shapes.values()]).astype(np.int32)
    points, strides = pyramid_points(named)
    if anchors_per_cell is None:
        return Grid(points, strides, levels, None)
    anchors = pyramid_anchors(named)
    centres = ((anchors[:, :2] + anchors[:, 2:]) / 2).astype(np.float32)
    return Grid(centres, np.repeat(strides, anchors_per_cell), levels, anchors)


def map_shapes(outputs: Mapping[str, tf.Tensor]) -> dict[int, tuple[int, int]]:
    """Level -> height and width of its maps, from the finest level to the coarsest.

    Raises:
        ConfigError: there are other outputs, a map is missing, or a map's size is not known.

    >>> map_shapes({"p4_class_logits": tf.zeros((1, 2, 3, 8)), "p4_deltas": tf.zeros((1, 2, 3, 4))})
    {4: (2, 3)}
    """
    named = {name: _MAP.fullmatch(name) for name in outputs} if isinstance(outputs, Mapping) else {"": None}
    levels = sorted({int(found[1]) for found in named.values() if found})
    for level in levels:
        if f"p{level}_{LOGITS}" not in outputs or not {f"p{level}_{DISTANCES}", f"p{level}_{DELTAS}"} & {*outputs}:
            levels = []
    if not levels or not all(named.values()):
        raise ConfigError(
            "detection requires a network that returns maps named p3_class_logits and p3_distances, or p3_deltas",
            received=sorted(named),
            hint="set model.name='fcos' or 'retinanet'",
        )
    shapes = {level: tuple(outputs[f"p{level}_{LOGITS}"].shape[1:3]) for level in levels}
    if None in {side for shape in shapes.values() for side in shape}:
        raise ConfigError("detection requires images of one size; received a network of any size")
    return shapes
