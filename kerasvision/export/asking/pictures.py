"""Draws a saved model's answers over the images: a picture per image, in a folder of its own."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from kerasvision.config.inference import Listed
from kerasvision.errors import ConfigError, ExportError
from kerasvision.ops.images import decode_image
from kerasvision.tasks.presentation import Presentation

# The name of a picture contains at most this many letters of the name of its image.
MOST_LETTERS = 80
QUALITY = 92


class Pictures:
    """Writes `000001_cat.jpg` for the first image, and so on. The numbers are those of the listing, so no two names collide.

    Args:
        folder: is created; it must be empty if it exists.
        presentation: draws.
        least_score: what has a lower score is not drawn.

    Raises:
        ConfigError: the folder contains something, or is a file.
        ExportError: it cannot be created.
    """

    def __init__(self, folder: Path, *, presentation: Presentation, least_score: float) -> None:
        self._folder, self._presentation, self._least_score = folder, presentation, least_score
        self._number = self._drawn = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            is_empty = next(folder.iterdir(), None) is None
        except FileExistsError:
            raise ConfigError(f"{folder} is a file", hint="name a folder for the pictures") from None
        except OSError as error:
            raise ExportError(f"{folder} cannot be used: {error.strerror}") from error
        if not is_empty:
            raise ConfigError(f"pictures require a new or an empty folder; {folder} contains files", hint="name another one")

    def add(self, image: Listed, outputs: Mapping[str, Any] | None) -> None:
        """Draws the answer for the next image; None for an image without an answer, which has no picture.

        Raises:
            ExportError: the image can no longer be read, or the picture cannot be written.
        """
        self._number += 1
        if outputs is None:
            return
        kept = self._presentation.kept(outputs, least_score=self._least_score)
        try:
            pixels = decode_image(tf.constant(image.path.read_bytes()), color_mode="rgb").numpy()
            drawn = self._presentation.drawn(Image.fromarray(np.asarray(pixels, np.uint8)), kept)
            drawn.save(self._folder / picture_name(self._number, image.path), quality=QUALITY)
        except (OSError, tf.errors.OpError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ExportError(f"no picture of {image.path} could be written to {self._folder}: {reason}") from error
        self._drawn += 1

    def finish(self) -> str:
        """A line about what was written."""
        return f"pictures in {self._folder}: {self._drawn:,}"


def picture_name(number: int, image: Path) -> str:
    """The name of a picture: digits, and what every file system accepts of the image's own name.

    >>> picture_name(7, Path("photos/a cat?.png")), picture_name(1234567, Path("ä.jpg"))
    ('000007_a_cat_.jpg', '1234567_ä.jpg')
    """
    stem = re.sub(r"[^\w.-]", "_", image.stem.encode("utf-8", "replace").decode())[:MOST_LETTERS]
    # A file system counts bytes: a letter may have four.
    stem = stem.encode()[: 2 * MOST_LETTERS].decode("utf-8", "ignore")
    return f"{number:06d}_{stem}.jpg"
