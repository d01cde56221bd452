"""From a source to examples on disk: every image is inspected once, and unusable images are listed.

The source is read twice: once to inspect the images, and once to write the usable ones. Images that are made, not read, are
kept in between, in at most 64 MB; no other image stays in memory. Work on single images may be done by other processes: see
`kerasvision.data.mapping`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from kerasvision import lookup
from kerasvision.config.preparing import Ingest, Splits
from kerasvision.config.sources import Source
from kerasvision.data.ingesting.folds import check_folds
from kerasvision.data.ingesting.manifest import scan_source, tags_of
from kerasvision.data.ingesting.quarantine import LEFT_OUT, read_quarantine
from kerasvision.data.ingesting.spans import PreviousExamples, Span, image_spans, leave_out_older, next_span
from kerasvision.data.ingesting.writing import write_source
from kerasvision.data.mapping.mapper import HERE, Mapper
from kerasvision.data.records import MISSING_VALUE, OUTSIDE, UNLISTED, Record
from kerasvision.data.repeatable import KeptImages
from kerasvision.data.splits import TEST, TRAIN, assign_splits
from kerasvision.errors import ConfigError, DataError
from kerasvision.progress import say
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
    mapper: Mapper = HERE,
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
        mapper: where images are inspected and examples encoded.

    Raises:
        DataError: too many images cannot be used, or no image is left for training or for testing; the quarantine file
            cannot be read; the folds do not fit the images, see `check_folds`.
        StageError: the source or an image changed while it was read.
        ConfigError: the source's function does not give records, or gives records that the mapper cannot send to other
            processes.
    """
    if previous is not None and not previous.span.exists():
        previous = None  # examples of an older version, without spans: this is the first span
    # What other processes make stays in them.
    kept = KeptImages() if mapper.is_here else KeptImages(most_bytes=0)
    scanned = scan_source(
        kept.first_reading(_records(source)),
        max_pixels=policy.max_pixels,
        missing_values=policy.missing_values,
        mapper=mapper,
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
    write_source(kept.second_reading(_records(source)), scanned, data, mapper=mapper)
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
    # An image without any of its numbers stays bad then.
    if lacking := int((bad["fault"].str.contains(MISSING_VALUE, regex=False) & (bad["values"] > 0)).sum()):
        way_out = f"set ingest.missing_values='ignore' to use {lacking} that lack some of their numbers, or {way_out}"
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
