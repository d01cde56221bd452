"""The masks of objects painted into one map of class numbers: while training, in TensorFlow; while judging, in NumPy."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision import config as c

# Class 0 is the background, and class k of the objects is class k + 1 of the pixels.
BACKGROUND = 0
INSIDE = 127


def painted(objects: Mapping[str, tf.Tensor], *, settings: c.Segmentation) -> tf.Tensor:
    """The map of one example: uint8 (H, W), the class number of each pixel.

    Args:
        objects: "mask" uint8 (M, H, W), 0 outside the object; "label" int64 (M,), -1 in rows without an object; "area"
            float32 (M,), in pixels.
        settings: the order of painting.

    >>> masks = tf.constant([[[1, 0, 0]], [[1, 1, 0]]], tf.uint8)
    >>> things = {"mask": masks, "label": tf.constant([4, 7], tf.int64), "area": tf.constant([1.0, 2.0])}
    >>> painted(things, settings=c.Segmentation()).numpy().tolist()  # the second is larger, and is painted first
    [[5, 8, 0]]
    """
    masks, labels = objects["mask"], objects["label"]
    if settings.order == "largest_first":
        # Of equal areas the first comes first.
        order = tf.argsort(objects["area"], direction="DESCENDING", stable=True)
        masks, labels = tf.gather(masks, order), tf.gather(labels, order)
    # The number of the last object that covers a pixel, from 1; 0 if none does.
    count = tf.shape(masks)[0]
    number = tf.range(1, count + 1)[:, tf.newaxis, tf.newaxis]
    shown = tf.where((masks > 0) & (labels >= 0)[:, tf.newaxis, tf.newaxis], number, 0)
    top = tf.reduce_max(tf.pad(shown, [[1, 0], [0, 0], [0, 0]]), axis=0)
    classes = tf.concat([[BACKGROUND], tf.cast(labels, tf.int32) + 1], axis=0)
    return tf.cast(tf.gather(classes, top), tf.uint8)


def painted_masks(
    masks: Iterable[npt.NDArray[np.uint8]], numbers: Iterable[int], *, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """The map of one image, uint8 (H, W).

    Args:
        masks: of the objects, uint8 (H, W), above 127 inside; a later one covers the earlier ones.
        numbers: the class number of each.
        size: (H, W).

    >>> painted_masks([np.array([[255, 0]], np.uint8)], [3], size=(1, 2)).tolist()
    [[3, 0]]
    """
    found = np.full(size, BACKGROUND, np.uint8)
    for mask, number in zip(masks, numbers, strict=True):
        found[mask > INSIDE] = number
    return found


def in_order(areas: Sequence[float] | npt.NDArray[Any], *, settings: c.Segmentation) -> npt.NDArray[np.int64]:
    """The order in which objects are painted, int64 (M,): places in `areas`, (M,), in pixels.

    >>> in_order([1.0, 5.0, 1.0], settings=c.Segmentation()).tolist()
    [1, 0, 2]
    """
    areas = np.asarray(areas, np.float64)
    order: npt.NDArray[np.int64] = np.argsort(-areas, kind="stable")
    return order if settings.order == "largest_first" else np.arange(len(areas))
