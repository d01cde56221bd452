"""What the author of a network for numbers asks: how the numbers of each split are distributed, and how many are missing."""

from typing import TypedDict

import numpy as np
import pandas as pd

from kerasvision.data.splits import TEST, TRAIN, VALIDATION


class ValueSummary(TypedDict):
    """The numbers of one name in one split; None for what has no number.

    `count`, `missing`: how many images have it, and how many lack it; `mean`, `deviation`, `least`, `median`, `most`: of
    those that have it.
    """

    count: int
    missing: int
    mean: float | None
    deviation: float | None
    least: float | None
    median: float | None
    most: float | None


# Split -> name -> summary; empty without numbers.
ValueStatistics = dict[str, dict[str, ValueSummary]]


def value_column(name: str) -> str:
    """The column of a table of images that has the numbers of a name.

    >>> value_column("age")
    'value[age]'
    """
    return f"value[{name}]"


def value_names_in(images: pd.DataFrame) -> list[str]:
    """The names whose columns a table of images has, in their order.

    >>> value_names_in(pd.DataFrame({"id": ["a"], "value[age]": [31.0]}))
    ['age']
    """
    return [name[len("value[") : -1] for name in map(str, images.columns) if name.startswith("value[") and name[-1] == "]"]


def value_statistics(images: pd.DataFrame) -> ValueStatistics:
    """The summaries of all numbers.

    Args:
        images: a row for each image, with `split` and the columns of `value_column`, NaN where a number is missing.

    >>> images = pd.DataFrame({"split": ["train", "train", "test"], "value[age]": [30.0, 40.0, float("nan")]})
    >>> found = value_statistics(images)
    >>> found["train"]["age"]["mean"], found["test"]["age"]["missing"], found["test"]["age"]["mean"]
    (35.0, 1, None)
    """
    names = value_names_in(images)
    splits = [split for split in (TRAIN, VALIDATION, TEST) if names and (images["split"] == split).any()]
    return {
        split: {name: _summary(images.loc[images["split"] == split, value_column(name)].to_numpy(float)) for name in names}
        for split in splits
    }


def _summary(numbers: np.ndarray) -> ValueSummary:
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return ValueSummary(count=0, missing=len(numbers), mean=None, deviation=None, least=None, median=None, most=None)
    return ValueSummary(
        count=len(known),
        missing=len(numbers) - len(known),
        mean=float(known.mean()),
        deviation=float(known.std()),
        least=float(known.min()),
        median=float(np.median(known)),
        most=float(known.max()),
    )
