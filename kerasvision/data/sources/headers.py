"""How large an image is, by its header alone."""

from pathlib import Path
from typing import BinaryIO

from PIL import Image

_TURNED = 5  # EXIF orientations from here on swap the sides
_ORIENTATION = 0x0112


def upright_size(image: Path | BinaryIO) -> tuple[int, int] | None:
    """(height, width) as one sees it; None where the header cannot be read, which is told where images are looked at."""
    try:
        with Image.open(image) as header:
            width, height = header.size
            return (width, height) if header.getexif().get(_ORIENTATION, 1) >= _TURNED else (height, width)
    except Exception:  # Broken files make Pillow raise whatever its parsers stumble over.
        return None
