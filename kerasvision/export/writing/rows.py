"""Decodes encoded images to one batch of pixels: a bad image affects only its own row.

In a graph of TensorFlow operations, only tf.data can continue after an error. A small pipeline inside the signature decodes
the rows, several at a time, skips those that raise an error, and says which rows were decoded.
"""

from collections.abc import Callable

import tensorflow as tf

from kerasvision.ops.readable import only_readable


def decoded_rows(
    image_bytes: tf.Tensor, transform: Callable[[tf.Tensor], tf.Tensor], *, shape: tuple[int, int, int], max_pixels: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The pixels of all rows, and which rows could be decoded.

    Measured against `tf.map_fn`, which fails as a whole: 0.9 ms more per call, whatever the batch
    (tests/benchmarks/serving_latency.py). `Dataset.reduce` in place of `get_single_element` costs 50 ms more.

    Args:
        image_bytes: string (N,), encoded images; N may be 0.
        transform: from the bytes of one image to float32 `shape`; raises an error if they are not an image.
        shape: (H, W, C).
        max_pixels: an image whose header claims more is not decoded, and counts as bad. So does an image that TensorFlow
            would decode to wrong pixels.

    Returns:
        float32 (N, H, W, C), zeros if the row is bad; bool (N,), whether it is good.
    """
    count = tf.size(image_bytes, out_type=tf.int64)

    def decoded(row: tf.Tensor, data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        small = tf.debugging.assert_less_equal(claimed_pixels(data), tf.constant(max_pixels, tf.int64))
        with tf.control_dependencies([small]):
            return row, tf.ensure_shape(transform(only_readable(data)), shape)

    rows = tf.data.Dataset.from_tensor_slices((tf.range(count), image_bytes))
    good = rows.map(decoded, num_parallel_calls=tf.data.AUTOTUNE).ignore_errors()
    # A last row that always exists: so there is a batch even if every image is bad, or none was sent.
    last = tf.data.Dataset.from_tensors((count, tf.zeros(shape)))
    numbers, pixels = good.concatenate(last).batch(count + 1).get_single_element()
    places, size = numbers[:, tf.newaxis], count[tf.newaxis] + 1
    pixels = tf.scatter_nd(places, pixels, tf.concat([size, tf.constant(shape, tf.int64)], axis=0))
    valid = tf.scatter_nd(places, tf.ones_like(numbers, tf.bool), size)
    return tf.ensure_shape(pixels[:-1], [None, *shape]), tf.ensure_shape(valid[:-1], [None])


def claimed_pixels(data: tf.Tensor) -> tf.Tensor:
    """int64 scalar: width times height in the header of a JPEG, PNG, GIF, BMP or WebP file, string (); 0 for other files.

    Raises:
        tf.errors.InvalidArgumentError: a JPEG without a size.

    >>> int(claimed_pixels(tf.io.encode_png(tf.zeros((7, 300, 1), tf.uint8))))
    2100
    >>> int(claimed_pixels(tf.io.encode_jpeg(tf.zeros((7, 300, 1), tf.uint8))))
    2100
    """
    start = tf.strings.join([tf.strings.substr(data, 0, 30), b"\0" * 30])
    head = tf.cast(tf.io.decode_raw(start, tf.uint8, fixed_length=30), tf.int64)

    def little(place: int, count: int) -> tf.Tensor:
        return tf.reduce_sum(head[place : place + count] * [256**power for power in range(count)])

    def big(place: int) -> tf.Tensor:
        return tf.reduce_sum(head[place : place + 4] * [256**power for power in (3, 2, 1, 0)])

    def begins(text: bytes, place: int = 0) -> tf.Tensor:
        return tf.strings.substr(start, place, len(text)) == text

    # A BMP whose rows go from top to bottom has a negative height.
    rows = tf.minimum(little(22, 4), 2**32 - little(22, 4))
    lossless = (little(21, 4) % 2**14 + 1) * (little(21, 4) // 2**14 % 2**14 + 1)
    lossy = (little(26, 2) % 2**14) * (little(28, 2) % 2**14)
    extended = (little(24, 3) + 1) * (little(27, 3) + 1)
    webp = tf.where(begins(b"VP8 ", 12), lossy, tf.where(begins(b"VP8L", 12), lossless, extended))
    kinds = {b"\x89PNG": big(16) * big(20), b"GIF8": little(6, 2) * little(8, 2), b"BM": little(18, 4) * rows, b"RIFF": webp}
    others = sum(tf.where(begins(name), pixels, 0) for name, pixels in kinds.items())

    def jpeg() -> tf.Tensor:
        return tf.reduce_prod(tf.cast(tf.image.extract_jpeg_shape(data)[:2], tf.int64))

    return tf.cond(begins(b"\xff\xd8\xff"), jpeg, lambda: others)
