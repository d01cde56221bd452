"""Checks the numbers of an image: what a source gives must be finite, or missing."""

import math
from collections.abc import Mapping

from kerasvision.data.numbers import Numbers
from kerasvision.data.raw_values import UnusableValue
from kerasvision.data.records import Record, class_name
from kerasvision.errors import DataError


def usable_numbers(record: Record) -> tuple[dict[str, float], str]:
    """(name -> number, fault) of a record; NaN where a number is missing. Names are written on one line.

    >>> usable_numbers(Record("a.png", bytes, values={"age": 31, "height ": None}))
    ({'age': 31.0, 'height': nan}, '')
    >>> usable_numbers(Record("a.png", bytes, values={"age": float("inf")}))
    ({}, "value 'age' holds inf in a.png, which is not a finite number")
    """
    found: dict[str, float] = {}
    for name, value in (record.values or {}).items():
        one_line = class_name(str(name))
        if not one_line:
            return {}, "the name of each of its values must have at least one character"
        try:
            found[one_line] = Numbers(f"value {one_line!r}").number(value, record.name)
        except (UnusableValue, DataError) as unusable:
            return {}, str(unusable)
    return found, ""


def known_names(values: Mapping[str, float]) -> frozenset[str]:
    """The names of the numbers that are not missing.

    >>> known_names({"age": 3.0, "height": math.nan})
    frozenset({'age'})
    """
    return frozenset(name for name, value in values.items() if not math.isnan(value))
