"""Decodes encoded images to one batch of pixels: a bad image affects only its own row.

In a graph of TensorFlow operations, only tf.data can continue after an error. A small pipeline inside the signature decodes
the rows, several at a time, skips those that raise an error, and says which rows were decoded.
"""

from collections.abc import Callable
from functools import partial

import tensorflow as tf

from kerasvision.ops.headers import begins, byte_values
from kerasvision.ops.places import Places
from kerasvision.ops.readable import only_readable
from kerasvision.ops.resize import Placement
from kerasvision.ops.tracing import not_inlined

# From the bytes of an image to float32 (H, W, C), where the upright image lies in it, and the image's size, int32 (2,).
Decode = Callable[[tf.Tensor], tuple[tf.Tensor, Placement, tf.Tensor]]


def decoded_rows(
    image_bytes: tf.Tensor, decode: Decode, *, shape: tuple[int, int, int], max_pixels: int
) -> tuple[tf.Tensor, tf.Tensor, Places]:
    """The pixels of all rows, which rows could be decoded, and where their images lie.

    Measured against `tf.map_fn`, which fails as a whole: 0.9 ms more per call, whatever the batch
    (tests/benchmarks/serving_latency.py). `Dataset.reduce` in place of `get_single_element` costs 50 ms more.

    Args:
        image_bytes: string (N,), encoded images; N may be 0.
        decode: from the bytes of one image; raises an error if they are not an image. The pixels have `shape`.
        shape: (H, W, C).
        max_pixels: an image whose header claims more is not decoded, and counts as bad. So does an image that TensorFlow
            would decode to wrong pixels.

    Returns:
        float32 (N, H, W, C), zeros if the row is bad; bool (N,), whether it is good; their places.
    """
    count = tf.size(image_bytes, out_type=tf.int64)

    specs = tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.string)

    @partial(tf.function, autograph=False, input_signature=specs)
    def decoded(row: tf.Tensor, data: tf.Tensor) -> tuple[tf.Tensor, ...]:
        small = tf.debugging.assert_less_equal(claimed_pixels(data), tf.constant(max_pixels, tf.int64))
        with tf.control_dependencies([small]):
            pixels, placement, size = decode(only_readable(data))
            return row, tf.ensure_shape(pixels, shape), tf.stack(placement), size

    def batch(parallel: int | None) -> tuple[tf.Tensor, ...]:
        rows = tf.data.Dataset.from_tensor_slices((tf.range(count), image_bytes))
        good = rows.map(decoded, num_parallel_calls=parallel).ignore_errors()
        # A last row that always exists: so there is a batch even if every image is bad, or none was sent.
        last = tf.data.Dataset.from_tensors((count, tf.zeros(shape), tf.zeros((2, 2)), tf.zeros(2, tf.int32)))
        found: tuple[tf.Tensor, ...] = good.concatenate(last).batch(count + 1).get_single_element()
        return found

    # For one image, starting threads would take longer than they save.
    numbers, pixels, placements, sizes = tf.cond(count == 1, lambda: batch(None), lambda: batch(tf.data.AUTOTUNE))

    def spread(values: tf.Tensor, *rest: int) -> tf.Tensor:
        """The values in their rows, without the last row; zeros in bad rows."""
        whole = tf.concat([count[tf.newaxis] + 1, tf.constant(rest, tf.int64)], axis=0)
        return tf.ensure_shape(tf.scatter_nd(numbers[:, tf.newaxis], values, whole)[:-1], [None, *rest])

    scale, translation = tf.unstack(spread(placements, 2, 2), axis=1)
    valid = spread(tf.ones_like(numbers, tf.bool))
    scale = tf.where(valid[:, tf.newaxis], scale, 1.0)
    return spread(pixels, *shape), valid, Places(scale, translation, spread(sizes, 2), frame=shape[:2])


def claimed_pixels(data: tf.Tensor) -> tf.Tensor:
    """int64 scalar: width times height in the header of a JPEG, PNG, GIF, BMP or WebP file, string (); 0 for other files.

    Raises:
        tf.errors.InvalidArgumentError: a JPEG without a size.

    >>> int(claimed_pixels(tf.io.encode_png(tf.zeros((7, 300, 1), tf.uint8))))
    2100
    >>> int(claimed_pixels(tf.io.encode_jpeg(tf.zeros((7, 300, 1), tf.uint8))))
    2100
    """

    def of_jpeg() -> tf.Tensor:
        return tf.reduce_prod(tf.cast(tf.image.extract_jpeg_shape(data)[:2], tf.int64))

    def of_png() -> tf.Tensor:
        sides = tf.reshape(tf.cast(byte_values(data, 16, 8), tf.int64), [2, 4])
        return tf.reduce_prod(tf.reduce_sum(sides * [256**power for power in (3, 2, 1, 0)], axis=1))

    return tf.cond(
        begins(data, b"\xff\xd8\xff"),
        of_jpeg,
        lambda: tf.cond(begins(data, b"\x89PNG"), of_png, lambda: _claimed_by_others(data)),
    )


# Not inlined: otherwise the runtime would step through its many small operations for every image.
@not_inlined
def _claimed_by_others(data: tf.Tensor) -> tf.Tensor:
    """The same for a GIF, BMP or WebP; 0 for other files."""
    head = tf.cast(byte_values(data, 0, 30), tf.int64)

    def little(place: int, count: int) -> tf.Tensor:
        return tf.reduce_sum(head[place : place + count] * [256**power for power in range(count)])

    def has(text: bytes, place: int = 0) -> tf.Tensor:
        return tf.reduce_all(head[place : place + len(text)] == [*text])

    # A BMP whose rows go from top to bottom has a negative height.
    rows = tf.minimum(little(22, 4), 2**32 - little(22, 4))
    lossless = (little(21, 4) % 2**14 + 1) * (little(21, 4) // 2**14 % 2**14 + 1)
    lossy = (little(26, 2) % 2**14) * (little(28, 2) % 2**14)
    extended = (little(24, 3) + 1) * (little(27, 3) + 1)
    webp = tf.where(has(b"VP8 ", 12), lossy, tf.where(has(b"VP8L", 12), lossless, extended))
    kinds = {b"GIF8": little(6, 2) * little(8, 2), b"BM": little(18, 4) * rows, b"RIFF": webp}
    return sum(tf.where(has(name), pixels, 0) for name, pixels in kinds.items())
