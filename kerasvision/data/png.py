"""Encodes pixels in memory as PNG, which is lossless."""

import io

import numpy as np
from PIL import Image


def encode_png(pixels: np.ndarray, *, compress_level: int = 6) -> bytes:
    """PNG bytes of uint8 pixels, (H, W) grey or (H, W, 3) colour. The same pixels give the same bytes.

    Args:
        pixels: uint8 (H, W) or (H, W, 3).
        compress_level: from 1, fastest, to 9, smallest.

    >>> encode_png(np.zeros((2, 2), np.uint8))[1:4]
    b'PNG'
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=compress_level)
    return buffer.getvalue()
