"""Writes a picture for each answer into a folder of its own: drawn over the image, or a map of class numbers."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from PIL import Image

from kerasvision.config.inference import Listed
from kerasvision.errors import ConfigError, ExportError
from kerasvision.export.asking.predict import ImagePredictor
from kerasvision.ops.images import decode_image
from kerasvision.tasks.presentation import Presentation

# The name of a picture contains at most this many letters of the name of its image.
MOST_LETTERS = 80
QUALITY = 92


class PictureFolder(ABC):
    """Writes `000001_cat.jpg` for the first image, and so on. The numbers are those of the listing, so no two names collide.

    Args:
        folder: is created; it must be empty if it exists.

    Raises:
        ConfigError: the folder contains something, or is a file.
        ExportError: it cannot be created.
    """

    suffix: ClassVar[str]
    noun: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self._folder = new_folder(folder, noun=self.noun)
        self._number = self._written = 0

    @abstractmethod
    def picture(self, image: Listed, kept: Mapping[str, Any]) -> Image.Image:
        """The picture for an image and what `kept` returned for its answer."""

    def kept(self, outputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a picture shows of an answer; by default all of it."""
        return outputs

    def add(self, image: Listed, outputs: Mapping[str, Any] | None) -> None:
        """Writes the picture for the next image; None for an image without an answer, which has no picture.

        Raises:
            ExportError: the image can no longer be read, or the picture cannot be written.
        """
        self._number += 1
        if outputs is None:
            return
        kept = self.kept(outputs)
        try:
            made = self.picture(image, kept)
            made.save(self._folder / picture_name(self._number, image.path, suffix=self.suffix), quality=QUALITY)
        except (OSError, tf.errors.OpError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ExportError(f"no picture of {image.path} could be written to {self._folder}: {reason}") from error
        self._written += 1

    def finish(self) -> str:
        """A line about what was written."""
        return f"{self.noun} in {self._folder}: {self._written:,}"


class AnswerPictures(PictureFolder):
    """Pictures that a presentation makes.

    Args:
        folder: see `PictureFolder`.
        presentation: makes the pictures.
        least_score: what has a lower score is left out.
    """

    def __init__(self, folder: Path, *, presentation: Presentation, least_score: float) -> None:
        super().__init__(folder)
        self._presentation, self._least_score = presentation, least_score

    def kept(self, outputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """What has at least the least score."""
        return self._presentation.kept(outputs, least_score=self._least_score)


class Pictures(AnswerPictures):
    """Draws each answer over its upright image.

    Raises:
        ConfigError: the answers of the model have no places in the image.
    """

    suffix, noun = ".jpg", "pictures"

    def __init__(self, folder: Path, *, presentation: Presentation, least_score: float) -> None:
        if not presentation.has_places:
            raise ConfigError("--draw requires a model whose answers have places in the image", hint="ask without it")
        super().__init__(folder, presentation=presentation, least_score=least_score)

    def picture(self, image: Listed, kept: Mapping[str, Any]) -> Image.Image:
        """The image with the answer."""
        pixels = decode_image(tf.constant(image.path.read_bytes()), color_mode="rgb").numpy()
        return self._presentation.drawn(Image.fromarray(np.asarray(pixels, np.uint8)), kept)


class Maps(AnswerPictures):
    """Writes the class number of each pixel as a PNG.

    Raises:
        ConfigError: the model gives pixels no class.
    """

    suffix, noun = ".png", "maps"

    def __init__(self, folder: Path, *, presentation: Presentation) -> None:
        if not presentation.has_maps:
            raise ConfigError("maps require a model that answers with a class for each pixel")
        super().__init__(folder, presentation=presentation, least_score=0.0)

    def picture(self, image: Listed, kept: Mapping[str, Any]) -> Image.Image:
        """The map."""
        return self._presentation.map(kept)


def picture_folders(
    model: ImagePredictor, *, pictures: Path | None, maps: Path | None, least_score: float | None
) -> list[AnswerPictures]:
    """Writers of pictures and of maps, for `predict_to_file` and `predict_listed`.

    Args:
        model: gives the answers.
        pictures: the folder of answers drawn over their images; None for none.
        maps: the folder of maps of class numbers; None for none.
        least_score: what has a lower score is not drawn; None: what the model's task usually shows.

    Raises:
        ConfigError, ExportError: see `PictureFolder`.
        ConfigError: the model has no such answers.
    """
    writers: list[AnswerPictures] = []
    if pictures is not None:
        shown = model.presented("a picture of an answer")
        least = shown.shown_from if least_score is None else least_score
        writers.append(Pictures(pictures, presentation=shown, least_score=least))
    if maps is not None:
        writers.append(Maps(maps, presentation=model.presented("a map")))
    return writers


def new_folder(folder: Path, *, noun: str) -> Path:
    """The folder, created, or empty if it existed.

    Args:
        folder: its path.
        noun: what it is for, in the plural.

    Raises:
        ConfigError: the folder contains something, or is a file.
        ExportError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = next(folder.iterdir(), None) is None
    except FileExistsError:
        raise ConfigError(f"{folder} is a file", hint=f"name a folder for the {noun}") from None
    except OSError as error:
        raise ExportError(f"{folder} cannot be used: {error.strerror}") from error
    if not is_empty:
        raise ConfigError(f"{noun} require a new or an empty folder; {folder} contains files", hint="name another one")
    return folder


def picture_name(number: int, image: Path, *, suffix: str) -> str:
    """The name of a picture: digits, and what every file system accepts of the image's own name.

    >>> picture_name(7, Path("photos/a cat?.png"), suffix=".jpg"), picture_name(1234567, Path("ä.jpg"), suffix=".png")
    ('000007_a_cat_.jpg', '1234567_ä.png')
    """
    stem = re.sub(r"[^\w.-]", "_", image.stem.encode("utf-8", "replace").decode())[:MOST_LETTERS]
    # A file system counts bytes: a letter may have four.
    stem = stem.encode()[: 2 * MOST_LETTERS].decode("utf-8", "ignore")
    return f"{number:06d}_{stem}{suffix}"
