"""Images with boxes in Pascal VOC's XML files; see `kerasvision.config.box_sources.Voc` for the form."""

import math
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from kerasvision.config.box_sources import Voc
from kerasvision.config.image_files import tidy
from kerasvision.config.listing import Found, is_file, list_folder, printable
from kerasvision.data.records import LINKED_OUT, TWO_SPLITS, UNLISTED, Box, Object, Record
from kerasvision.data.sources.coco_fields import parse_crowd, parse_size
from kerasvision.data.sources.largest import largest_class
from kerasvision.data.sources.plain_xml import MOST_BYTES, UnusableXml, parse_plain_xml
from kerasvision.data.sources.split_lists import images_by_stem, listed_splits, splits_of
from kerasvision.data.sources.values import UnusableValue
from kerasvision.errors import shown


def read_voc(settings: Voc) -> Iterator[Record]:
    """The images by name, each with its objects or a fault; then XML files without an image.

    Raises:
        DataError: a folder is missing or has no images, or a list of a split cannot be read or is empty.
    """
    folder, xml_folder = settings.folder("images"), settings.folder("annotations")
    lists = settings.split_lists()
    splits = listed_splits(lists)
    images = images_by_stem(folder)
    for stem in sorted(images.keys() | splits.keys()):
        for found in images.get(stem, ()):
            if lists and stem not in splits:
                fault = f"{UNLISTED} {' or '.join(file.name for file in lists)}"
                yield Record(_name(settings, found.name), found.path, fault=fault)
            else:
                yield _record(found, xml_folder / f"{stem}.xml", splits_of(stem, splits), settings)
        if stem not in images:
            # The path is the text of a list, so it is never opened.
            yield Record(_name(settings, stem), folder, fault=f"there is no such file: {printable(stem)} with any suffix")
    if not lists:
        for found in list_folder(xml_folder):
            if found.name.endswith(".xml") and found.name.removesuffix(".xml") not in images:
                name = posixpath.join(settings.annotations, found.name)
                yield Record(printable(tidy(name)), found.path, fault="annotation file without an image")


@dataclass(frozen=True)
class _Annotation:
    """The content of an XML file: the objects, and the (height, width) on which they were drawn, if it says so."""

    objects: tuple[Object, ...] = ()
    size: tuple[int, int] | None = None


def _record(found: Found, xml: Path, splits: tuple[str, ...], settings: Voc) -> Record:
    fault, annotation = found.fault, _Annotation()
    if not fault:
        try:
            annotation = _annotation(xml, keep_difficult=settings.difficult == "keep")
        except (UnusableXml, UnusableValue) as unusable:
            fault = f"annotation file {printable(xml.name)} {unusable}"
    notes = (*((LINKED_OUT,) if found.is_outside else ()), *((TWO_SPLITS,) if len(splits) > 1 else ()))
    label = (
        "" if fault or settings.label == "none" else largest_class(annotation.objects, size=annotation.size, file=found.path)
    )
    return Record(
        _name(settings, found.name),
        found.path,
        label,
        splits[0] if len(splits) == 1 else None,
        objects=annotation.objects,
        fault=fault,
        drawn_on=annotation.size,
        notes=notes,
    )


def _annotation(file: Path, *, keep_difficult: bool) -> _Annotation:
    """The content of an XML file.

    Raises:
        UnusableXml, UnusableValue: why it cannot be used, as the end of a sentence.
    """
    try:
        # Opening a pipe may block for ever.
        if not is_file(file):
            raise UnusableValue("is missing")
        with file.open("rb") as opened:
            root = parse_plain_xml(opened.read(MOST_BYTES + 1))
    except OSError as error:
        raise UnusableValue(f"cannot be read: {error.strerror}") from None
    if root.tag != "annotation":
        raise UnusableValue(f"has the root element {shown(root.tag)} instead of 'annotation'")
    objects = [_object(one, f"its object {number}") for number, one in enumerate(root.findall("object"), start=1)]
    kept = tuple(one for one in objects if keep_difficult or not one.crowd)
    return _Annotation(kept, parse_size(height=root.findtext("size/height"), width=root.findtext("size/width")))


def _object(element: Element, where: str) -> Object:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise UnusableValue(f"is wrong: {where} has no name")
    is_difficult = parse_crowd(element.findtext("difficult"))
    if is_difficult is None:
        raise UnusableValue(f"is wrong: {where} has difficult {shown(element.findtext('difficult'))}, neither 0 nor 1")
    return Object(_box(element, where), name, crowd=is_difficult)


def _box(element: Element, where: str) -> Box:
    """The corners, y_min, x_min, y_max, x_max, in pixels from 0, the last two exclusive.

    >>> text = b"<object><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>2</ymax></bndbox></object>"
    >>> _box(parse_plain_xml(text), "its object 1")
    (1.0, 0.0, 2.0, 3.0)
    """
    corners = [_number(element.findtext(f"bndbox/{corner}")) for corner in ("ymin", "xmin", "ymax", "xmax")]
    if not all(map(math.isfinite, corners)):
        texts = [element.findtext(f"bndbox/{corner}") for corner in ("xmin", "ymin", "xmax", "ymax")]
        raise UnusableValue(f"is wrong: {where} has the corners {shown(texts)}, which are not four numbers")
    y_min, x_min, y_max, x_max = corners
    return y_min - 1, x_min - 1, y_max, x_max


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return math.nan


def _name(settings: Voc, name: str) -> str:
    return printable(tidy(posixpath.join(settings.images, name)))
