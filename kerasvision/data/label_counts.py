"""How often each class or tag occurs in each split, from the statistics of a data set. No TensorFlow, no pandas."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kerasvision.config.sources import AnnotationKind


@dataclass(frozen=True)
class LabelCounts:
    """How often each name of one kind of annotation occurs.

    Attributes:
        annotation: the kind.
        one, many: what its names are, such as "class" and "classes".
        things: what is counted: "images" that have the name, or "objects".
        counts: split -> name -> how many.
        nothing: what an image without any of them has, such as "no tag"; "" if that was not counted.
        without: split -> how many images have nothing.
    """

    annotation: AnnotationKind
    one: str
    many: str
    things: str
    counts: Mapping[str, Mapping[str, int]]
    nothing: str = ""
    without: Mapping[str, int] = field(default_factory=dict)


def label_counts(statistics: Mapping[str, Any]) -> list[LabelCounts]:
    """The counts of each kind of annotation that the images have: labels, tags, objects, classes of pixels.

    Args:
        statistics: the content of `statistics.json`; of an older version, some parts are missing.

    >>> (found,) = label_counts({"tags": {"images": {"train": {"sea": 3}}, "without": {"train": 1}}})
    >>> found.many, found.counts, found.nothing, found.without
    ('tags', {'train': {'sea': 3}}, 'no tag', {'train': 1})
    """
    return [found for found in _of_each_kind(statistics) if any(found.counts.values())]


def _of_each_kind(statistics: Mapping[str, Any]) -> Iterator[LabelCounts]:
    tags, objects = statistics.get("tags", {}), statistics.get("objects", {})
    yield LabelCounts("labels", "class", "classes", "images", statistics.get("counts", {}))
    yield LabelCounts("tags", "tag", "tags", "images", tags.get("images", {}), "no tag", tags.get("without", {}))
    yield LabelCounts(
        "objects", "class", "classes", "objects", objects.get("by_split", {}), "no object", objects.get("without", {})
    )
    yield LabelCounts("label_maps", "class", "classes", "images", statistics.get("maps", {}).get("images", {}))
