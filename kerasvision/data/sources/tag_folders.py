"""One image in several folders, as a copy or as a link: one record with the tags of all these folders."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kerasvision.data.records import Record, sha256


def merged_by_content(records: Iterable[Record]) -> Iterator[Record]:
    """A record for each different image of a split, named as the first of its files, with the tags of all of them.

    Only files of the same size are read: other files cannot be equal. A file that cannot be read stays by itself.

    Args:
        records: of files, each with the tags of its own folder.
    """
    every = list(records)
    sizes = Counter(record.file_size() for record in every)
    digests: dict[tuple[int, int], str] = {}
    groups: dict[tuple[str | None, str], list[Record]] = defaultdict(list)
    for record in every:
        may_repeat = not record.fault and sizes[record.file_size()] > 1
        content = _content(record, digests) if may_repeat else ""
        groups[record.split, content or f"file {record.name}"].append(record)
    yield from map(_merged, groups.values())


def _content(record: Record, digests: dict[tuple[int, int], str]) -> str:
    """SHA-256 of the file; "" if it cannot be read. Links to one file read it once."""
    try:
        facts = record.content.stat() if isinstance(record.content, Path) else None
        key = (facts.st_dev, facts.st_ino) if facts else (0, id(record))
        if key not in digests:
            digests[key] = sha256(record.load())
        return digests[key]
    except OSError:
        return ""


def _merged(records: Sequence[Record]) -> Record:
    first = records[0]
    tags = {tag: None for record in records for tag in record.tags or ()}
    notes = {note: None for record in records for note in record.notes}
    return first if len(records) == 1 else replace(first, tags=tuple(tags), notes=tuple(notes))
