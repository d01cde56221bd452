"""What a folder of images with label maps holds, as far as the first pipeline for it depends on that."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kerasvision import lookup
from kerasvision.config.preparing import Splits
from kerasvision.config.sources import Source
from kerasvision.data.first_look import sampled_sizes, size_and_mode
from kerasvision.data.inspecting.map_numbers import counted, numbers_fault, size_fault
from kerasvision.data.objects_look import expected_images
from kerasvision.data.records import NO_MAP, UNLISTED, LabelMap, Record, UnusableMap
from kerasvision.errors import DataError

# Decoding more maps would take long, and say little more.
SAMPLED_MAPS = 200


@dataclass(frozen=True)
class MapsLook:
    """What a folder of images with label maps holds.

    Attributes:
        images: the folder.
        source: reads it.
        counts: class -> how many of the maps that were looked at have a pixel of it.
        shares: class -> its share of the known pixels of these maps.
        ignored: number -> how many pixels of these maps have it and are ignored.
        looked: how many maps were looked at, without those that cannot be used.
        total: how many images have no known fault; only some of the maps were opened.
        given: split that the folder gives -> its images; the split is "" if the folder gives none.
        faults: "name: fault" of each image that is known to be unusable; images that no list names are not among them.
        sides: the longer sides of some images in pixels, sorted; at least one.
        is_grey: whether all of these images have one channel.
    """

    images: Path
    source: Source
    counts: Counter[str]
    shares: Mapping[str, float]
    ignored: Mapping[int, int]
    looked: int
    total: int
    given: Mapping[str, int]
    faults: tuple[str, ...]
    sides: tuple[int, ...]
    is_grey: bool

    @property
    def median_side(self) -> int:
        """The median of the longer sides, in pixels."""
        return self.sides[len(self.sides) // 2]

    @property
    def commonest(self) -> str:
        """The class with the most pixels."""
        return max(self.shares, key=self.shares.__getitem__)

    def expected(self, splits: Splits) -> dict[str, Counter[str]]:
        """Split -> how many images it gets, under the name "images", if no file is damaged or a copy of another."""
        return expected_images(self.given, splits)


def look_at_maps(source: Source, *, images: Path) -> MapsLook:
    """Lists a folder, and opens up to 200 of its images and maps.

    Args:
        source: reads the folder; see `kerasvision.config.forms.source_of_form`.
        images: the folder.

    Raises:
        DataError: there is no image with a usable map; or what the source raises.
    """
    records = list(lookup.load(source.implementation)(source))
    with_map = [record for record in records if not record.fault and record.label_map is not None]
    seen = _seen(with_map[:: max(1, math.ceil(len(with_map) / SAMPLED_MAPS))])
    faults = {record.name: record.fault for record in records if record.fault and not record.fault.startswith(UNLISTED)}
    faults |= seen.faults
    if not seen.looked:
        raise DataError(
            f"{images} has no image with a label map that can be used; the first fault: "
            + next((": ".join(fault) for fault in faults.items()), NO_MAP),
            hint="give each image a PNG of class numbers. The names of the numbers, or of the colours of colour PNG, can be "
            f"in a CSV file in {images}, with the columns id and name, or r, g, b and name",
        )
    usable = [record for record in with_map if record.name not in seen.faults]
    sizes, is_grey = sampled_sizes(usable)
    known = sum(seen.pixels.values())
    return MapsLook(
        images=images,
        source=source,
        counts=seen.counts,
        shares={name: count / known for name, count in seen.pixels.items()},
        ignored=seen.ignored,
        looked=seen.looked,
        total=len(usable),
        given=Counter(record.split or "" for record in usable),
        faults=tuple(f"{name}: {fault}" for name, fault in faults.items()),
        sides=tuple(sorted(map(max, sizes))),
        is_grey=is_grey,
    )


@dataclass
class _Seen:
    """What some maps show; the names of the parts are those of `MapsLook`, but `faults` has the names of the images."""

    pixels: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    ignored: Counter[int] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    looked: int = 0


def _seen(records: Sequence[Record]) -> _Seen:
    """What the maps of these records show. The run itself names every bad map."""
    seen = _Seen()
    for record in records:
        if record.label_map is None:
            continue
        try:
            numbers = _checked(record, record.label_map)
        except (UnusableMap, OSError) as error:
            seen.faults[record.name] = str(error)
            continue
        ignored, names = record.label_map.ignored, record.label_map.names
        found = Counter[str]()
        for number, count in numbers.items():
            if number not in ignored:
                found[str(number) if names is None else names[number]] += count
        seen.ignored.update({number: count for number, count in numbers.items() if number in ignored})
        seen.pixels.update(found)
        seen.counts.update(found.keys())
        seen.looked += 1
    return seen


def _checked(record: Record, label_map: LabelMap) -> dict[int, int]:
    """Number -> how many pixels of the map have it.

    Raises:
        UnusableMap: the map cannot be used.
        OSError: its file cannot be read.
    """
    numbers = label_map.load()
    found = counted(numbers)
    fault = numbers_fault({number: count for number, count in found.items() if number not in label_map.ignored}, label_map)
    if header := size_and_mode(record):
        width, height = header[0]
        # EXIF may turn the image: the run decides that.
        if numbers.shape not in ((height, width), (width, height)):
            fault = size_fault(numbers, width=width, height=height)
    if fault:
        raise UnusableMap(fault)
    return found
