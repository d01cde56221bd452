"""What a table of images with numbers holds, as far as the first pipeline for it depends on that."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasvision import lookup
from kerasvision.config.preparing import Splits
from kerasvision.config.table_source import Table
from kerasvision.data.first_look import sampled_sizes
from kerasvision.data.objects_look import expected_images
from kerasvision.errors import DataError


@dataclass(frozen=True)
class Numbers:
    """The numbers of one column.

    Attributes:
        least, most, deviation: of those that are there.
        missing: how many images lack it.
    """

    least: float
    most: float
    deviation: float
    missing: int


@dataclass(frozen=True)
class ValuesLook:
    """What a table of images with numbers holds.

    Attributes:
        images: the table, or the folder that contains it.
        source: reads it.
        values: column -> its numbers.
        total: how many images can be used.
        given: split that the table gives -> its images; the split is "" if it gives none.
        left_out: how many images cannot be used.
        sides: the longer sides of some images in pixels, sorted; at least one.
        is_grey: whether all of these images have one channel.
    """

    images: Path
    source: Table
    values: Mapping[str, Numbers]
    total: int
    given: Mapping[str, int]
    left_out: int
    sides: tuple[int, ...]
    is_grey: bool

    @property
    def median_side(self) -> int:
        """The median of the longer sides, in pixels."""
        return self.sides[len(self.sides) // 2]

    @property
    def has_missing(self) -> bool:
        """Whether an image lacks one of several numbers."""
        return any(numbers.missing for numbers in self.values.values())

    def expected(self, splits: Splits) -> dict[str, Counter[str]]:
        """Split -> how many images it gets, under the name "images", if no file is damaged or a copy of another."""
        return expected_images(self.given, splits)


def look_at_values(source: Table, *, images: Path) -> ValuesLook:
    """Reads the table, and opens some of its images.

    Args:
        source: reads it; see `kerasvision.config.number_tables`.
        images: the table, or the folder that contains it.

    Raises:
        DataError: no image has a number; or what the source raises.
    """
    records = list(lookup.load(source.implementation)(source))
    usable = [one for one in records if not one.fault and one.values and not all(map(math.isnan, one.values.values()))]
    if not usable:
        raise DataError(f"{source.path} has no image with a number", hint="check its paths and its numbers")
    sizes, is_grey = sampled_sizes(usable)
    columns = {name: np.array([(one.values or {}).get(name, math.nan) for one in usable]) for name in source.values}
    return ValuesLook(
        images=images,
        source=source,
        values={name: _numbers(column) for name, column in columns.items() if not np.isnan(column).all()},
        total=len(usable),
        given=Counter(one.split or "" for one in usable),
        left_out=len(records) - len(usable),
        sides=tuple(sorted(map(max, sizes))),
        is_grey=is_grey,
    )


def _numbers(column: np.ndarray) -> Numbers:
    known = column[~np.isnan(column)]
    return Numbers(float(known.min()), float(known.max()), float(known.std()), len(column) - len(known))
