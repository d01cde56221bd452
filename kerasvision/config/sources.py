"""Where the images come from.

A source's settings say what to read, and list its files, so that changes on disk are found without reading any image.
The code that reads is in `kerasvision.data.sources`.
"""

import glob
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from kerasvision.config.base import Component, Needs
from kerasvision.config.image_files import existing_folder
from kerasvision.config.listing import is_file, is_passed_over, list_files, list_folder, printable
from kerasvision.errors import DataError

# What a task may require of every image in addition to its pixels.
# "label_maps" may also be masks of objects, from which a task paints a map.
AnnotationKind = Literal["labels", "tags", "captions", "objects", "label_maps", "values"]
NO_CAPTIONS = "read captions through Table, Coco, TfRecord or Tfds"
NO_OBJECTS = "read objects through Coco, Yolo, Voc or TfRecord, or generate them with Shapes"
NO_TAGS = "read tags through Table, TfRecord, ImageFolder or Coco, or generate them with Shapes"
NO_LABEL_MAPS = "read label maps through Masks or Coco, or masks of objects through Coco, Yolo, TfRecord or Shapes"
NO_VALUES = "read numbers through Table or TfRecord, or generate them with Shapes"
LABELS_ONLY = {
    "tags": NO_TAGS,
    "captions": NO_CAPTIONS,
    "objects": NO_OBJECTS,
    "label_maps": NO_LABEL_MAPS,
    "values": NO_VALUES,
}


class Source(Component):
    """Base class of all sources. A user's own source subclasses it and names its reading function in `implementation`.

    The reading function takes these settings and yields `kerasvision.data.records.Record`s.
    """

    def files(self) -> Iterator[tuple[str, Path]]:
        """(name within the source, path) of every file whose content affects what is read, in any order."""
        return iter(())

    def way_to(self, what: AnnotationKind) -> str:
        """A hint how to make this source give such annotations; "" if it gives them, or may give them.

        Label maps are also given by a source whose objects have masks.

        >>> TfRecord(path="birds-*", caption_key=None).way_to("captions")
        'set source.caption_key to the feature that contains the captions'
        """
        return ""

    def parts_tags(self) -> bool | None:
        """Whether a text is parted into tags by `tag_separator`; None if the source has no such setting, or reads no texts.

        >>> ImageFolder(path="photos", tags=True).parts_tags() is None
        True
        """
        return None

    def named_values(self) -> tuple[str, ...] | None:
        """The names of the numbers of the images, in their order; None if they are not known before reading.

        >>> Shapes(values=("area", "y")).named_values()
        ('area', 'y')
        """
        return None


class Digits(Source):
    """scikit-learn's 1,797 handwritten digits, 8 x 8 grey, ten classes (UCI "Optical Recognition of Handwritten Digits").

    The images are part of the scikit-learn package: nothing is downloaded.
    """

    implementation: ClassVar[str] = "kerasvision.data.sources.digits:read_digits"

    def way_to(self, what: AnnotationKind) -> str:
        """These images have labels only."""
        return LABELS_ONLY.get(what, "")


class ImageFolder(Source):
    """Class folders of images, `<path>/<class>/<image>`; optionally with split folders above or below the class folders.

    Split folders are named train, validation (val, valid, dev, eval) or test, also with numbers and more words, such as
    `training_set` or `seg_test`. Links are followed. Hidden files and files that operating systems create (Thumbs.db, for
    example) are ignored. Every other file counts as an image; if it is not one, it is reported and quarantined.

    With `tags=True` each class folder is a tag. The same image in several folders, as a copy or as a link, is one image with
    several tags. An image directly in the folder, or directly in a split folder, has no tag.
    """

    implementation: ClassVar[str] = "kerasvision.data.sources.image_folder:read_image_folder"
    locations: ClassVar[frozenset[str]] = frozenset({"path"})

    path: Path = Field(description="the folder that contains the class folders or the split folders")
    tags: bool = Field(
        default=False, description="True: a folder is a tag and not a label, and an image may be in several folders"
    )
    labels: bool = Field(
        default=True,
        description="false: no folder is a class; every image in the folder or below it is read, without a label",
    )

    def files(self) -> Iterator[tuple[str, Path]]:
        """Every visible file below the folder, by its path relative to it."""
        yield from list_files(existing_folder(self.path))

    def way_to(self, what: AnnotationKind) -> str:
        """These images have labels, or tags with `tags`, or none with `labels=False`."""
        if what == "tags":
            return "" if self.tags else "set source.tags=True"
        if what == "labels" and self.tags:
            return "set source.tags=False"
        if what == "labels":
            return "" if self.labels else "set source.labels to true, with a folder for each class"
        return LABELS_ONLY[what]

    @model_validator(mode="after")
    def _folders_mean_one_thing(self) -> "ImageFolder":
        if self.tags and not self.labels:
            raise ValueError("tags=True says that folders are tags, and labels=False that they say nothing: set one of them")
        return self


