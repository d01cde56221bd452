"""A colour for each class number, and label maps painted over images in these colours."""

import colorsys

import numpy as np
from numpy.typing import NDArray

from kerasvision.config.example_parts import IGNORED

# White letters are legible on each of them: the contrast is at least 4.5, as WCAG 2.1 requires.
LABEL_COLORS = ("#1d4f91", "#a4271b", "#176f2c", "#8a5a00", "#6a3d9a", "#00697a", "#9c2d6b", "#5a5f00", "#3f51b5", "#6d4c41")
# How much of a painted pixel is the colour of its class.
PAINTED = 0.5
# Hues that are this share of the circle apart stay different for any number of classes.
_GOLDEN = 0.618034


def class_color(number: int) -> str:
    """The colour of a class number in [0, 255], as #rrggbb. White letters are legible on it.

    >>> class_color(0), class_color(10) != class_color(0)
    ('#1d4f91', True)
    """
    if number < len(LABEL_COLORS):
        return LABEL_COLORS[number]
    # Later colours have any hue, and are bright and pale by turns. Lighter ones would hide white letters.
    lightness, saturation = (0.15, 0.85) if number % 2 else (0.19, 0.5)
    lightness += 0.1 * (number // 2 % 7) / 6
    rgb = colorsys.hls_to_rgb(number * _GOLDEN % 1.0, lightness, saturation)
    return "#" + "".join(f"{round(255 * share):02x}" for share in rgb)


def class_palette() -> NDArray[np.uint8]:
    """uint8 (256, 3): the colour of each class number; 255, which says nothing, is white.

    >>> class_palette()[[0, 255]].tolist()
    [[29, 79, 145], [255, 255, 255]]
    """
    rows = [bytes.fromhex(class_color(number)[1:]) for number in range(IGNORED)]
    return np.array([*map(list, rows), [255, 255, 255]], np.uint8)


def painted_map(pixels: NDArray[np.float32], numbers: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The image with the colours of its classes over it; a pixel that the map says nothing about stays as it is.

    Args:
        pixels: float32 (H, W, 3) in [0, 255].
        numbers: uint8 (H, W), class numbers, or 255.

    Returns:
        float32 (H, W, 3) in [0, 255].

    >>> painted_map(np.full((1, 2, 3), 100, np.float32), np.uint8([[255, 1]])).tolist()  # #a4271b is 164, 39, 27
    [[[100.0, 100.0, 100.0], [132.0, 69.5, 63.5]]]
    """
    colors = class_palette().astype(np.float32)
    share = np.where(numbers == IGNORED, np.float32(0), np.float32(PAINTED))[..., None]
    painted: NDArray[np.float32] = pixels + share * (colors[numbers] - pixels)
    return painted
