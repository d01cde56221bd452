"""The names of the numbers, or of the colours, in label maps: from the settings, or from a CSV file."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from kerasvision.config.image_files import existing_file
from kerasvision.config.map_sources import COLOUR, Masks, table_header
from kerasvision.config.table_files import read_csv
from kerasvision.data.records import class_name
from kerasvision.data.sources.map_files import Colours, packed
from kerasvision.errors import DataError

MOST_NUMBER = 65_535
_MARKS = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}


class MapNames(NamedTuple):
    """What the numbers of label maps mean.

    Attributes:
        names: number -> class name, in the order of the classes; None if every number is its own name.
        ignored: the numbers that say nothing.
        colours: the number of each colour, for colour PNG; otherwise None.
    """

    names: Mapping[int, str] | None
    ignored: frozenset[int]
    colours: Colours | None = None


class _Row(NamedTuple):
    """A row of a table: the number or the colour as one number, its class name, and whether it is ignored."""

    key: int
    name: str
    ignored: bool


def map_names(settings: Masks) -> MapNames:
    """The names that the settings give.

    Raises:
        DataError: the table cannot be read, names nothing, or names a number twice.
    """
    if settings.table is not None:
        return _names_in(existing_file(settings.table, field="table"), settings.ignored)
    if settings.class_names is None:
        return MapNames(None, frozenset(settings.ignored))
    names = dict(enumerate(map(class_name, settings.class_names)))
    return MapNames(names, frozenset(settings.ignored) - names.keys())


def _names_in(table: Path, ignored: Sequence[int]) -> MapNames:
    header, separator = table_header(table)
    of_colours = "id" not in header
    columns = [*(COLOUR if of_colours else ("id",)), "name", *(["ignored"] if "ignored" in header else [])]
    rows = list(_rows(table, columns, separator=separator))
    _refuse_repeated(rows, table, of_colours=of_colours)
    if not any(not row.ignored for row in rows):
        raise DataError(f"{table} must name at least one class", received=f"{len(rows)} rows")
    if of_colours:
        # The rows number the classes: a colour is not a number.
        colours = {row.key: number for number, row in enumerate(rows)}
        named = {number: row.name for number, row in enumerate(rows) if not row.ignored}
        return MapNames(named, frozenset(colours.values()) - named.keys(), colours)
    named = {row.key: row.name for row in sorted(rows) if not row.ignored}
    return MapNames(named, (frozenset(ignored) | {row.key for row in rows if row.ignored}) - named.keys())


def _rows(table: Path, columns: Sequence[str], *, separator: str) -> Iterator[_Row]:
    with closing(read_csv(table, columns=columns, separator=separator)) as rows:
        for line, values in rows:
            where = f"{table}, line {line},"
            of = dict(zip(columns, (str(value).strip() for value in values), strict=True))
            mark = of.get("ignored", "").lower()
            if mark not in _MARKS:
                raise DataError(f"{where} must have 0 or 1 as ignored", received=mark)
            name = class_name(of["name"])
            if not name and not _MARKS[mark]:
                raise DataError(f"{where} must have a name, or 1 as ignored", received=of)
            if "id" in of:
                key = _number(of["id"], where, most=MOST_NUMBER)
            else:
                key = packed(*(_number(of[channel], where, most=255) for channel in COLOUR))
            yield _Row(key, name, _MARKS[mark])


def _number(text: str, where: str, *, most: int) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 6 or int(text) > most:
        raise DataError(f"{where} must have a whole number from 0 to {most:,}", received=text)
    return int(text)


def _refuse_repeated(rows: Sequence[_Row], table: Path, *, of_colours: bool) -> None:
    seen: set[int] = set()
    for row in rows:
        if row.key in seen:
            what = "colour" if of_colours else "number"
            raise DataError(f"{table} must name each {what} once", received=f"the {what} of {row.name!r} twice")
        seen.add(row.key)
