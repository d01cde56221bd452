"""The size of an image, from its header alone."""

from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from kerasvision.data.inspecting.inspection import orientation_of

_TURNED = 5  # EXIF orientations from here on swap the sides
# An orientation may follow the pixels. At most this much of a file is read to find it.
_MOST_BYTES = 1 << 26


def upright_size(image: Path | BinaryIO) -> tuple[int, int] | None:
    """(height, width) of the upright image; None if the header cannot be read: `inspect_image` says why."""
    try:
        opened = image.open("rb") if isinstance(image, Path) else nullcontext(image)
        with opened as file, Image.open(file) as header:
            width, height = header.size
            file.seek(0)
            # Pillow looks for an orientation in more places than our decoding does.
            is_turned = orientation_of(file.read(_MOST_BYTES), header.format or "") >= _TURNED
            return (width, height) if is_turned else (height, width)
    except Exception:  # For broken files, Pillow's parsers raise exceptions of any type.
        return None
