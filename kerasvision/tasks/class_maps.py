"""A class for each pixel, as people see it: painted over the image in the colours of the classes, with a legend."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from kerasvision.config.example_parts import IGNORED
from kerasvision.data.class_colors import PAINTED, class_color, class_palette
from kerasvision.tasks.drawing import draw_tags, writable

Pixels = npt.NDArray[np.uint8]
# Widths of borders: a share of the image's longer side.
BORDER_SHARE = 1 / 400


@dataclass(frozen=True)
class ClassMap:
    """A class for each pixel of an image.

    Attributes:
        kind: "truth", or "answer".
        png: a grey PNG of class numbers, of the image's proportions and any size; 255 where nothing is known.
        classes: names in the order of their numbers.
        plain: the class that is not painted, such as a background; None: all are painted.
    """

    kind: Literal["truth", "answer"]
    png: bytes
    classes: tuple[str, ...]
    plain: str | None = None

    @property
    def pixels(self) -> Pixels:
        """uint8 (H, W): class numbers."""
        return map_pixels(self.png)

    @property
    def present(self) -> list[int]:
        """The class numbers that occur and are painted, the commonest first."""
        return present_classes(self.pixels, self.unpainted)

    @property
    def unpainted(self) -> frozenset[int]:
        """The class numbers that are not painted."""
        return frozenset(number for number, name in enumerate(self.classes) if name == self.plain) | {IGNORED}


def map_pixels(png: bytes) -> Pixels:
    """uint8 (H, W) of a grey PNG of class numbers."""
    # Pillow would warn of large images, which a map may be.
    pixels: Pixels = tf.io.decode_png(png, channels=1).numpy()[..., 0]
    return pixels


def present_classes(pixels: Pixels, unpainted: frozenset[int]) -> list[int]:
    """The class numbers of a map that are painted, the commonest first.

    >>> present_classes(np.array([[0, 2, 2], [255, 1, 0]], np.uint8), frozenset({0, 255}))
    [2, 1]
    """
    counts = np.bincount(pixels.ravel(), minlength=256)
    order = np.argsort(-counts, kind="stable")
    return [int(number) for number in order if counts[number] and number not in unpainted]


def with_palette(pixels: Pixels) -> Image.Image:
    """A map as a picture that is both: its pixels are class numbers, and viewers show the colours of the classes.

    >>> shown = with_palette(np.array([[0, 1]], np.uint8))
    >>> np.asarray(shown).tolist(), "#%02x%02x%02x" % shown.convert("RGB").getpixel((1, 0)) == class_color(1)
    ([[0, 1]], True)
    """
    shown = Image.frombytes("P", (pixels.shape[1], pixels.shape[0]), np.ascontiguousarray(pixels).tobytes())
    shown.putpalette(class_palette().ravel().tolist())
    return shown


def paint_over(image: Image.Image, pixels: Pixels, *, unpainted: frozenset[int]) -> Image.Image:
    """The image with its classes painted over it, RGB. Borders between two classes are in full colour.

    What is painted over is grey, so that the colour of an object does not change the colour of its class.

    Args:
        image: any picture.
        pixels: uint8 (H, W), the map; it is stretched to the size of the picture.
        unpainted: class numbers whose pixels stay as they are.

    >>> grey = Image.new("RGB", (8, 2), (100, 100, 100))
    >>> painted = paint_over(grey, np.array([[0, 1]], np.uint8), unpainted=frozenset({0}))
    >>> painted.getpixel((1, 0)), painted.getpixel((7, 0))  # half grey, half #a4271b = (164, 39, 27)
    ((100, 100, 100), (132, 70, 64))
    """
    stretched = Image.fromarray(pixels).resize(image.size, Image.Resampling.NEAREST)
    numbers = np.asarray(stretched)
    colors = class_palette()[numbers].astype(np.float32)
    # Borders between classes have their colour in full.
    shares = np.full(numbers.shape, PAINTED, np.float32)
    shares[_borders(numbers, width=max(1, round(max(image.size) * BORDER_SHARE)))] = 1.0
    shares[np.isin(numbers, list(unpainted))] = 0.0
    below = np.asarray(image.convert("RGB"), np.float32)
    grey = np.asarray(image.convert("L"), np.float32)[..., None]
    below = np.where(shares[..., None] > 0, grey, below)
    return Image.fromarray(np.rint(below + shares[..., None] * (colors - below)).astype(np.uint8))


def paint_with_legend(image: Image.Image, pixels: Pixels, *, names: Sequence[str], plain: str | None) -> Image.Image:
    """The image with its classes painted over it, and their names with their shares in the upper left corner.

    Args:
        image: any picture.
        pixels: uint8 (H, W), the map.
        names: of the classes, in the order of their numbers. A name that no font can write becomes a class number.
        plain: the class that is not painted.
    """
    unpainted = frozenset(number for number, name in enumerate(names) if name == plain) | {IGNORED}
    painted = paint_over(image, pixels, unpainted=unpainted)
    tags = []
    for number in present_classes(pixels, unpainted):
        name = names[number] if number < len(names) else ""
        shown = writable(name, otherwise=f"class {number}") if name else f"class {number}"
        tags.append((f"{shown} {np.mean(pixels == number):.2f}", class_color(number)))
    return draw_tags(painted, tags)


def _borders(numbers: Pixels, *, width: int) -> npt.NDArray[np.bool_]:
    """bool (H, W): pixels from which another class is at most `width` pixels away, along an axis."""
    found = np.zeros(numbers.shape, bool)
    # Transposing gives views: what is written to one is in the other.
    for values, marks in ((numbers, found), (numbers.T, found.T)):
        for step in range(1, width + 1):
            differs = values[:-step] != values[step:]
            marks[:-step] |= differs
            marks[step:] |= differs
    return found
