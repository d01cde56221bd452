"""Gives each pixel of a large image a class at the image's own scale: in tiles of the network's size, which overlap.

A saved model itself makes every image as small as the network's. If a network has learned from parts of large images, its
answer for a whole one needs memory for each class in each pixel. Here only a band of the image is in memory at a time: as
high as a tile, as wide as the image, with a float32 for each class; and the image and its map, four bytes for each pixel.

Where tiles overlap, their probabilities are mixed: the weight of a tile falls linearly towards its border. Inside its core,
which no other tile reaches, the answer is that of the tile alone. It is the answer of a network that sees the whole image
if the overlap is at least as wide as the distance over which the network looks.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.export.asking.predict import ImagePredictor, why_unanswered
from kerasvision.ops.images import decode_image
from kerasvision.served.signatures import BYTES_INPUT, TENSOR_INPUT, TENSOR_SIGNATURE

# So many tiles are in one call of the model.
TILES_AT_ONCE = 8

# uint8 (N, tile height, tile width, 3) -> float32 (N, tile height, tile width, K), the probability of each class.
AskTiles = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


def predictor(saved_model: Path, *, tiles: int | None) -> ImagePredictor:
    """An `ImagePredictor`, or with a number of pixels a `TiledPredictor` whose tiles overlap by it; raises its errors."""
    return ImagePredictor(saved_model) if tiles is None else TiledPredictor(saved_model, overlap=tiles)


class TiledPredictor(ImagePredictor):
    """An `ImagePredictor` whose images are cut into tiles.

    Args:
        saved_model: a SavedModel, or a folder of versions: the highest is used.
        overlap: of two tiles in pixels, at least 0 and at most half of a tile's shorter side.

    Raises:
        ConfigError, ExportError: see `ImagePredictor`.
        ConfigError: its answers give pixels no class, or the overlap is too large.
    """

    def __init__(self, saved_model: Path, *, overlap: int) -> None:
        super().__init__(saved_model)
        self.tiles = self._overlap = overlap
        shown = self.presented("a division into tiles")
        name = shown.tile_signature
        if name is None or name not in self.served.signatures or TENSOR_SIGNATURE not in self.served.signatures:
            raise ConfigError("a division into tiles requires a model that answers with a class for each pixel")
        self._of_tiles, self._tile_output = self.served.signatures[name], name
        shape = self.served.signatures[TENSOR_SIGNATURE].structured_input_signature[1][TENSOR_INPUT].shape.as_list()
        self._tile = (int(shape[1]), int(shape[2]))
        if 2 * overlap > min(self._tile):
            raise ConfigError(
                f"tiles must overlap by at most half of their shorter side, {min(self._tile) // 2} pixels", received=overlap
            )
        self._names = self.labels()
        self._shown = shown

    def _options(self) -> tuple[tuple[str, Any], ...]:
        return (("overlap", self._overlap),)

    def _ask(self, images: list[bytes]) -> list[tuple[str, dict[str, np.ndarray] | None]]:
        return [self._answer(image) for image in images]

    def _answer(self, image: bytes) -> tuple[str, dict[str, np.ndarray] | None]:
        try:
            pixels = np.asarray(decode_image(tf.constant(image), color_mode="rgb").numpy(), np.uint8)
        except tf.errors.OpError as error:
            reason = next(iter(error.message.splitlines()), "")
            return why_unanswered(image, f"it cannot be decoded: {reason}"), None
        numbers = tiled_map(pixels, self._ask_tiles, tile=self._tile, overlap=self._overlap)
        return "", self._shown.of_map(numbers, self._names)

    def _ask_tiles(self, tiles: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        # The signature takes encoded images. One of the network's size is neither resized nor padded there.
        encoded = tf.constant([tf.io.encode_png(tile).numpy() for tile in tiles])
        found: npt.NDArray[np.float32] = self._of_tiles(**{BYTES_INPUT: encoded})[self._tile_output].numpy()
        return found


def tiled_map(pixels: npt.NDArray[np.uint8], ask: AskTiles, *, tile: tuple[int, int], overlap: int) -> npt.NDArray[np.uint8]:
    """The class of each pixel of an image, uint8 (H, W).

    An image that is smaller than a tile is continued by its mirror image.

    Args:
        pixels: uint8 (H, W, 3).
        ask: the probabilities of tiles.
        tile: height and width of a tile.
        overlap: of two tiles, in pixels. The last tile of a row or column may overlap more.

    >>> bright = lambda tiles: np.stack([255.0 - tiles[..., 0], tiles[..., 0]], -1)
    >>> image = np.zeros((3, 5, 3), np.uint8)
    >>> image[1:, 3:] = 200
    >>> tiled_map(image, bright, tile=(2, 2), overlap=1).tolist()
    [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 1, 1]]
    """
    height, width = pixels.shape[:2]
    below, right = max(0, tile[0] - height), max(0, tile[1] - width)
    if below or right:
        pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="symmetric")
    rows, columns = (tile_starts(side, size, overlap) for side, size in zip(pixels.shape[:2], tile, strict=True))
    numbers, band = np.empty(pixels.shape[:2], np.uint8), np.zeros((0, 0, 0), np.float32)
    for place, top in enumerate(rows):
        below_weights = tile_weights(place, rows, tile[0], overlap)
        for left, across_weights, found in _row_of_tiles(pixels, top, columns, ask, tile=tile, overlap=overlap):
            if not band.size:
                band = np.zeros((tile[0], pixels.shape[1], found.shape[-1]), np.float32)
            band[:, left : left + tile[1]] += found * (below_weights[:, None] * across_weights)[..., None]
        # Mixed probabilities need not be divided by the sum of the weights, which is the same for all classes.
        done = (rows[place + 1] if place + 1 < len(rows) else top + tile[0]) - top
        numbers[top : top + done] = band[:done].argmax(axis=-1)
        band[: tile[0] - done] = band[done:].copy()
        band[tile[0] - done :] = 0
    return numbers[:height, :width]


def tile_starts(side: int, tile: int, overlap: int) -> list[int]:
    """Where the tiles along an axis begin; the last one ends at the end of the axis.

    >>> tile_starts(20, 8, 2), tile_starts(21, 8, 2), tile_starts(8, 8, 2)
    ([0, 6, 12], [0, 6, 12, 13], [0])
    """
    last = side - tile
    return [*range(0, last, tile - overlap), last]


def tile_weights(place: int, starts: Sequence[int], tile: int, overlap: int) -> npt.NDArray[np.float32]:
    """float32 (tile,): the weights of a tile along an axis. They fall where another tile follows, not at the image's border.

    >>> tile_weights(0, [0, 5], 8, 3).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    weights = np.ones(tile, np.float32)
    ramp = np.arange(1, overlap + 1, dtype=np.float32) / (overlap + 1)
    if place > 0:
        weights[:overlap] = ramp
    if place + 1 < len(starts):
        weights[tile - overlap :] = np.minimum(weights[tile - overlap :], ramp[::-1])
    return weights


def _row_of_tiles(
    pixels: npt.NDArray[np.uint8], top: int, columns: Sequence[int], ask: AskTiles, *, tile: tuple[int, int], overlap: int
) -> Iterator[tuple[int, npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """(left, weights across, probabilities) of each tile of a row."""
    for first in range(0, len(columns), TILES_AT_ONCE):
        some = columns[first : first + TILES_AT_ONCE]
        cut = np.stack([pixels[top : top + tile[0], left : left + tile[1]] for left in some])
        for number, (left, found) in enumerate(zip(some, ask(cut), strict=True), first):
            yield left, tile_weights(number, columns, tile[1], overlap), found
