"""Where the images come from.

A source's settings say what to read and list its files, so that a change on disk can be seen without reading any image.
The reading itself is in `kerasvision.data.sources`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from kerasvision.config.base import Component
from kerasvision.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"})


class Source(Component):
    """Base of all sources. A user's own source subclasses it and names its reading function in `implementation`.

    The reading function takes these settings and yields `kerasvision.data.records.Record`s.
    """

    def files(self) -> Iterator[tuple[str, Path]]:
        """(name within the source, path) of every file whose content decides what is read, in any order."""
        return iter(())


class Digits(Source):
    """scikit-learn's 1,797 handwritten digits, 8 x 8 grey, ten classes (UCI "Optical Recognition of Handwritten Digits").

    The images are part of the scikit-learn package: nothing is fetched.
    """

    implementation: ClassVar[str] = "kerasvision.data.sources.digits:read_digits"


class ImageFolder(Source):
    """Class folders of images, `<path>/<class>/<image>`, or `<path>/<split>/<class>/<image>` with split folders.

    Split folders are those named train, val, valid, validation, eval or test. Hidden files are left alone; every other
    file is taken for an image, and a file that turns out not to be one is named and quarantined.
    """

    implementation: ClassVar[str] = "kerasvision.data.sources.image_folder:read_image_folder"
    locations: ClassVar[frozenset[str]] = frozenset({"path"})

    path: Path

    def files(self) -> Iterator[tuple[str, Path]]:
        """Every visible file below the folder, by its path relative to it."""
        root = _existing_folder(self.path)
        for path in root.rglob("*"):
            name = path.relative_to(root)
            if path.is_file() and not any(part.startswith(".") for part in name.parts):
                yield name.as_posix(), path


class Idx(Source):
    """MNIST's file format: `train-images-idx3-ubyte.gz`, `train-labels-idx1-ubyte.gz`, and the two `t10k-` files.

    Works for MNIST, Fashion-MNIST, KMNIST and others that come as these four files. The t10k files are the test split.
    """

    implementation: ClassVar[str] = "kerasvision.data.sources.idx:read_idx"
    locations: ClassVar[frozenset[str]] = frozenset({"path"})

    path: Path
    class_names: tuple[str, ...] | None = Field(default=None, description="names of the labels 0, 1, ...; else digits")
    max_examples: int | None = Field(default=None, ge=1, description="read only so many of each split")

    def files(self) -> Iterator[tuple[str, Path]]:
        """The .gz files in the folder."""
        for path in _existing_folder(self.path).glob("*-ubyte.gz"):
            yield path.name, path


class Tfds(Source):
    """Any image classification data set of tensorflow-datasets, by its name: `"cifar10"`, `"oxford_flowers102:2.1.1"`.

    A data set that is not on this machine yet is downloaded; where there is no network, that is said within seconds.
    Its identity is its name and version, so pin the version (`name:version`) for an exact record.
    """

    implementation: ClassVar[str] = "kerasvision.data.sources.tfds:read_tfds"
    locations: ClassVar[frozenset[str]] = frozenset({"data_dir"})

    name: str
    data_dir: Path | None = Field(default=None, description="where TFDS keeps its data sets; else its own default")
    image_key: str = "image"
    label_key: str = "label"
    max_examples: int | None = Field(default=None, ge=1, description="read only so many of each split")


def _existing_folder(path: Path) -> Path:
    if not path.is_dir():
        raise DataError(
            f"there is no folder {path} (looked in {Path.cwd()})", hint="set source.path to the folder with the images"
        )
    return path
