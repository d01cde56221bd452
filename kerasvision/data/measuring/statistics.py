"""The statistics of a data set: counts, sizes, colour, copies."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self, TypedDict, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kerasvision.data.captions import vocabulary_table
from kerasvision.data.examples import ExampleSet
from kerasvision.data.mapping.mapper import HERE, Mapper
from kerasvision.data.measuring.map_statistics import MapStatistics, map_statistics
from kerasvision.data.measuring.measurements import COLOURS, SIZE_NAMES, Measurements, measure_examples
from kerasvision.data.measuring.near_duplicates import near_duplicate_groups
from kerasvision.data.measuring.object_statistics import ObjectStatistics, object_statistics
from kerasvision.data.measuring.tag_statistics import TagStatistics, tag_statistics
from kerasvision.data.measuring.value_statistics import ValueStatistics, value_statistics
from kerasvision.data.splits import TEST, TRAIN, VALIDATION

T = TypeVar("T", pd.Series, pd.DataFrame)


class CaptionStatistics(TypedDict, total=False):
    """Numbers about captions; empty if a data set has no captions.

    `images_without`: images without captions; `least` and `most`: captions of an image; `mean_words`, `max_words`: words of
    a caption; `vocabulary`: how many different words.
    """

    images_without: int
    least: int
    most: int
    mean_words: float
    max_words: int
    vocabulary: int


@dataclass(frozen=True)
class Statistics:
    """Numbers about all images of a source.

    Attributes:
        classes: class names in the order of their numbers.
        counts: split -> class -> how many examples.
        modes: Pillow's colour mode -> how many.
        formats: file format -> how many.
        min_side, max_side: smallest and largest width or height, in pixels.
        channel_mean, channel_deviation: mean colour of the training images and deviation of pixels, in [0, 255], as RGB.
        quarantined: id -> fault, of images that were left out.
        notes: what decoding changes (for example an alpha channel is dropped) -> how many images.
        duplicates: groups of ids with the same bytes.
        contradictions: groups of ids with the same bytes and different labels or tags.
        shared_between_splits: groups of ids with the same bytes in different splits: leakage, which ingest prevents.
        object_classes: class names of the objects in the images, in the order of their numbers.
        near_duplicates: groups of ids that look alike and differ in their bytes.
        near_shared_between_splits: the near duplicates in several splits: leakage that a hash of the bytes does not find.
        captions: see `CaptionStatistics`.
        object_counts: object class -> how many objects, crowds included.
        crowd_counts: object class -> how many of them are crowds.
        object_sizes: "small", "medium", "large" -> how many objects that are not crowds. Medium begins at an area of 32^2
            pixels of the image, large at 96^2.
        objects: see `ObjectStatistics`.
        images: split -> how many examples, with and without labels.
        map_classes: class names of the label maps in the order of their numbers.
        maps: see `MapStatistics`.
        value_names: names of the numbers of the images, in their order.
        values: see `ValueStatistics`.
        tag_classes: names of the tags in the order of their numbers.
        tags: see `TagStatistics`.
    """

    classes: list[str]
    counts: dict[str, dict[str, int]]
    modes: dict[str, int]
    formats: dict[str, int]
    min_side: int
    max_side: int
    channel_mean: list[float]
    channel_deviation: list[float]
    quarantined: dict[str, str]
    notes: dict[str, int]
    duplicates: list[list[str]]
    contradictions: list[list[str]]
    shared_between_splits: list[list[str]]
    object_classes: list[str] = field(default_factory=list)
    near_duplicates: list[list[str]] = field(default_factory=list)
    near_shared_between_splits: list[list[str]] = field(default_factory=list)
    captions: CaptionStatistics = field(default_factory=lambda: CaptionStatistics())
    object_counts: dict[str, int] = field(default_factory=dict)
    crowd_counts: dict[str, int] = field(default_factory=dict)
    object_sizes: dict[str, int] = field(default_factory=dict)
    objects: ObjectStatistics = field(default_factory=lambda: ObjectStatistics())
    images: dict[str, int] = field(default_factory=dict)
    map_classes: list[str] = field(default_factory=list)
    maps: MapStatistics = field(default_factory=lambda: MapStatistics())
    value_names: list[str] = field(default_factory=list)
    values: ValueStatistics = field(default_factory=dict)
    tag_classes: list[str] = field(default_factory=list)
    tags: TagStatistics = field(default_factory=lambda: TagStatistics())

    def save(self, file: Path) -> None:
        """Writes the statistics as JSON."""
        file.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """The statistics that `save` wrote."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))


