"""What an image file is, and whether it can be used: looked at before it is trusted.

The header is read first, with Pillow, and nothing is decoded that it says is too large. Then the file is decoded whole,
by the very decoder that training and serving use, so that a file that passes here cannot stop them.

What the decoder itself lets pass stays unseen: a hole in the middle of a JPEG, and a JPEG header that claims more rows than
there are, which it fills with grey.
"""

import io
import os
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import tensorflow as tf
from PIL import Image

from kerasvision.data.inspecting.file_kinds import UNKNOWN, foreign_file_fault, unsupported_format_fault
from kerasvision.ops.exif import exif_orientation, may_be_turned
from kerasvision.ops.readable import misread

# What TensorFlow's decoder reads, by Pillow's names and first bytes. MPO: a JPEG that carries more pictures (phones).
READABLE = {"JPEG": b"\xff\xd8", "MPO": b"\xff\xd8", "PNG": b"\x89PNG", "GIF": b"GIF8", "BMP": b"BM", "WEBP": b"RIFF"}
# How the names of their files end.
SUFFIXES = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "MPO": {".jpg", ".jpeg", ".mpo"},
    "PNG": {".png", ".apng"},
    "GIF": {".gif"},
    "BMP": {".bmp", ".dib"},
    "WEBP": {".webp"},
}
ORIENTATION_TAG = 0x0112
# Where else a few programs look for an orientation: in XMP, plain or packed, and in ImageMagick's text chunk.
OTHER_MARKS = (b"tiff:Orientation", b"XML:com.adobe.xmp", b"Raw profile type exif")
# What an EXIF header begins with, in formats other than JPEG.
EXIF_MARKS = {"PNG": b"eXIf", "WEBP": b"EXIF"}
WRONG_SUFFIX = "the file's name ends otherwise than its format"
# Further formats worth naming in a fault. Opening any of these reads a header only; an ICO would be decoded at once.
RECOGNISED = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "JPEG2000", "AVIF", "PPM")
MAX_SIDE = 65_535
DEEP = "16 bits per channel reduced to 8"
# An image of 16 bits that keeps no more levels deserves a warning: 12 bits that lie in 16 keep 16, and 14 bits keep 64.
FEW_LEVELS = 64
FEW_LEVELS_LEFT = "reducing 16 bits per channel to 8 leaves at most"
ANIMATED = "first frame of an animation"

# What a file may hold besides its pixels: a profile, a thumbnail, the further frames of an animation.
SPARE_BYTES = 64_000_000

# How many bytes may wait to be inspected: photos of 10 MB wait by the half-dozen, not by the dozen.
MOST_WAITING_BYTES = 64_000_000

# Handing a file to a thread takes about as long as looking at an image of 28 x 28.
WORTH_A_THREAD_BYTES = 16_384

# Pillow's limit and Python's warning filters belong to the whole process: one header at a time.
_PILLOW = threading.Lock()

K = TypeVar("K")


@dataclass(frozen=True)
class ImageFacts:
    """What an image file is.

    Attributes:
        format: Pillow's name of the file format, or "".
        mode: Pillow's name of the colour mode (L, RGB, RGBA, P, CMYK, ...), or "".
        width, height: in pixels as one sees it, after its EXIF rotation; as the header claims where there is a fault; 0
            where there is no header.
        fault: why it cannot be used, one line; None where it can.
        notes: what decoding changes or drops, one line each.
    """

    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    fault: str | None = None
    notes: tuple[str, ...] = ()


def size_fault(size: int, *, max_pixels: int) -> str | None:
    """Why a file is not to be read at all; None where it may be. It is asked before anything is read.

    A file may hold 8 bytes for each pixel (four channels of 16 bits, not compressed), and SPARE_BYTES.

    Args:
        size: of the file, in bytes.
        max_pixels: the most that the image may have.

    >>> size_fault(64_000_800, max_pixels=100), size_fault(64_000_801, max_pixels=100)
    (None, 'the file has 64,000,801 bytes, over the limit of 64,000,800 for an image of 100 pixels')
    """
    limit = 8 * max_pixels + SPARE_BYTES
    if size <= limit:
        return None
    return f"the file has {size:,} bytes, over the limit of {limit:,} for an image of {max_pixels:,} pixels"


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
    facts = inspect_header(data, max_pixels=max_pixels)
    return facts if facts.fault else _decoded(data, facts)


