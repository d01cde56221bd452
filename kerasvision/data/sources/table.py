"""Images that a CSV or Parquet file lists."""

import errno
import json
import threading
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import pyarrow

from kerasvision.config.image_files import is_hopeless
from kerasvision.config.parquet_batches import open_parquet, row_batches
from kerasvision.config.table_files import ROWS_AT_A_TIME, Rows, is_parquet
from kerasvision.config.table_source import Table
from kerasvision.data.numbers import Numbers, same_numbers
from kerasvision.data.records import Record
from kerasvision.data.sources.tag_values import FlagColumns, ListedTags
from kerasvision.data.sources.text import replace_surrogates
from kerasvision.data.sources.values import Labels, UnusableValue, Values
from kerasvision.data.split_names import SPLIT_NAMES, split_of
from kerasvision.errors import DataError
from kerasvision.lookup import did_you_mean


def read_table(settings: Table) -> Iterator[Record]:
    """The images of a table, in the order in which it first names them.

    An image on several rows gets the captions and the tags of all of them. If the rows give it different labels, splits or
    groups, that is a fault of the image and not of the table: one bad row among 100,000 should not stop a run. A value that
    is neither a text nor a whole number, such as 0.5 as a label, is also a fault of the image, and so is a text where a
    number belongs.

    Raises:
        ConfigError: a column is missing or occurs twice.
        DataError: the file does not exist, is not a table or has no rows; a split name is unknown; paths lead nowhere; or a
            column contains other values than texts and numbers, such as dates.
    """
    with closing(_described_rows(settings)) as rows:
        if settings.holds_bytes():
            images = _ParquetImages(settings.path, settings.image)
            empty = True
            for number, row in rows:
                empty = False
                yield _record(f"{number:06d}", partial(images.load, number), row, settings)
        else:
            found = _by_path(settings, rows)
            empty = not found
            for name, row in found.items():
                yield _record(name, settings.images.path(row.path), row, settings)
    if empty:
        raise DataError(f"{settings.path} names its columns, but has no rows")


@dataclass(slots=True)
class _Row:
    """The content of the rows of one image."""

    path: str = ""
    label: str = ""
    split: str | None = None
    group: str = ""
    captions: tuple[str, ...] = ()
    tags: tuple[str, ...] | None = None
    values: dict[str, float] = field(default_factory=dict)
    fault: str = ""

    def add(self, other: "_Row") -> None:
        for part in ("label", "split", "group"):
            mine, others = getattr(self, part), getattr(other, part)
            if mine != others and not self.fault:
                self.fault = f"its rows give it two {part}s: {mine or 'none'!r} and {others or 'none'!r}"
        if not (self.fault or other.fault or same_numbers(self.values, other.values)):
            self.fault = f"its rows give it two values: {self.values} and {other.values}"
        self.fault = self.fault or other.fault
        self.captions += other.captions
        if self.tags is not None:
            self.tags += tuple(tag for tag in other.tags or () if tag not in self.tags)


def _described_rows(settings: Table) -> Generator[tuple[int, _Row], None, None]:
    """(line or row number, its content). If the table contains the images, they are not read."""
    in_table, images = settings.holds_bytes(), settings.images
    columns = settings.columns[1:] if in_table else settings.columns
    readers, bad, first = _ColumnReaders(settings), 0, ""
    with closing(settings.rows(columns) if columns else _numbers(settings.path)) as rows:
        for count, (number, values) in enumerate(rows, start=1):
            cells = dict(zip(columns, values, strict=True))
            row = readers.row(cells, f"row {number}")
            row.path = "" if in_table else images.name(str(cells[settings.image] or ""))
            bad, first = bad + bool(row.fault), first or row.fault
            yield number, row
            if is_hopeless(bad, of=count):
                raise DataError(f"{bad:,} of the first {count:,} rows of {settings.path} cannot be used; the first: {first}")


class _ColumnReaders:
    """Reads every column except the image's as texts or as numbers."""

    def __init__(self, settings: Table) -> None:
        self.settings = settings
        names = _huggingface_names(settings, settings.label)
        # Hugging Face writes -1 for no label.
        self._labels = Labels(_noun(settings, settings.label), names=names, named_in="the file's ClassLabel", missing=-1)
        self._columns = {name: Values(_noun(settings, name)) for name in settings.columns}
        self._numbers = {name: Numbers(_noun(settings, name)) for name in settings.values}
        self._flags = FlagColumns(str(settings.path))
        self._tags = ListedTags(
            _noun(settings, settings.tag_columns[0] if settings.tag_columns else None),
            separator=settings.tag_separator,
            names=_huggingface_names(settings, settings.tags) if isinstance(settings.tags, str) else (),
        )

    def row(self, cells: dict[str, object], where: str) -> _Row:
        """The content of a row; an unusable value is its fault."""
        settings = self.settings
        label, fault = self._labels.read(cells[settings.label], where) if settings.label is not None else ("", "")
        try:
            return _Row(
                label=label,
                split=_split(self._text(settings.split, cells, where), f"{settings.path}, {where}"),
                group=self._text(settings.group, cells, where),
                captions=tuple(text for name in settings.captions for text in self._columns[name].texts(cells[name], where)),
                tags=self._tags_of(cells, where),
                values={name: numbers.number(cells[name], where) for name, numbers in self._numbers.items()},
                fault=fault,
            )
        except UnusableValue as unusable:
            return _Row(label=label, fault=fault or str(unusable))

    def _tags_of(self, cells: dict[str, object], where: str) -> tuple[str, ...] | None:
        """The tags of a row; None if no column has any."""
        columns = self.settings.tag_columns
        if isinstance(self.settings.tags, str):
            return self._tags.read(cells[columns[0]], where)
        return self._flags.read({name: cells[name] for name in columns}, where) if columns else None

    def _text(self, column: str | None, cells: dict[str, object], where: str) -> str:
        return "" if column is None else self._columns[column].text(cells[column], where)


