"""Sources of images with boxes in other forms than COCO's: YOLO's text files and Pascal VOC's XML."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from kerasvision.config.image_files import existing_folder
from kerasvision.config.listing import is_folder, list_files
from kerasvision.config.sources import LABELS_ONLY, NO_LABEL_MAPS, AnnotationKind, Source
from kerasvision.config.split_lists import split_lists
from kerasvision.config.yolo_files import YoloData, read_yolo_data, yolo_files
from kerasvision.errors import DataError

# The label of an image with boxes, as in `Coco`.
ImageLabel = Literal["none", "largest"]
_LARGEST = "largest: the label of an image is the class of its largest box"


def _way_to(what: AnnotationKind, *, label: ImageLabel) -> str:
    if what in ("captions", "tags", "values"):
        return LABELS_ONLY[what]
    return "set source.label='largest'" if what == "labels" and label == "none" else ""


class Yolo(Source):
    """Images with boxes or polygons in YOLO's form: `data.yaml`, `images/...`, and `labels/...` with a text file per image.

    `data.yaml` names the classes (`names`, a list or a mapping) and says where the images of `train`, `val` and `test` are:
    a folder, a list of folders, or a text file with a path per line. The paths start from `path` in that file, or from its
    own folder, and stay below it. The labels of `images/train/1.jpg` are in `labels/train/1.txt`; if no folder is named
    `images`, they are next to the image. An image without labels, or with an empty file, has no objects, and is used.

    Each line is an object: `class center_x center_y width height`, or `class x1 y1 x2 y2 x3 y3 ...` for a polygon, which
    becomes a mask and the smallest box around it. The numbers are shares of the width and height of the upright image: an
    EXIF orientation is applied first. A polygon's area is that of the polygon.

    If data.yaml puts an image into two splits, `Splits` decides. An image is left out and named if its labels cannot be
    used, or if no list names it. A label file without an image is named too.
    """

    implementation: ClassVar[str] = "kerasvision.data.sources.yolo:read_yolo"
    locations: ClassVar[frozenset[str]] = frozenset({"path", "root"})

    path: Path = Field(description="data.yaml, or the folder that contains it")
    root: Path | None = Field(
        default=None, description="the folder that the paths in data.yaml start from; None: what it says, or its own folder"
    )
    masks: Literal["keep", "leave_out"] = Field(default="keep", description="whether polygons also become masks")
    label: ImageLabel = Field(default="none", description=_LARGEST)

    def way_to(self, what: AnnotationKind) -> str:
        """Labels require `label`, and label maps the masks of polygons; these images have no captions."""
        if what == "label_maps":
            return "set source.masks='keep'" if self.masks == "leave_out" else ""
        return _way_to(what, label=self.label)

    def data(self) -> YoloData:
        """The content of data.yaml.

        Raises:
            DataError: see `read_yolo_data`.
        """
        return read_yolo_data(self.path, root=None if self.root is None else existing_folder(self.root))

    def files(self) -> Iterator[tuple[str, Path]]:
        """data.yaml, the lists of images, and every visible file next to an image or to its labels."""
        yield from yolo_files(self.data())


class Voc(Source):
    """Images with boxes in the form of Pascal VOC (Everingham et al., 2010): `Annotations/*.xml` describes `JPEGImages/*`.

    `Voc(path="VOCdevkit/VOC2012")` reads the published layout. The files train.txt, val.txt and test.txt of
    `ImageSets/Main` name the images of each split; trainval.txt counts as train if neither train.txt nor val.txt is there.
    Without them, every image is used, and a folder such as `JPEGImages/train` makes a split.

    A corner in the XML is the number of a pixel, counted from 1, and the last pixel belongs to the box. So xmin 1 and xmax 3
    are the first three columns, which become [0, 3): 1 is subtracted from xmin and ymin alone. Boxes belong to the image
    of the size that the XML states; they are scaled or turned with the image if it has another size, as `Coco` does.
    Objects that VOC marks as `difficult` are kept and marked: its rules ignore them in a score. Parts of a body (`part`),
    `pose` and `truncated` are not read. `Masks` reads the maps of `SegmentationClass`.

    If the lists put an image into two splits, `Splits` decides. An image is left out and named if its XML is missing or
    cannot be used, or if no list names it. Without lists, XML without an image is named too.
    """

    implementation: ClassVar[str] = "kerasvision.data.sources.voc:read_voc"
    locations: ClassVar[frozenset[str]] = frozenset({"path"})

    path: Path = Field(description="the folder with JPEGImages and Annotations, such as VOCdevkit/VOC2012")
    images: str = Field(default="JPEGImages", min_length=1, description="the folder of the images, below `path`")
    annotations: str = Field(default="Annotations", min_length=1, description="the folder of the XML files, below `path`")
    lists: str = Field(
        default="ImageSets/Main", min_length=1, description="the folder of train.txt and the others, below `path`"
    )
    difficult: Literal["keep", "leave_out"] = Field(
        default="keep", description="what happens to objects that are marked as difficult; keep: they stay marked"
    )
    label: ImageLabel = Field(default="none", description=f"{_LARGEST}; difficult objects do not count")

    def way_to(self, what: AnnotationKind) -> str:
        """Labels require `label`; captions and label maps are not read."""
        return NO_LABEL_MAPS if what == "label_maps" else _way_to(what, label=self.label)

    def folder(self, field: Literal["images", "annotations"]) -> Path:
        """The folder of the images, or of the XML files.

        Raises:
            DataError: there is no such folder.
        """
        folder = existing_folder(self.path) / str(getattr(self, field))
        if not is_folder(folder):
            what = {"images": "the images", "annotations": "an XML file for each image"}[field]
            raise DataError(
                f"there is no folder {folder} with {what}",
                hint=f"set source.path to the folder above it, such as VOCdevkit/VOC2012, or source.{field} to its name",
            )
        return folder

    def split_lists(self) -> list[Path]:
        """The lists of the splits: train.txt, val.txt and test.txt, or trainval.txt instead of the first two."""
        return split_lists(self.path / self.lists)

    def files(self) -> Iterator[tuple[str, Path]]:
        """The lists, and every visible file in the folders of the images and the XML files."""
        found = {f"{self.lists}/{one.name}": one for one in self.split_lists()}
        for name, folder in ((self.images, self.folder("images")), (self.annotations, self.folder("annotations"))):
            found |= {f"{name}/{file}": path for file, path in list_files(folder)}
        yield from found.items()
