"""The contents of records that are made, not read, and how ingest makes most of them only once."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from kerasvision.data.records import Record

# Room for the encoded images between the two readings of a source; the rest is made a second time.
MOST_KEPT_BYTES = 64_000_000
# What an image takes in addition to its bytes: its name, and its place in a table.
BYTES_BESIDES = 256


@dataclass(frozen=True, slots=True)
class Repeatable:
    """The content of a record that never changes: pixels in memory to be encoded, or a picture to be drawn.

    Ingest reads a source twice. It makes such a content once, as long as all that it keeps takes at most 64 MB.

    Attributes:
        make: returns the encoded bytes, the same every time.

    >>> Repeatable(lambda: b"GIF89a")()
    b'GIF89a'
    """

    make: Callable[[], bytes]

    def __call__(self) -> bytes:
        """The encoded bytes."""
        return self.make()


@dataclass
class KeptImages:
    """Encoded images of the first reading of a source, for the second.

    Only contents that are `Repeatable` are kept, so that a file that changes between the readings is still noticed; and they
    take at most `most_bytes`.
    """

    most_bytes: int = MOST_KEPT_BYTES
    _bytes: int = 0
    _images: dict[str, bytes] = field(default_factory=dict)

    def first_reading(self, records: Iterable[Record]) -> Iterator[Record]:
        """The same records. The bytes of each are kept when they are loaded, if there is room."""

        def loader(record: Record) -> Callable[[], bytes]:
            def load() -> bytes:
                data = record.load()
                size = len(data) + BYTES_BESIDES
                if self._bytes + size <= self.most_bytes:
                    self._bytes += size
                    self._images[record.name] = data
                return data

            return load

        for record in records:
            keeps = self.most_bytes > 0 and isinstance(record.content, Repeatable)
            yield replace(record, content=loader(record)) if keeps else record

    def second_reading(self, records: Iterable[Record]) -> Iterator[Record]:
        """The same records; the contents that were kept are not made again, and are forgotten."""
        for record in records:
            data = self._images.pop(record.name, None) if isinstance(record.content, Repeatable) else None
            yield record if data is None else replace(record, content=partial(bytes, data))
