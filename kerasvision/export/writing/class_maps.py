"""How far two models' maps of classes differ: in how many pixels, whatever outputs are counted from them.

A pixel whose two best classes are equal but for rounding may have either of them. So the share of pixels with another class
is bounded like a difference of numbers, and what was counted from the maps may differ by as much as the pixels explain.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerasvision.served.signatures import BYTES_SUFFIX

Arrays = Mapping[str, np.ndarray]
# An output of a class for each pixel -> outputs counted from it, as in `Task.maps`.
Maps = Mapping[str, Sequence[str]]
# Rounding of a share in float32.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Compared:
    """Answers of two models for N images, without the differences that single pixels explain.

    Attributes:
        received, wanted: output name -> array (N, ...). Both have the same map where only few pixels differ, and the same
            counts where these pixels explain the difference.
        other_pixels: map -> the share of pixels with another class, over all images; 1 if a map has another size.
    """

    received: dict[str, np.ndarray]
    wanted: dict[str, np.ndarray]
    other_pixels: dict[str, float]


def without_other_pixels(received: Arrays, wanted: Arrays, maps: Maps) -> Compared:
    """Takes the maps out of two models' answers, and from what is counted from them what their pixels explain.

    Args:
        received, wanted: output name -> array (N, ...). A map is uint8 (N, H, W), or object (N,) with a grey PNG per row.
        maps: which outputs are maps, as in `Task.maps`.

    >>> wanted = {"classes": np.array([[[0, 1, 1, 1]]], np.uint8), "shares": np.array([[0.25, 0.75]])}
    >>> received = {"classes": np.array([[[1, 1, 1, 1]]], np.uint8), "shares": np.array([[0.0, 1.0]])}
    >>> found = without_other_pixels(received, wanted, {"classes": ("shares",)})
    >>> found.other_pixels, found.received["shares"].tolist(), "classes" in found.received
    ({'classes': 0.25}, [[0.25, 0.75]], False)
    """
    made = Compared(dict(received), dict(wanted), {})
    for name, counted in maps.items():
        if name not in wanted or name not in received:
            continue
        pairs = zip(_pixels(made.received.pop(name)), _pixels(made.wanted.pop(name)), strict=True)
        others = np.array([_other_share(*pair) for pair in pairs])
        made.other_pixels[name] = float(np.mean(others)) if len(others) else 0.0
        for output in counted:
            if output in made.wanted and made.received[output].shape == made.wanted[output].shape:
                made.received[output] = _explained(made.received[output], made.wanted[output], others)
    return made


def _pixels(array: np.ndarray) -> Iterator[np.ndarray]:
    """uint8 (H, W) of each row; (0, 0) for an empty text."""
    for row in array:
        if array.ndim > 1:
            yield row
        else:
            yield tf.io.decode_png(row, channels=1).numpy()[..., 0] if row else np.zeros((0, 0), np.uint8)


def _other_share(one: np.ndarray, other: np.ndarray) -> float:
    if one.shape != other.shape:
        return 1.0
    return float(np.mean(one != other)) if one.size else 0.0


def _explained(received: np.ndarray, wanted: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The received shares, (N, K), with the wanted ones where no more than `others`, (N,), of the pixels can explain it."""
    most = others.reshape(-1, *(1,) * (wanted.ndim - 1))
    is_explained = (most > 0) & (np.abs(received - wanted) <= most + ROUNDING)
    return np.where(is_explained, wanted, received)


def is_binary(name: str, array: np.ndarray) -> bool:
    """Whether an output is bytes and not text: its name ends in `_bytes`, and it is an array of bytes objects."""
    return name.endswith(BYTES_SUFFIX) and array.dtype == object
