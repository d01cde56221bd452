"""Images that a table names: CSV, TSV or Parquet."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from kerasvision.config.image_files import ImageFiles, existing_file, is_hopeless
from kerasvision.config.parquet_batches import open_parquet
from kerasvision.config.sources import LABELS_ONLY, AnnotationKind, Source
from kerasvision.config.table_files import Rows, holds_bytes, is_parquet, read_csv, read_parquet
from kerasvision.errors import KerasvisionError


class Table(Source):
    """A table of images: CSV, TSV or Parquet, with one row per image and the column names in its first line.

    The image column contains paths relative to the table's own folder or to `root`, or absolute paths below that folder. In
    Parquet, it may contain the encoded bytes instead, plain or as Hugging Face writes them (`{bytes, path}`). If several
    rows have the same image, it is one image with the captions of all of them. A path that leads out of the folder is a
    fault of that image, and is never opened. Images in `root` without a row are ignored: a table is a selection, often one
    of several from one folder, and listing that folder could take longer than reading the images.

    A number is written with a decimal point; an empty cell, NA or NaN means that it is missing. Anything else in its column
    is a fault of that image.

    A label is one text or one integer, and so is a group. Bytes are read as UTF-8. Lists are read as class numbers if all
    of them are one-hot.

    `tags="tags"` reads any number of tags from one column: from the lists of Parquet, or from texts, which `tag_separator`
    parts. A text may also be a JSON list, such as `["sea;side", "sun"]`, whose names may contain the separator. Several rows
    of one image give it the tags of all of them. `tags=("sea", "sun")` reads a column for each tag, with 1 or 0 (true or
    false) for each image. An image without any tag is used. With tags or `values`, no label is read unless `label` is set.

    >>> Table(path="photos.csv", tags="tags", tag_separator=";").label is None
    True
    """

    implementation: ClassVar[str] = "kerasvision.data.sources.table:read_table"
    locations: ClassVar[frozenset[str]] = frozenset({"path", "root"})

    path: Path = Field(description="the CSV, TSV or Parquet file")
    image: str = Field(default="image", description="the column with the paths or the bytes")
    label: str | None = Field(default="label", description="the column with the class name; None: the images have no labels")
    split: str | None = Field(default=None, description="the column with the split; `splits` decides for empty cells")
    group: str | None = Field(default=None, description="the column that says which images share a split")
    captions: tuple[str, ...] = Field(default=(), description="columns with captions; in Parquet also lists of them")
    values: tuple[str, ...] = Field(default=(), description="columns with numbers, such as an age; an empty cell: missing")
    tags: str | Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="the column with the tags of each image, or the columns that are tags and hold 0 or 1",
    )
    tag_separator: str | None = Field(
        default=None, min_length=1, description="between two tags of a text, such as ';'; None: a text is one tag"
    )
    root: Path | None = Field(default=None, description="the folder that the paths start from; None: the table's own")
    separator: str | None = Field(
        default=None, min_length=1, max_length=1, description="between two values; None: a tab in .tsv, a comma elsewhere"
    )

    def way_to(self, what: AnnotationKind) -> str:
        """Labels, tags, captions and numbers need the name of their column; nothing else is read."""
        field = {"labels": "label", "tags": "tags", "captions": "captions", "values": "values"}.get(what)
        if field is None:
            return LABELS_ONLY[what]
        return "" if getattr(self, field) else f"set source.{field} to the column that contains the {what}"

    def parts_tags(self) -> bool | None:
        """Whether there is a separator for the texts of one column; None without such a column."""
        return self.tag_separator is not None if isinstance(self.tags, str) else None

    def named_values(self) -> tuple[str, ...]:
        """The columns of `values`."""
        return self.values

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns to read: image, then label, split and group if they are set, then captions, tags and values."""
        single = (name for name in (self.label, self.split, self.group) if name is not None)
        return tuple(dict.fromkeys((self.image, *single, *self.captions, *self.tag_columns, *self.values)))

    @property
    def tag_columns(self) -> tuple[str, ...]:
        """The columns of the tags."""
        return (self.tags,) if isinstance(self.tags, str) else self.tags or ()

    @model_validator(mode="before")
    @classmethod
    def _no_label_unless_it_is_named(cls, data: object) -> object:
        # So a table of tags or numbers needs no column "label".
        if isinstance(data, dict) and (data.get("tags") is not None or data.get("values")):
            return {"label": None, **data}
        return data

    @model_validator(mode="after")
    def _each_tag_and_value_has_a_column(self) -> "Table":
        if self.tag_separator is not None and not isinstance(self.tags, str):
            raise ValueError(f"tag_separator requires tags='COLUMN', one column of texts; received tags={self.tags!r}")
        if self.separator is not None and is_parquet(self.path):
            raise ValueError(f"separator is for a text file, and {self.path.name} is Parquet; received {self.separator!r}")
        if len(set(self.tag_columns)) < len(self.tag_columns):
            raise ValueError(f"tags must name each column once; received {self.tags!r}")
        if len(set(self.values)) < len(self.values):
            raise ValueError(f"values must name each column once; received {self.values!r}")
        return self

    @property
    def images(self) -> ImageFiles:
        """The folder that the paths start from."""
        return ImageFiles(self.root if self.root is not None else self.path.parent)

    def rows(self, columns: tuple[str, ...]) -> Rows:
        """(line of a text file or row of a Parquet file, values) of every row.

        Raises:
            ConfigError: a column is missing or occurs twice.
            DataError: the file does not exist, or is not a table.
        """
        existing_file(self.path, field="path")
        if is_parquet(self.path):
            return read_parquet(self.path, columns=columns)
        separator = self.separator or ("\t" if self.path.suffix.lower() == ".tsv" else ",")
        return read_csv(self.path, columns=columns, separator=separator)

    def holds_bytes(self) -> bool:
        """Whether the table contains the images themselves.

        Raises:
            ConfigError: the image column contains neither paths nor bytes.
        """
        if not is_parquet(self.path):
            return False
        return holds_bytes(open_parquet(existing_file(self.path, field="path")), self.image, self.path)

    def files(self) -> Iterator[tuple[str, Path]]:
        """The table, and each image that it names. The list ends at a row that cannot be read; reading reports it."""
        rows = self.rows(self.columns)
        yield self.path.name, self.path
        if self.holds_bytes():
            return
        images, is_good, bad = self.images, {}, 0
        try:
            for count, (_, (image, *_)) in enumerate(rows, start=1):
                name = images.name(str(image or ""))
                if name not in is_good:
                    is_good[name] = not images.fault(name)
                    if is_good[name]:
                        yield name, images.path(name)
                bad += not is_good[name]
                if is_hopeless(bad, of=count):
                    return
        except KerasvisionError:
            return
