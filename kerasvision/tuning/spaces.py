"""The values that a setting may take, in words, and the position of a value among them."""

import math

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.tuning.records import Scalar
from kerasvision.tuning.table import written

# If the best value is in the outer twentieth of its range, there may be better values beyond the end.
EDGE = 0.05


def extent(space: c.Space) -> str:
    """The possible values of a setting, in words.

    >>> extent(c.LogUniform(1e-4, 0.1)), extent(c.Choice("relu", "tanh"))
    ('0.0001 to 0.1, by orders of magnitude', 'relu, tanh')
    """
    if isinstance(space, c.Choice):
        return ", ".join(map(written, space.values))
    by = ", by orders of magnitude" if isinstance(space, c.LogUniform) else ""
    by = f" in steps of {space.step}" if isinstance(space, c.Int) and space.step > 1 else by
    low, high = ends(space)
    return f"{written(low)} to {written(high)}{by}"


def at_the_edge(space: c.Space, value: Scalar) -> bool:
    """Whether a value is so close to an end of its range that there may be better ones beyond it.

    >>> at_the_edge(c.LogUniform(1e-4, 1.0), 0.9), at_the_edge(c.Float(0.0, 1.0), 0.9), at_the_edge(c.Int(0, 4), 4)
    (True, False, True)
    """
    if isinstance(space, c.Choice):
        return False
    place = place_within(space, value)
    return min(place, 1 - place) < EDGE


def ends(space: c.Space) -> tuple[float, float]:
    """The smallest and the largest value of a range.

    Raises:
        ConfigError: the space is not a range of numbers.

    >>> ends(c.Int(1, 8))
    (1, 8)
    """
    if isinstance(space, c.Float | c.LogUniform | c.Int):
        return space.low, space.high
    raise ConfigError("a range must be Float, LogUniform or Int", received=space)


def place_within(space: c.Space, value: Scalar) -> float:
    """The position of a value between the first (0) and the last (1) value of a space.

    >>> place_within(c.LogUniform(0.01, 1.0), 0.1), place_within(c.Int(0, 4), 1), place_within(c.Choice("a", "b"), "b")
    (0.5, 0.25, 1.0)
    """
    if isinstance(space, c.Choice):
        return space.values.index(value) / (len(space.values) - 1) if len(space.values) > 1 else 0.5
    scale = math.log if isinstance(space, c.LogUniform) else float
    low, high = map(scale, ends(space))
    return (scale(float(value)) - low) / (high - low)
