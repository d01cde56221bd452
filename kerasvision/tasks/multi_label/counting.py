"""How many images have each tag, and the weights that follow from it."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision import lookup
from kerasvision.errors import ConfigError, DataError

# The weight of a tag that very few images have: above it, single images would decide what the network learns.
MOST_WEIGHT = 100.0
AT_ONCE = 256


def tag_counts(examples: tf.data.Dataset) -> tuple[npt.NDArray[np.int64], int, int]:
    """int64 (C,), how many examples have each tag; how many examples there are; the most tags of an example.

    Args:
        examples: one by one, with "tags" float32 (C,).

    Raises:
        DataError: the examples have no tags.

    >>> tag_counts(tf.data.Dataset.from_tensor_slices({"tags": [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]}))
    (array([2, 1]), 3, 2)
    """
    if "tags" not in examples.element_spec:
        raise no_tags()
    size = examples.element_spec["tags"].shape[0]
    counts, images, most = np.zeros(size, np.int64), 0, 0
    for batch in examples.map(lambda example: example["tags"]).batch(AT_ONCE).as_numpy_iterator():
        counts += batch.sum(axis=0).astype(np.int64)
        images += len(batch)
        most = max(most, int(batch.sum(axis=1).max(initial=0)))
    return counts, images, most


def balanced_weights(counts: npt.NDArray[np.int64], images: int) -> npt.NDArray[np.float32]:
    """float32 (C,): (N - n) / n for a tag that n of N images have, at most 100; 1 for a tag that none or all of them have.

    Source: `pos_weight` in PyTorch's documentation of BCEWithLogitsLoss.

    >>> balanced_weights(np.array([1, 3, 0, 4]), 4)
    array([3.        , 0.33333334, 1.        , 1.        ], dtype=float32)
    """
    others = images - counts
    weights = np.where((counts > 0) & (others > 0), others / np.maximum(counts, 1), 1.0)
    return np.minimum(weights, MOST_WEIGHT).astype(np.float32)


def named_weights(weights: Mapping[str, float], names: Sequence[str]) -> npt.NDArray[np.float32]:
    """float32 (C,): the weights of these tags, 1 for the others.

    Raises:
        ConfigError: there is no such tag.

    >>> named_weights({"sun": 2}, ["sea", "sun"])
    array([1., 2.], dtype=float32)
    """
    known = frozenset(names)
    if unknown := [name for name in weights if name not in known]:
        raise ConfigError(f"task.class_weights: no tag is named {unknown[0]!r}; {lookup.did_you_mean(unknown[0], names)}")
    return np.array([weights.get(name, 1.0) for name in names], np.float32)


def no_tags() -> DataError:
    """The error for examples without tags."""
    return DataError(
        "multi_label requires the tags of every image; these images have none",
        hint="choose a source with tags (Table, TfRecord, ImageFolder, Coco or Shapes), or another task",
    )
