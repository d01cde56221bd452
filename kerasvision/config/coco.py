"""A source of photos in COCO's format, and the files that it reads."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from kerasvision.config.base import Needs
from kerasvision.config.image_files import existing_file, existing_folder, names_in
from kerasvision.config.listing import is_folder, list_files
from kerasvision.config.sources import LABELS_ONLY, AnnotationKind, Source
from kerasvision.errors import DataError


class Coco(Source):
    """Photos in COCO's format: captions, boxes, masks and label maps (https://cocodataset.org/#format-data).

    `Coco(path="coco")` reads a folder with the layout of the published COCO: `annotations/captions_train2017.json` and
    `annotations/instances_train2017.json` describe the images in `train2017`, which is the training split; val2017 and
    other names work in the same way. If `captions`, `instances` or `panoptic` is set, `path` is the folder of the images
    themselves.

    An image that only one of the two files lists has no captions, or no objects. An image that neither file lists is left
    out, with a warning unless another JSON file next to them lists it. Crowds (`iscrowd`) are left out: a box around twenty
    people is not an example of one person. With `crowds="keep"` they are kept and marked. An object keeps the `area` in the
    file. Categories with the same name are one class, whatever their ids.

    `annotations=("panoptic",)` reads a label map for each image that `annotations/panoptic_train2017.json` lists: from the
    PNG of segments in `annotations/panoptic_train2017`, or with `label_maps="semantic"` from the PNG of category numbers in
    `annotations/semantic_train2017`. The classes are the categories of that file, in the order of their ids. Pixels of no
    segment are ignored; in a PNG of category numbers these are 0 and 255.

    If the size in a JSON file differs from the image's, boxes and masks are scaled to the image, or rotated with it if the
    annotator ignored its EXIF orientation. If the aspect ratio differs too, the image is left out.
    """

    implementation: ClassVar[str] = "kerasvision.data.sources.coco:read_coco"
    locations: ClassVar[frozenset[str]] = frozenset({"path", "captions", "instances", "panoptic"})
    used_with: ClassVar[Mapping[str, Needs]] = {
        **{kind: Needs("annotations", (kind,)) for kind in ("captions", "instances", "panoptic")},
        **dict.fromkeys(("crowds", "masks", "label", "tags"), Needs("annotations", ("instances",))),
        "label_maps": Needs("annotations", ("panoptic",)),
    }

    path: Path = Field(description="the folder as COCO is published; with captions and so on, the folder of the images")
    captions: Path | None = Field(default=None, description="a file with captions of the images in `path`")
    instances: Path | None = Field(default=None, description="a file with boxes and masks for the images in `path`")
    panoptic: Path | None = Field(default=None, description="a file with the segments of the images in `path`")
    annotations: tuple[Literal["captions", "instances", "panoptic"], ...] = Field(
        default=("captions", "instances"), description="what to read; images that one of the files lists are used"
    )
    label_maps: Literal["panoptic", "semantic"] = Field(
        default="panoptic",
        description="which PNG give the label maps if `annotations` has panoptic: of segments, or of category numbers",
    )
    crowds: Literal["leave_out", "keep"] = Field(
        default="leave_out", description="what happens to objects that are marked as crowds; keep: they stay marked"
    )
    masks: Literal["keep", "leave_out"] = Field(default="keep", description="whether the objects' masks are read")
    label: Literal["none", "largest"] = Field(
        default="none",
        description="largest: the label of an image is the class of its largest box; parts outside the image and crowds do "
        "not count",
    )
    tags: bool = Field(
        default=False,
        description="True: the tags of an image are the classes of its objects; an image without objects has no tag",
    )

    def way_to(self, what: AnnotationKind) -> str:
        """Labels require `label` and a file of boxes, tags `tags` and that file, objects the same file.

        Captions require a file of captions.

        Label maps require a panoptic file, or a file of boxes with masks.
        """
        if what == "values":
            return LABELS_ONLY[what]
        if what == "labels" and self.label == "none":
            return "set source.label='largest'"
        if what == "tags" and not self.tags:
            return "set source.tags=True"
        if what == "label_maps":
            has_masks = self.masks == "keep" and not self._way_to_file("instances")
            return "" if has_masks else self._way_to_file("panoptic")
        return self._way_to_file("captions" if what == "captions" else "instances")

    def _way_to_file(self, kind: Literal["captions", "instances", "panoptic"]) -> str:
        """How to make this source read a kind of file; "" if it does."""
        if kind not in self.annotations:
            return f"add {kind!r} to source.annotations"
        is_left_out = (self.captions or self.instances or self.panoptic) and getattr(self, kind) is None
        return f"set source.{kind} to the file of {kind}" if is_left_out else ""

    def maps_folder(self, panoptic: Path) -> Path:
        """The folder of the PNG files that belong to a panoptic file.

        Raises:
            DataError: there is no such folder.
        """
        name = panoptic.stem
        if self.label_maps == "semantic":
            name = f"semantic_{name.removeprefix('panoptic_')}"
        folder = panoptic.parent / name
        if not is_folder(folder):
            raise DataError(
                f"there is no folder {folder} with the PNG files that {panoptic.name} describes",
                hint="unpack the archive of the PNG files there, or set source.label_maps to the kind that is there",
            )
        return folder

    def parts(self) -> list[tuple[Path, dict[str, Path]]]:
        """(folder of images, {"captions", "instances" or "panoptic": file that describes them}), sorted by folder.

        Raises:
            DataError: a folder or file does not exist, or there is nothing to read.
        """
        root = existing_folder(self.path)
        given = {kind: getattr(self, kind) for kind in self.annotations if getattr(self, kind) is not None}
        if given:
            return [(root, {kind: existing_file(file, field=kind) for kind, file in given.items()})]
        found: dict[Path, dict[str, Path]] = {}
        for kind in self.annotations:
            for name in names_in(root / "annotations"):
                if fnmatchcase(name, f"{kind}_*.json"):
                    folder = root / name.removeprefix(f"{kind}_").removesuffix(".json")
                    found.setdefault(folder, {})[kind] = root / "annotations" / name
        if not found:
            raise DataError(
                f"{root / 'annotations'} has no {' or '.join(f'{kind}_*.json' for kind in self.annotations)}",
                hint=f"set source.{' or source.'.join(self.annotations)} to the file that describes the images",
            )
        for folder, files in found.items():
            if not is_folder(folder):
                raise DataError(
                    f"there is no folder {folder} with the images that {next(iter(files.values()))} describes",
                    hint="download the images, or move that file elsewhere",
                )
        return sorted(found.items())

    def files(self) -> Iterator[tuple[str, Path]]:
        """The JSON files, the PNG files of label maps, and every visible file in the folders that they describe."""
        for folder, annotations in self.parts():
            for kind, file in annotations.items():
                yield f"{kind}/{file.name}", file
                if kind == "panoptic":
                    maps = self.maps_folder(file)
                    yield from ((f"{maps.name}/{name}", path) for name, path in list_files(maps))
            for name, path in list_files(folder):
                yield (name if folder == self.path else f"{folder.name}/{name}"), path