class Idx(Source):
    """MNIST's file format: `train-images-idx3-ubyte.gz`, `train-labels-idx1-ubyte.gz`, and the two `t10k-` files.

    Works for MNIST, Fashion-MNIST, KMNIST and others that consist of these four files. The t10k files are the test split.
    """

    implementation: ClassVar[str] = "kerasvision.data.sources.idx:read_idx"
    locations: ClassVar[frozenset[str]] = frozenset({"path"})

    path: Path = Field(description="the folder with the four files")
    class_names: tuple[str, ...] | None = Field(default=None, description="names of the labels 0, 1, ...; else digits")
    max_examples: int | None = Field(default=None, ge=1, description="read at most this many of each split")

    def files(self) -> Iterator[tuple[str, Path]]:
        """The .gz files in the folder."""
        for found in list_folder(existing_folder(self.path), recursive=False):
            if found.name.endswith("-ubyte.gz"):
                yield printable(found.name), found.path

    def way_to(self, what: AnnotationKind) -> str:
        """These images have labels only."""
        return LABELS_ONLY.get(what, "")


class Tfds(Source):
    """Any image classification data set of tensorflow-datasets, by its name: `"cifar10"`, `"oxford_flowers102:2.1.1"`.

    A data set that is not on this machine yet is downloaded. Without a network, an error says so within seconds.
    Its fingerprint is its name and version, so pin the version (`name:version`) for an exact record.

    A feature within others is written with a slash: `label_key=None, caption_key="captions/text"` for `coco_captions`.
    """

    implementation: ClassVar[str] = "kerasvision.data.sources.tfds:read_tfds"
    locations: ClassVar[frozenset[str]] = frozenset({"data_dir"})

    name: str = Field(description="the data set's name, with a version if you like: cifar10:3.0.2")
    data_dir: Path | None = Field(default=None, description="where TFDS keeps its data sets; None: TFDS' default")
    image_key: str = Field(default="image", description="the feature with the image")
    label_key: str | None = Field(default="label", description="None if the data set has no labels")
    caption_key: str | None = Field(default=None, description="a text, or a sequence of texts")
    max_examples: int | None = Field(default=None, ge=1, description="read at most this many of each split")

    def way_to(self, what: AnnotationKind) -> str:
        """Labels and captions need the key of their feature; nothing else is read."""
        field = {"labels": "label_key", "captions": "caption_key"}.get(what)
        if field is None:
            return LABELS_ONLY[what]
        return f"set source.{field} to the feature that contains the {what}" if getattr(self, field) is None else ""