def inspect_header(data: bytes, *, max_pixels: int) -> ImageFacts:
    """What the header of an image file says; nothing is decoded, so a file that is cut off behind it has no fault here.

    Args:
        data: the whole file.
        max_pixels: a header that claims more is a fault.
    """
    if not data:
        return ImageFacts(fault="the file is empty")
    facts = read_header(data)
    fault = facts.fault or _too_large(facts, max_pixels) or _unsupported(data, facts)
    return replace(facts, fault=fault, notes=()) if fault else facts


def inspect_images(
    items: Iterable[tuple[K, bytes]], *, max_pixels: int, workers: int | None = None
) -> Iterator[tuple[K, bytes, ImageFacts]]:
    """(key, bytes, facts) of many files, in order, several at a time; few are in memory at once.

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

    def too_many() -> bool:
        return len(waiting) >= 4 * workers or sum(len(data) for _, data, _ in waiting) > MOST_WAITING_BYTES

    with ThreadPoolExecutor(workers) as pool:
        for key, data in items:
            if len(data) < WORTH_A_THREAD_BYTES:
                while waiting:
                    yield first()
                yield key, data, inspect_image(data, max_pixels=max_pixels)
                continue
            waiting.append((key, data, pool.submit(inspect_image, data, max_pixels=max_pixels)))
            while waiting and too_many():
                yield first()
        while waiting:
            yield first()


def has_wrong_suffix(file: Path, image_format: str) -> bool:
    """Whether a file's name ends otherwise than its format. A name without an ending promises nothing.

    >>> has_wrong_suffix(Path("a.JPG"), "PNG"), has_wrong_suffix(Path("a.JPG"), "JPEG"), has_wrong_suffix(Path("a"), "JPEG")
    (True, False, False)
    """
    suffix = file.suffix.lower()
    return bool(suffix) and suffix not in SUFFIXES.get(image_format, {suffix})


def orientation_of(data: bytes, image_format: str) -> int:
    """The orientation that decoding applies, from 1 (upright) to 8.

    Args:
        data: the whole file.
        image_format: Pillow's name of its format.
    """
    # The first test spares most files the second, and that one most of the rest.
    mark = EXIF_MARKS.get(image_format, b"Exif\0\0")
    return int(exif_orientation(data)) if mark in data and may_be_turned(data) else 1


def read_header(data: bytes) -> ImageFacts:
    """What the header claims, or a fault: nothing is decoded, and nothing it claims is judged."""
    try:
        with _opened(data) as image:
            return ImageFacts(image.format or "", image.mode, *image.size, None, tuple(_notes(image, data)))
    except Exception:  # Broken files make Pillow raise whatever its parsers stumble over.
        return ImageFacts(fault=_unknown(data))


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    with _PILLOW, warnings.catch_warnings():
        # Pillow warns of large images, and above twice its limit hides how large; the limit here is the caller's.
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            with Image.open(io.BytesIO(data), formats=RECOGNISED) as image:
                yield image
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _unknown(data: bytes) -> str:
    fault = foreign_file_fault(data)
    if fault == UNKNOWN:
        fault = next((_broken(kind) for kind, start in READABLE.items() if data.startswith(start)), fault)
    return fault


def _broken(image_format: str) -> str:
    return f"truncated or corrupt {image_format}"


def _notes(image: Image.Image, data: bytes) -> Iterator[str]:
    if "A" in image.mode or "transparency" in image.info:
        yield "alpha channel dropped"
    # Pillow's mode tells 16 bits of grey only; of colour, the header's bit depth does.
    if image.mode.startswith(("I", "F")) or (image.format == "PNG" and data[24] == 16):
        yield DEEP
    if image.mode == "CMYK":
        yield "CMYK converted to RGB"
    if image.format == "MPO":
        yield "first of several pictures"
    elif getattr(image, "is_animated", False):
        yield ANIMATED


def _too_large(facts: ImageFacts, max_pixels: int) -> str | None:
    pixels = facts.width * facts.height
    claim = f"{facts.width:,} x {facts.height:,} = {pixels:,} pixels"
    if pixels > max_pixels:
        return f"the header claims {claim}, over the limit of {max_pixels:,}"
    if max(facts.width, facts.height) > MAX_SIDE:
        return f"the header claims {claim}, with a side over the limit of {MAX_SIDE:,}"
    return None


def _unsupported(data: bytes, facts: ImageFacts) -> str | None:
    if facts.format not in READABLE:
        return unsupported_format_fault(facts.format)
    if facts.format == "WEBP" and (facts.mode == "RGBA" or ANIMATED in facts.notes):
        return "a WEBP with transparency or several frames cannot be read by TensorFlow: convert it to PNG"
    return misreading_fault(data, facts)


def misreading_fault(data: bytes, facts: ImageFacts) -> str | None:
    """Why TensorFlow would decode an image to wrong pixels without an error, or that its header is damaged; else None.

    Args:
        data: the whole file.
        facts: what its header says, without a fault.
    """
    # The others are never misread, and asking takes longer than looking at an image of 28 x 28.
    if facts.format not in ("BMP", "GIF") and facts.mode != "CMYK":
        return None
    try:
        return misread(tf.constant(data)).numpy().decode() or None
    except tf.errors.OpError:
        return _broken(facts.format)


def _decoded(data: bytes, facts: ImageFacts) -> ImageFacts:
    """The facts as the decoder sees them: its size, turned, or a fault."""
    try:
        # The part of `decode_image` that can fail; turning and greying cannot, and would cost more time. Raw: on tiny
        # images the public function's wrapping is felt.
        image = tf.raw_ops.DecodeImage(contents=data, channels=3, expand_animations=False)
        facts = replace(facts, notes=tuple(_levels_left(data) if note == DEEP else note for note in facts.notes))
    except tf.errors.OpError:
        return replace(facts, fault=_broken(facts.format), notes=())
    # Of a GIF, the first frame may be larger than the canvas.
    height, width, _ = image.shape
    orientation = orientation_of(data, facts.format)
    if orientation == 1:
        return replace(facts, width=width, height=height, notes=(*facts.notes, *_not_applied(data)))
    if orientation >= 5:
        width, height = height, width
    notes = (*facts.notes, f"rotated by EXIF orientation {orientation}")
    return replace(facts, width=width, height=height, notes=notes)


def _not_applied(data: bytes) -> Iterator[str]:
    """A note on an orientation that stands outside the EXIF header: Pillow applies it, browsers do not."""
    if not any(mark in data for mark in OTHER_MARKS):
        return
    try:
        with _opened(data) as image:
            orientation = image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # as where the header is read
        return
    if orientation in range(2, 9):
        yield f"orientation {orientation} is stored in XMP or in a text chunk, and is not applied"


def _levels_left(data: bytes) -> str:
    """The note on a PNG of 16 bits: a warning where it uses so small a part of them that few of its levels are kept."""
    values = tf.raw_ops.DecodePng(contents=data, channels=3, dtype=tf.uint16).numpy()
    used = np.bincount(values.ravel(), minlength=2**16).reshape(256, 256) > 0
    left = int(used.any(axis=1).sum())
    # An image of few colours by nature, a drawing say, loses nothing.
    if left > FEW_LEVELS or used.sum() < 4 * left:
        return DEEP
    way_out = "transform.significant_bits can keep more" if values.max() < 2**15 else "convert it to 8 bits to keep more"
    # Rounded up to a power of two: one line for all images of an archive. No note may be a part of another.
    levels = 2 ** (left - 1).bit_length()
    return f"{FEW_LEVELS_LEFT} {levels} grey level{'s' if levels > 1 else ''} ({way_out})"
