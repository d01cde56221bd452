"""The records of a source: each is one unchecked image with its annotations, such as a label, objects or numbers."""

import errno
import hashlib
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Faults of images that a source does not read, and notes on images that it does read.
OUTSIDE = "outside the class folders"
UNLISTED = "not listed in"
LINKED_OUT = "behind a link that leads out of the source's folder"
NO_MAP = "no label map"
NOT_FINITE, MISSING_VALUE = "finite number", "has no number for"
TWO_SPLITS = "the source puts it into two splits, so its content decides"


# y_min, x_min, y_max, x_max.
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Object:
    """One thing in an image.

    Attributes:
        box: corners y_min, x_min, y_max, x_max in pixels, the last two exclusive; in the upright image, or in the picture
            of the record's `drawn_on`.
        label: its class name; "" becomes "object".
        mask: PNG bytes of a grey (H, W) picture, 255 inside the object and 0 elsewhere; or a function that returns them.
        crowd: whether a score of boxes ignores it: finding it is not an error, and missing it is not one either. COCO's
            `iscrowd` and VOC's `difficult` mean this.
        area: in pixels of the picture of `box`, at least 0. For COCO it is the area of the outline, not of the box. None:
            the area of the box.
        category_id: the number of its class in the source's own files; None if classes have no numbers there.
    """

    box: Box
    label: str
    mask: bytes | Callable[[], bytes] | None = None
    crowd: bool = False
    area: float | None = None
    category_id: int | None = None


class UnusableMap(Exception):
    """Why a label map cannot be used, in one line: it becomes the fault of its image."""


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Which class each pixel of an image has, in the numbers of the source.

    Attributes:
        load: returns the numbers: integers (H, W), at least 0, of the size of the image. An `UnusableMap` or an `OSError`
            that it raises becomes the fault of the image.
        names: number -> class name, in the order in which a data set numbers the classes. Several numbers with one name are
            one class. A number without a name is a fault, unless it is ignored. None: every number is a class, named by its
            digits.
        ignored: the numbers that say nothing about a pixel.
    """

    load: Callable[[], NDArray[np.integer]]
    names: Mapping[int, str] | None = None
    ignored: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Record:
    """An image from its source.

    Attributes:
        name: unique within the source, and the same every time it is read: `train/daisy/1.jpg`.
        content: the encoded image: a file, or a function that returns the bytes. Ingest calls the function twice, or once
            if it is a `kerasvision.data.repeatable.Repeatable`.
        label: the class name; "" without a label. Spaces are reduced to one between words.
        split: the split that the source puts it in, or None.
        group: what must stay in one split (a person, a scene): all images of a group share a split. "" for no group.
        captions: sentences that describe the image.
        objects: the objects in the image.
        fault: why it cannot be used, if the source already knows; otherwise "".
        drawn_on: (height, width) of the picture that the objects were drawn on, if the source says it. If the file has
            another size, the objects are fitted to it.
        notes: what a reader should know about it, one line each.
        label_map: which class each pixel has.
        tags: the names of everything that the image shows or is, in any order; empty for an image without any tag. None: it
            is not known which tags it has.
        listed_classes: the names that the source's own files give to classes of objects, whether or not there are such
            objects; empty if they list none. Records share this tuple.
        values: name -> number, such as an age or the place of a thing; NaN, or no entry, where the number is missing. None:
            the source gives no numbers.
    """

    name: str
    content: Path | Callable[[], bytes]
    label: str = ""
    split: str | None = None
    group: str = ""
    captions: tuple[str, ...] = ()
    objects: tuple[Object, ...] = ()
    fault: str = ""
    drawn_on: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    label_map: LabelMap | None = None
    tags: tuple[str, ...] | None = None
    listed_classes: tuple[str, ...] = ()
    values: Mapping[str, float] | None = None

    def file_size(self) -> int:
        """The size of the file in bytes; 0 if the content is not a file or cannot be found: `load` says why."""
        try:
            return self.content.stat().st_size if isinstance(self.content, Path) else 0
        except (OSError, ValueError):
            return 0

    def load(self) -> bytes:
        """The encoded bytes.

        Raises:
            OSError: the file cannot be read, or is a pipe or a device, which may never end.
        """
        if not isinstance(self.content, Path):
            return self.content()
        kind = self.content.stat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise OSError(errno.EINVAL, "it is a pipe, a socket or a device", str(self.content))
        return self.content.read_bytes()


def class_name(label: str) -> str:
    """A label on one line, without spaces around it: TFDS stores class names as the lines of a file.

    >>> class_name(" sun\\nflower ")
    'sun flower'
    """
    return " ".join(label.split())


def sha256(data: bytes) -> str:
    """The content's identity: 64 hex digits.

    >>> sha256(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()