def compute_statistics(
    examples: ExampleSet, manifest: pd.DataFrame, *, mapper: Mapper = HERE
) -> tuple[Statistics, pd.DataFrame]:
    """Statistics of a data set, and a row per usable image.

    Args:
        examples: the data set.
        manifest: the list of images that ingest wrote with it.
        mapper: where the images are measured.

    Returns:
        The statistics; and the manifest's rows without a fault, with the additional columns of `Measurements.table`,
        `aspect` (width over height) and `near_group` (index into `Statistics.near_duplicates`, or -1).

    Raises:
        DataError: the manifest names an image that the data set lacks.
    """
    good = manifest[manifest["fault"] == ""]
    measured = measure_examples(examples, good["id"], mapper=mapper)
    images = _joined(good, measured)
    train = images[images["split"] == TRAIN]
    notes = good["notes"][good["notes"] != ""].str.split("; ").explode()
    statistics = Statistics(
        classes=list(examples.classes),
        counts=_counts(good, examples.classes),
        modes=_frequencies(good["mode"]),
        formats=_frequencies(good["format"]),
        min_side=int(good[["width", "height"]].min().min()),
        max_side=int(good[["width", "height"]].max().max()),
        channel_mean=channel_means(train).tolist(),
        channel_deviation=channel_deviations(train).tolist(),
        quarantined=dict(manifest[manifest["fault"] != ""][["id", "fault"]].itertuples(index=False)),
        notes=_frequencies(notes),
        duplicates=_groups(images, "sha256"),
        contradictions=_contradictions(images),
        shared_between_splits=_groups(images, "sha256", differ="split"),
        object_classes=list(examples.object_classes),
        near_duplicates=_groups(images[images["near_group"] >= 0], "near_group"),
        near_shared_between_splits=_groups(images[images["near_group"] >= 0], "near_group", differ="split"),
        captions=_caption_statistics(measured) if examples.has_captions else {},
        images={str(split): int(count) for split, count in _in_order(good["split"].value_counts()).items()},
        object_counts=dict(zip(examples.object_classes, measured.object_counts.tolist(), strict=True)),
        crowd_counts=dict(zip(examples.object_classes, measured.crowd_counts.tolist(), strict=True)),
        object_sizes=dict(zip(SIZE_NAMES, measured.object_sizes.tolist(), strict=True)) if examples.object_classes else {},
        objects=object_statistics(measured.boxes, good, classes=examples.object_classes) if examples.object_classes else {},
        map_classes=list(examples.map_classes),
        maps=map_statistics(measured.pixels, good, classes=examples.map_classes) if examples.has_label_maps else {},
        value_names=list(examples.value_names),
        values=value_statistics(images),
        tag_classes=list(examples.tag_classes),
        tags=tag_statistics(good, names=examples.tag_classes) if examples.tag_classes else {},
    )
    return statistics, images


def save_statistics_tables(statistics: Statistics, images: pd.DataFrame, *, examples: ExampleSet, folder: Path) -> None:
    """Writes `labels.parquet` (split, label, count), `vocabulary.parquet` (word, count) and `duplicates.parquet`.

    Args:
        statistics, images: from `compute_statistics`.
        examples: the data set; its captions are read again.
        folder: the folder for the files.
    """
    labels_table(statistics).to_parquet(folder / "labels.parquet", index=False)
    vocabulary_table(examples).to_parquet(folder / "vocabulary.parquet", index=False)
    duplicates_table(statistics, images).to_parquet(folder / "duplicates.parquet", index=False)


