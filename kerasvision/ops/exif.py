"""How a JPEG says that it must be turned: the EXIF orientation, read inside the graph.

A camera that is held upright stores the picture lying down and says so in a header, which TensorFlow's decoders ignore.
"""

import tensorflow as tf

_SEARCHED_BYTES = 65536
_MAX_SEGMENTS = 64
# Tag 0x0112, type SHORT or LONG, one value, from 2 to 8: little-endian or big-endian.
_TURNING_ENTRY = (
    r"Exif\x00\x00\C*?(?:"
    r"\x12\x01[\x03\x04]\x00\x01\x00\x00\x00[\x02-\x08]\x00|"
    r"\x01\x12\x00(?:\x03\x00\x00\x00\x01|\x04\x00\x00\x00\x01\x00\x00)\x00[\x02-\x08])"
)
_SCALAR_STRING = tf.TensorSpec([], tf.string)


def may_be_turned(image_bytes: tf.Tensor) -> tf.Tensor:
    r"""Whether an entry that asks for a turn stands somewhere behind the text "Exif": cheap, and never wrongly false.

    Args:
        image_bytes: scalar string; any bytes at all, also none.

    Returns:
        bool scalar. Where it is false, `exif_orientation` is 1.

    >>> bool(may_be_turned(b"Exif\0\0......\x01\x12\0\x03\0\0\0\x01\0\x06\0\0")), bool(may_be_turned(b""))
    (True, False)
    """
    head = tf.strings.substr(image_bytes, 0, _SEARCHED_BYTES)
    # Replacing starts at the literal text, which is found at the speed of memory; matching the whole would not.
    return tf.strings.regex_replace(head, _TURNING_ENTRY, "", replace_global=False) != head


# Not inlined: where `decode_image` skips it, a hundred small operations would still be stepped through.
@tf.function(input_signature=[_SCALAR_STRING], autograph=False, experimental_attributes={"_noinline": True})
def exif_orientation(image_bytes: tf.Tensor) -> tf.Tensor:
    r"""The orientation in the EXIF header of a JPEG file.

    Walks the segments that precede the pixels to the first APP1 segment that starts with "Exif", so that the same text
    inside other data is not mistaken for a header; there, only the first directory is read. What lies beyond the first
    65,536 bytes, or beyond 64 segments, is not looked at.

    Args:
        image_bytes: scalar string; any bytes at all, also none.

    Returns:
        int32 scalar, 1 (upright) to 8 as in `kerasvision.ops.images.apply_orientation`; 1 where there is none, where it
        is malformed, and for files that are no JPEG. Never raises.

    Source: Exif 2.3 (CIPA DC-008-2012), sections 4.5 and 4.6.4 A (tag 0x0112); JPEG (ITU-T T.81), annex B.1.

    >>> directory = b"MM\0*\0\0\0\x08" + b"\0\x01" + b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
    >>> segment = b"\xff\xe1" + (8 + len(directory)).to_bytes(2, "big") + b"Exif\0\0" + directory
    >>> exif_orientation(b"\xff\xd8" + segment).numpy().item(), exif_orientation(b"no JPEG").numpy().item()
    (6, 1)
    """
    # An empty text has no segments: so every other file ends the walk at once.
    is_jpeg = tf.strings.substr(image_bytes, 0, 2) == b"\xff\xd8"
    head = tf.strings.substr(image_bytes, 0, tf.where(is_jpeg, _SEARCHED_BYTES, 0))
    _, segment, position = tf.while_loop(
        lambda skipped, segment, position: skipped > 0,
        lambda skipped, segment, position: _segment(head, position + skipped),
        _segment(head, 2),
        maximum_iterations=_MAX_SEGMENTS,
        parallel_iterations=1,
    )
    # An empty directory where the walk ended at something else.
    size = tf.where(_is_exif(segment), tf.maximum(segment[1] - 8, 0), 0)
    start = tf.minimum(position + 10, tf.strings.length(head))
    return _directory_orientation(tf.strings.substr(head, start, size))


def _segment(head, position):
    """Bytes to the next segment (0 ends the walk); int32 (5,) marker, length, "Ex", "if", 0; and the position."""
    position = tf.minimum(position, tf.strings.length(head))
    start = tf.strings.substr(head, position, 10)
    words = tf.cast(tf.io.decode_raw(start, tf.uint16, little_endian=False, fixed_length=10), tf.int32)
    marker, length = words[0], words[1]
    goes_on = (marker >= 0xFFC0) & (marker != 0xFFDA) & ~_is_exif(words)
    # 0xFF may be repeated before a marker, as filling.
    skipped = tf.where(marker == 0xFFFF, 1, 2 + length)
    return tf.where(goes_on, skipped, 0), words, position


def _is_exif(segment):
    return tf.reduce_all(tf.gather(segment, [0, 2, 3, 4]) == [0xFFE1, 0x4578, 0x6966, 0x0000])


def _directory_orientation(directory_bytes):
    """The orientation in a TIFF directory (the payload of an Exif segment), or 1."""
    size = tf.strings.length(directory_bytes)
    header = _bytes(directory_bytes, 0, 8)
    is_little_endian = header[0] == 0x49
    known = tf.reduce_any(tf.reduce_all(header[:4] == [[0x49, 0x49, 42, 0], [0x4D, 0x4D, 0, 42]], axis=1))
    start = _number(header[4:8], is_little_endian)
    start = tf.where(known & (start >= 8) & (start <= size), start, size)
    count = _number(_bytes(directory_bytes, start, 2), is_little_endian)
    count = tf.minimum(count, (size - start) // 12)
    entries = tf.reshape(_bytes(directory_bytes, start + 2, 12 * tf.maximum(count, 1)), [-1, 12])
    tag, kind, number_of_values, short, long = (
        _number(entries[:, first:last], is_little_endian) for first, last in ((0, 2), (2, 4), (4, 8), (8, 10), (8, 12))
    )
    # The standard says SHORT (3); some writers say LONG (4), and readers accept it.
    values = tf.where(kind == 3, short, tf.where(kind == 4, long, 0))
    found = tf.reduce_max(tf.where((tag == 0x0112) & (number_of_values == 1), values, 0))
    return tf.where((found >= 1) & (found <= 8), found, 1)


def _bytes(text, position, count):
    """int32 (count,): bytes of a string from `position`; zeros after its end."""
    position = tf.minimum(position, tf.strings.length(text))
    return tf.cast(tf.io.decode_raw(tf.strings.substr(text, position, count), tf.uint8, fixed_length=count), tf.int32)


def _number(digits, is_little_endian):
    """The last axis of bytes read as one number; from 2**31 it turns negative, which no caller takes for valid."""
    digits = tf.where(is_little_endian, tf.reverse(digits, [-1]), digits)
    weights = [256**power for power in reversed(range(digits.shape[-1]))]
    return tf.reduce_sum(digits * tf.constant(weights, tf.int32), axis=-1)
