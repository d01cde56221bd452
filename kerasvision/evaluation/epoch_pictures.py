"""What the network made after some of its epochs, for the page of an evaluation; see `Task.epoch_picture`."""

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kerasvision.tasks.base import EPOCH_PICTURES

MOST_EPOCHS = 8


def read_epoch_pictures(history: Path) -> Sequence[tuple[int, str]]:
    """(epoch from 1, data URL of its picture) of the first, the last and some epochs between; empty if none were drawn.

    Args:
        history: the file of the training; the pictures are in a folder beside it.
    """
    files = sorted((history.parent / EPOCH_PICTURES).glob("*.png"))
    chosen = np.unique(np.linspace(0, len(files) - 1, min(MOST_EPOCHS, len(files))).round().astype(int))
    return [
        (int(files[place].stem), f"data:image/png;base64,{base64.b64encode(files[place].read_bytes()).decode()}")
        for place in chosen
    ]