def labels_table(statistics: Statistics) -> pd.DataFrame:
    """How many images each class has in each split, as rows; no rows without labels."""
    rows = [(split, label, count) for split, counts in statistics.counts.items() for label, count in counts.items()]
    return pd.DataFrame(rows, columns=["split", "label", "count"]).astype({"split": "str", "label": "str", "count": "int64"})


def duplicates_table(statistics: Statistics, images: pd.DataFrame) -> pd.DataFrame:
    """The images of every group of copies, as rows: the kind "exact" or "near", and the group's number within its kind."""
    groups = [("exact", statistics.duplicates), ("near", statistics.near_duplicates)]
    rows = [(kind, number, name) for kind, found in groups for number, ids in enumerate(found) for name in ids]
    table = pd.DataFrame(rows, columns=["kind", "group", "id"]).astype({"kind": "str", "group": "int64", "id": "str"})
    return table.merge(images[["id", "split", "label"]], on="id", how="left", validate="many_to_one")


def channel_means(images: pd.DataFrame) -> NDArray[np.float64]:
    """float64 (3,): mean red, green and blue; every image has the same weight, whatever its size. NaN without images."""
    return images[[f"mean_{colour}" for colour in COLOURS]].mean().to_numpy()


def channel_deviations(images: pd.DataFrame) -> NDArray[np.float64]:
    """float64 (3,): deviation of red, green and blue; every image has the same weight. NaN without images."""
    squares = images[[f"square_{colour}" for colour in COLOURS]].mean().to_numpy()
    deviations: NDArray[np.float64] = np.sqrt(np.maximum(squares - channel_means(images) ** 2, 0.0))
    return deviations


def _joined(good: pd.DataFrame, measured: Measurements) -> pd.DataFrame:
    images = good.merge(measured.table, on="id", how="left", validate="one_to_one")
    contents, _ = pd.factorize(images["sha256"])
    groups = near_duplicate_groups(measured.hashes, measured.thumbnails, contents=contents)
    return images.assign(aspect=images["width"] / images["height"], near_group=groups)


def _caption_statistics(measured: Measurements) -> CaptionStatistics:
    counts = measured.caption_counts
    captions = sum(number * count for number, count in counts.items())
    return {
        "images_without": counts[0],
        "least": min(counts, default=0),
        "most": max(counts, default=0),
        "mean_words": measured.words.total() / captions if captions else 0.0,
        "max_words": measured.max_words,
        "vocabulary": len(measured.words),
    }


def _counts(table: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, dict[str, int]]:
    crossed = pd.crosstab(table["split"], table["label"]).reindex(columns=list(classes), fill_value=0)
    crossed = _in_order(crossed)
    return {str(split): {str(name): int(n) for name, n in row.items()} for split, row in crossed.iterrows()}


def _in_order(by_split: T) -> T:
    """The rows in the order train, validation, test."""
    return by_split.reindex([split for split in (TRAIN, VALIDATION, TEST) if split in by_split.index])


def _frequencies(column: pd.Series) -> dict[str, int]:
    return {str(value): int(count) for value, count in column.value_counts().items()}


def _contradictions(images: pd.DataFrame) -> list[list[str]]:
    found = _groups(images, "sha256", differ="label")
    # A manifest of an older version has no tags.
    by_tags = _groups(images, "sha256", differ="tag_names") if "tag_names" in images else []
    return found + [ids for ids in by_tags if ids not in found]


def _groups(table: pd.DataFrame, key: str, *, differ: str = "") -> list[list[str]]:
    """Ids of the rows that agree in a column and, if `differ` is given, differ in that column."""
    repeated = table[table.duplicated(key, keep=False)]
    if differ:
        repeated = repeated[repeated.groupby(key)[differ].transform("nunique") > 1]
    return [sorted(ids) for _, ids in repeated.groupby(key)["id"]]
