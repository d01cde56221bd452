"""Many small pictures in one: a sprite, row by row from the top left."""

import base64
import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# The first one with which the picture is small enough; the last one is taken anyway.
QUALITIES = (85, 70, 50, 30, 15)


def sprite(thumbnails: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """All thumbnails in a square of ceil(sqrt(N)) columns and as many rows; black after the last one.

    Args:
        thumbnails: uint8 (N, side, side, 3), N at least 1.

    Returns:
        uint8 (columns * side, columns * side, 3).

    >>> sprite(np.arange(1, 4, dtype=np.uint8)[:, None, None, None].repeat(3, axis=-1))[..., 0].tolist()
    [[1, 2], [3, 0]]
    """
    count, side, _, channels = thumbnails.shape
    columns = columns_of(count)
    tiles = np.zeros((columns * columns, side, side, channels), np.uint8)
    tiles[:count] = thumbnails
    rows = tiles.reshape(columns, columns, side, side, channels).swapaxes(1, 2)
    return rows.reshape(columns * side, columns * side, channels)


def columns_of(count: int) -> int:
    """How many columns the sprite of that many thumbnails has.

    >>> columns_of(4), columns_of(5)
    (2, 3)
    """
    return math.isqrt(count - 1) + 1


def jpeg_url(pixels: NDArray[np.uint8], *, most_bytes: int) -> str:
    """A data URL of uint8 (H, W, 3) as JPEG, of the best quality with which the file is at most `most_bytes` large."""
    for quality in QUALITIES:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= most_bytes:
            break
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
