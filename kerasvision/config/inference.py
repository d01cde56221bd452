"""Lists the image files to predict from files, folders and tables, one by one, always in the same order."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from pydantic import Field, model_validator

from kerasvision.config.base import Config
from kerasvision.config.image_files import ImageFiles
from kerasvision.config.listing import EMPTY, is_file, is_folder, list_folder, printable
from kerasvision.config.parquet_batches import open_parquet
from kerasvision.config.table_files import holds_bytes, is_parquet, read_csv, read_jsonl, read_parquet
from kerasvision.errors import ConfigError, DataError

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson"})
# The columns that are tried, in this order, if none is named.
PATH_COLUMNS = ("path", "image", "file")


@dataclass(frozen=True)
class Listed:
    """An image file to predict.

    Attributes:
        name: its name in the answer: its path below the folder, or as the table writes it.
        path: of the file.
        fault: why it must not be opened; empty if it may.
    """

    name: str
    path: Path
    fault: str = ""


class Predict(Config):
    """Images to predict once the model is blessed: a folder, or a table with a column of paths.

    In a folder, every visible file counts as an image, including those in subfolders and behind links. A table (CSV, TSV,
    Parquet, JSONL) contains paths relative to its own folder or to `images`, or absolute paths below that folder. A path
    that leads out of it is a fault of that row, and is never opened.
    """

    locations: ClassVar[frozenset[str]] = frozenset({"path", "images"})

    path: Path = Field(description="an image, a folder of images, or a table with a column of paths")
    column: str | None = Field(default=None, description="the table's column of paths; by default path, image or file")
    images: Path | None = Field(default=None, description="the folder of a table's paths; by default the table's own")
    recursive: bool = Field(default=True, description="also predict the images in subfolders")
    top: int | None = Field(default=None, ge=1, description="how many of the best labels; by default all from the model")
    each: bool = Field(default=False, description="write a row for each object or class of pixels, instead of each image")
    least_score: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="leave out objects with a lower score, and classes of a smaller share of the pixels",
    )
    pictures: bool = Field(default=False, description="also draw each answer over its image")
    maps: bool = Field(
        default=False, description="also write the class of each pixel as a PNG of the size of the image; 255: unknown"
    )
    tiles: int | None = Field(
        default=None,
        ge=0,
        description="for classes of pixels: cut each image into tiles of the network's size, which overlap by this many "
        "pixels; None: make each image as small as the network's",
    )
    batch_size: int = Field(default=32, ge=1, le=4096, description="images per call of the model")
    max_pixels: int = Field(default=100_000_000, ge=1, description="reject images whose header says that they are larger")

    @model_validator(mode="after")
    def _names_a_column_of_a_table(self) -> "Predict":
        for name in ("column", "images"):
            if getattr(self, name) is not None and not is_table(self.path):
                raise ValueError(
                    f"{name} requires a path that ends in one of {', '.join(sorted(TABLE_SUFFIXES))}; "
                    f"received {name}={str(getattr(self, name))!r}, path={str(self.path)!r}"
                )
        return self

    def listed(self) -> Iterator[Listed]:
        """Every image, in order; the same on each call unless the disk changes.

        Raises:
            ConfigError: a table has no such column, or the column does not contain paths.
            DataError: the file or folder does not exist or is empty, or a table cannot be read.
        """
        is_empty = True
        for found in self._listed():
            is_empty = False
            yield found
        if is_empty:
            raise DataError(f"{self.path} has no files to predict", hint="name a folder of images, or a table of paths")

    def files(self) -> Iterator[tuple[str, Path]]:
        """The table, and every image that may be opened."""
        if is_table(self.path) and is_file(self.path):
            yield self.path.name, self.path
        seen = set()
        for image in self.listed():
            if not image.fault and image.name not in seen and is_file(image.path):
                seen.add(image.name)
                yield f"images/{printable(image.name)}", image.path

    def check_answers(self, parts: frozenset[str] | None) -> None:
        """Raises ConfigError for a setting that requires other answers than a task gives.

        Args:
            parts: see `kerasvision.config.tasks.Task.answer_parts`; None if they are not known.

        >>> Predict(path="photos", tiles=32).check_answers(frozenset())
        Traceback (most recent call last):
        ...
        kerasvision.errors.ConfigError: predict.tiles requires a task that answers with a class for each pixel; received 32.
        Leave predict.tiles out.
        """
        asked = {"each": "places", "least_score": "places", "pictures": "places", "maps": "maps", "tiles": "maps"}
        for name, part in asked.items():
            value = getattr(self, name)
            if parts is not None and part not in parts and value != type(self).model_fields[name].default:
                answers = {"places": "places in the image", "maps": "a class for each pixel"}[part]
                raise ConfigError(
                    f"predict.{name} requires a task that answers with {answers}",
                    received=value,
                    hint=f"leave predict.{name} out",
                )

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
    """The images of several files, folders and tables, one after the other. Names from a folder begin with that folder.

    A missing file is listed too: predicting it reports the fault and does not affect the others.

    Args:
        what: files, folders and tables.
        column, images, recursive: as in `Predict`.

    Raises:
        ConfigError, DataError: see `Predict.listed`.
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
    """The visible files below a folder, by name, including pipes and broken links: reading them reports the fault."""
    for found in list_folder(folder, recursive=recursive):
        if found.fault != EMPTY:
            yield Listed(str(folder) if found.name == "." else found.name, found.path, found.fault)


def _cells(path: Path, column: str | None) -> Iterator[str]:
    """The paths in a table."""
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
        hint="say which column contains the paths: --column NAME, or predict.column",
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
        raise DataError(
            f"column {column!r} of {path} must contain paths; it contains images", hint="write the images to files"
        )
    return rows
