"""What a source yields: one image of unknown quality, with its label."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from kerasvision.errors import DataError


@dataclass(frozen=True)
class Record:
    """An image as its source gives it.

    Attributes:
        name: unique within the source, and the same every time it is read: `train/daisy/1.jpg`.
        content: the encoded image: a file, or a function that gives the bytes.
        label: the class name.
        split: the split that the source itself puts it in, or None.
    """

    name: str
    content: Path | Callable[[], bytes]
    label: str
    split: str | None = None

    def load(self) -> bytes:
        """The encoded bytes. A file that cannot be read raises OSError."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content()


def unique_names(records: Iterable[Record]) -> list[Record]:
    """The records as a list.

    Raises:
        DataError: two share a name, or there are none.
    """
    records = list(records)
    if not records:
        raise DataError("the source holds no images")
    names = {record.name for record in records}
    if len(names) != len(records):
        raise DataError(f"every image of a source needs a name of its own; {len(records) - len(names)} are taken twice")
    return records


def sha256(data: bytes) -> str:
    """The content's identity: 64 hex digits.

    >>> sha256(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()
