"""What an image file is, and whether it can be used: looked at before it is trusted.

The header is read first, with Pillow, and nothing is decoded that it says is too large. Then the file is decoded whole, by
the very decoder that training and serving use, so that a file that passes here cannot stop them.
"""

import io
import os
import struct
import warnings
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import tensorflow as tf
from PIL import ExifTags, Image

# What TensorFlow's decoder reads, by Pillow's names.
READABLE = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
MAX_SIDE = 65_535
TURNED = (5, 6, 7, 8)

# Handing a file to a thread takes about as long as looking at an image of 28 x 28.
WORTH_A_THREAD_BYTES = 16_384

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class ImageFacts:
    """What an image file is.

    Attributes:
        format: Pillow's name of the file format, or "".
        mode: Pillow's name of the colour mode (L, RGB, RGBA, P, CMYK, ...), or "".
        width, height: in pixels as one sees it, after its EXIF rotation; 0 where there is no header.
        fault: why it cannot be used, one line; None where it can.
        notes: what decoding changes or drops, one line each.
    """

    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    fault: str | None = None
    notes: tuple[str, ...] = ()


def inspect_image(data: bytes, *, max_pixels: int) -> ImageFacts:
    """What the bytes of an image file are.

    Args:
        data: the whole file.
        max_pixels: a header that claims more is a fault; the pixels are not decoded then.

    >>> inspect_image(b"", max_pixels=1).fault
    'the file is empty'
    >>> inspect_image(b"hello", max_pixels=1).fault
    'no image in a known format'
    """
    if not data:
        return ImageFacts(fault="the file is empty")
    facts = _read_header(data)
    fault = facts.fault or _too_large(facts, max_pixels) or _unsupported(facts) or _undecodable(data, facts)
    return ImageFacts(facts.format, facts.mode, facts.width, facts.height, fault, () if fault else facts.notes)


def inspect_images(
    items: Iterable[tuple[K, bytes]], *, max_pixels: int, workers: int | None = None
) -> Iterator[tuple[K, bytes, ImageFacts]]:
    """(key, bytes, facts) of many files, in order, several at a time; few are held in memory at once.

    Args:
        items: (key, bytes of a file).
        max_pixels: see `inspect_image`.
        workers: threads; as many as cores where not given. TensorFlow decodes outside Python's lock.
    """
    workers = workers or os.cpu_count() or 1
    waiting: deque[tuple[K, bytes, Future[ImageFacts]]] = deque()

    def first() -> tuple[K, bytes, ImageFacts]:
        key, data, future = waiting.popleft()
        return key, data, future.result()

    with ThreadPoolExecutor(workers) as pool:
        for key, data in items:
            if len(data) < WORTH_A_THREAD_BYTES:
                while waiting:
                    yield first()
                yield key, data, inspect_image(data, max_pixels=max_pixels)
                continue
            waiting.append((key, data, pool.submit(inspect_image, data, max_pixels=max_pixels)))
            if len(waiting) >= 4 * workers:
                yield first()
        while waiting:
            yield first()


def _read_header(data: bytes) -> ImageFacts:
    try:
        with warnings.catch_warnings():
            # Pillow warns of large images; the limit here is the caller's.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                orientation = _orientation(image)
                width, height = reversed(image.size) if orientation in TURNED else image.size
                return ImageFacts(image.format or "", image.mode, width, height, None, tuple(_notes(image, orientation)))
    except Image.DecompressionBombError as error:
        return ImageFacts(fault=f"the header claims too many pixels: {str(error).split(',')[0]}")
    except (OSError, SyntaxError, ValueError, struct.error, EOFError, OverflowError, KeyError, IndexError, TypeError):
        return ImageFacts(fault="no image in a known format")


def _orientation(image: Image.Image) -> int:
    # The decoder turns JPEG files alone.
    return image.getexif().get(ExifTags.Base.Orientation, 1) if image.format == "JPEG" else 1


def _notes(image: Image.Image, orientation: int) -> Iterator[str]:
    if "A" in image.mode or "transparency" in image.info:
        yield "alpha channel dropped"
    if image.mode.startswith(("I", "F")):
        yield "16 bits per channel reduced to 8"
    if image.mode == "CMYK":
        yield "CMYK converted to RGB"
    if getattr(image, "is_animated", False):
        yield "first frame of an animation"
    if 2 <= orientation <= 8:
        yield f"rotated by EXIF orientation {orientation}"


def _too_large(facts: ImageFacts, max_pixels: int) -> str | None:
    pixels = facts.width * facts.height
    if pixels > max_pixels or max(facts.width, facts.height) > MAX_SIDE:
        claim = f"{facts.width:,} x {facts.height:,} = {pixels:,} pixels"
        return f"the header claims {claim}, over the limit of {max_pixels:,}"
    return None


def _unsupported(facts: ImageFacts) -> str | None:
    if facts.format not in READABLE:
        return f"{facts.format} cannot be read by TensorFlow: convert it to PNG or JPEG"
    if facts.format == "BMP" and facts.mode in ("P", "1"):
        return "a BMP with a palette is misread by TensorFlow: convert it to PNG"
    return None


def _undecodable(data: bytes, facts: ImageFacts) -> str | None:
    try:
        # The part of `decode_image` that can fail; turning and greying cannot, and would take four times as long.
        tf.io.decode_image(data, channels=3, expand_animations=False)
    except tf.errors.OpError:
        return f"truncated or corrupt {facts.format}"
    return None
