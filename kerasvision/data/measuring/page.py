"""The statistics of a data set as one HTML page that needs no internet connection."""

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import jinja2
import pandas as pd

from kerasvision.data.captions import vocabulary_table
from kerasvision.data.class_colors import class_color
from kerasvision.data.examples import ExampleSet
from kerasvision.data.measuring.charts import Histogram, histogram
from kerasvision.data.measuring.contact_sheets import LARGE_SIDE, THUMBNAIL_SIDE, Picture, ids_to_show, pictures
from kerasvision.data.measuring.map_statistics import class_shares, ignored_shares
from kerasvision.data.measuring.statistics import Statistics, channel_deviations, channel_means
from kerasvision.data.measuring.tag_statistics import most_frequent, totals
from kerasvision.data.measuring.value_statistics import value_column
from kerasvision.data.splits import TEST, TRAIN, VALIDATION

MOST_CLASSES = 60
MOST_GROUPS = 24
MOST_IN_GROUP = 6
MOST_NAMED = 5
MOST_WORDS = 40
# How many numbers of the images have a histogram.
MOST_VALUES = 24
HISTOGRAMS = {
    "width": "width, pixels",
    "height": "height, pixels",
    "aspect": "aspect, width / height",
    "size": "file size, bytes",
    "brightness": "brightness, 0 to 255",
    "contrast": "contrast, deviation",
    "caption_words": "words per caption",
    "objects": "objects per image",
    "map_classes": "classes per label map",
    "tags": "tags per image",
}


@dataclass(frozen=True)
class SplitColour:
    """The colour of a split's images: numbers in [0, 255]; lists of three are red, green and blue.

    `swatch` is the mean colour as CSS writes it.
    """

    split: str
    images: int
    brightness: float
    contrast: float
    means: list[float]
    deviations: list[float]
    swatch: str


@dataclass(frozen=True)
class CopyGroup:
    """Images that are copies of each other.

    Attributes:
        members: (picture, split, label) of the first images.
        more: how many more images the group has.
        several_splits, several_labels: whether the images have different splits, or different labels.
    """

    members: list[tuple[Picture, str, str]]
    more: int
    several_splits: bool
    several_labels: bool


@dataclass(frozen=True)
class MapRow:
    """A class of the label maps.

    Attributes:
        name: of the class.
        color: its colour in the pictures, as CSS writes it.
        shares: its share of the pixels of each split that are not ignored.
        images: how many images show it.
    """

    name: str
    color: str
    shares: list[float]
    images: int


def write_statistics_page(statistics: Statistics, images: pd.DataFrame, *, examples: ExampleSet, file: Path) -> None:
    """Writes counts, colour, copies, excluded images and contact sheets. Names of files and labels are escaped.

    Args:
        statistics, images: from `compute_statistics`.
        examples: the data set that they describe.
        file: the HTML file. It contains the pictures; their number is limited for any number of classes.
    """
    splits = [split for split in (TRAIN, VALIDATION, TEST) if (images["split"] == split).any()]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("statistics.html").render(
        statistics=statistics,
        total=len(images),
        splits=splits,
        classes=_shown(statistics.classes, {name: _count(statistics, name) for name in statistics.classes}),
        most=max((count for counts in statistics.counts.values() for count in counts.values()), default=0),
        histograms=_histograms(statistics, images, splits),
        colour=[_colour(split, images[images["split"] == split]) for split in splits],
        faults=faults_table(statistics.quarantined),
        objects=_shown(statistics.object_classes, statistics.object_counts),
        maps=_map_rows(statistics),
        ignored=ignored_shares(statistics.maps),
        tags=_shown(statistics.tag_classes, totals(statistics.tags)),
        tag_totals=totals(statistics.tags),
        together=_together(statistics),
        words=vocabulary_table(examples) if statistics.captions else None,
        most_words=MOST_WORDS,
        groups=_copies(statistics, images, examples),
        most_groups=MOST_GROUPS,
        sheets=contact_sheets(statistics, images, examples),
    )
    file.write_text(page, encoding="utf-8")


def contact_sheets(statistics: Statistics, images: pd.DataFrame, examples: ExampleSet) -> dict[str, list[Picture]]:
    """Class -> some of its training images; under "" if there are no classes."""
    chosen = ids_to_show(images, statistics.classes)
    annotated = statistics.captions or statistics.object_classes or statistics.map_classes or statistics.value_names
    side = LARGE_SIDE if annotated else THUMBNAIL_SIDE
    found = pictures(examples, [name for ids in chosen.values() for name in ids], side=side, painted=True)
    return {label: [found[name] for name in ids] for label, ids in chosen.items()}


