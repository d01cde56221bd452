"""Paints a map of numbers over an image: redder where a number is larger, bluer where it is negative."""

import numpy as np
from PIL import Image

from kerasvision.ops.resize import Placement

RED, BLUE = (255, 0, 0), (0, 70, 255)
# Of the colour, where a number is 1 or -1.
OPACITY = 0.7
# What the network did not see of an image is mixed with this much grey.
GREY, UNSEEN = (128, 128, 128), 0.6
# A smaller image is enlarged by a whole factor, so that its map can be seen.
LEAST_SIDE = 240

Middles = tuple[np.ndarray, np.ndarray]


def painted(image: Image.Image, heat: np.ndarray, *, middles: Middles) -> Image.Image:
    """An RGB image, redder where a map is larger, bluer where it is negative.

    Args:
        image: RGB.
        heat: float (h, w) in [-1, 1].
        middles: float (h,) and (w,), rising, where in the image its rows and columns lie: 0 and 1 are the edges. Between
            them it is interpolated, beyond the first and the last it stays the same.

    >>> half = painted(Image.new("RGB", (4, 1)), np.array([[0.0, 1.0]]), middles=(np.array([0.5]), np.array([0.25, 0.75])))
    >>> [half.getpixel((x, 0))[0] for x in range(4)]
    [0, 45, 134, 178]
    """
    rows, columns = (
        _shares((np.arange(side) + 0.5) / side, middle) for side, middle in zip(image.size[::-1], middles, strict=True)
    )
    smooth = np.clip(rows @ heat @ columns.T, -1, 1)
    for color, strength in ((RED, smooth), (BLUE, -smooth)):
        opacity = np.rint(255 * OPACITY * strength.clip(0)).astype(np.uint8)
        image = Image.composite(Image.new("RGB", image.size, color), image, Image.fromarray(opacity))
    return image


def painted_where_seen(
    image: Image.Image,
    heat: np.ndarray,
    *,
    placement: Placement,
    size: tuple[int, int],
    frame: tuple[int, int],
    least_side: int = LEAST_SIDE,
) -> Image.Image:
    """An upright image with a map of what the network saw of it over it. What it did not see is greyed.

    Args:
        image: RGB, the original or a smaller picture of it.
        heat: float (h, w), any numbers, which covers the frame evenly; the largest absolute value gets the full colour.
        placement: where the original lies in the frame, see `ImageTransform.placed`.
        size: (height, width) of the original, in pixels.
        frame: (height, width) of what the network sees, in pixels.
        least_side: an image whose longer side is shorter is enlarged by a whole factor.

    >>> seen = Placement(np.array([1.0, 1.0]), np.array([0.0, -1.0]))  # the middle two of four pixels
    >>> places = {"placement": seen, "size": (2, 4), "frame": (2, 2)}
    >>> painted = painted_where_seen(Image.new("RGB", (4, 2)), np.ones((1, 1)), **places, least_side=1)
    >>> [painted.getpixel((x, 0)) for x in range(4)]
    [(76, 76, 76), (178, 0, 0), (178, 0, 0), (76, 76, 76)]
    """
    factor = max(1, -(-least_side // max(image.size)))
    scale, translation = (np.asarray(part, np.float64) for part in placement)
    middles = [
        ((np.arange(cells) + 0.5) * (side / cells) - shift) / by / length
        for cells, side, shift, by, length in zip(heat.shape, frame, translation, scale, size, strict=True)
    ]
    large = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    strongest = float(np.abs(heat).max())
    colored = painted(large, heat / strongest if strongest else heat, middles=(middles[0], middles[1]))
    ends = np.stack([-translation, np.asarray(frame) - translation]) / scale / np.asarray(size)
    return Image.composite(colored, Image.blend(large, Image.new("RGB", large.size, GREY), UNSEEN), _box(ends, large.size))


def _box(ends: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """A mask that is 255 between two corners: float64 (2, 2), y and x as shares of the sides."""
    (top, left), (bottom, right) = (np.rint(ends.clip(0, 1) * size[::-1])).astype(int)
    mask = Image.new("L", size)
    mask.paste(255, (int(left), int(top), int(right), int(bottom)))
    return mask


def _shares(places: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """float64 (places, middles): the share of each middle in each place between two of them."""
    return np.stack([np.interp(places, middles, one) for one in np.eye(len(middles))], axis=1)
