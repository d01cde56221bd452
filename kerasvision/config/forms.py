"""Which source reads a folder that has annotations in COCO's, YOLO's or Pascal VOC's form."""

from fnmatch import fnmatchcase
from pathlib import Path

from kerasvision.config.box_sources import Voc, Yolo
from kerasvision.config.coco import Coco
from kerasvision.config.image_files import names_in
from kerasvision.config.listing import is_folder
from kerasvision.config.sources import Source
from kerasvision.config.yolo_files import read_yolo_data
from kerasvision.errors import DataError


def source_of_form(folder: Path) -> Source | None:
    """The source that reads the folder, with its usual settings; None if the folder has none of the three forms.

    >>> source_of_form(Path("nowhere")) is None
    True
    """
    try:
        if any(fnmatchcase(name, "instances_*.json") for name in names_in(folder / "annotations")):
            return Coco(path=folder)
        if is_folder(folder / "JPEGImages") and is_folder(folder / "Annotations"):
            return Voc(path=folder)
        read_yolo_data(folder, root=None)
    except DataError:
        return None
    return Yolo(path=folder)
