"""Which image files TensorFlow decodes to the right pixels, judged from their headers inside the graph.

TensorFlow 2.21 decodes some files to wrong pixels without an error. It ignores the palette and the masks of a BMP and the
position of a GIF's first frame, and it reads a CMYK JPEG without Adobe's marker differently from other programs. Ingest,
`predict`, `serve` and the exported model check files here and reject these. Training images have passed ingest.
tests/faults/test_image_kinds.py compares every common kind of file with Pillow.
"""

import tensorflow as tf

from kerasvision.ops.headers import begins, byte_values, find_segment, number
from kerasvision.ops.tracing import not_inlined

NO_IMAGE = "not a JPEG, PNG, GIF, BMP or WebP"
CMYK = "a CMYK JPEG without Adobe's marker is misread by TensorFlow: convert it to RGB"
PALETTE_BMP = "a BMP with a palette is misread by TensorFlow: convert it to PNG"
OTHER_BMP = "a BMP with 16 bits, compression, masks of its own or an OS/2 header is misread by TensorFlow: convert it to PNG"
SMALL_GIF = "a GIF whose first frame does not fill its canvas is misread by TensorFlow: convert it to PNG"

# Reading a block of a GIF takes as long as a segment of a JPEG. An XMP description fills some hundred blocks.
_MAX_BLOCKS = 4096
_FRAME, _EXTENSION = 0x2C, 0x21


def only_readable(image_bytes: tf.Tensor) -> tf.Tensor:
    """The same bytes, scalar string, after a check that TensorFlow decodes them to the right pixels.

    Raises:
        tf.errors.InvalidArgumentError: at run time, if TensorFlow would misread them or does not know their format.
    """
    fault = misread(image_bytes)
    with tf.control_dependencies([tf.debugging.Assert(fault == "", [fault])]):
        return tf.identity(image_bytes)


def misread(image_bytes: tf.Tensor) -> tf.Tensor:
    """Why TensorFlow's decoder would give wrong pixels. It does not look for damage: the decoder finds that.

    Args:
        image_bytes: scalar string, the whole file.

    Returns:
        string scalar, empty if the pixels are right.

    Raises:
        tf.errors.InvalidArgumentError: a JPEG without a size.

    >>> misread(b"hello").numpy().decode(), misread(tf.io.encode_png(tf.zeros((1, 1, 3), tf.uint8))).numpy().decode()
    ('not a JPEG, PNG, GIF, BMP or WebP', '')
    """
    return tf.cond(
        begins(image_bytes, b"\xff\xd8\xff"),
        lambda: _fault_of_jpeg(image_bytes),
        lambda: tf.cond(begins(image_bytes, b"\x89PNG"), lambda: tf.constant(""), lambda: _fault_of_others(image_bytes)),
    )


def _fault_of_jpeg(image_bytes: tf.Tensor) -> tf.Tensor:
    has_four_channels = tf.image.extract_jpeg_shape(image_bytes)[2] == 4
    return tf.cond(has_four_channels, lambda: _fault_of_cmyk(image_bytes), lambda: tf.constant(""))


# Not inlined: otherwise the runtime would step through its many small operations for every image, and CMYK is rare.
@not_inlined
def _fault_of_cmyk(image_bytes: tf.Tensor) -> tf.Tensor:
    segment, _ = find_segment(image_bytes, _is_adobe)
    return tf.where(_is_adobe(segment), "", CMYK)


def _is_adobe(segment: tf.Tensor) -> tf.Tensor:
    """Whether a segment is a complete APP14 with the text "Adobe". The sixth byte of text already belongs to the content."""
    text = (segment[2] == 0x4164) & (segment[3] == 0x6F62) & (segment[4] // 256 == 0x65)
    return (segment[0] == 0xFFEE) & (segment[1] >= 14) & text


@not_inlined
def _fault_of_others(image_bytes: tf.Tensor) -> tf.Tensor:
    is_webp = tf.strings.regex_full_match(tf.strings.substr(image_bytes, 0, 12), r"RIFF\C{4}WEBP")
    other = tf.cond(begins(image_bytes, b"BM"), lambda: _fault_of_bmp(image_bytes), lambda: tf.where(is_webp, "", NO_IMAGE))
    return tf.cond(begins(image_bytes, b"GIF8"), lambda: _fault_of_gif(image_bytes), lambda: other)


def _fault_of_bmp(image_bytes: tf.Tensor) -> tf.Tensor:
    """Source: [MS-WMF], section 2.2.2: BitmapInfoHeader, its Compression and its Colors."""
    head = byte_values(image_bytes, 0, 66)
    header, bits, compression = number(head[14:18]), number(head[28:30]), number(head[30:34])
    # TensorFlow assumes this order: blue, green, red and a fourth byte.
    usual_masks = tf.reduce_all(head[54:66] == [0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0])
    is_plain = (compression == 0) & ((bits == 24) | (bits == 32)) | (compression == 3) & (bits == 32) & usual_masks
    is_grey = (compression == 0) & (bits == 8) & _is_grey_palette(image_bytes, header, number(head[46:50]))
    fault = tf.where((bits <= 8) & (header >= 40), PALETTE_BMP, OTHER_BMP)
    return tf.where((header >= 40) & (is_plain | is_grey), "", fault)


def _is_grey_palette(image_bytes: tf.Tensor, header: tf.Tensor, colours: tf.Tensor) -> tf.Tensor:
    """Whether every colour of the palette equals its index, so that the indices are the pixels."""
    colours = tf.where((colours > 0) & (colours < 256), colours, 256)
    palette = tf.reshape(byte_values(image_bytes, tf.maximum(14 + header, 0), 1024), [256, 4])[:, :3]
    index = tf.range(256)[:, tf.newaxis]
    return tf.reduce_all((palette == index) | (index >= colours))


def _fault_of_gif(image_bytes: tf.Tensor) -> tf.Tensor:
    """Source: GIF89a specification, sections 18 to 26."""
    head = byte_values(image_bytes, 0, 13)
    # The global colour table lies between the header and the first block.
    start = 13 + tf.where(head[10] >= 128, 3 * 2 ** (head[10] % 8 + 1), 0)
    skipped, position = _to_first_frame(image_bytes, start)
    frame = byte_values(image_bytes, position, 9)
    left, top, width, height = (number(frame[first : first + 2]) for first in (1, 3, 5, 7))
    fills = (width >= number(head[6:8])) & (height >= number(head[8:10])) & (left == 0) & (top == 0)
    # If the walk ended at something else than a frame, the file is damaged. The decoder finds that.
    is_right = (skipped == 0) & ((frame[0] != _FRAME) | fills)
    return tf.where(is_right, "", SMALL_GIF)


def _to_first_frame(image_bytes: tf.Tensor, start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Bytes to the next block (0 at the end of the walk), and the position of this one."""

    def block(position: tf.Tensor, in_chain: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        value = byte_values(image_bytes, position, 1)[0]
        begins_chain = ~in_chain & (value == _EXTENSION)
        # In a chain each block follows its length, and the length 0 ends the chain.
        skipped = tf.where(in_chain, value + 1, tf.where(begins_chain, 2, 0))
        return skipped, position, begins_chain | (in_chain & (value != 0))

    skipped, position, _ = tf.while_loop(
        lambda skipped, position, in_chain: skipped > 0,
        lambda skipped, position, in_chain: block(position + skipped, in_chain),
        block(start, tf.constant(False)),
        maximum_iterations=_MAX_BLOCKS,
        parallel_iterations=1,
    )
    return skipped, position
