"""Images with boxes or polygons in YOLO's text files; see `kerasvision.config.box_sources.Yolo` for the form."""

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kerasvision.config.box_sources import Yolo
from kerasvision.config.listing import Found, is_file, is_folder, list_folder, printable
from kerasvision.config.yolo_files import NAMES_FILE, YoloData, YoloImage, label_name, yolo_images, yolo_lists
from kerasvision.data.inspecting.headers import upright_size
from kerasvision.data.records import LINKED_OUT, TWO_SPLITS, UNLISTED, Object, Record
from kerasvision.data.sources.largest import largest_class
from kerasvision.data.sources.text import replace_surrogates
from kerasvision.data.sources.values import UnusableValue
from kerasvision.data.sources.yolo_rows import AboveOne, parse_row
from kerasvision.errors import DataError
from kerasvision.shortened import shortened

# A few rows of a wrong unit are faults of their images; if most of the first files have such rows, the data set has them.
ENOUGH_FILES, LEAST_FILES = 100, 2


@dataclass
class _Units:
    """Counts the label files whose numbers are too large for shares, so that a whole data set in pixels is one error."""

    file: Path
    files: int = 0
    in_pixels: int = 0
    first: str = ""

    def refuse_pixels(self) -> None:
        """Raises DataError if most of the files are in pixels."""
        if self.in_pixels < LEAST_FILES or 2 * self.in_pixels <= self.files:
            return
        raise DataError(
            f"{self.file}: the numbers after the class must be shares of the image's sides, in [0, 1]; of the first "
            f"{self.files:,} label files with rows, {self.in_pixels:,} have larger numbers. The first: {self.first}",
            hint="divide x and width by the image's width, y and height by its height",
        )


def read_yolo(settings: Yolo) -> Iterator[Record]:
    """The images of each split; then images that no list names, and label files without an image, each with a fault.

    Raises:
        DataError: data.yaml, a folder or a list is missing or unusable, no image has a label file, or most label files have
            pixels where shares are required.
    """
    data = settings.data()
    data = replace(data, names={number: replace_surrogates(name) for number, name in data.names.items()})
    images = yolo_images(data)
    _refuse_without_labels(data, images)
    units, listed_classes = _Units(data.file), tuple(data.names.values())
    for image in images:
        yield replace(_record(image, data, settings, units), listed_classes=listed_classes)
        if units.files == ENOUGH_FILES:
            units.refuse_pixels()
    if units.files < ENOUGH_FILES:
        units.refuse_pixels()
    # A list may name files outside the folder. What is next to them is not looked at.
    listed = {image.name for image in images if not image.fault}
    unlisted = _unlisted(data, listed)
    fault = f"{UNLISTED} {' or '.join(yolo_lists(data))}"
    for name, found in unlisted.items():
        yield Record(printable(name), found.path, fault=fault)
    for name, path in _labels_alone(data, [*listed, *unlisted]):
        yield Record(printable(name), path, fault="annotation file without an image")


def _record(image: YoloImage, data: YoloData, settings: Yolo, units: _Units) -> Record:
    """One image with its objects, or with the fault of the image or of its label file."""
    path, fault = data.root / image.name, image.fault
    objects: tuple[Object, ...] = ()
    if not fault:
        try:
            objects = _objects(label_name(image.name), path, data, masks=settings.masks == "keep")
            units.files += bool(objects)
        except UnusableValue as unusable:
            fault = str(unusable)
            units.files += 1
            units.in_pixels += isinstance(unusable, AboveOne)
            units.first = units.first or (fault if isinstance(unusable, AboveOne) else "")
    is_in_one = len(image.splits) == 1
    notes = (*((LINKED_OUT,) if image.is_outside else ()), *(() if is_in_one else (TWO_SPLITS,)))
    return Record(
        printable(image.name),
        path,
        "" if fault or settings.label == "none" else largest_class(objects, size=None, file=path),
        image.splits[0] if is_in_one else None,
        objects=objects,
        fault=fault,
        notes=notes,
    )


def _objects(name: str, image: Path, data: YoloData, *, masks: bool) -> tuple[Object, ...]:
    """The objects in a label file; none if there is no file, or if the image has no readable header.

    Raises:
        UnusableValue: a line cannot be used, or the file cannot be read.
    """
    rows = _rows(name, data.root)
    size = upright_size(image) if rows else None
    if size is None:
        return ()
    objects = []
    for number, line in rows:
        try:
            objects.append(parse_row(line, names=data.names, size=size, masks=masks))
        except UnusableValue as unusable:
            raise type(unusable)(f"annotation in line {number} of {printable(name)} {unusable}") from None
    return tuple(objects)


def _rows(name: str, root: Path) -> list[tuple[int, str]]:
    """(number from 1, text) of the lines that are not blank."""
    if not is_file(root / name):
        return []
    try:
        text = (root / name).read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnusableValue(f"annotation file {printable(name)} is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise UnusableValue(f"annotation file {printable(name)} cannot be read: {error.strerror}") from None
    return [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]


def _refuse_without_labels(data: YoloData, images: Sequence[YoloImage]) -> None:
    """Otherwise a wrong folder would make an image without objects of every image."""
    wanted = [label_name(image.name) for image in images if not image.fault]
    if not any(is_file(data.root / name) for name in wanted):
        raise DataError(
            f"none of the {len(images):,} images that {data.file} names has a label file; their labels would be "
            f"{shortened(wanted, most=3)} in {data.root}",
            hint="put the text files there, or set source.root to the folder that contains images and labels",
        )


def _unlisted(data: YoloData, listed: set[str]) -> dict[str, Found]:
    """Path below the root -> image, for the images next to a listed one that no list names."""
    found = {}
    for folder in sorted({posixpath.dirname(name) for name in listed}):
        if is_folder(data.root / folder):
            for one in list_folder(data.root / folder, recursive=False):
                name = posixpath.join(folder, one.name)
                if one.is_named_like_an_image and name not in listed:
                    found[name] = one
    return found


def _labels_alone(data: YoloData, images: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """(path below the root, path) of the label files in the folders of the labels that belong to none of the images."""
    known = {label_name(name) for name in images} | set(yolo_lists(data))
    for folder in sorted({posixpath.dirname(name) for name in known}):
        if is_folder(data.root / folder):
            for one in list_folder(data.root / folder, recursive=False):
                name = posixpath.join(folder, one.name)
                if name.endswith(".txt") and name not in known and one.name != NAMES_FILE:
                    yield name, one.path
