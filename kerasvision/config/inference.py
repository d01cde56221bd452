"""Which image files a saved model is asked about: files, folders and tables, listed one by one, always in the same order."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from kerasvision.config.base import Config
from kerasvision.config.image_files import ImageFiles
from kerasvision.config.listing import EMPTY, is_file, is_folder, list_folder, printable
from kerasvision.config.parquet_batches import open_parquet
from kerasvision.config.table_files import holds_bytes, is_parquet, read_csv, read_jsonl, read_parquet
from kerasvision.errors import ConfigError, DataError

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson"})
# The columns that are tried, in this order, where none is named.
PATH_COLUMNS = ("path", "image", "file")


@dataclass(frozen=True)
class Listed:
    """An image file that is asked for.

    Attributes:
        name: what it is called in the answer: its path below the folder, or as the table writes it.
        path: where it lies.
        fault: why it must not be opened; empty where it may.
    """

    name: str
    path: Path
    fault: str = ""


class Predict(Config):
    """Images that the model answers for, once it is blessed: a folder, or a table with a column of paths.

    Of a folder every visible file is taken for an image, its folders' too, also behind links. A table (CSV, TSV, Parquet,
    JSONL) holds paths relative to its own folder or to `images`, or whole paths below it; a path that leads out of it is a
    fault of that row, and is never opened.
    """

    locations: ClassVar[frozenset[str]] = frozenset({"path", "images"})

    path: Path
    column: str | None = Field(default=None, description="of a table, the column of paths; else path, image or file")
    images: Path | None = Field(default=None, description="where a table's paths start; else the table's own folder")
    recursive: bool = Field(default=True, description="look into the folders of a folder too")
    top: int | None = Field(default=None, ge=1, description="how many of the best labels; else as many as the model gives")
    batch_size: int = Field(default=32, ge=1, le=4096)
    max_pixels: int = Field(default=100_000_000, ge=1, description="refuse larger images by their header, undecoded")

    def listed(self) -> Iterator[Listed]:
        """Every image, in order; the same on each call while nothing on the disk changes.

        Raises:
            ConfigError: a table has no such column, or holds no paths.
            DataError: there is no such file or folder, nothing in it, or a table that is none.
        """
        is_empty = True
        for found in self._listed():
            is_empty = False
            yield found
        if is_empty:
            raise DataError(f"{self.path} holds no files to predict", hint="name a folder of images, or a table of paths")

    def files(self) -> Iterator[tuple[str, Path]]:
        """The table, and every image that may be opened."""
        if is_table(self.path) and is_file(self.path):
            yield self.path.name, self.path
        seen = set()
        for image in self.listed():
            if not image.fault and image.name not in seen and is_file(image.path):
                seen.add(image.name)
                yield f"images/{printable(image.name)}", image.path

    def _listed(self) -> Iterator[Listed]:
        if is_folder(self.path):
            yield from _folder(self.path, recursive=self.recursive)
        elif not is_file(self.path):
            raise DataError(f"there is no file or folder {self.path} (looked in {Path.cwd()})")
        elif is_table(self.path):
            images = ImageFiles(self.images if self.images is not None else self.path.parent)
            for cell in _cells(self.path, self.column):
                name = images.name(cell)
                yield Listed(cell, images.path(name), images.fault(name))
        else:
            yield Listed(self.path.name, self.path)


def asked_for(
    what: Iterable[Path], *, column: str | None = None, images: Path | None = None, recursive: bool = True
) -> Iterator[Listed]:
    """The images of several files, folders and tables, one after the other; a folder's bear its name before theirs.

    A file that is not there is listed: asking about it says so, and does not disturb the others.

    Args:
        what: files, folders and tables.
        column, images, recursive: as in `Predict`.

    Raises:
        ConfigError, DataError: as `Predict.listed` does.
    """
    for path in what:
        if is_folder(path):
            for image in Predict(path=path, recursive=recursive).listed():
                yield replace(image, name=str(path / image.name))
        elif is_table(path):
            yield from Predict(path=path, column=column, images=images).listed()
        else:
            yield Listed(str(path), path)


def is_table(path: Path) -> bool:
    """Whether the name of a file says that it is a table.

    >>> is_table(Path("photos.CSV")), is_table(Path("photo.png"))
    (True, False)
    """
    return path.suffix.lower() in TABLE_SUFFIXES


def _folder(folder: Path, *, recursive: bool) -> Iterator[Listed]:
    """The visible files below a folder, by name. Pipes and links to nowhere too: reading them says what they are."""
    for found in list_folder(folder, recursive=recursive):
        if found.fault != EMPTY:
            yield Listed(str(folder) if found.name == "." else found.name, found.path, found.fault)


def _cells(path: Path, column: str | None) -> Iterator[str]:
    """The column of paths of a table."""
    read = _reader(path)
    for name in (column,) if column is not None else PATH_COLUMNS:
        try:
            rows = read(name)
        except ConfigError:
            if name == column:
                raise
            continue
        return (str(value if value is not None else "") for _, (value,) in rows)
    raise ConfigError(
        f"{path} must have a column {', '.join(PATH_COLUMNS[:-1])} or {PATH_COLUMNS[-1]}",
        hint="say which column holds the paths: --column NAME, or predict.column",
    )


def _reader(path: Path) -> Callable[[str], Iterator[tuple[int, tuple[object, ...]]]]:
    """Column name -> (line or row, (value,)) of each row."""
    if is_parquet(path):
        return lambda column: _parquet_paths(path, column)
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return lambda column: read_jsonl(path, columns=(column,))
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    return lambda column: read_csv(path, columns=(column,), separator=separator)


def _parquet_paths(path: Path, column: str) -> Iterator[tuple[int, tuple[object, ...]]]:
    rows = read_parquet(path, columns=(column,))
    if holds_bytes(open_parquet(path), column, path):
        raise DataError(f"column {column!r} of {path} holds images, and must hold paths", hint="write the images to files")
    return rows
