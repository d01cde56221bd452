"""What the author of a network for label maps asks: which share of the pixels each class has, and how many say nothing."""

from typing import NamedTuple, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kerasvision.config.example_parts import IGNORED
from kerasvision.data.splits import TEST, TRAIN, VALIDATION


class PixelCounts(NamedTuple):
    """How many pixels of a class number each image has; only the numbers that it has.

    Attributes:
        image: int64 (K,), the number of the image.
        number: int64 (K,), a class number, or 255 for pixels that the map says nothing about.
        pixels: int64 (K,), above 0.
    """

    image: NDArray[np.int64]
    number: NDArray[np.int64]
    pixels: NDArray[np.int64]


NO_PIXELS = PixelCounts(*(np.zeros(0, np.int64) for _ in range(3)))


class MapStatistics(TypedDict, total=False):
    """The label maps of a data set; empty without them.

    Attributes:
        pixels: split -> class -> how many pixels.
        ignored: split -> how many pixels the maps say nothing about.
        images: split -> class -> how many images show it.
    """

    pixels: dict[str, dict[str, int]]
    ignored: dict[str, int]
    images: dict[str, dict[str, int]]


def pixel_counts(rows: NDArray[np.intp], counts: NDArray[np.int32]) -> PixelCounts:
    """The counts of a batch of label maps, without those that are 0.

    Args:
        rows: (N,), the number of each image, or -1 for an image that does not count.
        counts: int32 (N, 256), how many pixels have each number.
    """
    known = np.where((rows >= 0)[:, None], counts, 0)
    image, number = np.nonzero(known)
    return PixelCounts(rows[image].astype(np.int64), number, known[image, number].astype(np.int64))


def map_statistics(counts: PixelCounts, images: pd.DataFrame, *, classes: tuple[str, ...]) -> MapStatistics:
    """The statistics of all label maps.

    Args:
        counts: `image` is a row of the table.
        images: a row for each image, with `split`.
        classes: class names in the order of their numbers.

    >>> images = pd.DataFrame({"split": ["train", "test"]})
    >>> counts = PixelCounts(np.array([0, 0, 1]), np.array([0, 255, 1]), np.array([60, 40, 7]))
    >>> found = map_statistics(counts, images, classes=("sky", "road"))
    >>> found["pixels"], found["ignored"]
    ({'train': {'sky': 60, 'road': 0}, 'test': {'sky': 0, 'road': 7}}, {'train': 40, 'test': 0})
    """
    splits = images["split"].to_numpy()[counts.image]
    found = MapStatistics(pixels={}, ignored={}, images={})
    for split in sorted(images["split"].unique(), key=[TRAIN, VALIDATION, TEST].index):
        own = splits == split
        pixels = np.bincount(counts.number[own], weights=counts.pixels[own], minlength=IGNORED + 1).astype(np.int64)
        shown = np.bincount(counts.number[own], minlength=IGNORED + 1)
        found["pixels"][str(split)] = dict(zip(classes, pixels.tolist(), strict=False))
        found["images"][str(split)] = dict(zip(classes, shown.tolist(), strict=False))
        found["ignored"][str(split)] = int(pixels[IGNORED])
    return found


def class_shares(statistics: MapStatistics) -> dict[str, dict[str, float]]:
    """Split -> class -> its share of the pixels that are not ignored; 0 if there are none.

    >>> class_shares(MapStatistics(pixels={"train": {"sky": 3, "road": 1}}))
    {'train': {'sky': 0.75, 'road': 0.25}}
    """
    return {
        split: {name: count / max(sum(counts.values()), 1) for name, count in counts.items()}
        for split, counts in statistics.get("pixels", {}).items()
    }


def ignored_shares(statistics: MapStatistics) -> dict[str, float]:
    """Split -> the share of its pixels that are ignored.

    >>> ignored_shares(MapStatistics(pixels={"train": {"sky": 3}}, ignored={"train": 1}))
    {'train': 0.25}
    """
    pixels = statistics.get("pixels", {})
    return {
        split: count / max(count + sum(pixels[split].values()), 1) for split, count in statistics.get("ignored", {}).items()
    }
