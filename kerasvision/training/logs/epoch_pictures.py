"""A picture of what the network makes after each epoch, if its task draws one: see `Task.epoch_picture`."""

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from kerasvision.data.png import encode_png
from kerasvision.tasks.base import EPOCH_PICTURES
from kerasvision.whole_files import write_whole


class EpochPictures(keras.callbacks.Callback):
    """Writes a PNG file per epoch. A training that resumes writes the same file again.

    Args:
        draw: returns the picture, uint8 (height, width, 1 or 3).
        folder: created if it does not exist.
    """

    remembers = ()

    def __init__(self, draw: Callable[[], np.ndarray], folder: Path) -> None:
        super().__init__()
        self._draw, self._folder = draw, folder

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Draws with the weights after this epoch. If the disk cannot be written, there is a warning."""
        picture = self._draw()
        content = encode_png(picture[..., 0] if picture.shape[-1] == 1 else picture)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._folder / f"{epoch + 1:05d}.png", lambda file: file.write_bytes(content))
        except OSError as error:
            warnings.warn(f"the picture of epoch {epoch + 1} could not be written: {error.strerror}", stacklevel=2)


def keep_pictures(work: Path | None, *, beside: Path, epochs: int) -> None:
    """Copies the pictures of a training to a folder beside a file; without pictures there is no folder.

    Args:
        work: the folder of the training; None: it kept nothing.
        beside: the file.
        epochs: how many epochs it trained; pictures of later ones are of an earlier training.
    """
    files = [] if work is None else sorted((work / EPOCH_PICTURES).glob("*.png"))
    for file in files:
        if int(file.stem) <= epochs:
            (beside.parent / EPOCH_PICTURES).mkdir(exist_ok=True)
            shutil.copy(file, beside.parent / EPOCH_PICTURES / file.name)
