"""Which table lists images with numbers to learn: a column of paths, and columns that are clearly numbers."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from kerasvision.config.image_files import names_in, opened_file
from kerasvision.config.listing import is_file
from kerasvision.config.table_files import MOST_LINE_BYTES, read_csv
from kerasvision.config.table_source import Table
from kerasvision.errors import ConfigError, DataError

SUFFIXES = {".csv": ",", ".tsv": "\t"}
# Usual names of the column of paths, and of columns that count rows.
PATH_NAMES = ("image", "path", "file", "filename", "file_name")
COUNTERS = frozenset({"", "id", "index", "idx", "number", "no", "unnamed: 0"})
SPLIT, GROUP = "split", "group"
# The rows that are looked at, and how many of their paths must lead to a file.
LOOKED_AT, LEAST_FOUND = 1_000, 0.9
# From this many different values on, fractions are numbers to estimate, and whole numbers only from the second on: fewer
# could be grades, which are classes.
LEAST_FRACTIONS, LEAST_WHOLE = 10, 30
_EMPTY = frozenset({"", "na", "n/a", "nan", "null", "none"})


def table_of_numbers(place: Path) -> Table | None:
    """The source for a CSV or TSV file, or for a folder with exactly one; None if it lists no images with numbers."""
    with suppress(ConfigError, DataError, OSError):
        files = [place] if is_file(place) else [place / name for name in names_in(place)]
        tables = [file for file in files if file.suffix.lower() in SUFFIXES and is_file(file)]
        return _table(tables[0]) if len(tables) == 1 else None
    return None


def is_number_column(cells: Sequence[str]) -> bool:
    """Whether a column of texts is clearly one of numbers to estimate: with many different values.

    >>> is_number_column([f"{number / 7:.3f}" for number in range(12)]), is_number_column(["1", "2", "3"] * 9)
    (True, False)
    >>> is_number_column([str(number) for number in range(20, 70)]), is_number_column(["red", "blue"] * 30)
    (True, False)
    """
    known = [cell.strip() for cell in cells if cell.strip().lower() not in _EMPTY]
    try:
        different = {float(cell) for cell in known}
    except ValueError:
        return False
    are_whole = all(number.is_integer() for number in different if number == number)
    return len(different) >= (LEAST_WHOLE if are_whole else LEAST_FRACTIONS)


def _table(file: Path) -> Table | None:
    separator = SUFFIXES[file.suffix.lower()]
    header = _header(file, separator)
    names = {name.lower(): name for name in header}
    image = next((names[name] for name in PATH_NAMES if name in names), None)
    if image is None or len(set(header)) < len(header):
        return None
    others = [name for name in header if name != image and name.lower() not in COUNTERS]
    rows = [row for _, row in islice(read_csv(file, columns=(image, *others), separator=separator), LOOKED_AT)]
    columns = {name: [str(row[place]) for row in rows] for place, name in enumerate((image, *others))}
    values = tuple(name for name in others if is_number_column(columns[name]))
    parts = {part: names[part] for part in (SPLIT, GROUP) if part in names and names[part] not in values}
    table = Table(path=file, image=image, label=None, values=values, split=parts.get(SPLIT), group=parts.get(GROUP))
    found = sum(not table.images.fault(table.images.name(path)) for path in columns[image])
    return table if values and rows and found >= LEAST_FOUND * len(rows) else None


def _header(file: Path, separator: str) -> list[str]:
    with opened_file(file) as opened:
        line = opened.readline(MOST_LINE_BYTES).decode("utf-8-sig", "replace")
    return [name.strip().strip('"') for name in line.rstrip("\r\n").split(separator)]