def faults_table(quarantined: dict[str, str]) -> list[tuple[str, int, list[str]]]:
    """(fault, how many images, some of their ids), the most common fault first.

    >>> faults_table({"a.jpg": "empty", "b.jpg": "cut off", "c.jpg": "empty"})
    [('empty', 2, ['a.jpg', 'c.jpg']), ('cut off', 1, ['b.jpg'])]
    """
    counts = Counter(quarantined.values())
    named: dict[str, list[str]] = {fault: [] for fault in counts}
    for name, fault in quarantined.items():
        if len(named[fault]) < MOST_NAMED:
            named[fault].append(name)
    return [(fault, count, named[fault]) for fault, count in counts.most_common()]


def _count(statistics: Statistics, name: str) -> int:
    return sum(counts[name] for counts in statistics.counts.values())


def _shown(names: list[str], counts: dict[str, int]) -> list[str]:
    """All names, or, if there are many, the most and the least frequent."""
    if len(names) <= MOST_CLASSES:
        return names
    ordered = sorted(names, key=lambda name: -counts[name])
    return ordered[: MOST_CLASSES // 2] + ordered[-MOST_CLASSES // 2 :]


def _map_rows(statistics: Statistics) -> list[MapRow]:
    """The classes of the label maps, in the order of their numbers."""
    shares, images = class_shares(statistics.maps), statistics.maps.get("images", {})
    rows = [
        MapRow(
            name=name,
            color=class_color(number),
            shares=[of[name] for of in shares.values()],
            images=sum(of[name] for of in images.values()),
        )
        for number, name in enumerate(statistics.map_classes)
    ]
    shown = set(_shown(statistics.map_classes, {row.name: row.images for row in rows}))
    return [row for row in rows if row.name in shown]


def _together(statistics: Statistics) -> tuple[list[str], dict[tuple[str, str], int]]:
    """The most frequent tags, and how many images have both of two of them."""
    pairs = {(first, second): count for first, second, count in statistics.tags.get("together", ())}
    both = pairs | {(second, first): count for (first, second), count in pairs.items()}
    return most_frequent(totals(statistics.tags)), both


def _histograms(statistics: Statistics, images: pd.DataFrame, splits: list[str]) -> list[Histogram]:
    left_out = {
        "objects": not statistics.object_classes,
        "map_classes": not statistics.map_classes,
        "tags": not statistics.tag_classes,
    }
    titles = {name: title for name, title in HISTOGRAMS.items() if not left_out.get(name)}
    titles |= {value_column(name): name for name in statistics.value_names[:MOST_VALUES]}
    drawn = (histogram(images, name, title=title, splits=splits) for name, title in titles.items())
    return [one for one in drawn if one is not None]


def _colour(split: str, images: pd.DataFrame) -> SplitColour:
    means, deviations = channel_means(images), channel_deviations(images)
    return SplitColour(
        split=split,
        images=len(images),
        brightness=images["brightness"].mean(),
        contrast=images["contrast"].mean(),
        means=means.tolist(),
        deviations=deviations.tolist(),
        swatch="#" + "".join(f"{round(value):02x}" for value in means),
    )


def _copies(statistics: Statistics, images: pd.DataFrame, examples: ExampleSet) -> dict[str, list[CopyGroup]]:
    """ "exact" and "near" -> the groups to show: first those in several splits or with several labels."""
    by_id = images.set_index("id")[["split", "label"]]
    kinds = {"exact": statistics.duplicates, "near": statistics.near_duplicates}
    urgent = {
        tuple(ids)
        for groups in (statistics.shared_between_splits, statistics.near_shared_between_splits, statistics.contradictions)
        for ids in groups
    }
    shown = {kind: sorted(groups, key=lambda ids: tuple(ids) not in urgent)[:MOST_GROUPS] for kind, groups in kinds.items()}
    named = {name for groups in shown.values() for ids in groups for name in ids[:MOST_IN_GROUP]}
    found = pictures(examples, named, side=THUMBNAIL_SIDE)

    def described(ids: list[str]) -> CopyGroup:
        rows = by_id.loc[ids]
        shown_rows = zip(ids, rows["split"], rows["label"], strict=True)
        return CopyGroup(
            members=[(found[name], split, label) for name, split, label in islice(shown_rows, MOST_IN_GROUP)],
            more=max(0, len(ids) - MOST_IN_GROUP),
            several_splits=rows["split"].nunique() > 1,
            several_labels=rows["label"].nunique() > 1,
        )

    return {kind: [described(ids) for ids in groups] for kind, groups in shown.items()}
