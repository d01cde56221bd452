"""How large an image is, by its header alone."""

from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from kerasvision.data.inspecting.inspection import orientation_of

_TURNED = 5  # EXIF orientations from here on swap the sides
# An orientation may stand behind the pixels. No more of a file is read to find it.
_MOST_BYTES = 1 << 26


def upright_size(image: Path | BinaryIO) -> tuple[int, int] | None:
    """(height, width) as decoding turns it; None where the header cannot be read: `inspect_image` says why."""
    try:
        opened = image.open("rb") if isinstance(image, Path) else nullcontext(image)
        with opened as file, Image.open(file) as header:
            width, height = header.size
            file.seek(0)
            # Pillow looks for an orientation in more places than decoding does.
            is_turned = orientation_of(file.read(_MOST_BYTES), header.format or "") >= _TURNED
            return (width, height) if is_turned else (height, width)
    except Exception:  # Broken files make Pillow raise whatever its parsers stumble over.
        return None