def _noun(settings: Table, column: str | None) -> str:
    return f"column {column!r} of {settings.path}"


def _by_path(settings: Table, rows: Iterator[tuple[int, _Row]]) -> dict[str, _Row]:
    """Name -> the content of the rows of that image. An empty path is named by its line, so that each is reported."""
    images, lost = settings.images, 0
    found: dict[str, _Row] = {}
    faults: dict[str, str] = {}
    first = ""
    for count, (number, row) in enumerate(rows, start=1):
        name = replace_surrogates(row.path) if row.path.strip() else f"row {number}"
        if name in found:
            found[name].add(row)
        else:
            if fault := images.fault(row.path):
                faults[name] = fault
            row.fault = row.fault or fault
            found[name] = row
        # Other faults of rows are counted where the rows are read.
        if name in faults:
            lost, first = lost + 1, first or name
        if is_hopeless(lost, of=count):
            raise DataError(
                f"{lost:,} of the first {count:,} rows of {settings.path} lead to no usable image in {images.root}; the "
                f"first of them has {found[first].path[:100]!r}: {faults[first]}",
                hint="set source.root to the folder that the paths start from",
            )
    return found


def _record(name: str, content: Path | Callable[[], bytes], row: _Row, settings: Table) -> Record:
    no_label = "no label" if settings.label is not None and not row.label else ""
    fault, values = row.fault or no_label, row.values or None
    return Record(name, content, row.label, row.split, row.group, row.captions, fault=fault, tags=row.tags, values=values)


def _split(name: str, where: str) -> str | None:
    split = split_of(name)
    if name and split is None:
        raise DataError(f"{where}: no split is named {name!r}; {did_you_mean(name, SPLIT_NAMES)}")
    return split


def _huggingface_names(settings: Table, column: str | None) -> list[str]:
    """The class names that Hugging Face stores for a column of numbers, or of lists of them; [] if there are none."""
    if column is None or not is_parquet(settings.path):
        return []
    metadata = open_parquet(settings.path).schema_arrow.metadata or {}
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        found = features[column]
        found = found[0] if isinstance(found, list) else found.get("feature", found)
        names = found["names"]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return []
    return [replace_surrogates(name) for name in names]


def _numbers(path: Path) -> Rows:
    return ((number, ()) for number in range(open_parquet(path).metadata.num_rows))


class _HuggingFaceImage(TypedDict):
    """Hugging Face's format for an image in a table."""

    bytes: "bytes | None"
    path: NotRequired[str | None]


Cell = bytes | _HuggingFaceImage | None
_NO_CELLS = pyarrow.array([], pyarrow.binary())


class _ParquetImages:
    """The images in a Parquet column, read on demand, fastest in order. Only some rows are in memory at a time.

    Other rows than the next ones are read from the beginning of their row group.
    """

    def __init__(self, path: Path, column: str) -> None:
        self._path, self._column = path, column
        self._batches: Iterator[pyarrow.RecordBatch] | None = None
        self._first, self._cells = 0, _NO_CELLS
        # Row group -> its first row that cannot be read, and why.
        self._damaged: dict[int, tuple[int, str]] = {}
        self._starts: list[int] = []
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process reads the same column, and keeps its place in the file between two rows."""
        return _images_of, (self._path, self._column)

    def load(self, row: int) -> bytes:
        with self._lock:
            value = self._readable_cell(row)
        data = value["bytes"] if isinstance(value, dict) else value
        if data is None:
            raise OSError(errno.ENODATA, "the row has no bytes")
        return data

    def _readable_cell(self, row: int) -> Cell:
        """The cell. After a damaged place every row of its group raises the same error, without reading up to it again."""
        self._starts = self._starts or _group_starts(self._path)
        group = self._group(row)
        damaged = self._damaged.get(group)
        if damaged is None or row < damaged[0]:
            try:
                return self._cell(row, group)
            except (pyarrow.ArrowException, DataError, OSError) as error:
                self._batches = None
                damaged = self._damaged[group] = self._first + len(self._cells), str(error).splitlines()[0]
        raise OSError(errno.EIO, f"the table is damaged after row {damaged[0]}: {damaged[1]}")

    def _group(self, row: int) -> int:
        """The row group of a row."""
        return bisect_right(self._starts, row) - 1

    def _cell(self, row: int, group: int) -> Cell:
        if self._batches is None or row < self._first or group > self._group(self._first + len(self._cells)):
            self._first, self._cells = self._starts[group], _NO_CELLS
            most_rows = ROWS_AT_A_TIME // 10
            self._batches = row_batches(self._path, [self._column], most_rows=most_rows, first_group=group)
        while row >= self._first + len(self._cells):
            batch = next(self._batches)
            self._first, self._cells = self._first + len(self._cells), batch.column(0)
        cell: Cell = self._cells[row - self._first].as_py()
        return cell


@lru_cache(maxsize=1)
def _images_of(path: Path, column: str) -> _ParquetImages:
    return _ParquetImages(path, column)


def _group_starts(path: Path) -> list[int]:
    """The first row of each row group."""
    about = open_parquet(path).metadata
    counts = [about.row_group(number).num_rows for number in range(about.num_row_groups)]
    return list(accumulate(counts[:-1], initial=0))
