"""The answers of a network of pixels: a map of class numbers, and the share of each class.

A network sees an image at its own size. The map of the original image comes from the logits, which are interpolated
linearly, and not from the class numbers: these would give borders in steps of the pixels of the network.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from kerasvision.config.example_parts import IGNORED
from kerasvision.ops.places import Places
from kerasvision.tasks.auxiliary import main_logits
from kerasvision.tasks.base import ExtraSignature, Predictions

NUMBERS, SHARES, CLASSES, LOGITS, PROBABILITIES = "class_numbers", "shares", "classes", "logits", "probabilities"
MAP_PNG, IMAGE_SIZE, IMAGE_BOX = "mask_png_bytes", "image_size", "image_box"
# An output of class numbers for each pixel -> outputs that are counted from it.
MAPS = {NUMBERS: (SHARES,), MAP_PNG: (SHARES,)}
# An image is enlarged in strips of about this many numbers, so that memory does not grow with the image.
STRIP_NUMBERS = 2**22
DESCRIPTIONS = {
    MAP_PNG: "a grey PNG of the size of the upright image: the class number of each pixel, its place in labels.txt from 0; "
    f"{IGNORED} where the image was cut off",
    NUMBERS: "the class number of each pixel, its place in labels.txt, from 0",
    SHARES: "the share of the pixels that have each class",
    CLASSES: "the names of these classes",
    IMAGE_SIZE: "height and width of the upright image in pixels",
}


def predictor(model: keras.Model, *, classes: Sequence[str]) -> Callable[[tf.Tensor], Predictions]:
    """From scaled images float32 (N, H, W, C) to a class for each pixel of these images.

    `class_numbers` uint8 (N, H, W); `shares` float32 (N, K) of the pixels; `classes` string (N, K), their names;
    `logits` float32 (N, H, W, K), which only `placed_back` reads.
    """

    def predict(images: tf.Tensor) -> Predictions:
        logits = tf.cast(main_logits(model(images, training=False)), tf.float32)
        numbers = tf.argmax(logits, axis=-1, output_type=tf.int32)
        shares = tf.reduce_mean(tf.one_hot(numbers, len(classes)), axis=(1, 2))
        # The names are a constant inside: converters to other formats treat captured tensors as inputs.
        names = tf.tile(tf.constant([list(classes)]), [tf.shape(logits)[0], 1])
        return {NUMBERS: tf.cast(numbers, tf.uint8), SHARES: shares, CLASSES: names, LOGITS: logits}

    return predict


def in_frame(answers: Predictions) -> Predictions:
    """The answers of `predictor` without the logits."""
    return {name: value for name, value in answers.items() if name != LOGITS}


def extra_signatures(model: keras.Model) -> dict[str, ExtraSignature]:
    """`probabilities`: float32 (N, H, W, K), of each class in each pixel of what the network sees."""

    def answer(images: tf.Tensor) -> Predictions:
        return {PROBABILITIES: tf.nn.softmax(tf.cast(main_logits(model(images, training=False)), tf.float32))}

    descriptions = {
        PROBABILITIES: "of each class, for each pixel of what the network sees: the image stretched, cut or padded",
        IMAGE_BOX: "where the upright image lies there: y_min, x_min, y_max, x_max as shares of its sides; outside [0, 1] "
        "where the image was cut off",
    }
    return {PROBABILITIES: ExtraSignature({}, answer, descriptions)}


def placed_back(answers: Predictions, places: Places) -> Predictions:
    """The answers about the upright original images.

    `mask_png_bytes` string (N,), a grey PNG of class numbers of the image's size, 255 where the image was cut off; `shares`
    float32 (N, K) of all pixels of the image, so they sum to less than 1 if it was cut; `classes` string (N, K);
    `image_size` int32 (N, 2). The answers of the signature `probabilities` get `image_box` float32 (N, 4) and `image_size`.

    Args:
        answers: of `predictor`, or of the signature `probabilities`.
        places: where the images lie in what the network saw.
    """
    if NUMBERS not in answers:
        return {**answers, IMAGE_BOX: _image_boxes(places), IMAGE_SIZE: places.size}
    count = answers[LOGITS].shape[-1]

    def one(row: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, tf.Tensor]:
        numbers = map_of_image(*row)
        counts = tf.math.bincount(tf.reshape(tf.cast(numbers, tf.int32), [-1]), minlength=count, maxlength=count)
        shares = tf.cast(counts, tf.float32) / tf.cast(tf.size(numbers), tf.float32)
        return tf.io.encode_png(numbers[..., tf.newaxis]), tf.ensure_shape(shares, [count])

    rows = (answers[LOGITS], answers[NUMBERS], places.scale, places.translation, places.size)
    pngs, shares = tf.map_fn(one, rows, fn_output_signature=(tf.string, tf.float32))
    return {MAP_PNG: pngs, SHARES: shares, CLASSES: answers[CLASSES], IMAGE_SIZE: places.size}


def map_of_image(
    logits: tf.Tensor, numbers: tf.Tensor, scale: tf.Tensor, translation: tf.Tensor, size: tf.Tensor
) -> tf.Tensor:
    """The class of each pixel of the upright original image, uint8 (height, width); 255 where it was cut off.

    Only classes that are the best in some pixel of the network's image are compared, which takes most of the time if there
    are many classes.

    Args:
        logits: float32 (H, W, K), in the network's image.
        numbers: uint8 (H, W), the best class of each pixel there.
        scale, translation: float32 (2,), the place of the image there, as in `Places`.
        size: int32 (2,), height and width of the original image.

    >>> logits = tf.constant([[[0.0, 3.0], [0.0, -7.0]]])  # the original has twice as many pixels in both directions
    >>> arguments = (tf.constant([[1, 0]], tf.uint8), tf.constant([0.5, 0.5]), tf.zeros(2), tf.constant([2, 4]))
    >>> map_of_image(logits, *arguments).numpy().tolist()  # between the two, at a quarter and three quarters: 0.5 and -4.5
    [[1, 1, 0, 0], [1, 1, 0, 0]]
    """
    size = tf.maximum(size, 1)
    present = tf.sort(tf.unique(tf.reshape(tf.cast(numbers, tf.int32), [-1]))[0])
    chosen = tf.gather(logits, present, axis=-1)
    rows, columns = (_taps(logits.shape[axis], scale[axis], translation[axis], size[axis]) for axis in (0, 1))
    step = tf.maximum(STRIP_NUMBERS // (size[1] * tf.size(present)), 1)
    strips = (size[0] + step - 1) // step

    def strip(number: tf.Tensor, found: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        part = Taps(*(tap[number * step : (number + 1) * step] for tap in rows))
        best = tf.argmax(_mixed(_mixed(chosen, part, axis=0), columns, axis=1), axis=-1)
        seen = part.inside[:, tf.newaxis] & columns.inside
        classes = tf.where(seen, tf.gather(present, best), IGNORED)
        return number + 1, found.write(number, tf.cast(classes, tf.uint8))

    found = tf.TensorArray(tf.uint8, size=strips, infer_shape=False, element_shape=[None, None])
    _, found = tf.while_loop(lambda number, _: number < strips, strip, (tf.constant(0), found), parallel_iterations=1)
    return found.concat()


class Taps(NamedTuple):
    """Where along an axis of the network's image each pixel of the original image is read.

    Attributes:
        low, high: int32 (n,), the two nearest pixels.
        share: float32 (n,), of the second.
        inside: bool (n,), whether the network saw the pixel.
    """

    low: tf.Tensor
    high: tf.Tensor
    share: tf.Tensor
    inside: tf.Tensor


def _taps(side: int, scale: tf.Tensor, translation: tf.Tensor, count: tf.Tensor) -> Taps:
    middle = (tf.cast(tf.range(count), tf.float32) + 0.5) * scale + translation
    ends = tf.sort(tf.stack([translation, translation + scale * tf.cast(count, tf.float32)]))
    # A pixel at the border is not mixed with the black beside the image.
    first, last = tf.maximum(tf.round(ends[0]), 0.0), tf.minimum(tf.round(ends[1]), float(side)) - 1.0
    place = tf.clip_by_value(middle - 0.5, first, tf.maximum(first, last))
    low = tf.floor(place)
    return Taps(
        low=tf.cast(low, tf.int32),
        high=tf.cast(tf.minimum(low + 1.0, tf.maximum(first, last)), tf.int32),
        share=place - low,
        inside=(middle >= 0.0) & (middle < float(side)),
    )


def _mixed(values: tf.Tensor, taps: Taps, *, axis: int) -> tf.Tensor:
    """Values (..., n, ...) read at the taps along an axis, 0 or 1 of three."""
    share = tf.reshape(taps.share, [-1, 1, 1] if axis == 0 else [1, -1, 1])
    low, high = (tf.gather(values, place, axis=axis) for place in (taps.low, taps.high))
    return low + (high - low) * share


def _image_boxes(places: Places) -> tf.Tensor:
    """float32 (N, 4): y_min, x_min, y_max, x_max of the images as shares of the frame's sides."""
    frame = tf.constant(places.frame, tf.float32)
    ends = [places.translation, places.translation + places.scale * tf.cast(places.size, tf.float32)]
    return tf.concat([tf.minimum(*ends) / frame, tf.maximum(*ends) / frame], axis=-1)
