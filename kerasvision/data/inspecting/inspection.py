"""Inspects an image file: what it is, and whether it can be used.

Pillow reads the header first, and an image that is too large by its header is not decoded. Then the whole file is decoded
with the decoder of training and serving, so that a file that passes here cannot stop them.

Damage that the decoder accepts is not found: a hole in the middle of a JPEG, and a JPEG header that claims more rows than
the file has, which the decoder fills with grey.
"""

import io
import os
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
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

# The formats that TensorFlow decodes: Pillow's name -> first bytes. MPO: a JPEG with several pictures (phones).
READABLE = {"JPEG": b"\xff\xd8", "MPO": b"\xff\xd8", "PNG": b"\x89PNG", "GIF": b"GIF8", "BMP": b"BM", "WEBP": b"RIFF"}
# The suffixes of their files.
SUFFIXES = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "MPO": {".jpg", ".jpeg", ".mpo"},
    "PNG": {".png", ".apng"},
    "GIF": {".gif"},
    "BMP": {".bmp", ".dib"},
    "WEBP": {".webp"},
}
ORIENTATION_TAG = 0x0112
# Other places where some programs look for an orientation: XMP, plain or compressed, and ImageMagick's text chunk.
OTHER_MARKS = (b"tiff:Orientation", b"XML:com.adobe.xmp", b"Raw profile type exif")
# The beginning of an EXIF header in formats other than JPEG.
EXIF_MARKS = {"PNG": b"eXIf", "WEBP": b"EXIF"}
WRONG_SUFFIX = "the suffix of the file's name does not match its format"
# All formats that a fault names. Opening one of these reads only its header; an ICO would be decoded at once.
RECOGNISED = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "JPEG2000", "AVIF", "PPM")
MAX_SIDE = 65_535
DEEP = "16 bits per channel reduced to 8"
# An image of 16 bits that keeps at most this many levels gets a warning: 12 bits stored in 16 keep 16, and 14 bits keep 64.
FEW_LEVELS = 64
FEW_LEVELS_LEFT = "reducing 16 bits per channel to 8 leaves at most"
ANIMATED = "first frame of an animation"

# Room in a file for more than its pixels: a profile, a thumbnail, more frames of an animation.
SPARE_BYTES = 64_000_000

# How many bytes may wait for inspection: six photos of 10 MB, for example.
MOST_WAITING_BYTES = 64_000_000

# Passing a file to a thread takes about as long as inspecting an image of 28 x 28, so smaller files are passed in groups.
WORTH_A_THREAD_BYTES = 16_384
GROUP_FILES = 64
# The files of the first groups are decoded one by one: the function for a group must be traced first, which takes longer.
FIRST_GROUPS = 4

# Pillow's limit and Python's warning filters are global to the process, so one header is read at a time.
_PILLOW = threading.Lock()

K = TypeVar("K")


@dataclass(frozen=True)
class ImageFacts:
    """The facts about an image file.

    Attributes:
        format: Pillow's name of the file format, or "".
        mode: Pillow's name of the colour mode (L, RGB, RGBA, P, CMYK, ...), or "".
        width, height: in pixels of the upright image; with a fault, as the header claims; 0 without a header.
        fault: why it cannot be used, one line; None if it can be used.
        notes: what decoding changes or drops, one line each.
    """

    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    fault: str | None = None
    notes: tuple[str, ...] = ()


