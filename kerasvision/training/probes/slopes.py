"""The slope of a function along a line by finite differences, and how reliable it is.

A central difference (f(h) - f(-h)) / 2h is inaccurate for a long step because the slope changes, and for a short step
because of rounding. At the edge of a ReLU unit or of a maximum it is the mean of two slopes, and a smaller step does not
help. So several steps are tried, each ten times smaller. The two that agree best give the slope. Its doubt comes from their
difference and from the difference between both sides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

STEPS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
# If two steps agree up to this share of the slope, no smaller step is tried.
ENOUGH = 1e-6
# The error of a float64 value of size 1: the distance to the next value, times a margin for the operations before.
ROUNDING = 4 * 2.0**-52


@dataclass(frozen=True)
class Slope:
    """A slope.

    Attributes:
        value: of the line at 0.
        doubt: how far off the value may be.
        because: the main source of a large doubt: a kink, or rounding.
    """

    value: float
    doubt: float
    because: Literal["kink", "rounding"]


@dataclass(frozen=True)
class _Rung:
    """Differences with one step: the central one, the right minus the left one, and the error from rounding."""

    central: float
    bend: float
    rounding: float


def slope_at_zero(line: Callable[[float], float], *, size: float | None = None) -> Slope:
    """The slope of `line` at 0.

    Args:
        line: a function of a float64 number, scaled so that 1 is a large change.
        size: the magnitude of the terms that are summed to its value; by default the magnitude of its value at 0.

    >>> slope_at_zero(lambda t: 3.0 * t + t * t).value
    3.0...
    >>> edge = slope_at_zero(lambda t: max(t, 0.0))  # 0 to the left, 1 to the right
    >>> edge.doubt, edge.because
    (0.5, 'kink')
    """
    middle = line(0.0)
    size = abs(middle) if size is None else size
    rungs: list[_Rung] = []
    found: list[Slope] = []
    for step in STEPS:
        ahead, behind = line(step), line(-step)
        if rungs and ahead == behind == middle and any(rung.central for rung in rungs):
            # The function is a staircase at this step length: something within it has fewer digits than float64.
            one_step = Slope(rungs[0].central, abs(rungs[0].central), "rounding")
            return replace(_surest(found) if found else one_step, because="rounding")
        rungs.append(_Rung((ahead - behind) / (2 * step), (ahead - 2 * middle + behind) / step, ROUNDING * size / step))
        if len(rungs) > 1:
            found.append(_of_two(rungs[-2], rungs[-1]))
            if _surest(found).doubt <= ENOUGH * abs(_surest(found).value):
                break
    return _surest(found)


def _surest(slopes: Sequence[Slope]) -> Slope:
    return min(slopes, key=lambda slope: slope.doubt)


def _of_two(longer: _Rung, shorter: _Rung) -> Slope:
    # The limit of the bend for a step of 0: the bend shrinks with the step, unless there is a kink.
    kink = abs(10 * shorter.bend - longer.bend) / 9 / 2
    change = abs(longer.central - shorter.central)
    # With rounding, the bend grows as the step gets shorter.
    grows = abs(shorter.bend) > 3 * abs(longer.bend)
    doubt = max(kink, change, shorter.rounding)
    return Slope(shorter.central, doubt, "rounding" if grows or doubt == shorter.rounding else "kink")
