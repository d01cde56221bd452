"""The class numbers in a PNG file of a label map: grey of 1 to 16 bits, palette, or colours that a table names."""

import io
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kerasvision.config.listing import is_file, printable
from kerasvision.data.records import UnusableMap
from kerasvision.shortened import shortened

# Red, green and blue in one whole number, the red in the upper bits -> class number.
Colours = Mapping[int, int]

# Pillow itself warns of larger images. An image with more pixels than that cannot be used anyway.
MOST_PIXELS = 89_000_000
_SIGNATURE, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
# A PNG of few grey bits: Pillow stretches its values over 0 to 255, by this factor.
_STRETCHED = {2: 85, 4: 17}
_GREY = 0
# How many colours or numbers a message names.
NAMED = 8


def read_numbers(file: Path, colours: Colours | None, named_in: str = "source.table") -> NDArray[np.integer]:
    """The numbers of a map, integers (H, W).

    Args:
        file: the PNG file.
        colours: the class number of each colour; None if the file has numbers itself.
        named_in: the place of the colours' names, for messages.

    Raises:
        UnusableMap: the file is not such a PNG, or has a colour without a name.
        OSError: it cannot be read.
    """
    name = printable(file.name)
    if not is_file(file):  # opening a pipe may block for ever
        raise UnusableMap(f"its label map {name} is not a file")
    data = file.read_bytes()
    if fault := _fault(data):
        raise UnusableMap(f"its label map {name} {fault}")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            image.load()
            return _numbers(image, data[24]) if colours is None else _numbers_of_colours(image, colours, named_in)
    except UnusableMap as unusable:
        raise UnusableMap(f"its label map {name} {unusable}") from None
    except (OSError, SyntaxError, ValueError, struct.error):  # what Pillow raises on a broken PNG
        raise UnusableMap(f"its label map {name} is a truncated or corrupt PNG") from None


def packed(red: int, green: int, blue: int) -> int:
    """A colour as one whole number.

    >>> packed(1, 2, 3) == 0x010203
    True
    """
    return red << 16 | green << 8 | blue


def _fault(data: bytes) -> str:
    """Why the bytes are not a PNG of usual size, as the end of a sentence; "" if they are."""
    if data.startswith(_JPEG):
        return "is a JPEG, whose compression invents class numbers: make the maps again as PNG"
    if not data.startswith(_SIGNATURE) or len(data) < 33:
        return "is not a PNG: save the class numbers as PNG"
    width, height = struct.unpack(">II", data[16:24])
    return f"claims {width:,} x {height:,} pixels; a map may have {MOST_PIXELS:,}" if width * height > MOST_PIXELS else ""


def _numbers(image: Image.Image, bits: int) -> NDArray[np.integer]:
    if image.mode in ("RGB", "RGBA"):
        return _numbers_in_colour(image)
    pixels = np.asarray(image)
    if pixels.ndim == 3:  # grey with transparency, or a palette with it
        pixels = pixels[..., 0]
    if image.mode == "L" and bits in _STRETCHED:
        return pixels // np.uint8(_STRETCHED[bits])
    return pixels.astype(np.uint8) if pixels.dtype == bool else pixels


def _numbers_in_colour(image: Image.Image) -> NDArray[np.integer]:
    """The numbers of a colour PNG whose three channels are equal.

    Raises:
        UnusableMap: they are not.
    """
    pixels = np.asarray(image)[..., :3]
    if (pixels == pixels[..., :1]).all():
        return pixels[..., 0]
    found = shortened(map(_shown, np.unique(_packed(pixels)).tolist()), most=NAMED)
    raise UnusableMap(
        f"is a colour PNG, where class numbers are meant: name its colours ({found}) in a CSV with the columns r, g, b "
        "and name, and set source.table to it"
    )


def _numbers_of_colours(image: Image.Image, colours: Colours, named_in: str) -> NDArray[np.integer]:
    pixels = _packed(np.asarray(image.convert("RGB")))
    # A place for every possible colour: the system gives memory only to the few that are used, and nothing is sorted.
    table = np.zeros(1 << 24, np.int32)
    for colour, number in colours.items():
        table[colour] = number + 1
    numbers = table[pixels]
    if not numbers.all():
        named = shortened(map(_shown, np.unique(pixels[numbers == 0]).tolist()), most=NAMED)
        raise UnusableMap(f"has colours that {named_in} does not name: {named}")
    return numbers - 1


def _packed(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    red, green, blue = (pixels[..., channel].astype(np.int32) for channel in range(3))
    return red << 16 | green << 8 | blue


def _shown(colour: int) -> str:
    return f"{colour >> 16} {colour >> 8 & 255} {colour & 255}"
