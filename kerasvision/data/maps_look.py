"""What a folder of images with label maps holds, as far as the first pipeline for it depends on that."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasvision import lookup
from kerasvision.config.preparing import Splits
from kerasvision.config.sources import Source
from kerasvision.data.first_look import sampled_sizes
from kerasvision.data.objects_look import expected_images
from kerasvision.data.records import LabelMap, Record, UnusableMap
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
        looked: how many maps were looked at.
        total: how many images can be used.
        given: split that the folder gives -> its images; the split is "" if the folder gives none.
        left_out: how many images cannot be used.
        sides: the longer sides of some images in pixels, sorted; at least one.
        is_grey: whether all of these images have one channel.
    """

    images: Path
    source: Source
    counts: Counter[str]
    shares: Mapping[str, float]
    looked: int
    total: int
    given: Mapping[str, int]
    left_out: int
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
    usable = [record for record in records if not record.fault and record.label_map is not None]
    pixels, counts, faults = _counted(usable[:: max(1, len(usable) // SAMPLED_MAPS)])
    known = sum(pixels.values())
    if not known:
        first = next(
            (fault for fault in (*faults, *(record.fault for record in records)) if fault), "no map with known pixels"
        )
        raise DataError(
            f"{images} has no image with a label map that can be used; the first fault: {first}",
            hint="give each image a PNG of class numbers. The names of the numbers, or of the colours of colour PNG, can be "
            f"in a CSV file in {images}, with the columns id and name, or r, g, b and name",
        )
    sizes, is_grey = sampled_sizes(usable)
    return MapsLook(
        images=images,
        source=source,
        counts=counts,
        shares={name: count / known for name, count in pixels.items()},
        looked=faults.count(""),
        total=len(usable),
        given=Counter(record.split or "" for record in usable),
        left_out=len(records) - len(usable),
        sides=tuple(sorted(map(max, sizes))),
        is_grey=is_grey,
    )


def _counted(records: Sequence[Record]) -> tuple[Counter[str], Counter[str], list[str]]:
    """(class -> pixels, class -> maps with it, the fault of each map or ""). The run itself names every bad map."""
    pixels, maps, faults = Counter[str](), Counter[str](), list[str]()
    for record in records:
        if record.label_map is None:
            continue
        try:
            found = _of_map(record.label_map)
        except (UnusableMap, OSError) as error:
            faults.append(str(error))
            continue
        pixels.update(found)
        maps.update(found.keys())
        faults.append("")
    return pixels, maps, faults


def _of_map(label_map: LabelMap) -> dict[str, int]:
    """Class -> pixels. A number without a name is left out, as the run refuses its image."""
    found = Counter[str]()
    for number, count in zip(*np.unique(label_map.load(), return_counts=True), strict=True):
        name = str(number) if label_map.names is None else label_map.names.get(int(number))
        if name is not None and int(number) not in label_map.ignored:
            found[name] += int(count)
    return dict(found)
