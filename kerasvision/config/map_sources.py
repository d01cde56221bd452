"""A source of images with label maps: PNG files that say which class each pixel has."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

from pydantic import Field, model_validator

from kerasvision.config.image_files import existing_file, existing_folder, names_in, opened_file
from kerasvision.config.listing import is_folder, list_files
from kerasvision.config.sources import LABELS_ONLY, AnnotationKind, Source
from kerasvision.config.split_lists import split_lists
from kerasvision.errors import DataError

# The columns of a table of colours.
COLOUR = ("r", "g", "b")


class FolderPair(NamedTuple):
    """A folder of images and the folder of their maps.

    Attributes:
        prefix: what the names of its images begin with: "", or a folder such as "train/".
        images: the folder of the images.
        masks: the folder of the maps.
    """

    prefix: str
    images: Path
    masks: Path


class Masks(Source):
    """A folder of images, and a folder of label maps: one PNG for each image, which says which class each pixel has.

    `masks/train/1.png` is the map of `images/train/1.jpg`. The folder `train` makes a split, as in `ImageFolder`; without
    such folders, `splits` decides. The split folders may also stand above: `train/images/1.jpg` and `train/masks/1.png`. A
    map has the size of its image. If EXIF turns the image and not the map, the map is turned with it.

    A pixel of a map is a class number: the grey value of a PNG of 1 to 16 bits, or a place in the palette of a palette PNG.
    `class_names` or `table` names the numbers; without both, a number is named by its digits. A `table` with the columns
    `id` and `name` is for numbers with gaps; one with the columns `r`, `g`, `b` and `name` is for colour PNG. Its column
    `ignored` may mark rows with 1: these pixels say nothing, as those with a number in `ignored`. Several rows with one name
    are one class.

    Pascal VOC: `Masks(path="VOC2012", images="JPEGImages", masks="SegmentationClass", lists="ImageSets/Segmentation")`.
    Cityscapes: `images="leftImg8bit"`, `masks="gtFine"`, `image_suffix="_leftImg8bit"`, `mask_suffix="_gtFine_labelIds"`.

    An image is left out and named if it has no map, or if its map cannot be used: it has another size than the image, it has
    a number or colour without a name, every pixel says nothing, or it is a JPEG, whose compression invents numbers.
    """

    implementation: ClassVar[str] = "kerasvision.data.sources.masks:read_masks"
    locations: ClassVar[frozenset[str]] = frozenset({"path", "table"})

    path: Path = Field(description="the folder that contains the images and the maps")
    images: str = Field(default="images", min_length=1, description="the folder of the images, below `path`")
    masks: str = Field(default="masks", min_length=1, description="the folder of the maps, below `path`")
    image_suffix: str = Field(default="", description="what follows the shared part of the name of an image, such as _photo")
    mask_suffix: str = Field(default="", description="what follows the shared part of the name of its map, such as _mask")
    class_names: tuple[str, ...] | None = Field(default=None, min_length=1, description="names of the numbers 0, 1, ...")
    table: Path | None = Field(default=None, description="a CSV with the names of numbers, or of colours")
    ignored: tuple[int, ...] = Field(
        default=(255,), description="numbers that say nothing about a pixel, unless `class_names` or `table` names them"
    )
    lists: str | None = Field(
        default=None, description="the folder of train.txt and the others, below `path`; other images are left out"
    )

    @model_validator(mode="after")
    def _one_place_for_the_names(self) -> "Masks":
        if self.class_names is not None and self.table is not None:
            raise ValueError("class_names and table both name the classes; set one of them")
        return self

    def way_to(self, what: AnnotationKind) -> str:
        """These images have label maps only."""
        return "" if what == "label_maps" else LABELS_ONLY.get(what, "read labels through ImageFolder or Table")

    def pairs(self) -> list[FolderPair]:
        """The folders of images and maps: one pair, or one in each split folder.

        Raises:
            DataError: there are no such folders.
        """
        root = existing_folder(self.path)
        found = [
            FolderPair(prefix, root / prefix / self.images, root / prefix / self.masks)
            for prefix in ("", *(f"{name}/" for name in names_in(root)))
            if is_folder(root / prefix / self.images) and is_folder(root / prefix / self.masks)
        ]
        if not found:
            raise DataError(
                f"{root} must contain a folder {self.images} with images and a folder {self.masks} with their maps",
                received=", ".join(names_in(root)[:10]) or "an empty folder",
                hint="set source.images and source.masks to the names of the two folders",
            )
        # A folder of its own comes before those in split folders, which may be something else then.
        return found[:1] if not found[0].prefix else found

    def split_lists(self) -> list[Path]:
        """The lists of the splits; empty if `lists` is not set.

        Raises:
            DataError: `lists` is set, and the folder has none.
        """
        if self.lists is None:
            return []
        if not (found := split_lists(self.path / self.lists)):
            raise DataError(
                f"{self.path / self.lists} has no train.txt, val.txt, test.txt or trainval.txt",
                hint="set source.lists to the folder of these files, or to None",
            )
        return found

    def files(self) -> Iterator[tuple[str, Path]]:
        """The table, the lists, and every visible file in the folders of the images and the maps."""
        if self.table is not None:
            yield f"table/{self.table.name}", existing_file(self.table, field="table")
        for one in self.split_lists():
            yield f"{self.lists}/{one.name}", one
        for prefix, images, masks in self.pairs():
            for name, folder in ((self.images, images), (self.masks, masks)):
                for file, path in list_files(folder):
                    yield f"{prefix}{name}/{file}", path


def table_header(table: Path) -> tuple[list[str], str]:
    """The names of the columns of a table of class names, and the character between two values.

    Raises:
        DataError: the file cannot be read, or its first line does not have these columns.
    """
    with opened_file(table) as file:
        first = file.readline(1000).decode("utf-8-sig", "replace")
    separator = "\t" if "\t" in first else ";" if ";" in first else ","
    # Splitting at line ends keeps a file with the line ends of old Macs to its first line.
    header = [name.strip() for name in next(csv.reader(first.splitlines()[:1], delimiter=separator), [])]
    if "name" not in header or not ("id" in header or set(COLOUR) <= set(header)):
        raise DataError(
            f"{table} must have the columns id and name, or r, g, b and name, and perhaps ignored",
            received=", ".join(header)[:200],
        )
    return header, separator
