"""Photos in COCO's form (Lin et al., 2014, https://arxiv.org/abs/1405.0312): captions, boxes and masks in JSON files."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kerasvision.config.image_files import ImageFiles, tidy
from kerasvision.config.sources import Coco
from kerasvision.data.records import Object, Record
from kerasvision.data.sources.coco_masks import mask_fault, mask_png, packed
from kerasvision.data.sources.text import clean
from kerasvision.data.splits import SPLIT_NAMES
from kerasvision.errors import DataError

# How many ids an error message names.
NAMED = 5


def read_coco(settings: Coco) -> Iterator[Record]:
    """The images that the JSON files list, in the order of the files. Other images in the folders are left alone.

    A box is passed on as it stands, even with a negative side: what looks at the images tells of it.

    Raises:
        DataError: a file that is missing or not in COCO's form, or whose annotations belong to no image or category of it.
    """
    for folder, files in settings.parts():
        # "train2017" is the split "train"; the images of `path` itself are dealt.
        split = None if folder == settings.path else SPLIT_NAMES.get(re.sub(r"[\d_-]+$", "", folder.name).lower())
        prefix = "" if folder == settings.path else f"{folder.name}/"
        found = ImageFiles(folder)
        listed: dict[int, _Image] = {}
        for kind, file in files.items():
            _Annotations(file, kind).add_to(listed, settings)
        for image in listed.values():
            yield Record(
                clean(prefix + image.file_name),
                found.path(image.file_name),
                _largest(image.objects) if settings.label == "largest" else "",
                split,
                captions=tuple(image.captions),
                objects=tuple(image.objects),
                fault=found.fault(image.file_name) or image.fault,
            )


@dataclass(slots=True)
class _Image:
    """One image, gathered from the files that list it."""

    file_name: str
    captions: list[str] = field(default_factory=list)
    objects: list[Object] = field(default_factory=list)
    fault: str = ""


class _Annotations:
    """One JSON file, checked for what every reader of it needs."""

    def __init__(self, file: Path, kind: str) -> None:
        self.file, self.kind = file, kind
        data = _parsed(file)
        self.images = self._rows(data, "images", {"id": int, "file_name": str})
        needed = {"image_id": int, "category_id": int} if kind == "instances" else {"image_id": int}
        self.annotations = self._rows(data, "annotations", needed)
        names = self._rows(data, "categories", {"id": int, "name": str}) if kind == "instances" else []
        self.categories = {row["id"]: clean(row["name"]) for row in names}
        ids = {row["id"] for row in self.images}
        if len(ids) != len(self.images):
            raise DataError(f"{file} gives {len(self.images)} images {len(ids)} different ids")
        self._refuse_unknown("image_id", ids)
        if kind == "instances":
            self._refuse_unknown("category_id", self.categories.keys())

    def add_to(self, listed: dict[int, _Image], settings: Coco) -> None:
        """Puts what the file says to what is known of the images."""
        by_id = {row["id"]: row for row in self.images}
        for number, row in by_id.items():
            image = listed.setdefault(number, _Image(tidy(row["file_name"])))
            if image.file_name != tidy(row["file_name"]):
                names = f"{row['file_name']!r}, and another file {image.file_name!r}"
                raise DataError(f"{self.file} calls image {number} {names}")
        self.images.clear()
        # Taken off the list one by one, so that the parsed text and what becomes of it are not both in memory.
        self.annotations.reverse()
        while self.annotations:
            row = self.annotations.pop()
            if self.kind == "captions":
                listed[row["image_id"]].captions.append(clean(str(row.get("caption") or "")))
            elif not row.get("iscrowd") or settings.crowds == "keep":
                self._add_object(listed[row["image_id"]], row, by_id[row["image_id"]], settings)

    def _add_object(self, image: _Image, row: dict, size: dict, settings: Coco) -> None:
        where = f"annotation {row.get('id')} of {self.file.name}"
        corners = _corners(row.get("bbox"))
        if corners is None:
            image.fault = image.fault or f"{where} has no box of four numbers"
            return
        outline, mask = row.get("segmentation"), None
        if outline and settings.masks == "keep":
            if fault := mask_fault(outline, size):
                image.fault = image.fault or f"{where} {fault}"
                return
            mask = partial(mask_png, packed(outline), size["height"], size["width"])
        image.objects.append(Object(corners, self.categories[row["category_id"]], mask))

    def _rows(self, data: dict, key: str, fields: dict[str, type]) -> list[dict]:
        rows = data.get(key)
        if not isinstance(rows, list):
            raise DataError(f"{self.file} must hold a list {key!r}, as COCO's {self.kind} do", received=sorted(data)[:10])
        for row in rows:
            for name, kind in fields.items():
                if not isinstance(row, dict) or not isinstance(row.get(name), kind) or isinstance(row[name], bool):
                    raise DataError(f"{self.file}: each of {key!r} needs {name!r}, {_NOUNS[kind]}; received {_short(row)}")
        return rows

    def _refuse_unknown(self, key: str, known: set[int]) -> None:
        unknown = [row for row in self.annotations if row.get(key) not in known]
        if unknown:
            named = ", ".join(f"{row.get('id')} ({key} {row.get(key)!r})" for row in unknown[:NAMED])
            raise DataError(f"{self.file}: {len(unknown)} annotations whose {key} the file does not list: {named}")


_NOUNS = {int: "a whole number", str: "a text"}


def _parsed(file: Path) -> dict:
    try:
        data = json.loads(file.read_bytes())
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is no JSON: not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{file}, line {error.lineno}, is no JSON: {error.msg}") from None
    except ValueError as error:
        raise DataError(f"{file} is no JSON: {error}") from None
    except RecursionError:
        raise DataError(f"{file} is nested too deeply for COCO's form") from None
    if not isinstance(data, dict):
        raise DataError(f"{file} must hold a JSON object with 'images' and 'annotations'; received {_short(data)}")
    return data


def _corners(box: object) -> tuple[float, float, float, float] | None:
    """COCO's [x, y, width, height] as y_min, x_min, y_max, x_max; None for anything but four finite numbers.

    >>> _corners([10, 20, 30, 40])
    (20.0, 10.0, 60.0, 40.0)
    """
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(n, int | float) for n in box):
        return None
    try:
        x, y, width, height = map(float, box)
    except OverflowError:
        return None
    return (y, x, y + height, x + width) if all(map(math.isfinite, (x, y, x + width, y + height))) else None


def _largest(objects: list[Object]) -> str:
    """The class of the largest box, the first of equals; "" without objects."""

    def area(thing: Object) -> float:
        y_min, x_min, y_max, x_max = thing.box
        return max(0.0, y_max - y_min) * max(0.0, x_max - x_min)

    return max(objects, key=area).label if objects else ""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:120] + "..."
