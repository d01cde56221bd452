"""What a folder of images holds, as far as the first pipeline for it depends on that."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image

from kerasvision.config.listing import is_file
from kerasvision.config.preparing import Splits
from kerasvision.config.sources import ImageFolder
from kerasvision.data.records import Record
from kerasvision.data.sources.image_folder import read_image_folder
from kerasvision.data.splits import TEST, TRAIN, VALIDATION, split_quotas
from kerasvision.errors import DataError

SAMPLED_IMAGES = 200


@dataclass(frozen=True)
class FirstLook:
    """What a folder of images holds.

    Attributes:
        images: the folder.
        files: split that the folder gives -> class -> its files; the split is "" if the folder gives none.
        sides: the shorter sides of some images in pixels, sorted; at least one.
        is_grey: whether all of these images have one channel.
    """

    images: Path
    files: Mapping[str, Mapping[str, Sequence[Path]]]
    sides: tuple[int, ...]
    is_grey: bool

    @cached_property
    def counts(self) -> Counter[str]:
        """Class -> how many images it has."""
        return Counter({label: sum(len(of.get(label, ())) for of in self.files.values()) for label in self.labels})

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, sorted."""
        return tuple(sorted({label for of in self.files.values() for label in of}))

    @property
    def median_side(self) -> int:
        """The median of the shorter sides, in pixels."""
        return self.sides[len(self.sides) // 2]

    @property
    def given(self) -> frozenset[str]:
        """The splits that the folder itself defines: any of train, validation and test."""
        return frozenset(self.files) - {""}

    @property
    def of_class(self) -> dict[str, list[Path]]:
        """Class -> its files, from all splits."""
        return {label: [file for of in self.files.values() for file in of.get(label, ())] for label in self.labels}

    def expected(self, splits: Splits) -> dict[str, Counter[str]]:
        """Split -> class -> how many images it gets with `splits.stratify`, if no file is damaged or a copy of another.

        >>> look = FirstLook(Path("pets"), {"": {"cat": [Path("1.jpg")] * 20, "dog": [Path("2.jpg")] * 10}}, (64,), False)
        >>> look.expected(Splits(validation=0.1, test=0.2, stratify=True))["test"]
        Counter({'cat': 4, 'dog': 2})
        """
        found: dict[str, Counter[str]] = {split: Counter() for split in (TRAIN, VALIDATION, TEST)}
        shares = {TEST: splits.test, VALIDATION: splits.validation}
        shares |= dict.fromkeys(shares.keys() & self.given, 0.0)
        for given, of in self.files.items():
            for label, files in of.items():
                is_kept = given in (VALIDATION, TEST)
                quotas = {given: len(files)} if is_kept else split_quotas(len(files), {}, shares)
                for split, count in quotas.items():
                    found[split][label] += count
        return found


def look_at(images: Path) -> FirstLook:
    """Lists the images of a folder, and opens up to 200 of them.

    Args:
        images: class folders, with or without split folders.

    Raises:
        DataError: no folder, no class folders, fewer than two classes, or no readable image.
    """
    records = [record for record in read_image_folder(ImageFolder(path=images)) if not record.fault]
    files: dict[str, dict[str, list[Path]]] = {}
    for record in records:
        if isinstance(record.content, Path):
            files.setdefault(record.split or "", {}).setdefault(record.label, []).append(record.content)
    labels = sorted({record.label for record in records})
    if len(labels) < 2:
        raise DataError(
            f"{images} must hold images of at least two classes",
            received=labels,
            hint=f"put the images of each class into a folder of its own, such as {images / 'cat'} and {images / 'dog'}, "
            "and give --images the folder above them; or write a pipeline with c.Reconstruction, which requires no classes",
        )
    sizes, is_grey = sampled_sizes(records)
    return FirstLook(images, files, tuple(sorted(map(min, sizes))), is_grey)


def sampled_sizes(records: Sequence[Record]) -> tuple[list[tuple[int, int]], bool]:
    """((width, height) of each; whether all are grey), from some images spread over the source; at least one.

    Raises:
        DataError: none of them is a readable image.
    """
    sizes, modes = [], set()
    for record in records[:: max(1, len(records) // SAMPLED_IMAGES)]:
        if found := size_and_mode(record):
            sizes.append(found[0])
            modes.add(found[1])
    if not sizes:
        raise DataError("none of the sampled files is a readable image", received=str(records[0].name))
    return sizes, modes <= {"L", "1", "I;16"}


def size_and_mode(record: Record) -> tuple[tuple[int, int], str] | None:
    """((width, height), mode) from the header of an image's file; None if it cannot be read, which the run reports."""
    if not isinstance(record.content, Path) or not is_file(record.content):  # opening a pipe may block for ever
        return None
    try:
        with Image.open(record.content) as image:
            return image.size, image.mode
    except (OSError, Image.DecompressionBombError, ValueError):  # PIL.UnidentifiedImageError is an OSError
        return None
