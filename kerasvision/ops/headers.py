"""The bytes of a file's header as numbers, inside the graph. No bytes cause an error."""

from collections.abc import Callable

import tensorflow as tf

# Each step of a walk over a header takes about 20 microseconds, so an endless header costs 5 milliseconds.
MAX_SEGMENTS = 256


def begins(text: tf.Tensor, start: bytes) -> tf.Tensor:
    """bool scalar: whether a scalar string begins with these bytes."""
    return tf.strings.substr(text, 0, len(start)) == start


def byte_values(text: tf.Tensor, position: tf.Tensor | int, count: int) -> tf.Tensor:
    """int32 (count,): bytes of a scalar string from `position`, with zeros after its end.

    >>> byte_values(b"AB", 1, 3).numpy().tolist()
    [66, 0, 0]
    """
    position = tf.minimum(position, tf.strings.length(text))
    return tf.cast(tf.io.decode_raw(tf.strings.substr(text, position, count), tf.uint8, fixed_length=count), tf.int32)


def number(digits: tf.Tensor, is_little_endian: tf.Tensor | bool = True) -> tf.Tensor:
    """The bytes along the last axis, read as one number.

    Args:
        digits: int32 (..., bytes), each in [0, 255].
        is_little_endian: bool scalar; False for big-endian.

    Returns:
        int32 (...). From 2**31 on it is negative, and every caller rejects negative numbers.

    >>> int(number(tf.constant([1, 2]))), int(number(tf.constant([1, 2]), is_little_endian=False))
    (513, 258)
    """
    digits = tf.where(is_little_endian, tf.reverse(digits, [-1]), digits)
    weights = [256**power for power in reversed(range(digits.shape[-1]))]
    return tf.reduce_sum(digits * tf.constant(weights, tf.int32), axis=-1)


def find_segment(jpeg: tf.Tensor, wanted: Callable[[tf.Tensor], tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """The start and position of the first wanted segment of a JPEG, or those of the place where the walk ended.

    The walk ends where the pixels begin, at bytes that are not a segment, and after MAX_SEGMENTS.

    Args:
        jpeg: scalar string.
        wanted: maps the start of a segment, int32 (5,), to a bool scalar.

    Returns:
        int32 (5,), the first ten bytes of the segment as big-endian two-byte numbers: marker, length, six bytes of text;
        and int32 scalar, the position of its marker. The caller calls `wanted` again to know whether the walk found one.

    Source: JPEG (ITU-T T.81), annex B.1.
    """

    def segment(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        position = tf.minimum(position, tf.strings.length(jpeg))
        start = tf.strings.substr(jpeg, position, 10)
        words = tf.cast(tf.io.decode_raw(start, tf.uint16, little_endian=False, fixed_length=10), tf.int32)
        marker, length = words[0], words[1]
        goes_on = (marker >= 0xFFC0) & (marker != 0xFFDA) & ~wanted(words)
        # 0xFF may be repeated before a marker, as padding.
        skipped = tf.where(marker == 0xFFFF, 1, 2 + length)
        return tf.where(goes_on, skipped, 0), words, position

    _, words, position = tf.while_loop(
        lambda skipped, words, position: skipped > 0,
        lambda skipped, words, position: segment(position + skipped),
        segment(tf.constant(2)),
        maximum_iterations=MAX_SEGMENTS,
        parallel_iterations=1,
    )
    return words, position
