"""Label maps from COCO's panoptic files: PNG of segments, or of category numbers (https://cocodataset.org/#panoptic-eval)."""

import posixpath
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from kerasvision.config.coco import Coco
from kerasvision.config.image_files import ImageFiles
from kerasvision.data.records import LabelMap
from kerasvision.data.sources.coco_fields import AnnotationRow
from kerasvision.data.sources.map_files import Colours, packed, read_numbers
from kerasvision.data.sources.values import UnusableValue
from kerasvision.errors import shown

# In a map of category numbers: COCO's maps have 0 where nothing is labelled, and those of others have 255.
_NOTHING = frozenset({0, 255})
# A segment's number is stored as red + 256 green + 256^2 blue.
_MOST_SEGMENT = 1 << 24


class PanopticMaps:
    """The label maps of one panoptic file.

    Args:
        file: the JSON file.
        categories: id -> class name.
        settings: says which PNG files are read.
    """

    def __init__(self, file: Path, categories: Mapping[int, str], settings: Coco) -> None:
        self._file = file
        self._images = ImageFiles(settings.maps_folder(file))
        self._are_segments = settings.label_maps == "panoptic"
        # Segments belong to the place of a category, because 0 is also the number of "no segment".
        self._places = {number: place for place, number in enumerate(sorted(categories), start=1)}
        self._of_places = {place: categories[number] for number, place in self._places.items()}
        self._of_ids = {number: categories[number] for number in sorted(categories)}

    def label_map(self, row: AnnotationRow) -> LabelMap:
        """The map of an annotation.

        Raises:
            UnusableValue: its file is missing or outside the folder, or a segment cannot be used.
        """
        where = f"an annotation of {self._file.name}"
        name = self._images.name(row["file_name"])
        if not self._are_segments:
            name = f"{posixpath.splitext(name)[0]}.png"
        if fault := self._images.fault(name):
            raise UnusableValue(f"its label map {shown(name)}: {fault}")
        path = self._images.path(name)
        if not self._are_segments:
            return LabelMap(partial(read_numbers, path, None), self._of_ids, _NOTHING - self._of_ids.keys())
        load = partial(read_numbers, path, self._colours(row, where), self._file.name)
        return LabelMap(load, self._of_places, frozenset({0}))

    def _colours(self, row: AnnotationRow, where: str) -> Colours:
        """Colour -> the place of its segment's category; 0 for the pixels of no segment."""
        colours = {0: 0}
        for segment in row["segments_info"]:
            number = segment.get("id") if isinstance(segment, dict) else None
            category = segment.get("category_id") if isinstance(segment, dict) else None
            if not isinstance(number, int) or not 0 < number < _MOST_SEGMENT or category not in self._places:
                raise UnusableValue(f"{where} has a segment without a number and a listed category: {shown(segment)}")
            colours[packed(number & 255, number >> 8 & 255, number >> 16)] = self._places[category]
        return colours
