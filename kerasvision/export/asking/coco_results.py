"""Writes answers as COCO's results file (https://cocodataset.org/#format-results), which pycocotools reads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import Any, Self

from kerasvision.config.answer_files import MAPS
from kerasvision.config.inference import Listed
from kerasvision.config.listing import printable
from kerasvision.errors import ConfigError, DataError, ExportError
from kerasvision.export.asking.predict import ImagePredictor
from kerasvision.served.answers import CATEGORY_IDS
from kerasvision.tasks.presentation import Presentation
from kerasvision.whole_files import write_whole


@dataclass(frozen=True)
class Annotations:
    """What a results file takes from the file of annotations that it will be compared with.

    Attributes:
        file: the annotations.
        image_ids: file name -> number of the image.
        category_ids: label -> number of the category; empty if the file lists no categories.
    """

    file: Path
    image_ids: Mapping[str, int]
    category_ids: Mapping[str, int]

    @classmethod
    def read(cls, file: Path) -> Self:
        """Reads the images and categories of a file in COCO's format.

        Raises:
            DataError: it cannot be read, or lists no images with ids and file names of their own.
        """
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            images = {row["file_name"]: row["id"] for row in data["images"]}
            categories = {row["name"]: row["id"] for row in data.get("categories", ())}
            rows = len(data["images"])
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            raise DataError(f"{file} is not a file of annotations in COCO's format: {reason}") from None
        are_numbers = all(isinstance(number, int) for number in images.values())
        if len(images) < rows or len(set(images.values())) < rows or not are_numbers:
            raise DataError(f"{file} must give each image a file name and a number of its own")
        return cls(file, images, categories)

    def image_id(self, path: Path) -> int | None:
        """The number of an image: its path must end with a file name of the annotations.

        >>> read = Annotations(Path("a.json"), {"1.jpg": 7, "val/2.jpg": 8}, {})
        >>> read.image_id(Path("photos/1.jpg")), read.image_id(Path("photos/val/2.jpg")), read.image_id(Path("2.jpg"))
        (7, 8, None)
        """
        parts = PurePath(path).parts
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((self.image_ids[end] for end in ends if end in self.image_ids), None)


class CocoResults:
    """Collects answers, and writes them in the end. An existing file is replaced.

    The numbers of the images are those of the annotations, or else those in the files' names (`000000397133.jpg`). The
    numbers of the categories are those of the annotations; or else those that the model's training data had; or else 1 for
    the first label, and so on.

    Args:
        file: where to write.
        model: gives the answers.
        presentation: of the model.
        annotations: the file of annotations that the results will be compared with, or None.

    Raises:
        ConfigError: the model's answers are not objects.
        DataError: the annotations cannot be read.
        ExportError: the model has no labels.
    """

    def __init__(self, file: Path, *, model: ImagePredictor, presentation: Presentation, annotations: Path | None) -> None:
        if not presentation.has_objects:
            raise ConfigError(
                "COCO's results contain single objects, and this model answers with a class for each pixel",
                hint=f"write its maps with {MAPS.option}",
            )
        self._file, self._presentation = file, presentation
        self._annotations = Annotations.read(annotations) if annotations is not None else None
        known = self._annotations.category_ids if self._annotations else {}
        self._category_ids = known or category_ids(model)
        self._rows: list[str] = []
        self._images: dict[int, str] = {}
        self._unlisted = self._unknown = 0

    def add(self, image: Listed, outputs: Mapping[str, Any] | None) -> None:
        """Adds the answer for an image; None if it has no answer. An image that the annotations do not list is left out.

        Raises:
            DataError: the image has no number, or the number of another one.
        """
        number = self._image_id(image.path)
        if number is None:
            self._unlisted += 1
            return
        if number in self._images:
            both = f"{printable(self._images[number])} and {printable(image.name)}"
            raise DataError(f"each image requires a number of its own; {both} have the number {number}")
        self._images[number] = image.name
        if outputs is None:
            return
        found = self._presentation.results(outputs, image_id=number, category_ids=self._category_ids)
        self._unknown += len(self._presentation.rows(outputs)) - len(found)
        self._rows += map(json.dumps, found)

    def finish(self) -> str:
        """Writes the file, and returns a line about it.

        Raises:
            DataError: the annotations list none of the images.
            ExportError: the file cannot be written.
        """
        listing = self._annotations.file if self._annotations else "the model's data"
        if not self._images:
            raise DataError(f"{listing} lists none of the images", hint="name the images that the file lists")
        text = "[" + ",\n".join(self._rows) + "]\n"
        try:
            write_whole(self._file, partial(Path.write_text, data=text, encoding="utf-8"))
        except OSError as error:
            raise ExportError(f"{self._file} cannot be written: {error.strerror}") from error
        left_out = {"images": self._unlisted, "rows of other classes": self._unknown}
        named = ", ".join(f"{what} {count:,}" for what, count in left_out.items() if count)
        because = f"; left out, because {listing} does not list them: {named}" if named else ""
        return f"results in {self._file}: {len(self._rows):,} (images: {len(self._images):,}){because}"

    def _image_id(self, path: Path) -> int | None:
        if self._annotations:
            return self._annotations.image_id(path)
        if path.stem.isascii() and path.stem.isdecimal():
            return int(path.stem)
        raise DataError(
            "COCO's results require a number for each image, which is its file name or is in a file of annotations",
            received=printable(str(path)),
            hint="name the file that lists these images with --coco-images",
        )


def category_ids(model: ImagePredictor) -> dict[str, int]:
    """Label -> number of its category: that of the training data, or else its place in `labels.txt`, from 1.

    Raises:
        ExportError: the model has no `labels.txt`.
    """
    if known := model.answers.get(CATEGORY_IDS):
        return dict(known)
    return {label: number for number, label in enumerate(model.labels(), 1)}
