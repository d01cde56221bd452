"""How many pixels of each class the training images have."""

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.example_parts import IGNORED
from kerasvision.tasks.segmentation.truth import image_maps, no_maps

BATCH_SIZE = 32
PARTS = ("label_map", "objects")


def pixel_counts(examples: tf.data.Dataset, *, settings: c.Segmentation, count: int) -> npt.NDArray[np.int64]:
    """int64 (count,): the known pixels of each class in all images, at their own size.

    An image without objects counts as one pixel of background, because its size is not read.

    Args:
        examples: one by one: `label_map` string, or `objects` with `mask` string (M,), `label` int64 (M,), `area`.
        settings: the order of painting.
        count: the number of classes.

    Raises:
        DataError: the examples have neither maps nor masks.
    """
    if not any(part in examples.element_spec for part in PARTS):
        raise no_maps()
    parts = examples.map(lambda example: {name: example[name] for name in PARTS if name in example})
    found = np.zeros(IGNORED + 1, np.int64)
    for batch in parts.ragged_batch(BATCH_SIZE):
        for one in image_maps(batch, settings=settings):
            found += np.bincount(one.pixels((1, 1)).ravel(), minlength=IGNORED + 1)
    return found[:count]
