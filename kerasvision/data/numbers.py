"""Reads one raw value of a source as a number: an age, a length, the place of a thing. Other values are rejected."""

import math
from collections.abc import Mapping
from decimal import Decimal
from numbers import Real

import numpy as np

from kerasvision.data.raw_values import UnusableValue, plain
from kerasvision.data.records import NOT_FINITE
from kerasvision.errors import DataError, shown

# Texts that mean that a number is missing, in lower case; a table writes them where it has none.
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
# Networks compute in float32: a larger number would be infinite there.
MOST = float(np.finfo(np.float32).max)


class Numbers:
    """The numbers of one column of a table, or of one feature of a data set.

    Args:
        noun: its name in messages: "column 'age' of people.csv".

    >>> ages = Numbers("column 'age' of people.csv")
    >>> [ages.number(value, "row 1") for value in (31, "31.5", " 1e2 ", b"7", None, "", "NaN", float("nan"))]
    [31.0, 31.5, 100.0, 7.0, nan, nan, nan, nan]
    """

    def __init__(self, noun: str) -> None:
        self.noun = noun

    def number(self, value: object, row: str) -> float:
        """The value as a float; NaN if it is missing: None, NaN, an empty text, NA, null.

        Raises:
            UnusableValue: a text that is not a number, or a number that float32 cannot hold, such as infinity.
            DataError: a value of another kind: a truth value, a date, a list.
        """
        value = plain(value)
        if value is None:
            return math.nan
        if isinstance(value, bytes):
            value = value.rstrip(b"\0").decode("utf-8", "replace")
        if isinstance(value, str):
            return self._finite(self._parsed(value, row), value, row)
        if isinstance(value, Real | Decimal) and not isinstance(value, bool):
            return self._finite(_as_float(value), value, row)
        raise DataError(
            f"{self.noun} must hold numbers; {row} holds {shown(value, most=60)}",
            hint="write each value as one number, and leave the cell empty where it is missing",
        )

    def _parsed(self, text: str, row: str) -> float:
        if text.strip().lower() in MISSING:
            return math.nan
        try:
            # Python's own rule would read "1_000" too.
            return float("?" if "_" in text else text)
        except ValueError:
            raise self._unusable(text, row) from None

    def _finite(self, number: float, value: object, row: str) -> float:
        if abs(number) > MOST:
            raise self._unusable(value, row)
        return number

    def _unusable(self, value: object, row: str) -> UnusableValue:
        return UnusableValue(f"{self.noun} holds {shown(value, most=60)} in {row}, which is not a {NOT_FINITE}")


def same_numbers(first: Mapping[str, float], second: Mapping[str, float]) -> bool:
    """Whether two sets of numbers have the same names and values; NaN equals NaN.

    >>> same_numbers({"age": math.nan}, {"age": math.nan}), same_numbers({"age": 1.0}, {"age": 2.0})
    (True, False)
    """
    return first.keys() == second.keys() and all(
        one == second[name] or (math.isnan(one) and math.isnan(second[name])) for name, one in first.items()
    )


def _as_float(value: Real | Decimal) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
