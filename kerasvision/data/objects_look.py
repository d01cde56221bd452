"""What a folder of images with objects holds, as far as the first pipeline for it depends on that."""

import mmap
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kerasvision import lookup
from kerasvision.config.coco import Coco
from kerasvision.config.preparing import Splits
from kerasvision.config.sources import Source
from kerasvision.data.first_look import sampled_sizes
from kerasvision.data.records import Record
from kerasvision.data.splits import TEST, TRAIN, VALIDATION, split_quotas
from kerasvision.errors import DataError

# A polygon, or run lengths.
_OUTLINE = re.compile(rb'"segmentation"\s*:\s*(\[\s*\[|\{)')


@dataclass(frozen=True)
class ObjectsLook:
    """What a folder in COCO's, YOLO's or Pascal VOC's form holds. Crowds do not count as objects.

    Attributes:
        images: the folder.
        source: reads it.
        counts: class -> how many objects it has.
        per_image: how many objects each image has, sorted.
        object_sides: the root of each box's area in pixels, rounded and sorted.
        given: split that the folder gives -> its images; the split is "" if the folder gives none.
        left_out: how many images cannot be used.
        sides: the longer sides of some images in pixels, sorted; at least one.
        is_grey: whether all of these images have one channel.
        has_outlines: whether the annotations outline objects, so that a network could also learn the class of each pixel.
    """

    images: Path
    source: Source
    counts: Counter[str]
    per_image: tuple[int, ...]
    object_sides: tuple[int, ...]
    given: Mapping[str, int]
    left_out: int
    sides: tuple[int, ...]
    is_grey: bool
    has_outlines: bool = False

    @cached_property
    def total(self) -> int:
        """How many images can be used."""
        return len(self.per_image)

    @property
    def median_side(self) -> int:
        """The median of the longer sides, in pixels."""
        return self.sides[len(self.sides) // 2]

    def expected(self, splits: Splits) -> dict[str, Counter[str]]:
        """Split -> how many images it gets, under the name "images", if no file is damaged or a copy of another."""
        return expected_images(self.given, splits)


def expected_images(given: Mapping[str, int], splits: Splits) -> dict[str, Counter[str]]:
    """Split -> how many images it gets, under the name "images".

    Args:
        given: split that the folder gives -> its images; the split is "" if the folder gives none.
        splits: the shares that are held back.
    """
    found: dict[str, Counter[str]] = {split: Counter() for split in (TRAIN, VALIDATION, TEST)}
    shares = {TEST: splits.test, VALIDATION: splits.validation}
    shares |= dict.fromkeys(shares.keys() & given.keys(), 0.0)
    for split_given, count in given.items():
        quotas = {split_given: count} if split_given in (VALIDATION, TEST) else split_quotas(count, {}, shares)
        for split, images in quotas.items():
            found[split]["images"] += images
    return found


def look_at_objects(source: Source, *, images: Path) -> ObjectsLook:
    """Reads the annotations of a folder, and opens up to 200 of its images.

    Args:
        source: reads the folder; see `kerasvision.config.forms.source_of_form`.
        images: the folder.

    Raises:
        DataError: there are no objects, or no readable image; or what the source raises.
    """
    source = for_objects(source)
    records = list(lookup.load(source.implementation)(source))
    usable = [record for record in records if not record.fault]
    counts = Counter(thing.label for record in usable for thing in record.objects if not thing.crowd)
    if not counts:
        raise DataError(f"{images} must hold images with objects", received=f"{len(usable)} images without any")
    sizes, is_grey = sampled_sizes(usable)
    return ObjectsLook(
        images=images,
        source=source,
        counts=counts,
        per_image=tuple(sorted(sum(not thing.crowd for thing in record.objects) for record in usable)),
        object_sides=_sides(usable),
        given=Counter(record.split or "" for record in usable),
        left_out=len(records) - len(usable),
        sides=tuple(sorted(map(max, sizes))),
        is_grey=is_grey,
        has_outlines=_has_outlines(source),
    )


def for_objects(source: Source) -> Source:
    """The settings that a detector needs: crowds are kept, which a score ignores, and masks and captions are not read."""
    changes: dict[str, object] = {"masks": "leave_out"} if "masks" in type(source).model_fields else {}
    if isinstance(source, Coco):
        changes |= {"annotations": ("instances",), "crowds": "keep"}
    return source.model_copy(update=changes)


def _has_outlines(source: Source) -> bool:
    """Whether a file of instances in COCO's form has an outline that is not empty. Parsing it again would take long."""
    files = [files.get("instances") for _, files in source.parts()] if isinstance(source, Coco) else []
    for file in filter(None, files):
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as text:
            if _OUTLINE.search(text):
                return True
    return False


def _sides(records: Iterable[Record]) -> tuple[int, ...]:
    boxes = (thing.box for record in records for thing in record.objects if not thing.crowd)
    areas = (max(0.0, y_max - y_min) * max(0.0, x_max - x_min) for y_min, x_min, y_max, x_max in boxes)
    return tuple(sorted(round(area**0.5) for area in areas))
