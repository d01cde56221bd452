"""The slope of a function along a line by finite differences, and how far it can be trusted there.

A central difference (f(h) - f(-h)) / 2h is wrong by its step where that is long, and by rounding where it is short; on the
edge of a ReLU unit or of a maximum it is the mean of two slopes, and no smaller step makes it better. So there are several
steps, ten times smaller each: the two that agree best give the slope, and what they and the two sides differ by, its doubt.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

STEPS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
# No smaller step is tried where two agree so well, relative to the slope.
ENOUGH = 1e-6
# Of a value of size 1 in float64: the distance to the next one, and some for the operations that led to it.
ROUNDING = 4 * 2.0**-52


@dataclass(frozen=True)
class Slope:
    """A slope.

    Attributes:
        value: of the line at 0.
        doubt: how far off the value may be.
        because: what most of the doubt comes from, where there is much: a kink, or rounding.
    """

    value: float
    doubt: float
    because: Literal["kink", "rounding"]


@dataclass(frozen=True)
class _Rung:
    """Differences with one step: the central one, the right less the left one, and what rounding may do to them."""

    central: float
    bend: float
    rounding: float


def slope_at_zero(line: Callable[[float], float], *, size: float | None = None) -> Slope:
    """The slope of `line` at 0.

    Args:
        line: a function of one number in float64, for which 1 is a long way.
        size: of the largest numbers that are summed up to its value; by default of that value at 0.

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
            # A staircase, on which so short a step leads nowhere: somewhere there are fewer digits.
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
    # What is left of the bend as the step goes to 0: it shrinks with the step, unless there is a kink.
    kink = abs(10 * shorter.bend - longer.bend) / 9 / 2
    change = abs(longer.central - shorter.central)
    # Rounding makes both grow with each shorter step.
    grows = abs(shorter.bend) > 3 * abs(longer.bend)
    doubt = max(kink, change, shorter.rounding)
    return Slope(shorter.central, doubt, "rounding" if grows or doubt == shorter.rounding else "kink")
