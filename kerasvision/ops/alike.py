"""Decodes many small image files of one size as one batch, so that what follows runs once for all of them."""

import tensorflow as tf

from kerasvision.ops.exif import pngs_may_be_turned
from kerasvision.ops.headers import begins, byte_values, number
from kerasvision.ops.images import luma
from kerasvision.ops.tracing import without_autograph

# Signature and first chunk of a PNG: its size, bit depth and colour type, and their checksum.
_PNG_HEAD = 33


@without_autograph
def are_alike(files: tf.Tensor, *, most_pixels: int) -> tf.Tensor:
    """Whether `decode_alike` can decode these files: upright PNG files with the same header and 8 bits per channel.

    Args:
        files: string (N,), whole files; N at least 1.
        most_pixels: of all files together. With more, the result is false.

    Returns:
        bool scalar.

    >>> png = tf.io.encode_png(tf.zeros((2, 3, 1), tf.uint8))
    >>> bool(are_alike([png, png], most_pixels=12)), bool(are_alike([png, b"GIF89a"], most_pixels=12))
    (True, False)
    """
    files = tf.convert_to_tensor(files)
    heads = tf.strings.substr(files, 0, _PNG_HEAD)
    first = heads[0]
    height, width = (tf.cast(number(byte_values(first, at, 4), is_little_endian=False), tf.int64) for at in (20, 16))
    is_small = (height > 0) & (width > 0) & (tf.size(files, tf.int64) * height * width <= most_pixels)
    is_plain = begins(first, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR") & (byte_values(first, 24, 1)[0] == 8)
    return is_small & is_plain & tf.reduce_all(heads == first) & ~tf.reduce_any(pngs_may_be_turned(files))


@without_autograph
def decode_alike(files: tf.Tensor, *, color_mode: str) -> tf.Tensor:
    """The pixels of files for which `are_alike` is true; each picture is the result of `decode_image`.

    Args:
        files: string (N,), whole files.
        color_mode: "rgb" or "grayscale", as in `kerasvision.ops.images.decode_image`.

    Returns:
        uint8 (N, H, W, 3) for "rgb", (N, H, W, 1) for "grayscale", in [0, 255].

    Raises:
        tf.errors.InvalidArgumentError: at run time, if a file is damaged, or the files have different sizes.

    >>> png = tf.io.encode_png(tf.constant([[[1], [2]]], tf.uint8))
    >>> decode_alike([png, png], color_mode="grayscale")[:, 0, :, 0].numpy().tolist()
    [[1, 2], [1, 2]]
    """

    def decode(file: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.io.decode_image(file, channels=3, expand_animations=False), [None, None, 3])

    spec = tf.TensorSpec([None, None, 3], tf.uint8)
    # One at a time: to hand a small file to another thread takes longer than it saves.
    pictures = tf.map_fn(decode, tf.convert_to_tensor(files), fn_output_signature=spec, parallel_iterations=1)
    return luma(pictures) if color_mode == "grayscale" else pictures
