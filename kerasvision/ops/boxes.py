"""Boxes as tensors: how much two boxes overlap, and how a network encodes them.

A box is four numbers y_min, x_min, y_max, x_max: float32, in any unit, unless a function says otherwise. A box whose maximum
is below its minimum has no area.

It uses stock TensorFlow operations only, and only those that LiteRT and ONNX also have: a SavedModel with these functions
loads where only TensorFlow is installed, and converts to both formats.
"""

import math

import tensorflow as tf

from kerasvision.ops.tracing import without_autograph

# A box grows to at most this many times its anchor: exp of an untrained network's answer may otherwise be infinite.
# The number is that of Detectron and torchvision.
LARGEST_GROWTH = math.log(1000 / 16)

# The least side and the least ratio of sides for which angles and logarithms are computed.
_TINY = 1e-7


@without_autograph
def areas(boxes: tf.Tensor) -> tf.Tensor:
    """Areas of boxes (..., 4), float32 (...), at least 0.

    >>> areas([[0.0, 0.0, 2.0, 3.0], [2.0, 0.0, 0.0, 3.0]]).numpy().tolist()
    [6.0, 0.0]
    """
    height, width = _sides(*_corners(boxes))
    return height * width


@without_autograph
def iou(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Intersection over union of each box in `a` with the box in the same place of `b`.

    Args:
        a: (..., 4).
        b: (..., 4), or a shape that broadcasts with it.

    Returns:
        float32 (...) in [0, 1]; 0 where both boxes have no area.

    Source: the "area of overlap" criterion of PASCAL VOC (Everingham et al., 2010).

    >>> iou([0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 4.0]).numpy().item()
    0.5
    """
    shared, union = _shared_and_union(a, b)
    return _ratio(shared, union)


@without_autograph
def pairwise_iou(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Intersection over union of every box in `first` (..., A, 4) with every box in `second` (..., B, 4).

    Returns:
        float32 (..., A, B) in [0, 1]; see `iou`.

    >>> pairwise_iou([[0.0, 0.0, 2.0, 2.0]], [[0.0, 0.0, 2.0, 4.0], [5.0, 5.0, 6.0, 6.0]]).numpy().tolist()
    [[0.5, 0.0]]
    """
    return iou(_float32(first)[..., :, tf.newaxis, :], _float32(second)[..., tf.newaxis, :, :])


@without_autograph
def generalized_iou(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """IoU, less the share of the smallest box around both that neither of them covers.

    Unlike IoU, it has a gradient where the boxes do not overlap. Shapes as in `iou`.

    Returns:
        float32 (...) in [-1, 1].

    Source: Rezatofighi et al., 2019, https://arxiv.org/abs/1902.09630, algorithm 1.

    >>> generalized_iou([0.0, 0.0, 1.0, 1.0], [0.0, 3.0, 1.0, 4.0]).numpy().item()  # 2 of 4 are not covered
    -0.5
    """
    shared, union = _shared_and_union(a, b)
    height, width = _sides(*_around(a, b))
    around = height * width
    return _ratio(shared, union) - _ratio(around - union, around)


@without_autograph
def distance_iou(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """IoU, less the squared distance of the centres, as a share of the squared diagonal of the smallest box around both.

    Shapes as in `iou`.

    Returns:
        float32 (...) in [-1, 1].

    Source: Zheng et al., 2020, https://arxiv.org/abs/1911.08287, equations 6 and 7.

    >>> distance_iou([0.0, 0.0, 4.0, 2.0], [0.0, 2.0, 4.0, 4.0]).numpy().item()  # 2 ** 2 / (4 ** 2 + 4 ** 2)
    -0.125
    """
    height, width = _sides(*_around(a, b))
    (y_a, x_a), (y_b, x_b) = _centres(a), _centres(b)
    distance = tf.square(y_a - y_b) + tf.square(x_a - x_b)
    return iou(a, b) - _ratio(distance, tf.square(height) + tf.square(width))


@without_autograph
def complete_iou(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """`distance_iou`, less a term for unlike ratios of width to height. Shapes as in `iou`.

    The term is alpha * v, where v = (2 / pi * (the angle of one diagonal - that of the other)) ** 2 and
    alpha = v / (1 - IoU + v). Alpha is a weight without a gradient, as in the paper.

    Returns:
        float32 (...) in [-2, 1].

    Source: Zheng et al., 2020, https://arxiv.org/abs/1911.08287, equations 8 to 11.

    >>> complete_iou([0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0]).numpy().item()
    1.0
    """
    angle = _angle(a) - _angle(b)
    v = tf.square(2 / math.pi * angle)
    alpha = tf.stop_gradient(_ratio(v, 1 - iou(a, b) + v))
    return distance_iou(a, b) - alpha * v


@without_autograph
def clipped(boxes: tf.Tensor) -> tf.Tensor:
    """Boxes (..., 4), as shares of the image's sides, cut at its edges: float32 (..., 4) in [0, 1].

    >>> clipped([-0.5, 0.25, 0.5, 1.25]).numpy().tolist()
    [0.0, 0.25, 0.5, 1.0]
    """
    return tf.clip_by_value(_float32(boxes), 0.0, 1.0)


@without_autograph
def from_distances(points: tf.Tensor, distances: tf.Tensor) -> tf.Tensor:
    """Boxes from a point in each and its distances to the four sides.

    Args:
        points: (A, 2) y, x.
        distances: (N, A, 4) up, left, down, right, in the unit of the points.

    Returns:
        float32 (N, A, 4).

    Source: Tian et al., 2019, https://arxiv.org/abs/1904.01355, equation 1.

    >>> from_distances([[10.0, 20.0]], [[[1.0, 2.0, 3.0, 4.0]]]).numpy().tolist()
    [[[9.0, 18.0, 13.0, 24.0]]]
    """
    points, distances = _float32(points), _float32(distances)
    return tf.concat([points - distances[..., :2], points + distances[..., 2:]], axis=-1)


@without_autograph
def to_distances(points: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
    """The inverse of `from_distances`: from boxes (N, A, 4) to float32 (N, A, 4) up, left, down, right.

    A distance is negative if the point lies beyond that side of the box.

    >>> to_distances([[10.0, 20.0]], [[[9.0, 18.0, 13.0, 24.0]]]).numpy().tolist()
    [[[1.0, 2.0, 3.0, 4.0]]]
    """
    points, boxes = _float32(points), _float32(boxes)
    return tf.concat([points - boxes[..., :2], boxes[..., 2:] - points], axis=-1)


@without_autograph
def from_deltas(anchors: tf.Tensor, deltas: tf.Tensor) -> tf.Tensor:
    """Boxes from anchors and what a network answers for each of them.

    Args:
        anchors: (A, 4).
        deltas: (N, A, 4): how far the centre moves down and right, as shares of the anchor's height and width, and the
            logarithms of the factors of its height and width. A logarithm above `LARGEST_GROWTH` counts as that.

    Returns:
        float32 (N, A, 4), in the unit of the anchors.

    Source: Ren et al., 2015 (Faster R-CNN), https://arxiv.org/abs/1506.01497, section 3.1.2.

    >>> from_deltas([[0.0, 0.0, 2.0, 4.0]], [[[0.5, -0.25, 0.0, math.log(2)]]]).numpy().round(4).tolist()
    [[[1.0, -3.0, 3.0, 5.0]]]
    """
    centres, sizes = _centres_and_sizes(anchors)
    deltas = _float32(deltas)
    centres += deltas[..., :2] * sizes
    half = tf.exp(tf.minimum(deltas[..., 2:], LARGEST_GROWTH)) * sizes / 2
    return tf.concat([centres - half, centres + half], axis=-1)


@without_autograph
def to_deltas(anchors: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
    """The inverse of `from_deltas`: from boxes (N, A, 4) to what a network should answer, float32 (N, A, 4).

    Anchors must have an area. The side of a box counts as at least 1e-7 of that of its anchor, so every result is finite.

    >>> to_deltas([[0.0, 0.0, 2.0, 4.0]], [[[1.0, -1.0, 3.0, 3.0]]]).numpy().tolist()
    [[[0.5, -0.25, 0.0, 0.0]]]
    """
    centres, sizes = _centres_and_sizes(anchors)
    box_centres, box_sizes = _centres_and_sizes(boxes)
    growth = tf.math.log(tf.maximum(box_sizes / sizes, _TINY))
    return tf.concat([(box_centres - centres) / sizes, growth], axis=-1)


@without_autograph
def from_cells(points: tf.Tensor, places: tf.Tensor, *, strides: tf.Tensor, frame: tuple[float, float]) -> tf.Tensor:
    """Boxes from the cells in which their centres lie, and what a network answers for them.

    Args:
        points: (A, 2), the middles of the cells, y and x in pixels.
        places: (N, A, 4): y and x of the centre in its cell, from 0 to 1; the roots of height and width as shares of the
            image. A negative root counts as a positive one.
        strides: (A,), the sides of the cells in pixels.
        frame: height and width of the image in pixels.

    Returns:
        float32 (N, A, 4), in pixels.

    Source: Redmon et al., 2016 (YOLO), https://arxiv.org/abs/1506.02640, section 2.

    >>> from_cells([[12.0, 4.0]], [[[0.5, 1.0, 0.5, 0.25]]], strides=[8.0], frame=(16, 32)).numpy().tolist()
    [[[10.0, 7.0, 14.0, 9.0]]]
    """
    points, places, strides = _float32(points), _float32(places), _float32(strides)[:, tf.newaxis]
    centres = points + (places[..., :2] - 0.5) * strides
    half = tf.square(places[..., 2:]) * tf.constant(frame, tf.float32) / 2
    return tf.concat([centres - half, centres + half], axis=-1)


@without_autograph
def to_cells(points: tf.Tensor, boxes: tf.Tensor, *, strides: tf.Tensor, frame: tuple[float, float]) -> tf.Tensor:
    """The inverse of `from_cells`: from boxes (N, A, 4) in pixels to what a network should answer, float32 (N, A, 4).

    >>> to_cells([[12.0, 4.0]], [[[10.0, 7.0, 14.0, 9.0]]], strides=[8.0], frame=(16, 32)).numpy().tolist()
    [[[0.5, 1.0, 0.5, 0.25]]]
    """
    centres, sizes = _centres_and_sizes(boxes)
    inside = (centres - _float32(points)) / _float32(strides)[:, tf.newaxis] + 0.5
    return tf.concat([inside, tf.sqrt(tf.maximum(sizes / tf.constant(frame, tf.float32), 0.0))], axis=-1)


def _float32(value: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.convert_to_tensor(value), tf.float32)


def _corners(boxes: tf.Tensor) -> list[tf.Tensor]:
    """y_min, x_min, y_max and x_max, each float32 (...), of boxes (..., 4)."""
    corners: list[tf.Tensor] = tf.unstack(_float32(boxes), num=4, axis=-1)
    return corners


def _sides(y_min: tf.Tensor, x_min: tf.Tensor, y_max: tf.Tensor, x_max: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width, at least 0."""
    return tf.maximum(y_max - y_min, 0.0), tf.maximum(x_max - x_min, 0.0)


def _shared_and_union(a: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The area that both cover, and the area that at least one of them covers."""
    y_min, x_min = (tf.maximum(ours, theirs) for ours, theirs in zip(_corners(a)[:2], _corners(b)[:2], strict=True))
    y_max, x_max = (tf.minimum(ours, theirs) for ours, theirs in zip(_corners(a)[2:], _corners(b)[2:], strict=True))
    height, width = _sides(y_min, x_min, y_max, x_max)
    shared = height * width
    return shared, areas(a) + areas(b) - shared


def _around(a: tf.Tensor, b: tf.Tensor) -> list[tf.Tensor]:
    """Corners of the smallest box that contains both."""
    least = [tf.minimum(ours, theirs) for ours, theirs in zip(_corners(a)[:2], _corners(b)[:2], strict=True)]
    return least + [tf.maximum(ours, theirs) for ours, theirs in zip(_corners(a)[2:], _corners(b)[2:], strict=True)]


def _ratio(part: tf.Tensor, whole: tf.Tensor) -> tf.Tensor:
    """part / whole, and 0 where the whole is not positive. The gradient is finite everywhere."""
    # The gradient of the branch that is not chosen counts too: 0 / 0 in it would make the sum NaN.
    is_positive = whole > 0
    return tf.where(is_positive, part / tf.where(is_positive, whole, 1.0), 0.0)


def _centres(boxes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    y_min, x_min, y_max, x_max = _corners(boxes)
    return (y_min + y_max) / 2, (x_min + x_max) / 2


def _angle(boxes: tf.Tensor) -> tf.Tensor:
    """arctan(width / height), in radians."""
    height, width = _sides(*_corners(boxes))
    return tf.atan2(tf.maximum(width, _TINY), tf.maximum(height, _TINY))


def _centres_and_sizes(boxes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Centres and sizes of boxes (..., 4), each float32 (..., 2) along y and x."""
    boxes = _float32(boxes)
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
