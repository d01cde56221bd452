r"""The EXIF orientation of a file, which says how to turn its picture, read inside the graph.

A camera that is held upright stores the picture on its side and says so in a header, which TensorFlow's decoders ignore.
JPEG keeps the header in a segment, PNG and WebP in a chunk. The header's content is the same.
"""

import tensorflow as tf

from kerasvision.ops.headers import begins, byte_values, find_segment, number
from kerasvision.ops.tracing import not_inlined

# The largest segment of a JPEG: its length is a two-byte number.
_SEGMENT_BYTES = 65536
# libpng writes pixels in chunks of 8 kB, so the walk ends after 32 MB of them.
_MAX_CHUNKS = 4096
# Tag 0x0112, type SHORT or LONG, one value, from 2 to 8: little-endian or big-endian.
_TURNING_ENTRY = (
    r"Exif\x00\x00\C*?(?:"
    r"\x12\x01[\x03\x04]\x00\x01\x00\x00\x00[\x02-\x08]\x00|"
    r"\x01\x12\x00(?:\x03\x00\x00\x00\x01|\x04\x00\x00\x00\x01\x00\x00)\x00[\x02-\x08])"
)
_JPEG_MARK = r"Exif\x00\x00"
# The common letters of eXIf (PNG) and EXIF (WebP); a literal text is searched for at memory speed.
_CHUNK_NAME = r"XI[fF]"


def may_be_turned(image_bytes: tf.Tensor) -> tf.Tensor:
    r"""Whether the file may have an EXIF header with another orientation than upright. Cheap, and never wrongly false.

    A JPEG must have a turning entry after the text "Exif" in its first 131,072 bytes, or that text after the first 65,531
    bytes. Any other file must contain the name of the chunk.

    Args:
        image_bytes: scalar string; any bytes, also an empty string.

    Returns:
        bool scalar. If it is false, `exif_orientation` is 1.

    >>> bool(may_be_turned(b"\xff\xd8Exif\0\0......\x01\x12\0\x03\0\0\0\x01\0\x06\0\0")), bool(may_be_turned(b""))
    (True, False)
    """
    is_jpeg, length = begins(image_bytes, b"\xff\xd8"), tf.strings.length(image_bytes)
    # A header that begins in the first 65,536 bytes ends in the next 65,536. A text that must not be searched is empty:
    # that costs less than a branch.
    head = tf.strings.substr(image_bytes, 0, 2 * _SEGMENT_BYTES)
    behind = tf.strings.substr(image_bytes, tf.minimum(_SEGMENT_BYTES - 5, length), tf.where(is_jpeg, length, 0))
    chunks = tf.strings.substr(image_bytes, 0, tf.where(is_jpeg, 0, length))
    return _holds(head, _TURNING_ENTRY) | _holds(behind, _JPEG_MARK) | _holds(chunks, _CHUNK_NAME)


def pngs_may_be_turned(pngs: tf.Tensor) -> tf.Tensor:
    """bool (N,): what `may_be_turned` returns for each of these PNG files, string (N,)."""
    return _holds(pngs, _CHUNK_NAME)


# Not inlined: otherwise the runtime steps through a hundred small operations even where `decode_image` skips them.
@not_inlined
def exif_orientation(image_bytes: tf.Tensor) -> tf.Tensor:
    r"""The orientation in the EXIF header of a JPEG, PNG or WebP file.

    Walks the segments or chunks to the first EXIF header, so that the same text inside other data is not mistaken for it,
    and reads the header's first directory only. The walk reads at most 256 segments of a JPEG, up to the pixels, or at
    most 4,096 chunks, up to the end of the file. A WebP must announce its header, as libwebp requires.

    Args:
        image_bytes: scalar string; any bytes, also an empty string.

    Returns:
        int32 scalar, 1 (upright) to 8 as in `kerasvision.ops.images.apply_orientation`; 1 if the orientation is missing or
        malformed, and for other kinds of file. Never raises.

    Source: Exif 2.3 (CIPA DC-008-2012), sections 4.5 and 4.6.4 A (tag 0x0112); JPEG (ITU-T T.81), annex B.1; PNG (third
    edition), section 11.3.3.4; WebP container specification (RFC 9649), section 2.7.

    >>> directory = b"MM\0*\0\0\0\x08" + b"\0\x01" + b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
    >>> segment = b"\xff\xe1" + (8 + len(directory)).to_bytes(2, "big") + b"Exif\0\0" + directory
    >>> exif_orientation(b"\xff\xd8" + segment).numpy().item(), exif_orientation(b"not a JPEG").numpy().item()
    (6, 1)
    >>> exif_orientation(b"\x89PNG\r\n\x1a\n" + len(directory).to_bytes(4, "big") + b"eXIf" + directory).numpy().item()
    6
    """
    directory = tf.cond(
        begins(image_bytes, b"\xff\xd8"), lambda: _exif_segment(image_bytes), lambda: _exif_chunk(image_bytes)
    )
    # Some writers begin a chunk with the text that begins a segment.
    start = tf.where(begins(directory, b"Exif\0\0"), 6, 0)
    return _directory_orientation(tf.strings.substr(directory, start, tf.strings.length(directory)))


