"""What a table of images with tags holds, as far as the first pipeline for it depends on that."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kerasvision import lookup
from kerasvision.config.preparing import Splits
from kerasvision.config.table_source import Table
from kerasvision.data.first_look import sampled_sizes
from kerasvision.data.objects_look import expected_images
from kerasvision.errors import DataError


@dataclass(frozen=True)
class TagsLook:
    """What a table of images with tags holds.

    Attributes:
        images: the table.
        source: reads it.
        counts: tag -> how many images have it.
        per_image: the number of tags of each image, sorted.
        total: how many images can be used.
        given: split that the table gives -> its images; the split is "" if it gives none.
        left_out: how many images cannot be used.
        sides: the longer sides of some images in pixels, sorted; at least one.
        is_grey: whether all of these images have one channel.
    """

    images: Path
    source: Table
    counts: Counter[str]
    per_image: tuple[int, ...]
    total: int
    given: Mapping[str, int]
    left_out: int
    sides: tuple[int, ...]
    is_grey: bool

    @property
    def median_side(self) -> int:
        """The median of the longer sides, in pixels."""
        return self.sides[len(self.sides) // 2]

    def expected(self, splits: Splits) -> dict[str, Counter[str]]:
        """Split -> how many images it gets, under the name "images", if no file is damaged or a copy of another."""
        return expected_images(self.given, splits)


def look_at_tags(source: Table) -> TagsLook:
    """Reads a table, and opens up to 200 of its images.

    Args:
        source: reads it; see `kerasvision.config.tag_tables.table_of_tags`.

    Raises:
        DataError: no image has a tag, or none can be read; or what the source raises.
    """
    records = list(lookup.load(source.implementation)(source))
    usable = [record for record in records if not record.fault]
    tags = [set(filter(None, record.tags or ())) for record in usable]
    counts = Counter(tag for of in tags for tag in of)
    if not counts:
        first = next((record.fault for record in records if record.fault), "no image has a tag")
        raise DataError(f"{source.path} has no image with tags that can be used; the first fault: {first}")
    sizes, is_grey = sampled_sizes(usable)
    return TagsLook(
        images=source.path,
        source=source,
        counts=counts,
        per_image=tuple(sorted(map(len, tags))),
        total=len(usable),
        given=Counter(record.split or "" for record in usable),
        left_out=len(records) - len(usable),
        sides=tuple(sorted(map(max, sizes))),
        is_grey=is_grey,
    )
