"""Checks of a person's own: bounds for any number in the statistics of a data set."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Literal

from PIL import Image
from pydantic import Field, field_validator, model_validator

from kerasvision import lookup
from kerasvision.config.base import Config
from kerasvision.data.inspecting.inspection import READABLE
from kerasvision.data.measuring.statistics import Statistics
from kerasvision.data.splits import TEST, TRAIN, VALIDATION
from kerasvision.data.validating.anomalies import Anomaly
from kerasvision.errors import ConfigError, DataError

KNOWN = tuple(field.name for field in fields(Statistics))


class StatisticsCheck(Config):
    """A number of the statistics must lie in bounds.

    A path names it, as in `statistics.json`: `images.train`, `counts.train.cat`, `min_side`, `channel_mean.0`. A list or
    mapping counts by its length: `quarantined` is how many images were left out. A mode, format, note, split or class that
    no image has counts as 0. With `per`, the number is divided by another.

    >>> StatisticsCheck(value="counts.train.cat", per="images.train", at_least=0.1).name
    'counts.train.cat / images.train'
    >>> StatisticsCheck(value="imagse.train", at_least=100)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: the statistics have no 'imagse'; did you mean 'images'?
    """

    value: str = Field(description="path of a number in statistics.json: counts.train.cat; of a list, its length")
    per: str | None = Field(default=None, description="path of a number to divide by: images.train gives a share")
    at_least: float | None = Field(default=None, description="the smallest allowed number; None: any")
    at_most: float | None = Field(default=None, description="the largest allowed number; None: any")
    severity: Literal["error", "warning", "info"] = Field(
        default="error", description="error: the run stops; warning and info: it is said"
    )
    why: str = Field(default="", description="added to the message")

    @field_validator("value", "per", mode="after")
    @classmethod
    def _begins_with_a_statistic(cls, path: str | None) -> str | None:
        first = (path or "").partition(".")[0]
        if path is not None and first not in KNOWN:
            raise ConfigError(f"the statistics have no {first!r}; {lookup.did_you_mean(first, KNOWN)}")
        return path

    @model_validator(mode="after")
    def _bounds_something(self) -> "StatisticsCheck":
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"a check requires at_least or at_most; received neither for {self.value}")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(
                f"at_least must not exceed at_most; received at_least={self.at_least:g}, at_most={self.at_most:g}"
            )
        return self

    @property
    def name(self) -> str:
        """What is checked."""
        return self.value if self.per is None else f"{self.value} / {self.per}"


def check_anomalies(
    statistics: Statistics, checks: Collection[StatisticsCheck], *, classes: Collection[str] = ()
) -> Iterator[Anomaly]:
    """An anomaly for each check that does not hold.

    Args:
        statistics: of the data set.
        checks: what must hold.
        classes: the classes that the schema expects, of images, objects, label maps and tags.

    Raises:
        DataError: a path leads to nothing, or to something other than a number, a list or a mapping.
    """
    if not checks:
        return
    data, zeros = asdict(statistics), countable({*statistics.classes, *classes})
    for check in checks:
        number = number_at(data, check.value, zeros)
        if check.per is not None:
            divisor = number_at(data, check.per, zeros)
            number = number / divisor if divisor else float("nan")
        is_low = check.at_least is not None and not number >= check.at_least
        is_high = check.at_most is not None and not number <= check.at_most
        if is_low or is_high:
            bound = f"at least {check.at_least:g}" if is_low else f"at most {check.at_most:g}"
            why = f": {check.why}" if check.why else ""
            yield Anomaly(check.severity, "own_check", f"{check.name} is {number:g}, and must be {bound}{why}")


def countable(classes: Collection[str]) -> frozenset[str]:
    """The paths of counts that the statistics lack if there is nothing to count.

    >>> {"modes.CMYK", "formats.GIF", "images.test", "counts.train.cat"} <= countable(["cat"])
    True
    """
    splits = (TRAIN, VALIDATION, TEST)
    by_split = ("counts", "tags.images", "maps.images", "maps.pixels")
    return frozenset(
        [
            *(f"modes.{mode}" for mode in Image.MODES),
            *(f"formats.{name}" for name in READABLE),
            *(f"images.{split}" for split in splits),
            *(f"{counts}.{split}.{name}" for counts in by_split for split in splits for name in classes),
            *(f"{counts}.{name}" for counts in ("object_counts", "crowd_counts") for name in classes),
        ]
    )


def number_at(data: Any, path: str, zeros: Collection[str] = ()) -> float:
    """The number at a path of nested mappings and lists. Keys may contain dots.

    Args:
        data: the mappings and lists.
        path: the keys, joined by dots.
        zeros: paths that lead to 0 if the data lack them. So does any note.

    Raises:
        DataError: the path leads to nothing, or to something other than a number, a list or a mapping.

    >>> number_at({"counts": {"train": {"St. Bernard": 7}}, "quarantined": {"a.jpg": "empty"}}, "counts.train.St. Bernard")
    7.0
    >>> number_at({"channel_mean": [1.0, 2.5]}, "channel_mean.1"), number_at({"duplicates": [["a", "b"]]}, "duplicates")
    (2.5, 1.0)
    >>> number_at({"modes": {"RGB": 3}}, "modes.CMYK", {"modes.CMYK"})
    0.0
    """
    place: Any = data
    rest = path
    while rest:
        keys = {str(number): item for number, item in enumerate(place)} if isinstance(place, Sequence) else place
        known = list(keys) if isinstance(keys, Mapping) else []
        found = [key for key in known if rest == key or rest.startswith(f"{key}.")]
        if not found and (path in zeros or path.startswith("notes.")):
            return 0.0
        if isinstance(place, str) or not found:
            raise DataError(
                f"the statistics have no number at {path!r}; {lookup.did_you_mean(rest, map(str, known))}",
                hint="schema.checks names numbers in statistics.json",
            )
        key = max(found, key=len)
        place, rest = keys[key], rest[len(key) + 1 :]
    if isinstance(place, Mapping | list | tuple):
        return float(len(place))
    if isinstance(place, bool) or not isinstance(place, int | float):
        raise DataError(f"schema.checks requires numbers of the statistics; {path!r} is {place!r}")
    return float(place)