def _holds(text: tf.Tensor, pattern: str) -> tf.Tensor:
    # Replacing first finds the literal text, at memory speed. Matching the whole string does not.
    return tf.strings.regex_replace(text, pattern, "", replace_global=False) != text


def _exif_segment(jpeg: tf.Tensor) -> tf.Tensor:
    """The payload of the first Exif segment after the text "Exif"; empty if there is no such segment."""
    segment, position = find_segment(jpeg, _is_exif)
    # Empty where the walk ended at something else.
    size = tf.where(_is_exif(segment), tf.maximum(segment[1] - 8, 0), 0)
    return tf.strings.substr(jpeg, tf.minimum(position + 10, tf.strings.length(jpeg)), size)


def _is_exif(segment: tf.Tensor) -> tf.Tensor:
    return tf.reduce_all(tf.gather(segment, [0, 2, 3, 4]) == [0xFFE1, 0x4578, 0x6966, 0x0000])


def _exif_chunk(image_bytes: tf.Tensor) -> tf.Tensor:
    """The payload of the EXIF chunk of a PNG or WebP; empty if there is no such chunk."""
    is_png, size = begins(image_bytes, b"\x89PNG\r\n\x1a\n"), tf.strings.length(image_bytes)
    # A walk that begins at the end of the file ends at once.
    start = tf.where(is_png, 8, tf.where(_announces_exif(image_bytes), 12, size))
    _, name, length, position = tf.while_loop(
        lambda skipped, name, length, position: skipped > 0,
        lambda skipped, name, length, position: _chunk(image_bytes, position + skipped, is_png),
        _chunk(image_bytes, start, is_png),
        maximum_iterations=_MAX_CHUNKS,
        parallel_iterations=1,
    )
    length = tf.where(name == tf.where(is_png, b"eXIf", b"EXIF"), tf.maximum(length, 0), 0)
    return tf.strings.substr(image_bytes, tf.minimum(position + 8, size), length)


def _chunk(
    image_bytes: tf.Tensor, position: tf.Tensor, is_png: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Bytes to the next chunk (0 ends the walk); name, length and position of this one."""
    size = tf.strings.length(image_bytes)
    position = tf.minimum(position, size)
    start = byte_values(image_bytes, position, 8)
    length = tf.where(is_png, number(start[:4], is_little_endian=False), number(start[4:]))
    name = tf.strings.substr(image_bytes, tf.minimum(tf.where(is_png, position + 4, position), size), 4)
    goes_on = (position + 8 < size) & (length >= 0) & (length < size)
    goes_on &= tf.reduce_all(name != [b"eXIf", b"EXIF", b"IEND"])
    # A PNG's chunk ends in a checksum; a WebP's chunk is padded to an even length.
    skipped = tf.where(is_png, 12 + length, 8 + length + length % 2)
    return tf.where(goes_on, skipped, 0), name, length, position


def _announces_exif(image_bytes: tf.Tensor) -> tf.Tensor:
    """Whether the file is a WebP in the extended format whose flags announce an EXIF chunk."""
    head = byte_values(image_bytes, 0, 21)
    is_extended = tf.strings.regex_full_match(tf.strings.substr(image_bytes, 0, 16), r"RIFF\C{4}WEBPVP8X")
    return is_extended & (tf.bitwise.bitwise_and(head[20], 0x08) != 0)


def _directory_orientation(directory_bytes: tf.Tensor) -> tf.Tensor:
    """The orientation in a TIFF directory (the payload of an Exif segment), or 1."""
    size = tf.strings.length(directory_bytes)
    header = byte_values(directory_bytes, 0, 8)
    is_little_endian = header[0] == 0x49
    known = tf.reduce_any(tf.reduce_all(header[:4] == [[0x49, 0x49, 42, 0], [0x4D, 0x4D, 0, 42]], axis=1))
    start = number(header[4:8], is_little_endian)
    start = tf.where(known & (start >= 8) & (start <= size), start, size)
    count = number(byte_values(directory_bytes, start, 2), is_little_endian)
    count = tf.minimum(count, (size - start) // 12)
    entries = tf.reshape(byte_values(directory_bytes, start + 2, 12 * tf.maximum(count, 1)), [-1, 12])
    tag, kind, number_of_values, short, long = (
        number(entries[:, first:last], is_little_endian) for first, last in ((0, 2), (2, 4), (4, 8), (8, 10), (8, 12))
    )
    # The standard says SHORT (3); some writers say LONG (4), and readers accept it.
    values = tf.where(kind == 3, short, tf.where(kind == 4, long, 0))
    found = tf.reduce_max(tf.where((tag == 0x0112) & (number_of_values == 1), values, 0))
    return tf.where((found >= 1) & (found <= 8), found, 1)
