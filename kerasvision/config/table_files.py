"""Reads the rows of a table on disk, CSV, JSONL or Parquet, a few at a time, and reports garbage at its first line.

CSV is read with Python's `csv`, not pandas. The same reader works for planning, which must not import pandas, and for
reading. It also limits the memory that a missing line break or an open quote can take. Parquet is read with pyarrow.
"""

import codecs
import csv
import json
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from kerasvision.config.image_files import opened_file
from kerasvision.config.parquet_batches import open_parquet, row_batches
from kerasvision.errors import ConfigError, DataError
from kerasvision.lookup import did_you_mean

if TYPE_CHECKING:
    from _csv import Reader

    from pyarrow.parquet import ParquetFile

MOST_LINE_BYTES = 1_000_000
ROWS_AT_A_TIME = 1_000
# (number, values) of each row; closing it closes the file.
Rows = Generator[tuple[int, tuple[object, ...]], None, None]

PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})


def is_parquet(path: Path) -> bool:
    """Whether the name of a table says that it is Parquet.

    >>> is_parquet(Path("images.PARQUET")), is_parquet(Path("images.csv"))
    (True, False)
    """
    return path.suffix.lower() in PARQUET_SUFFIXES


def read_csv(path: Path, *, columns: Sequence[str], separator: str) -> Rows:
    """(line number, values of those columns) of every row; the header is checked before this returns.

    Args:
        path: UTF-8 text whose first line names the columns. Quotes within quotes are doubled, as spreadsheets write them.
        columns: the names of the columns to read.
        separator: the character between two values.

    Raises:
        ConfigError: a column is missing or occurs twice.
        DataError: the file is empty or not such a text. Raised while iterating if a row is longer or shorter than the
            header.
    """
    lines = _lines(path)
    # Strict: otherwise an open quote would silently swallow the rows after it.
    rows = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    header = _next_row(rows, path)
    if header is None:
        raise DataError(f"{path} is empty", hint="its first line must name the columns")
    places = column_places([name.strip() for name in header], columns, path)

    def values() -> Rows:
        with closing(lines):  # an error keeps this frame alive, and with it the open file
            while (row := _next_row(rows, path)) is not None:
                if len(row) != len(header):
                    raise DataError(
                        f"{path}, line {rows.line_num}, has {len(row)} values, but the header names {len(header)} columns",
                        hint="put a value that contains the separator in double quotes",
                    )
                yield rows.line_num, tuple(row[place] for place in places)

    return values()


def read_jsonl(path: Path, *, columns: Sequence[str]) -> Rows:
    """(line number, values of those columns) of every line that is not blank, each a JSON object; see `read_csv`.

    Raises:
        ConfigError: the first object lacks a column.
        DataError: the file is empty. Raised while iterating if a line is not a JSON object or lacks a column.
    """
    objects = _objects(path)
    first = next(objects, None)
    if first is None:
        raise DataError(f"{path} is empty", hint="each of its lines must be a JSON object")
    column_places(list(first[1]), columns, path)

    def values() -> Rows:
        with closing(objects):
            for number, one in chain([first], objects):
                missing = [column for column in columns if column not in one]
                if missing:
                    raise DataError(f"{path}, line {number}, has no {missing[0]!r}")
                yield number, tuple(one[column] for column in columns)

    return values()


def column_places(header: Sequence[str], columns: Iterable[str], path: Path) -> list[int]:
    """The position of each column in the header.

    >>> column_places(["image", "label"], ["labels"], Path("birds.csv"))
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: birds.csv has no column 'labels'; did you mean 'label'?
    """
    for column in columns:
        if column not in header:
            known = [name if len(name) <= 60 else name[:60] + "..." for name in header[:40]]
            raise ConfigError(f"{path} has no column {column!r}; {did_you_mean(column, known)}")
        if header.count(column) > 1:
            raise ConfigError(f"{path} has {header.count(column)} columns named {column!r}", hint="rename all but one")
    return [header.index(column) for column in columns]


def holds_bytes(file: "ParquetFile", column: str, path: Path) -> bool:
    """Whether a column contains encoded images, plain or as `{bytes, path}`; False if it contains texts.

    Raises:
        ConfigError: there is no such column, or it contains something else.
    """
    from pyarrow import types

    column_places(file.schema_arrow.names, [column], path)
    kind = file.schema_arrow.field(column).type
    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    values = kind.value_type if types.is_dictionary(kind) else kind
    if any(is_bytes(values) for is_bytes in (types.is_binary, types.is_large_binary, types.is_binary_view)):
        return True
    if any(is_text(values) for is_text in (types.is_string, types.is_large_string, types.is_string_view)):
        return False
    raise ConfigError(f"column {column!r} of {path} must contain paths or encoded images", received=str(kind))


def read_parquet(path: Path, *, columns: Sequence[str]) -> Rows:
    """(row number from 0, values of those columns) of every row, as Python objects; see `read_csv`."""
    import pyarrow

    column_places(open_parquet(path).schema_arrow.names, columns, path)

    def values() -> Rows:
        number = 0
        unique = list(dict.fromkeys(columns))
        try:
            for batch in row_batches(path, unique, most_rows=ROWS_AT_A_TIME, most_value_bytes=MOST_LINE_BYTES):
                for row in zip(*(batch.column(column).to_pylist() for column in columns), strict=True):
                    _refuse_long_values(row, f"{path}, row {number}")
                    yield number, row
                    number += 1
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{path} cannot be read after row {number}: {str(error).splitlines()[0]}") from None

    return values()


def _refuse_long_values(row: tuple[object, ...], where: str) -> None:
    for value in row:
        if isinstance(value, str | bytes) and len(value) > MOST_LINE_BYTES:
            raise DataError(f"{where} has {len(value):,} bytes in a text column", hint="is it the right column?")


def _lines(path: Path) -> Generator[str, None, None]:
    """The lines of a UTF-8 text, each checked first."""
    with opened_file(path) as file:
        number = 0
        while line := file.readline(MOST_LINE_BYTES + 1):
            number += 1
            where = f"{path} is not a table: its line {number}"
            if len(line) > MOST_LINE_BYTES:
                raise DataError(f"{where} is longer than {MOST_LINE_BYTES:,} bytes", hint="save it as CSV or Parquet")
            try:
                yield line.removeprefix(codecs.BOM_UTF8 if number == 1 else b"").decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(f"{where} is not UTF-8 text (byte {error.start})", hint="save it as UTF-8") from None


def _objects(path: Path) -> Generator[tuple[int, dict[str, object]], None, None]:
    """(line number, object) of the lines of a JSONL file."""
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise DataError(f"{path}, line {number}, is not a JSON object", hint='write one per line: {"path": "a.jpg"}')
        yield number, found


def _next_row(rows: "Reader", path: Path) -> list[str] | None:
    """The next row that is not blank; None at the end."""
    try:
        return next((row for row in rows if row), None)
    except csv.Error as error:
        raise DataError(f"{path}, line {rows.line_num}, cannot be read as CSV: {error}") from None
