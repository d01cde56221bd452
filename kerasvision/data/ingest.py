"""From a source to examples on disk: every image is looked at once, and what cannot be used is named."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pandas as pd

from kerasvision import lookup
from kerasvision.config.experiment import Ingest, Splits
from kerasvision.config.sources import Source
from kerasvision.data.examples import Row, write_examples
from kerasvision.data.inspection import ImageFacts, inspect_images
from kerasvision.data.records import Record, sha256, unique_names
from kerasvision.data.splits import TEST, TRAIN, VALIDATION, assign_splits
from kerasvision.errors import DataError, StageError
from kerasvision.progress import bar

MOST_NAMED = 10


def ingest(source: Source, *, splits: Splits, policy: Ingest, data: Path, manifest: Path) -> pd.DataFrame:
    """Reads a source, splits it, writes the usable images, and lists all of them.

    Args:
        source: what to read.
        splits: how to split it.
        policy: how many bad images are bearable, and how large an image may be.
        data: folder for the prepared data set.
        manifest: Parquet file for the list.

    Returns:
        The manifest: a row per image, `fault` empty for those that were written.

    Raises:
        DataError: too many images cannot be used, or none is left to train on or to judge by.
    """
    records = unique_names(lookup.load(source.implementation)(source))
    table = _scan(records, policy)
    decided = assign_splits(table["sha256"].tolist(), [record.split for record in records], splits)
    table["split"] = [split for split, _ in decided]
    leaked = pd.Series([fault for _, fault in decided], dtype="str")
    table["fault"] = table["fault"].where(table["fault"] != "", leaked)
    _refuse_if_too_bad(table, policy)
    used = [split for split in (TRAIN, VALIDATION, TEST) if ((table["split"] == split) & (table["fault"] == "")).any()]
    for split in (TRAIN, TEST):
        if split not in used:
            raise DataError(f"no image is left for the {split} split ({len(records)} read)",
                            hint="add images, or change splits")  # fmt: skip
    table.to_parquet(manifest, index=False)
    rows = _rows_of(records, table)
    write_examples(rows, splits=used, classes=class_order(table["label"]), folder=data)
    return table


def class_order(labels: Iterable[str]) -> list[str]:
    """Distinct labels in the order of their numbers: sorted, and digits within a label by value.

    >>> class_order(["10", "9", "9", "a"])
    ['9', '10', 'a']
    """
    def natural(label: str) -> list[tuple[int, int, str]]:
        return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", label) if part]

    return sorted(set(labels), key=lambda label: (natural(label), label))


def _scan(records: list[Record], policy: Ingest) -> pd.DataFrame:
    """One row per record: what its bytes are, and what is wrong with them."""
    unreadable: dict[int, str] = {}

    def loaded() -> Iterator[tuple[int, bytes]]:
        for number, record in enumerate(records):
            try:
                yield number, record.load()
            except OSError as error:
                unreadable[number] = f"cannot be read: {error.strerror}"
                yield number, b""

    rows = []
    with bar("looking at images", total=len(records)) as advance:
        for number, data, facts in inspect_images(loaded(), max_pixels=policy.max_pixels):
            rows.append(_row(records[number], data, facts, unreadable.get(number)))
            advance(1)
    return pd.DataFrame(rows)


def _row(record: Record, data: bytes, facts: ImageFacts, unreadable: str | None) -> dict[str, object]:
    return {
        "id": record.name,
        "path": str(record.content) if isinstance(record.content, Path) else "",
        "split": record.split or "",
        "label": record.label,
        "sha256": sha256(data),
        "size": len(data),
        "width": facts.width,
        "height": facts.height,
        "format": facts.format,
        "mode": facts.mode,
        "notes": "; ".join(facts.notes),
        "fault": unreadable or facts.fault or "",
    }


def _refuse_if_too_bad(table: pd.DataFrame, policy: Ingest) -> None:
    """Leakage is removed and told, but does not count: nothing is wrong with such an image."""
    bad = table[(table["fault"] != "") & ~table["fault"].str.startswith("leakage")]
    if len(bad) <= policy.max_bad_fraction * len(table):
        return
    named = "".join(f"\n  {row.id}: {row.fault}" for row in bad.head(MOST_NAMED).itertuples())
    more = f"\n  and {len(bad) - MOST_NAMED} more" if len(bad) > MOST_NAMED else ""
    raise DataError(
        f"{len(bad)} of {len(table)} images cannot be used ({len(bad) / len(table):.1%}; the limit is "
        f"{policy.max_bad_fraction:.1%})",
        hint=f"mend or remove them, or raise ingest.max_bad_fraction to leave them out:{named}{more}",
    )


def _rows_of(records: list[Record], table: pd.DataFrame) -> Callable[[str], Iterator[Row]]:
    """The usable rows of a split. Each image is read again, and must be what it was when it was looked at."""
    columns = list(zip(records, table["split"], table["fault"], table["sha256"], strict=True))

    def rows(split: str) -> Iterator[Row]:
        chosen = [(record, digest) for record, own, fault, digest in columns if own == split and not fault]
        with bar(f"writing {split}", total=len(chosen)) as advance:
            for record, digest in chosen:
                yield record.name, _unchanged(record, digest), record.label
                advance(1)

    return rows


def _unchanged(record: Record, digest: str) -> bytes:
    try:
        data = record.load()
    except OSError as error:
        message = f"{record.name} could be read at first, and then not: {error.strerror}"
        raise StageError(message, hint="run again") from error
    if sha256(data) != digest:
        raise StageError(f"{record.name} changed while it was read", hint="run again")
    return data
