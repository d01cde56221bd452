"""The kind of a file that Pillow cannot open as an image, judged from its first bytes, and what to do with it."""

from collections.abc import Mapping

# How many of the first bytes are searched.
HEAD = 1024

# Image formats that TensorFlow does not decode, by how their files begin.
FOREIGN: Mapping[bytes, str] = {
    b"\xff\x0a": "JPEG XL",
    b"\x00\x00\x00\x0cJXL ": "JPEG XL",
    b"\x00\x00\x01\x00": "ICO",
    b"8BPS": "PSD",
    b"%!PS": "EPS",
    b"\x76\x2f\x31\x01": "OpenEXR",
}

# The brand of an ISO media file, after its "ftyp".
BRANDS: Mapping[bytes, str] = {
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"hevc": "HEIC",
    b"heim": "HEIC",
    b"mif1": "HEIC",
    b"msf1": "HEIC",
    b"avif": "AVIF",
}

# Files that are not images.
OTHER: Mapping[bytes, str] = {
    b"PK\x03\x04": "a ZIP archive; unpack it",
    b"\x1f\x8b": "a gzip archive; unpack it",
    b"Rar!": "a RAR archive; unpack it",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"%PDF": "a PDF document; save its pages as PNG",
    b"version https://git-lfs": "a pointer of Git LFS; run `git lfs pull`",
    b"\x93NUMPY": "a NumPy array; save it as PNG",
}
MARKUP = {b"<svg": "SVG", b"<!doctype html": "HTML", b"<html": "HTML", b"<?xml": "XML"}
UNKNOWN = "not an image in a known format"


def foreign_file_fault(data: bytes) -> str:
    """The fault of a file that is not an image, or has a format that cannot be decoded.

    >>> foreign_file_fault(b"%PDF-1.7")
    'not an image in a known format: a PDF document; save its pages as PNG'
    >>> foreign_file_fault(b"\\x00\\x00\\x00\\x18ftypheic")
    'HEIC cannot be read by TensorFlow: convert it to PNG or JPEG'
    """
    image_format = _begins(FOREIGN, data) or (data[4:8] == b"ftyp" and BRANDS.get(data[8:12])) or _markup(data)
    if image_format in ("HTML", "XML"):
        # A server sent this page instead of the requested image.
        return f"{UNKNOWN}: a page of {image_format}; download the image again"
    if image_format:
        return unsupported_format_fault(image_format)
    other = _begins(OTHER, data) or ("a film; save its frames as images" if _is_film(data) else None)
    return f"{UNKNOWN}: {other}" if other else UNKNOWN


def unsupported_format_fault(image_format: str) -> str:
    """The fault of an image in a format that TensorFlow does not decode."""
    return f"{image_format} cannot be read by TensorFlow: convert it to PNG or JPEG"


def _begins(kinds: Mapping[bytes, str], data: bytes) -> str | None:
    return next((kind for start, kind in kinds.items() if data.startswith(start)), None)


def _markup(data: bytes) -> str | None:
    head = data[:HEAD].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not head.startswith(b"<"):
        return None
    return next((kind for mark, kind in MARKUP.items() if mark in head), None)


def _is_film(data: bytes) -> bool:
    return data[4:8] == b"ftyp" or (data[:4] == b"RIFF" and data[8:12] == b"AVI ") or data[:4] == b"\x1a\x45\xdf\xa3"