def size_fault(size: int, *, max_pixels: int) -> str | None:
    """Why a file is too large to be read; None if it is not. This is checked before anything is read.

    A file may have 8 bytes for each pixel (four channels of 16 bits, not compressed), and SPARE_BYTES.

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
    """The facts about an image file, after decoding it.

    Args:
        data: the whole file.
        max_pixels: a header that claims more is a fault; the pixels are then not decoded.

    >>> inspect_image(b"", max_pixels=1).fault
    'the file is empty'
    >>> inspect_image(b"hello", max_pixels=1).fault
    'not an image in a known format'
    """
    facts = inspect_header(data, max_pixels=max_pixels)
    return facts if facts.fault else _decoded(data, facts)


def inspect_header(data: bytes, *, max_pixels: int) -> ImageFacts:
    """The facts in the header of an image file. Nothing is decoded, so a file that is cut off after it has no fault here.

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
    """(key, bytes, facts) of many files, in order. Several files are inspected at a time, and few are in memory.

    Args:
        items: (key, bytes of a file).
        max_pixels: see `inspect_image`.
        workers: threads; by default one per core. TensorFlow decodes outside Python's lock.
    """
    workers = workers or os.cpu_count() or 1
    waiting: deque[tuple[list[tuple[K, bytes]], Future[list[ImageFacts]]]] = deque()

    def first() -> Iterator[tuple[K, bytes, ImageFacts]]:
        group, facts = waiting.popleft()
        for (key, data), found in zip(group, facts.result(), strict=True):
            yield key, data, found

    def too_many() -> bool:
        held = sum(len(data) for group, _ in waiting for _, data in group)
        return len(waiting) >= 4 * workers or held > MOST_WAITING_BYTES

    with ThreadPoolExecutor(workers) as pool:
        for number, group in enumerate(_groups(items)):
            together = number >= FIRST_GROUPS
            waiting.append((group, pool.submit(_inspect_group, group, max_pixels=max_pixels, together=together)))
            while waiting and too_many():
                yield from first()
        while waiting:
            yield from first()


def _groups(items: Iterable[tuple[K, bytes]]) -> Iterator[list[tuple[K, bytes]]]:
    """The items in order: large files alone, and small ones in groups, because to pass each to a thread would take long."""
    group: list[tuple[K, bytes]] = []
    for key, data in items:
        is_small = len(data) < WORTH_A_THREAD_BYTES
        if group and (not is_small or len(group) == GROUP_FILES):
            yield group
            group = []
        if is_small:
            group.append((key, data))
        else:
            yield [(key, data)]
    if group:
        yield group


def _inspect_group(group: Sequence[tuple[K, bytes]], *, max_pixels: int, together: bool) -> list[ImageFacts]:
    """What `inspect_image` returns for each file; `together`: small files are decoded by one call, if none is damaged."""
    headers = [inspect_header(data, max_pixels=max_pixels) for _, data in group]
    sound = [place for place, facts in enumerate(headers) if not facts.fault]
    shapes = _decoded_shapes([group[place][1] for place in sound]) if together and len(sound) > 1 else [None] * len(sound)
    for place, shape in zip(sound, shapes, strict=True):
        headers[place] = _decoded(group[place][1], headers[place], shape=shape)
    return headers


def _decoded_shapes(files: list[bytes]) -> Sequence[tuple[int, int] | None]:
    """(height, width) of each file after decoding it; all None if one cannot be decoded: then each is decoded alone."""
    try:
        shapes: list[tuple[int, int]] = list(map(tuple, _shapes_after_decoding(tf.constant(files)).numpy().tolist()))
    except tf.errors.OpError:
        return [None] * len(files)
    return shapes


def _shapes(files: tf.Tensor) -> tf.Tensor:
    """int32 (N, 2): height and width of each of the files, string (N,), after decoding it."""

    def shape(data: tf.Tensor) -> tf.Tensor:
        return tf.shape(tf.raw_ops.DecodeImage(contents=data, channels=3, expand_animations=False))[:2]

    return tf.map_fn(shape, files, fn_output_signature=tf.TensorSpec([2], tf.int32), parallel_iterations=1)


_shapes_after_decoding = tf.function(_shapes, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)


