"""Which source reads a folder of images with annotations: in COCO's, YOLO's or Pascal VOC's form, or with label maps."""

from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from kerasvision.config.box_sources import Voc, Yolo
from kerasvision.config.coco import Coco
from kerasvision.config.image_files import names_in
from kerasvision.config.listing import is_file, is_folder, list_folder
from kerasvision.config.map_sources import Masks, table_header
from kerasvision.config.sources import Source
from kerasvision.config.split_lists import split_lists
from kerasvision.config.yolo_files import read_yolo_data
from kerasvision.errors import DataError

# Where maps usually are, as fields of `Masks`: beside a folder `images` (YOLO's labels are texts), Pascal VOC, Cityscapes.
MAP_LAYOUTS: tuple[dict[str, str], ...] = (
    *({"masks": name} for name in ("masks", "label_maps", "maps", "labels")),
    {"images": "JPEGImages", "masks": "SegmentationClass"},
    {
        "images": "leftImg8bit",
        "masks": "gtFine",
        "image_suffix": "_leftImg8bit",
        "mask_suffix": "_gtFine_labelIds",
    },
)
# The lists of Pascal VOC's images with maps.
MAP_LISTS = "ImageSets/Segmentation"


def source_of_form(folder: Path) -> Source | None:
    """The source that reads the folder, with its usual settings; None if the folder has none of the four forms.

    >>> source_of_form(Path("nowhere")) is None
    True
    """
    try:
        if any(fnmatchcase(name, "instances_*.json") for name in names_in(folder / "annotations")):
            return Coco(path=folder)
        if is_folder(folder / "JPEGImages") and is_folder(folder / "Annotations"):
            return Voc(path=folder)
        if maps := source_of_maps(folder):
            return maps
        read_yolo_data(folder, root=None)
    except DataError:
        return None
    return Yolo(path=folder)


def source_of_maps(folder: Path) -> Masks | None:
    """The source of a folder of images and a folder of maps; None if there are none.

    A table of class names and lists are used if they exist. The two folders may lie in folders of splits, and may be named
    as in Pascal VOC or Cityscapes.

    >>> source_of_maps(Path("nowhere")) is None
    True
    """
    for layout in MAP_LAYOUTS:
        source = Masks(path=folder).model_copy(update=layout)
        try:
            pairs = source.pairs()
        except DataError:
            continue
        if any(one.name.lower().endswith(".png") for pair in pairs for one in list_folder(pair.masks)):
            also = {"table": _table_in(folder), "lists": MAP_LISTS if split_lists(folder / MAP_LISTS) else None}
            return source.model_copy(update={name: value for name, value in also.items() if value is not None})
    return None


def _table_in(folder: Path) -> Path | None:
    """The only CSV file in the folder that has the columns of a table of class names; None without one, or with several."""
    found = []
    for name in names_in(folder):
        # Opening a pipe may block for ever.
        if name.lower().endswith(".csv") and is_file(file := folder / name):
            with suppress(DataError):
                table_header(file)
                found.append(file)
    return found[0] if len(found) == 1 else None