class TfRecord(Source):
    """TFRecord files of tf.train.Example, with the keys of TensorFlow's Models: `image/encoded`, `image/class/label`, ...

    `path` is a file or a pattern: `"imagenet/*-of-*"`. A file with train, validation (or val) or test in its name belongs to
    that split. So does a file in a folder with such a name, if the pattern has a wildcard for the folder
    (`"imagenet/*/*"`). All keys except the image are optional in each example. With `tag_key`, an example without that key
    has no tag, and no label is read unless `label_key` is set.
    """

    implementation: ClassVar[str] = "kerasvision.data.sources.tfrecord:read_tfrecord"
    locations: ClassVar[frozenset[str]] = frozenset({"path"})
    used_with: ClassVar[Mapping[str, Needs]] = {
        "class_names": Needs("label_key"),
        "tag_names": Needs("tag_key"),
        **dict.fromkeys(("object_label_key", "object_class_names", "mask_key", "crowd_key", "area_key"), Needs("box_key")),
    }

    path: Path = Field(description="a file, or a pattern such as imagenet/*-of-*")
    image_key: str = Field(default="image/encoded", description="the key of the encoded image")
    label_key: str | None = Field(default="image/class/label", description="a number, a text, or a one-hot list")
    class_names: tuple[str, ...] | None = Field(default=None, description="names of the labels 0, 1, ...; else digits")
    tag_key: str | None = Field(default=None, description="the tags of an image: any number of texts or numbers")
    tag_names: tuple[str, ...] | None = Field(default=None, description="names of the tags 0, 1, ...; else digits")
    caption_key: str | None = Field(default="image/caption", description="one or several texts")
    box_key: str | None = Field(default="image/object/bbox", description="with /ymin, /xmin, /ymax, /xmax, each in [0, 1]")
    object_label_key: str = Field(default="image/object/class/text", description="a number or a text for each box")
    object_class_names: tuple[str, ...] | None = Field(default=None, description="names of the objects' labels 0, 1, ...")
    mask_key: str | None = Field(default="image/object/mask", description="a PNG for each box, 0 outside the object")
    crowd_key: str | None = Field(
        default="image/object/is_crowd", description="1 for each box that a score of boxes ignores, else 0"
    )
    area_key: str | None = Field(default="image/object/area", description="the area of each object in pixels")
    value_keys: tuple[str, ...] = Field(
        default=(), description="keys of numbers to learn; a feature of several numbers becomes key/0, key/1, ..."
    )

    @model_validator(mode="before")
    @classmethod
    def _no_label_unless_it_is_named(cls, data: object) -> object:
        # Its default may be the key of the tags, where it would reject several labels.
        if isinstance(data, dict) and data.get("tag_key") is not None:
            return {"label_key": None, **data}
        return data

    def way_to(self, what: AnnotationKind) -> str:
        """Labels, tags, captions, objects, masks and numbers need the key of their feature."""
        if what == "values":
            return "" if self.value_keys else "set source.value_keys to the features that contain the numbers"
        field = {
            "labels": "label_key",
            "tags": "tag_key",
            "captions": "caption_key",
            "objects": "box_key",
            "label_maps": "mask_key",
        }[what]
        contained = "masks of the objects" if what == "label_maps" else what
        return f"set source.{field} to the feature that contains the {contained}" if getattr(self, field) is None else ""

    def named_paths(self) -> list[tuple[str, Path]]:
        """(name, file) of all files, sorted; the name is the path from the first part with a wildcard on.

        Raises:
            DataError: no file matches.
        """
        # Without permission this is true too, and reading the file reports it.
        if is_file(self.path):
            return [(printable(self.path.name), self.path)]
        *folders, _ = self.path.parts or ("",)
        start = next((at for at, part in enumerate(folders) if glob.has_magic(part)), len(folders))
        found = [Path(name) for name in sorted(glob.glob(str(self.path)))]  # noqa: PTH207 (not below a folder)
        paths = [
            (printable("/".join(path.parts[start:])), path)
            for path in found
            if is_file(path) and not any(map(is_passed_over, path.parts[start:]))
        ]
        if not paths:
            raise DataError(
                f"there is no file {self.path} (looked in {Path.cwd()})",
                hint="set source.path to a file or a pattern such as 'data/train-*'",
            )
        return paths

    def files(self) -> Iterator[tuple[str, Path]]:
        """All files that match the pattern."""
        yield from self.named_paths()


ShapeValue = Literal["area", "y", "x", "count"]
ShapeName = Literal["circle", "square", "triangle", "star", "cross", "ring", "crescent", "heart"]


class Shapes(Source):
    """Scenes generated from a seed: coloured shapes on a textured background, with label, boxes, masks and 1 to 5 captions.

    The values of a scene are numbers about its largest shape: `area`, its visible share of the picture; `y` and `x`, the
    middle of its visible pixels as shares of height and width; and `count`, how many shapes the scene has.

    A label map is not stored: a task that reads one paints the masks, which show the visible part of each shape, into it.

    Scene n depends only on the seed and n, so a larger `count` adds scenes and changes none. The label is the class of the
    largest shape; the classes take turns, so all are equally frequent. With `tags=True` the tags are the classes of all its
    shapes. Nothing is downloaded, and no licence is needed.
    """

    implementation: ClassVar[str] = "kerasvision.data.sources.shapes:read_shapes"

    count: int = Field(default=1000, ge=1, description="how many scenes are made")
    image_size: tuple[Annotated[int, Field(ge=32, le=1024)], Annotated[int, Field(ge=32, le=1024)]] = Field(
        default=(64, 64), description="height, width"
    )
    seed: int = Field(default=0, ge=0, description="of the random numbers; scene n depends on the seed and n alone")
    classes: tuple[ShapeName, ...] = Field(
        default=("circle", "square", "triangle", "star", "cross", "ring", "crescent", "heart"),
        min_length=1,
        description="the kinds of shapes",
    )
    max_objects: int = Field(default=3, ge=1, le=6, description="each scene has 1 to this many shapes")
    tags: bool = Field(default=False, description="True: each scene also has tags, the kinds of its shapes")
    values: tuple[ShapeValue, ...] = Field(
        default=("area", "y", "x", "count"), description="the numbers that the scenes have, in this order"
    )

    def way_to(self, what: AnnotationKind) -> str:
        """Tags require `tags`; everything else is there."""
        return "set source.tags=True" if what == "tags" and not self.tags else ""

    def named_values(self) -> tuple[str, ...]:
        """Those of `values`."""
        return self.values

    @model_validator(mode="after")
    def _name_each_class_once(self) -> "Shapes":
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes must name each class once; received {self.classes!r}")
        if len(set(self.values)) < len(self.values):
            raise ValueError(f"values must name each value once; received {self.values!r}")
        return self
