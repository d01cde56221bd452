"""Which table lists images with tags: a CSV or Parquet file with a column of several tags, or with columns of 0 and 1."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from kerasvision.config.image_files import names_in
from kerasvision.config.listing import is_file, is_folder
from kerasvision.config.parquet_batches import open_parquet
from kerasvision.config.table_files import is_parquet
from kerasvision.config.table_source import Table
from kerasvision.errors import KerasvisionError

SUFFIXES = (".csv", ".tsv", ".parquet", ".pq")
# Usual names of the columns.
IMAGE_COLUMNS = ("image", "path", "file", "file_name", "filename", "image_path", "img")
TAG_COLUMNS = ("tags", "labels", "categories", "attributes", "tag")
SEPARATORS = ("|", ";", ",", " ")
LOOKED_THROUGH = 1000


def table_of_tags(place: Path) -> Table | None:
    """The table that a path names, or the only table of tags in a folder, with its settings; None without one.

    >>> table_of_tags(Path("nowhere.csv")) is None
    True
    """
    files = [place] if is_file(place) else [place / name for name in names_in(place)] if is_folder(place) else []
    tables = [table for file in files if file.suffix.lower() in SUFFIXES and is_file(file) and (table := _table(file))]
    return tables[0] if len(tables) == 1 else None


def _table(file: Path) -> Table | None:
    try:
        columns = _columns(file)
        image = next((name for name in IMAGE_COLUMNS if name in columns), None)
        if image is None:
            return None
        tags = next((name for name in TAG_COLUMNS if name in columns), None)
        if tags is not None:
            return Table(path=file, image=image, tags=tags, tag_separator=_separator(file, image, tags))
        flags = tuple(name for name in columns if name not in (image, "split", "id", "label"))
        plain = Table(path=file, image=image, label=None)
        if len(flags) > 1 and _are_flags(_cells(plain, flags)):
            return Table(path=file, image=image, tags=flags)
    except (KerasvisionError, OSError):
        return None
    return None


def _columns(file: Path) -> list[str]:
    if is_parquet(file):
        return list(open_parquet(file).schema_arrow.names)
    with file.open(encoding="utf-8-sig", errors="replace") as opened:
        line = opened.readline(100_000)
    separator = "\t" if file.suffix.lower() == ".tsv" else ","
    return [name.strip().strip('"') for name in line.rstrip("\r\n").split(separator)]


def _cells(table: Table, columns: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """The values of some columns in the first rows."""
    with closing(table.rows(tuple(columns))) as rows:
        yield from (values for _, values in islice(rows, LOOKED_THROUGH))


def _are_flags(rows: Iterator[tuple[object, ...]]) -> bool:
    values = {str(value).strip().lower() for row in rows for value in row}
    return bool(values) and values <= {"0", "1", "0.0", "1.0", "true", "false"}


def _separator(file: Path, image: str, column: str) -> str | None:
    """The first separator whose parts come back in other texts; None for lists, and if no text has several tags."""
    plain = Table(path=file, image=image, label=None)
    texts = [value for (value,) in _cells(plain, [column]) if isinstance(value, str) and not _is_list(value)]
    for separator in SEPARATORS:
        parts = [[part.strip() for part in text.split(separator)] for text in texts]
        joined = [of for of in parts if len(of) > 1]
        names = {name for of in parts for name in of}
        # Parts that come back are tags; the words of sentences, or of two-word names, hardly do.
        if joined and 2 * len(names) <= sum(map(len, parts)):
            return separator
    return None


def _is_list(text: str) -> bool:
    try:
        return text.strip().startswith("[") and isinstance(json.loads(text), list)
    except ValueError:
        return False
