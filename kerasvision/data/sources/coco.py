"""Photos in COCO's format (Lin et al., 2014, https://arxiv.org/abs/1405.0312): captions, boxes, masks and label maps."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from kerasvision.config.coco import Coco
from kerasvision.config.image_files import ImageFiles, opened_file, tidy
from kerasvision.config.listing import printable
from kerasvision.data.records import UNLISTED, LabelMap, Object, Record, class_name
from kerasvision.data.sources.coco_fields import (
    AnnotationRow,
    CategoryRow,
    ImageRow,
    Polygons,
    Runs,
    is_area,
    is_relative_box,
    parse_box,
    parse_crowd,
    parse_size,
)
from kerasvision.data.sources.coco_masks import compact_outline, mask_fault, mask_png
from kerasvision.data.sources.coco_panoptic import PanopticMaps
from kerasvision.data.sources.coco_unlisted import unlisted_images
from kerasvision.data.sources.largest import largest_class
from kerasvision.data.sources.text import replace_surrogates
from kerasvision.data.sources.values import UnusableValue, Values
from kerasvision.data.split_names import split_within
from kerasvision.errors import DataError, shown
from kerasvision.shortened import shortened

# How many ids an error message names.
NAMED = 5


def read_coco(settings: Coco) -> Iterator[Record]:
    """The images that the JSON files list, in the order of the files; then the other images, each with a fault.

    A box is not changed, even if it has a negative side: `clip_objects` notes it.

    Raises:
        DataError: a file is missing or not in COCO's format; it gives one category two names or one image file two ids; its
            boxes are shares of the sides; or its annotations belong to no listed image or category.
    """
    for folder, files in settings.parts():
        # "train2017" is the split "train"; the images in `path` itself have no split.
        split = None if folder == settings.path else split_within(folder.name)
        prefix = "" if folder == settings.path else f"{folder.name}/"
        found, names = ImageFiles(folder), set()
        listed: dict[int, _Image] = {}
        classes: dict[str, None] = {}
        for kind, file in files.items():
            annotations = _Annotations(file, kind)
            if kind == "instances":
                classes |= dict.fromkeys(annotations.categories.values())
            annotations.add_to(listed, settings)
        listed_classes = tuple(classes)
        for image in listed.values():
            name = found.name(image.file_name)
            names.add(name)
            fault = found.fault(name) or image.fault
            path = found.path(name)
            yield Record(
                replace_surrogates(prefix + name),
                path,
                "" if fault or settings.label == "none" else largest_class(image.objects, size=image.size, file=path),
                split,
                captions=tuple(image.captions),
                objects=tuple(image.objects),
                fault=fault,
                drawn_on=image.size,
                listed_classes=listed_classes,
                label_map=None if fault else image.label_map,
                tags=tuple(sorted({thing.label for thing in image.objects})) if settings.tags else None,
            )
        fault = f"{UNLISTED} {' or '.join(file.name for file in files.values())}"
        for other in unlisted_images(folder, listed=names, files=files.values(), is_own=folder != settings.path):
            yield Record(printable(prefix + other.name), other.path, fault=fault)


@dataclass(slots=True)
class _Image:
    """One image, collected from the files that list it. `size` is the (height, width) on which its objects were drawn."""

    file_name: str
    captions: list[str] = field(default_factory=list)
    objects: list[Object] = field(default_factory=list)
    size: tuple[int, int] | None = None
    fault: str = ""
    label_map: LabelMap | None = None


class _Annotations:
    """One JSON file, with its required fields checked."""

    def __init__(self, file: Path, kind: str) -> None:
        self.file, self.kind = file, kind
        data = _parsed(file)
        self.images: list[ImageRow] = self._rows(data, "images", {"id": int, "file_name": str})
        self.annotations: list[AnnotationRow] = self._rows(data, "annotations", {"image_id": int, **_NEEDED[kind]})
        rows: list[CategoryRow] = self._rows(data, "categories", {"id": int, "name": str}) if kind != "captions" else []
        self.categories = self._category_names(rows)
        self._texts = Values(f"'caption' in {file}")
        self._refuse_repeated("id")
        self._refuse_repeated("file_name")
        self._refuse_unknown("image_id", {row["id"] for row in self.images})
        if kind == "instances":
            self._refuse_unknown("category_id", set(self.categories))
            self._refuse_shares()

    def add_to(self, listed: dict[int, _Image], settings: Coco) -> None:
        """Adds the content of the file to the images."""
        for row in self.images:
            number = row["id"]
            image = listed.setdefault(number, _Image(tidy(row["file_name"])))
            if image.file_name != tidy(row["file_name"]):
                names = f"{row['file_name']!r}, and another file {image.file_name!r}"
                raise DataError(f"{self.file} calls image {number} {names}")
            if self.kind == "instances":
                image.size = parse_size(height=row.get("height"), width=row.get("width"))
        self.images.clear()
        maps = PanopticMaps(self.file, self.categories, settings) if self.kind == "panoptic" else None
        # Removed from the list one by one, so that the parsed text and its result are not both in memory.
        self.annotations.reverse()
        while self.annotations:
            annotation = self.annotations.pop()
            image = listed[annotation["image_id"]]
            try:
                if self.kind == "captions":
                    image.captions.append(self._texts.text(annotation.get("caption"), f"annotation {annotation.get('id')}"))
                elif maps is None:
                    self._add_object(image, annotation, settings)
                elif image.label_map is not None:
                    raise UnusableValue(f"two annotations of {self.file.name} belong to it")
                else:
                    image.label_map = maps.label_map(annotation)
            except UnusableValue as unusable:
                image.fault = image.fault or str(unusable)

    def _add_object(self, image: _Image, row: AnnotationRow, settings: Coco) -> None:
        where = f"annotation {row.get('id')} of {self.file.name}"
        is_crowd = parse_crowd(row.get("iscrowd"))
        if is_crowd is None:
            raise UnusableValue(f"{where} has iscrowd {shown(row['iscrowd'])}, neither 0 nor 1")
        if is_crowd and settings.crowds == "leave_out":
            return
        if (box := parse_box(row.get("bbox"))) is None:
            raise UnusableValue(f"{where} has no box of four numbers")
        if is_relative_box(row["bbox"]):
            raise UnusableValue(f"{where} has the box {row['bbox']} within the first pixel, but COCO's boxes are in pixels")
        outline = row.get("segmentation")
        mask = _mask(outline, image.size, where) if outline and settings.masks == "keep" else None
        number = row["category_id"]
        image.objects.append(Object(box, self.categories[number], mask, is_crowd, _area(row, where), number))

    def _rows(self, data: dict[str, Any], key: str, fields: dict[str, type]) -> list[Any]:
        """The rows of a list, after a check that each has these fields."""
        rows = data.get(key)
        if not isinstance(rows, list):
            raise DataError(f"{self.file} must contain a list {key!r}, as COCO's {self.kind} do", received=sorted(data)[:10])
        for row in rows:
            for name, kind in fields.items():
                if not isinstance(row, dict) or not isinstance(row.get(name), kind) or isinstance(row[name], bool):
                    raise DataError(f"{self.file}: each of {key!r} needs {name!r}, {_NOUNS[kind]}", received=row)
        return rows

    def _category_names(self, rows: list[CategoryRow]) -> dict[int, str]:
        """Id -> name. Two ids with one name are one class, unless the file puts them into different supercategories."""
        names: dict[int, str] = {}
        above: dict[str, object] = {}
        for row in rows:
            number, name = row["id"], class_name(replace_surrogates(row["name"]))
            if names.setdefault(number, name) != name:
                raise DataError(
                    f"{self.file} gives category {number} two names: {names[number]!r} and {name!r}",
                    hint="give each category an id of its own, in its annotations too",
                )
            if above.setdefault(name, row.get("supercategory")) != row.get("supercategory"):
                both = f"{above[name]!r} and {row.get('supercategory')!r}"
                raise DataError(
                    f"{self.file} has categories named {name!r} in two supercategories: {both}",
                    hint="give each its own name, or both the same supercategory to make them one class",
                )
        return names

    def _refuse_repeated(self, key: Literal["id", "file_name"]) -> None:
        seen: set[int | str] = set()
        twice = []
        for row in self.images:
            if row[key] in seen:
                twice.append(row[key])
            seen.add(row[key])
        if twice:
            raise DataError(
                f"{self.file} must list each image once; several rows have the same {key}: "
                f"{shortened(map(repr, twice), most=NAMED)}",
                hint="give each image file one row, with an id of its own",
            )

    def _refuse_unknown(self, key: Literal["image_id", "category_id"], known: set[int]) -> None:
        unknown = [row for row in self.annotations if row.get(key) not in known]
        if unknown:
            named = shortened((f"{row.get('id')} ({key} {row.get(key)!r})" for row in unknown), most=NAMED)
            raise DataError(f"{self.file}: {len(unknown)} annotations whose {key} the file does not list: {named}")

    def _refuse_shares(self) -> None:
        boxes = [row["bbox"] for row in self.annotations if parse_box(row.get("bbox")) is not None]
        shares = [box for box in boxes if is_relative_box(box)]
        if 2 * len(shares) > len(boxes):
            raise DataError(
                f"{self.file} must give boxes in pixels; {len(shares)} of its {len(boxes)} boxes are within the first "
                f"pixel, such as {shares[0]}",
                hint="multiply x and width by the image's width, y and height by its height",
            )


_NOUNS = {int: "a whole number", str: "a text", list: "a list"}
# What an annotation of a kind must have in addition to `image_id`.
_NEEDED: Mapping[str, dict[str, type]] = {
    "captions": {},
    "instances": {"category_id": int},
    "panoptic": {"file_name": str, "segments_info": list},
}


def _parsed(file: Path) -> dict[str, Any]:
    with opened_file(file) as opened:
        text = opened.read()
    try:
        data = json.loads(text)
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not JSON: not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{file}, line {error.lineno}, is not JSON: {error.msg}") from None
    except ValueError as error:
        raise DataError(f"{file} is not JSON: {error}") from None
    except RecursionError:
        raise DataError(f"{file} is nested too deeply for COCO's format") from None
    if not isinstance(data, dict):
        raise DataError(f"{file} must contain a JSON object with 'images' and 'annotations'", received=data)
    return data


def _area(row: AnnotationRow, where: str) -> float | None:
    area = row.get("area")
    if area is None:
        return None
    if not is_area(area):
        raise UnusableValue(f"{where} has the area {shown(area)}, which is not a number of at least 0")
    return float(area)


def _mask(outline: Polygons | Runs, size: tuple[int, int] | None, where: str) -> Callable[[], bytes]:
    """A function that draws the mask when it is called."""
    if size is None:
        raise UnusableValue(f"{where} has a mask, and the file gives its image no width and height in pixels")
    if fault := mask_fault(outline, size):
        raise UnusableValue(f"{where} {fault}")
    return partial(mask_png, compact_outline(outline), *size)
