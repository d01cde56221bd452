"""What a source yields: one image of unknown quality, with its annotations: label, captions, objects."""

import errno
import hashlib
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Faults of an image that a source does not read, and a note on one that it does.
OUTSIDE = "outside the class folders"
UNLISTED = "not listed in"
LINKED_OUT = "behind a link that leads out of the source's folder"


# y_min, x_min, y_max, x_max.
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Object:
    """One thing in an image.

    Attributes:
        box: corners y_min, x_min, y_max, x_max in pixels, the last two exclusive; of the upright image, or of what the
            record's `drawn_on` says.
        label: its class name; "object" is taken where it is "".
        mask: PNG bytes of a grey (H, W) picture, 255 where the object is and 0 elsewhere; or a function that gives them.
    """

    box: Box
    label: str
    mask: bytes | Callable[[], bytes] | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """An image as its source gives it.

    Attributes:
        name: unique within the source, and the same every time it is read: `train/daisy/1.jpg`.
        content: the encoded image: a file, or a function that gives the bytes.
        label: the class name; "" where the source knows none. Of spaces, one between words is kept.
        split: the split that the source itself puts it in, or None.
        group: what must not be torn apart (a person, a scene): all images of a group share a split. "": a group of its own.
        captions: what it shows, in words.
        objects: what is in it.
        fault: why it cannot be used, where the source already knows; else "".
        drawn_on: (height, width) of the picture that the objects were drawn on, where the source says it; where the file has
            another size, they are fitted to it.
        notes: what should be known of it, one line each.
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

    def file_size(self) -> int:
        """Bytes of the file; 0 where the content is no file, or cannot be found: loading it says why."""
        try:
            return self.content.stat().st_size if isinstance(self.content, Path) else 0
        except (OSError, ValueError):
            return 0

    def load(self) -> bytes:
        """The encoded bytes.

        Raises:
            OSError: the file cannot be read, or is a pipe or a device, which may never come to an end.
        """
        if not isinstance(self.content, Path):
            return self.content()
        kind = self.content.stat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise OSError(errno.EINVAL, "it is a pipe, a socket or a device", str(self.content))
        return self.content.read_bytes()


def class_name(label: str) -> str:
    """A label on one line, without space around it: TFDS keeps class names in the lines of a file.

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