def has_wrong_suffix(file: Path, image_format: str) -> bool:
    """Whether the suffix of a file's name does not match its format. A name without a suffix is never wrong.

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
    # The first test is the cheapest and decides for most files; the second decides for most of the rest.
    mark = EXIF_MARKS.get(image_format, b"Exif\0\0")
    return int(exif_orientation(data)) if mark in data and may_be_turned(data) else 1


def read_header(data: bytes) -> ImageFacts:
    """What the header claims, or a fault. Nothing is decoded, and the claims are not judged."""
    try:
        with _opened(data) as image:
            return ImageFacts(image.format or "", image.mode, *image.size, None, tuple(_notes(image, data)))
    except Exception:  # For broken files, Pillow's parsers raise exceptions of any type.
        return ImageFacts(fault=_unknown(data))


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    with _PILLOW, warnings.catch_warnings():
        # Pillow warns of large images, and above twice its limit it raises without the size. Here the caller sets the limit.
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
    # Pillow's mode shows 16 bits only for grey images; for colour, the header's bit depth does.
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
    """Why TensorFlow would decode an image to wrong pixels without an error, or that its header is damaged; or None.

    Args:
        data: the whole file.
        facts: the facts in its header, without a fault.
    """
    # Other files are never misread, and the check takes longer than inspecting an image of 28 x 28.
    if facts.format not in ("BMP", "GIF") and facts.mode != "CMYK":
        return None
    try:
        return misread(tf.constant(data)).numpy().decode() or None
    except tf.errors.OpError:
        return _broken(facts.format)


def _decoded(data: bytes, facts: ImageFacts, *, shape: tuple[int, int] | None = None) -> ImageFacts:
    """The facts after decoding: the size of the upright image, or a fault. `shape` is its stored size, if it was decoded."""
    try:
        # This is the part of `decode_image` that can fail; turning and greying cannot, and would take time. The raw
        # operation is used because the public function's wrapper is noticeable on tiny images.
        shape = shape or tf.raw_ops.DecodeImage(contents=data, channels=3, expand_animations=False).shape[:2]
        facts = replace(facts, notes=tuple(_levels_left(data) if note == DEEP else note for note in facts.notes))
    except tf.errors.OpError:
        return replace(facts, fault=_broken(facts.format), notes=())
    # The first frame of a GIF may be larger than the canvas.
    height, width = shape
    orientation = orientation_of(data, facts.format)
    if orientation == 1:
        return replace(facts, width=width, height=height, notes=(*facts.notes, *_not_applied(data)))
    if orientation >= 5:
        width, height = height, width
    notes = (*facts.notes, f"rotated by EXIF orientation {orientation}")
    return replace(facts, width=width, height=height, notes=notes)


def _not_applied(data: bytes) -> Iterator[str]:
    """A note on an orientation outside the EXIF header: Pillow applies it, browsers do not."""
    if not any(mark in data for mark in OTHER_MARKS):
        return
    try:
        with _opened(data) as image:
            orientation = image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # as in `read_header`
        return
    if orientation in range(2, 9):
        yield f"orientation {orientation} is stored in XMP or in a text chunk, and is not applied"


def _levels_left(data: bytes) -> str:
    """The note on a PNG of 16 bits: a warning if it uses so few of the values that 8 bits keep only few of its levels."""
    values = tf.raw_ops.DecodePng(contents=data, channels=3, dtype=tf.uint16).numpy()
    used = np.bincount(values.ravel(), minlength=2**16).reshape(256, 256) > 0
    left = int(used.any(axis=1).sum())
    # An image that has few colours anyway, such as a drawing, loses nothing.
    if left > FEW_LEVELS or used.sum() < 4 * left:
        return DEEP
    way_out = "transform.significant_bits can keep more" if values.max() < 2**15 else "convert it to 8 bits to keep more"
    # Rounded up to a power of two, so that all images of an archive share one line. No note may be part of another.
    levels = 2 ** (left - 1).bit_length()
    return f"{FEW_LEVELS_LEFT} {levels} grey level{'s' if levels > 1 else ''} ({way_out})"
