"""Histograms of oriented gradients: where in an image edges run in which direction (Dalal & Triggs, 2005, section 6).

    gradient   [-1, 0, 1] along rows and columns, without smoothing; of a colour image, the longest of its channels
    cell       8 x 8 pixels: a histogram of 9 directions in [0, 180) degrees; a pixel votes with the length of its gradient
    vote       is shared between the two nearest directions, and between the four nearest cells of the block
    block      2 x 2 cells, one cell apart; a Gaussian window of sigma 8 makes pixels near its border count less
    L2-Hys     a block's 36 numbers are divided by their length, cut at 0.2, and divided by their length again

Each cell is therefore in up to four blocks, each with its own contrast.
"""

import numpy as np
from numpy.typing import NDArray

from kerasvision.errors import ConfigError

CELL = 8
BLOCK = 2
BINS = 9
CUT = 0.2
# Half the side of a block, in pixels (section 6.4).
SIGMA = 0.5 * BLOCK * CELL
# In grey levels. A block that is all but flat keeps small numbers; in others it changes nothing.
EPSILON = 1.0

Array = NDArray[np.float32]


def hog(images: Array) -> Array:
    """The histograms of each image as one row.

    Args:
        images: float32 (N, H, W, C) in [0, 255]; H and W are multiples of 8, at least 16.

    Returns:
        float32 (N, (H / 8 - 1) * (W / 8 - 1) * 36) in [0, 1]: blocks by rows, in a block cells by rows, in a cell directions
        from 0 to 180 degrees.

    Raises:
        ConfigError: sides that have no whole blocks.

    >>> steps = np.zeros((1, 16, 16, 1), np.float32)
    >>> steps[:, :, 8:] = 255  # the grey changes from left to right: the gradient points along the rows
    >>> cells = hog(steps).reshape(2, 2, 9)  # one block
    >>> cells[0, 0].round(2).tolist()  # direction 0 is between the first bin, around 10 degrees, and the last one
    [0.3499999940395355, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.3499999940395355]
    """
    _, height, width, _ = images.shape
    if height % CELL or width % CELL or min(height, width) < BLOCK * CELL:
        raise ConfigError(
            f"histograms of gradients require sides that are multiples of {CELL}, at least {BLOCK * CELL}",
            received=(height, width),
        )
    votes = _votes(*_gradients(images))
    side = BLOCK * CELL
    # (N, rows, columns, 9, 16, 16): the pixels of each block.
    blocks = np.lib.stride_tricks.sliding_window_view(votes, (side, side), axis=(1, 2))[:, ::CELL, ::CELL]
    cells = np.einsum("nyxbij,ijc->nyxcb", blocks, _weights(), optimize=True)
    return _l2_hys(cells.reshape(*cells.shape[:3], -1)).reshape(len(images), -1)


def _gradients(images: Array) -> tuple[Array, Array]:
    """The gradient of each pixel along the rows and the columns, (N, H, W); outside the image, its border goes on."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    along_x = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    along_y = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    longest = (along_x**2 + along_y**2).argmax(axis=-1)[..., None]
    return np.take_along_axis(along_x, longest, -1)[..., 0], np.take_along_axis(along_y, longest, -1)[..., 0]


def _votes(along_x: Array, along_y: Array) -> Array:
    """(N, H, W, 9): the length of each gradient, shared between the two directions nearest to its own."""
    length = np.hypot(along_x, along_y)
    # Bin b is centered at (b + 1/2) * 20 degrees.
    place = np.arctan2(along_y, along_x) % np.pi * np.float32(BINS / np.pi) - np.float32(0.5)
    below = np.floor(place)
    share = place - below
    first = below.astype(np.int64) % BINS
    votes = np.zeros((*length.shape, BINS), np.float32)
    np.put_along_axis(votes, first[..., None], (length * (1 - share))[..., None], -1)
    # The direction after the last is the first: 180 degrees are 0.
    np.put_along_axis(votes, (first[..., None] + 1) % BINS, (length * share)[..., None], -1)
    return votes


def _weights() -> Array:
    """(16, 16, 4): how much a pixel of a block counts in each of its cells."""
    place = np.arange(BLOCK * CELL) + 0.5
    window = np.exp(-((place - place.mean()) ** 2) / (2 * SIGMA**2))
    centers = (np.arange(BLOCK) + 0.5) * CELL
    # (16, 2): 1 at the center of a cell, 0 at that of its neighbour.
    near = np.maximum(1 - np.abs(place[:, None] - centers) / CELL, 0) * window[:, None]
    cells = np.einsum("ya,xb->yxab", near, near).reshape(len(place), len(place), BLOCK * BLOCK)
    return np.asarray(cells, np.float32)


def _l2_hys(blocks: Array) -> Array:
    """Each block with the length 1; no number is above 0.2 before it gets that length."""
    cut = np.minimum(blocks / np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + EPSILON), CUT)
    length = np.sqrt((cut**2).sum(axis=-1, keepdims=True))
    return np.asarray(np.divide(cut, length, out=np.zeros_like(cut), where=length > 0), np.float32)
