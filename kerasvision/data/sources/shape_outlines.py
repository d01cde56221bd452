"""The outlines of the shapes: which pixels of a square patch each shape fills."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Coordinates = NDArray[np.float64]
Pixels = NDArray[np.bool_]
Outline = Callable[[Coordinates, Coordinates], Pixels]


def shape_patch(name: str, *, radius: float, turn: float) -> Pixels:
    """bool (S, S), S = 2 ceil(radius) + 1: the pixels whose centre is in the shape.

    Args:
        name: one of `OUTLINES`.
        radius: in pixels, of the circle that contains the whole shape.
        turn: radians, clockwise.

    >>> shape_patch("circle", radius=1, turn=0).astype(int)
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]])
    """
    reach = int(np.ceil(radius))
    line = np.arange(-reach, reach + 1) / radius
    x, y = line[None, :], line[:, None]
    cosine, sine = np.cos(turn), np.sin(turn)
    return OUTLINES[name](cosine * x + sine * y, cosine * y - sine * x)


def _circle(x: Coordinates, y: Coordinates) -> Pixels:
    return x * x + y * y <= 1


def _square(x: Coordinates, y: Coordinates) -> Pixels:
    inside: Pixels = np.maximum(np.abs(x), np.abs(y)) <= np.sqrt(0.5)
    return inside


def _triangle(x: Coordinates, y: Coordinates) -> Pixels:
    # Equilateral, on its base.
    inside: Pixels = (y <= 0.5) & (np.sqrt(3) * np.abs(x) - y <= 1)
    return inside


def _star(x: Coordinates, y: Coordinates) -> Pixels:
    # Five points. Folded onto one half of a point, the border is a straight line from (1, 0) to the inner corner.
    part = np.pi / 5
    angle = np.abs(np.mod(np.arctan2(x, -y) + part, 2 * part) - part)
    distance = np.hypot(x, y)
    inner_x, inner_y = _STAR_INNER * np.cos(part), _STAR_INNER * np.sin(part)
    inside: Pixels = inner_y * (distance * np.cos(angle) - 1) + (1 - inner_x) * distance * np.sin(angle) <= 0
    return inside


def _cross(x: Coordinates, y: Coordinates) -> Pixels:
    small, large = np.minimum(np.abs(x), np.abs(y)), np.maximum(np.abs(x), np.abs(y))
    return (small <= 0.3) & (large <= 0.95)


def _ring(x: Coordinates, y: Coordinates) -> Pixels:
    distance = x * x + y * y
    return (distance <= 1) & (distance >= 0.55**2)


def _crescent(x: Coordinates, y: Coordinates) -> Pixels:
    return (x * x + y * y <= 1) & ((x - 0.45) ** 2 + y * y >= 0.75**2)


def _heart(x: Coordinates, y: Coordinates) -> Pixels:
    # The curve (u^2 + v^2 - 1)^3 = u^2 v^3, scaled into the circle.
    u, v = 1.2 * x, 0.12 - 1.2 * y
    return (u * u + v * v - 1) ** 3 <= u * u * v**3


_STAR_INNER = 0.48

OUTLINES: Mapping[str, Outline] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "ring": _ring,
    "crescent": _crescent,
    "heart": _heart,
}
