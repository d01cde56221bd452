"""Operations of AutoAugment on 8-bit pixels, as Pillow's ImageOps and ImageEnhance define them.

Each takes uint8 (H, W, C), with C of 1 or 3, and returns the same. Like Pillow, they round down where they mix two images.
"""

import tensorflow as tf

from kerasvision.data.augmentation.lighting import LUMA

_LEVELS = 256


def autocontrast(image: tf.Tensor) -> tf.Tensor:
    """Each channel stretched so that its darkest pixel is 0 and its brightest is 255. A channel of one value stays.

    From uint8 (H, W, C) to the same shape and dtype.

    >>> autocontrast(tf.constant([[[50], [60], [100]]], tf.uint8)).numpy().ravel().tolist()
    [0, 51, 255]
    """
    values = tf.reshape(image, [-1, image.shape[-1]])
    darkest, brightest = (tf.cast(extreme(values, axis=0), tf.float32) for extreme in (tf.reduce_min, tf.reduce_max))
    flat = darkest == brightest
    darkest = tf.where(flat, 0.0, darkest)
    factor = 255.0 / tf.where(flat, 255.0, brightest - darkest)
    # The exact value is a multiple of 1/255. The small addition corrects a result that rounding left just below an integer.
    return _linear(image, factor, 1e-3 - darkest * factor)


