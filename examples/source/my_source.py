"""Slices of scans that are kept as NumPy files: a source of images that kerasvision does not know."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from kerasvision import config as c
from kerasvision.data.png import encode_png
from kerasvision.data.records import Record


class Scans(c.Source):
    """A file `<patient>.npz` per scan, with `slices` uint8 (S, H, W) and `has_spot` bool (S,)."""

    implementation: ClassVar[str] = "my_source:read_scans"
    # A field that says where the images are, and not what they are: another folder with the same files changes nothing.
    locations: ClassVar[frozenset[str]] = frozenset({"folder"})

    folder: Path

    def files(self) -> Iterator[tuple[str, Path]]:
        """(name, path) of every file that is read. When one of them changes, the images are read again."""
        for path in sorted(self.folder.glob("*.npz")):
            yield path.name, path


def read_scans(settings: Scans) -> Iterator[Record]:
    """One record for each slice. All slices of a patient are one group, so they get into the same split."""
    for _, path in settings.files():
        with np.load(path) as scan:
            slices, has_spot = scan["slices"], scan["has_spot"]
        for number, pixels in enumerate(slices):
            yield Record(
                name=f"{path.stem}/{number}.png",
                content=partial(encode_png, pixels),
                label="spot" if has_spot[number] else "clear",
                group=path.stem,
            )
