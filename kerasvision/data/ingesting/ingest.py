"""From a source to examples on disk: every image is inspected once, and unusable images are listed.

The source is read twice: once to inspect the images, and once to write the usable ones. Images that are made, not read, are
kept in between, in at most 64 MB; no other image stays in memory.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd

from kerasvision import lookup
from kerasvision.config.listing import printable
from kerasvision.config.preparing import Ingest, Splits
from kerasvision.config.sources import Source
from kerasvision.data.examples import Example, ExampleWriter
from kerasvision.data.ingesting.folds import check_folds
from kerasvision.data.ingesting.manifest import CHUNK_ROWS, IndexedRow, ScannedSource, scan_source, tags_of
from kerasvision.data.ingesting.quarantine import LEFT_OUT, read_quarantine
from kerasvision.data.ingesting.spans import PreviousExamples, Span, image_spans, leave_out_older, next_span
from kerasvision.data.inspecting.annotations import encode_objects, usable_annotations
from kerasvision.data.inspecting.label_maps import encode_map, name_of
from kerasvision.data.records import OUTSIDE, UNLISTED, Record, sha256
from kerasvision.data.repeatable import KeptImages
from kerasvision.data.splits import TEST, TRAIN, assign_splits
from kerasvision.errors import ConfigError, DataError, StageError
from kerasvision.progress import bar, say
from kerasvision.shortened import first_lines, shortened

MOST_NAMED = 10


@dataclass(frozen=True)
class Ingested:
    """What an ingest returns, in addition to the files that it writes.

    Attributes:
        manifest: a row per image of the source; `fault` is empty for the images that were written.
        span: what is new since the previous examples.
        unmatched: entries of the quarantine file that match no image of the source.
        without_objects: classes that the source lists, and of which no usable image has an object.
    """

    manifest: pd.DataFrame
    span: Span
    unmatched: list[str]
    without_objects: list[str]


def ingest(
    source: Source,
    *,
    splits: Splits,
    policy: Ingest,
    data: Path,
    manifest: Path,
    span: Path,
    previous: PreviousExamples | None = None,
    fold: int | None = None,
) -> Ingested:
    """Reads a source, splits it, writes the usable images, and lists all images.

    Args:
        source: the source to read.
        splits: how to split it.
        policy: how many bad images are acceptable, how large an image may be, which images to leave out, and of how many
            spans the training images stay.
        data: folder for the prepared data set; it is created.
        manifest: Parquet file for the list.
        span: JSON file for what is new.
        previous: what the last ingest of this source wrote.
        fold: with `splits.folds`, the fold that is the test split, from 1.

    Raises:
        DataError: too many images cannot be used, or no image is left for training or for testing; the quarantine file
            cannot be read; the folds do not fit the images, see `check_folds`.
        StageError: the source or an image changed while it was read.
        ConfigError: the source's function does not give records.
    """
    if previous is not None and not previous.span.exists():
        previous = None  # examples of an older version, without spans: this is the first span
    kept = KeptImages()
    scanned = scan_source(
        kept.first_reading(_records(source)), max_pixels=policy.max_pixels, missing_values=policy.missing_values
    )
    table = scanned.table
    sound = table["fault"] == ""
    unmatched = _leave_out(table, policy.quarantine_file)
    if fold is not None:
        check_folds(table, splits)
    _split(table, splits, sound, previous, fold)
    _refuse_if_too_bad(table, policy)
    _refuse_if_nothing_is_left(table)
    new = next_span(table, previous=previous, splits=splits)
    table["span"] = image_spans(table, number=new.number, previous=previous)
    if policy.last_spans is not None:
        leave_out_older(table, last=policy.last_spans)
    _write(kept.second_reading(_records(source)), scanned, data)
    table.to_parquet(manifest, index=False)
    new.save(span)
    if unmatched:
        say(f"no image matches these entries of {policy.quarantine_file}: {shortened(unmatched, most=MOST_NAMED)}")
    if without := scanned.classes_without_objects:
        named = shortened(without, most=MOST_NAMED)
        say(f"{len(without)} of {len(scanned.listed_classes)} classes that the source lists have no object: {named}")
    return Ingested(table, new, unmatched, without)


def _records(source: Source) -> Iterator[Record]:
    """What the source's function yields.

    Raises:
        ConfigError: it gives something else than records, or a record's content is neither a path nor a function.
    """
    way_out = f"correct {source.implementation}"
    found = lookup.load(source.implementation)(source)
    if not isinstance(found, Iterable):
        raise ConfigError("a source's function must yield Records", received=type(found).__name__, hint=way_out)
    for record in found:
        if not isinstance(record, Record):
            raise ConfigError(
                "a source's function must yield Records, see kerasvision.data.records",
                received=type(record).__name__,
                hint=way_out,
            )
        if not isinstance(record.content, Path) and not callable(record.content):
            raise ConfigError(
                f"the content of the Record {record.name!r} must be a Path, or a function that returns the encoded image",
                received=type(record.content).__name__,
                hint=way_out,
            )
        yield record


def class_order(labels: Iterable[str]) -> list[str]:
    """Distinct labels in the order of their class numbers: sorted, with digits within a label sorted by value.

    >>> class_order(["10", "9", "9", "a"])
    ['9', '10', 'a']
    """

    def number(digits: str) -> tuple[int, int, str]:
        # By length and then by digit, which is the order of the values: Python rejects integers of over 4,300 digits.
        plain = "".join(str(unicodedata.decimal(digit)) for digit in digits).lstrip("0")
        return 0, len(plain), plain

    def natural(label: str) -> list[tuple[int, int, str]]:
        return [number(part) if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", label) if part]

    return sorted(set(labels), key=lambda label: (natural(label), label))


def _leave_out(table: pd.DataFrame, file: Path | None) -> list[str]:
    """Leaves out the images that the quarantine file names, and returns the entries that match no image."""
    if file is None:
        return []
    quarantine = read_quarantine(file)
    faults = quarantine.faults(table["id"], table["sha256"])
    table["fault"] = faults.where(faults != "", table["fault"])
    return quarantine.unmatched(table["id"], table["sha256"])


def _split(
    table: pd.DataFrame, splits: Splits, sound: pd.Series, previous: PreviousExamples | None, fold: int | None
) -> None:
    """Puts every image into a split, and leaves out images that would be in two. Unusable bytes join no units."""
    decided = assign_splits(
        table["sha256"].where(sound, "").tolist(),
        [split or None for split in table["split"]],
        splits,
        groups=table["group"].tolist(),
        labels=table["label"].tolist(),
        tags=[tags_of(names) for names in table["tag_names"]] if splits.stratify else None,
        used=(table["fault"] == "").tolist(),
        previous=previous.split_by_sha256(splits) if previous is not None and splits.stratify else None,
        fold=fold,
    )
    table["split"] = pd.Series([split for split, _ in decided], dtype="str")
    leaked = pd.Series([fault for _, fault in decided], dtype="str")
    table["fault"] = table["fault"].where(leaked == "", leaked)


def _refuse_if_too_bad(table: pd.DataFrame, policy: Ingest) -> None:
    """Counts bad images. An image that was left out as leakage, by its place or by a person is not bad."""
    # Images that the source does not list do not count in the total either: otherwise they would dilute the bad ones.
    table = table[~table["fault"].str.startswith((OUTSIDE, UNLISTED))]
    bad = table[(table["fault"] != "") & ~table["fault"].str.startswith(("leakage", LEFT_OUT))]
    limit = {"fail": 0.0, "quarantine": policy.max_bad_fraction, "report": 1.0}[policy.policy]
    if len(bad) <= limit * len(table):
        return
    way_out = "raise ingest.max_bad_fraction" if policy.policy == "quarantine" else "set ingest.policy to 'quarantine'"
    raise DataError(
        f"{len(bad)} of {len(table)} images cannot be used ({len(bad) / len(table):.1%}; the limit is {limit:.1%})",
        hint=f"repair or remove them, or {way_out} to leave them out:{_named(bad)}",
    )


def _refuse_if_nothing_is_left(table: pd.DataFrame) -> None:
    bad = table[table["fault"] != ""]
    used = set(table.loc[table["fault"] == "", "split"])
    for split in (TRAIN, TEST):
        if split not in used:
            left_out = f"; {len(bad)} were left out:{_named(bad)}" if len(bad) else ""
            raise DataError(
                f"no image is left for the {split} split ({len(table)} read)", hint=f"add images, or change splits{left_out}"
            )


def _named(bad: pd.DataFrame) -> str:
    """One line for each of the first bad images, with its fault."""
    lines = first_lines([f"{row.id}: {row.fault}" for row in bad.itertuples()], most=MOST_NAMED)
    return "".join(f"\n  {line}" for line in lines)


def _write(records: Iterable[Record], scanned: ScannedSource, data: Path) -> None:
    """Writes every usable image. It is read again, and must not have changed since it was inspected."""
    table = scanned.table
    good = table["fault"] == ""
    notes: dict[int, str] = {}
    map_numbers = {name: number for number, name in enumerate(scanned.map_classes)}
    writer = ExampleWriter(
        data,
        classes=class_order(label for label in table["label"].unique() if label),
        object_classes=class_order(scanned.object_classes),
        captions=bool((table.loc[good, "captions"] > 0).any()),
        masks=scanned.masks,
        category_ids=scanned.category_ids,
        map_classes=map_numbers,
        value_names=scanned.value_names,
        tag_classes=class_order({tag for names in table.loc[good, "tag_names"].unique() for tag in tags_of(names)}),
    )
    with writer, bar("writing examples", total=int(good.sum())) as advance:
        for record, row in _pairs(records, table):
            if row.fault:
                continue
            example, found = _example(record, row, scanned=scanned, map_numbers=map_numbers)
            if found:
                notes[row.Index] = "; ".join(filter(None, (row.notes, *found)))
            writer.write(row.split, example)
            advance(1)
    table.loc[list(notes), "notes"] = list(notes.values())


def _pairs(records: Iterable[Record], table: pd.DataFrame) -> Iterator[tuple[Record, IndexedRow]]:
    """Each record with its row of the table.

    Raises:
        StageError: the source yields other records than the first time.
    """
    chunks = (table.iloc[start : start + CHUNK_ROWS] for start in range(0, len(table), CHUNK_ROWS))
    rows: Iterator[Any] = (row for chunk in chunks for row in chunk.itertuples())
    for record, row in zip_longest(records, rows):
        if record is None or row is None or printable(record.name) != row.id:
            raise StageError("the source changed while it was read: it now lists other images", hint="run again")
        yield record, row


def _example(
    record: Record, row: IndexedRow, *, scanned: ScannedSource, map_numbers: Mapping[str, int]
) -> tuple[Example, list[str]]:
    """The example for a record, and notes on its masks.

    Raises:
        StageError: the image, its tags or its label map changed since it was inspected.
    """
    data = _unchanged(record, row.sha256)
    usable = usable_annotations(record, data, width=row.width, height=row.height)
    label_map = b""
    if record.label_map is not None and usable.label_map is not None:
        names = {name_of(number, record.label_map) for number in usable.label_map.found}
        if usable.fault or not names <= map_numbers.keys():
            raise StageError(f"the label map of {record.name} changed while it was read", hint="run again")
        label_map = encode_map(usable.label_map, record.label_map, map_numbers)
    if (usable.tags or ()) != (tags := tags_of(row.tag_names)):
        raise StageError(f"the tags of {record.name} changed while they were read", hint="run again")
    objects, notes = encode_objects(usable.objects, width=row.width, height=row.height, masks=scanned.masks)
    values = [usable.values.get(name, math.nan) for name in scanned.value_names]
    return Example(row.id, data, row.label, usable.captions, objects, label_map, tags, values), notes


def _unchanged(record: Record, digest: str) -> bytes:
    try:
        data = record.load()
    except OSError as error:
        message = f"{record.name} could be read the first time, but not the second: {error.strerror}"
        raise StageError(message, hint="run again") from error
    if sha256(data) != digest:
        raise StageError(f"{record.name} changed while it was read", hint="run again")
    return data