def equalize(image: tf.Tensor) -> tf.Tensor:
    """Each channel with a flat histogram: each range of values has about the same number of pixels.

    From uint8 (H, W, C) to the same shape and dtype.

    >>> equalize(tf.constant([[[7], [8]], [[8], [9]]] * 255, tf.uint8)).numpy()[:2].ravel().tolist()
    [0, 85, 85, 255]
    """
    channels = image.shape[-1]
    values = _numbered(image)
    counts = tf.math.bincount(tf.reshape(values, [-1]), minlength=channels * _LEVELS, maxlength=channels * _LEVELS)
    counts = tf.reshape(counts, [channels, _LEVELS])
    below = tf.cumsum(counts, axis=1, exclusive=True)
    brightest = tf.reduce_max(tf.where(counts > 0, tf.range(_LEVELS), 0), axis=1)
    step = tf.gather(below, brightest, batch_dims=1)[:, None] // 255
    table = tf.minimum((below + step // 2) // tf.maximum(step, 1), 255)
    table = tf.where(step == 0, tf.range(_LEVELS), table)
    return tf.reshape(tf.gather(tf.cast(tf.reshape(table, [-1]), tf.uint8), values), tf.shape(image))


def posterize(image: tf.Tensor, *, bits: tf.Tensor) -> tf.Tensor:
    """uint8 (H, W, C): only the highest `bits`, int32 of 0 to 8, of each value.

    >>> posterize(tf.constant([[[255], [100]]], tf.uint8), bits=tf.constant(3)).numpy().ravel().tolist()
    [224, 96]
    """
    kept = _LEVELS - tf.bitwise.left_shift(1, 8 - bits)
    return tf.bitwise.bitwise_and(image, tf.cast(kept, tf.uint8))


def solarize(image: tf.Tensor, *, threshold: tf.Tensor) -> tf.Tensor:
    """uint8 (H, W, C): every value v from `threshold`, int32 of 0 to 256, on becomes 255 - v.

    >>> solarize(tf.constant([[[99], [100]]], tf.uint8), threshold=tf.constant(100)).numpy().ravel().tolist()
    [99, 155]
    """
    # 256 does not fit into 8 bits, so a threshold above 255 inverts nothing.
    above = image >= tf.cast(tf.minimum(threshold, 255), tf.uint8)
    flip = tf.where(threshold > 255, 0, 255)
    # v and 255 - v differ in all bits.
    return tf.bitwise.bitwise_xor(image, tf.cast(above, tf.uint8) * tf.cast(flip, tf.uint8))


def adjust_color(image: tf.Tensor, *, factor: tf.Tensor) -> tf.Tensor:
    """More or less colour: at `factor` 0 the grey image, at 1 this image, uint8 (H, W, C). One channel stays unchanged.

    >>> adjust_color(tf.constant([[[200, 100, 0]]], tf.uint8), factor=tf.constant(0.5)).numpy().ravel().tolist()  # grey: 119
    [159, 109, 59]
    """
    if image.shape[-1] == 1:
        return image
    return _blend(tf.cast(_grey(image), tf.float32), image, factor)


def adjust_contrast(image: tf.Tensor, *, factor: tf.Tensor) -> tf.Tensor:
    """More or less contrast: at `factor` 0 plain grey of the mean brightness, at 1 this image, uint8 (H, W, C).

    >>> adjust_contrast(tf.constant([[[100], [200]]], tf.uint8), factor=tf.constant(0.5)).numpy().ravel().tolist()
    [125, 175]
    """
    grey = image if image.shape[-1] == 1 else _grey(image)[..., :1]
    # In integers: a float32 sum of all pixels would not be exact.
    total = tf.reduce_sum(tf.cast(grey, tf.int32))
    mean = tf.floor(tf.cast(total, tf.float64) / tf.cast(tf.size(grey), tf.float64) + 0.5)
    return _blend(tf.cast(mean, tf.float32), image, factor)


def adjust_brightness(image: tf.Tensor, *, factor: tf.Tensor) -> tf.Tensor:
    """uint8 (H, W, C): every value times `factor`, a float32 scalar.

    >>> adjust_brightness(tf.constant([[[100], [200]]], tf.uint8), factor=tf.constant(1.5)).numpy().ravel().tolist()
    [150, 255]
    """
    return _blend(0.0, image, factor)


def adjust_sharpness(image: tf.Tensor, *, factor: tf.Tensor) -> tf.Tensor:
    """Sharper or softer: at `factor` 0 slightly blurred, at 1 this image, uint8 (H, W, C). The border pixels stay.

    >>> spot = tf.constant([[[0]] * 3, [[0], [130], [0]], [[0]] * 3], tf.uint8)
    >>> adjust_sharpness(spot, factor=tf.constant(0.0)).numpy()[1, 1].tolist()  # 130 * 5/13
    [50]
    """
    if min(image.shape[0] or 3, image.shape[1] or 3) < 3:
        return image  # all border
    pixels = tf.cast(image, tf.float32)
    rows = pixels[:-2] + pixels[1:-1] + pixels[2:]
    around = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] + 4 * pixels[1:-1, 1:-1]
    smooth = tf.floor(around * (1 / 13) + 0.5)
    inner = _blend(smooth, image[1:-1, 1:-1], factor)
    middle = tf.concat([image[1:-1, :1], inner, image[1:-1, -1:]], axis=1)
    return tf.concat([image[:1], middle, image[-1:]], axis=0)


def _linear(image: tf.Tensor, factor: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """image * factor + shift, rounded down; `factor` and `shift` are float32 (C,). The result must lie in [0, 256)."""
    # Columns and channels are one axis: TensorFlow is slow at repeating three numbers.
    width = tf.shape(image)[1]
    rows = tf.cast(tf.reshape(image, [tf.shape(image)[0], -1]), tf.float32)
    changed = tf.cast(rows * tf.tile(factor, [width]) + tf.tile(shift, [width]), tf.uint8)
    return tf.reshape(changed, tf.shape(image))


def _blend(degenerate: float | tf.Tensor, image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """degenerate + factor * (image - degenerate), clipped to [0, 255] and rounded down."""
    mixed = degenerate + factor * (tf.cast(image, tf.float32) - degenerate)
    return tf.cast(tf.clip_by_value(mixed, 0.0, 255.0), tf.uint8)


def _grey(image: tf.Tensor) -> tf.Tensor:
    """The luma, rounded, as uint8 in all three channels."""
    # Each product and sum is exact in float32, so the order of the sums in the matrix product does not matter.
    weights = tf.tile(tf.constant(LUMA)[:, None], [1, 3])
    grey = tf.matmul(tf.reshape(tf.cast(image, tf.float32), [-1, 3]), weights)
    return tf.cast(tf.reshape(grey, tf.shape(image)) + 0.5, tf.uint8)


def _numbered(image: tf.Tensor) -> tf.Tensor:
    """int32 (H, W * C): each value plus 256 times its channel's number, so that one table serves all channels."""
    height, width, channels = tf.unstack(tf.shape(image))
    rows = tf.cast(tf.reshape(image, [height, width * channels]), tf.int32)
    return rows + tf.tile(_LEVELS * tf.range(channels), [width])
