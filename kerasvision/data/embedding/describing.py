"""Describes every image of a data set once: its features go to a file, and small pictures of some images are kept."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from kerasvision.data.by_batches import by_batches
from kerasvision.data.embedding.feature_file import FeatureFile
from kerasvision.data.embedding.features import Features
from kerasvision.data.examples import ExampleSet
from kerasvision.data.inspecting.inspection import inspect_image
from kerasvision.errors import DataError
from kerasvision.ops.alike import decode_alike
from kerasvision.ops.images import decode_image
from kerasvision.ops.resize import resize_image
from kerasvision.progress import bar

# About this many pixels of a batch, and no more images than that.
BATCH_PIXELS, MOST_IN_BATCH = 1 << 21, 512
MOST_PIXELS = 100_000_000


@dataclass(frozen=True)
class Described:
    """The images of a data set that could be described, in order.

    Attributes:
        images: id, split, and label as a number, -1 without labels; a row per image.
        left_out: ids of those that could not be described.
        shown: int64 (M,): the rows of the images with a thumbnail, ascending.
        thumbnails: uint8 (M, side, side, 3).
    """

    images: pd.DataFrame
    left_out: list[str]
    shown: NDArray[np.int64]
    thumbnails: NDArray[np.uint8]


def describe_examples(
    examples: ExampleSet, features: Features, *, file: FeatureFile, most_shown: int, side: int, seed: int
) -> Described:
    """Reads and decodes every image once, a batch at a time.

    Args:
        examples: the data set, all its splits.
        features: describes the images.
        file: gets a row for each image that is described.
        most_shown: how many images keep a thumbnail: all, or the first of a random order that depends on the seed and the
            number of images.
        side: of the thumbnails, in pixels; images keep their shape, on black.
        seed: of the random order.
    """
    counts = {split: examples.count(split) for split in examples.splits}
    total = sum(counts.values())
    is_shown = np.zeros(total, bool)
    is_shown[np.random.default_rng(seed).permutation(total)[:most_shown]] = True
    ids, labels, known, thumbnails = list[str](), [], [], []
    with bar("describing images", total=total) as advance:
        for batch in _batches(examples, features, side=side):
            rows = features.describe(batch)
            usable = np.isfinite(rows).all(axis=1)
            file.append(rows[usable])
            kept = usable & is_shown[len(ids) : len(ids) + len(rows)]
            thumbnails.append(batch["thumbnail"][kept])
            ids += [name.decode() for name in batch["id"]]
            labels.append(batch.get("label", np.full(len(rows), -1)))
            known.append(usable)
            advance(len(rows))
    usable = np.concatenate(known)
    splits = np.repeat(list(counts), list(counts.values()))
    images = pd.DataFrame({"id": ids, "split": splits, "label": np.concatenate(labels)})
    return Described(
        images=images[usable].reset_index(drop=True),
        left_out=images["id"][~usable].tolist(),
        shown=np.flatnonzero(is_shown[usable]),
        thumbnails=np.concatenate(thumbnails),
    )


def describe_file(data: bytes, features: Features, *, name: str) -> NDArray[np.float32]:
    """The features of one image file, float32 (1, D).

    Raises:
        DataError: the bytes are not an image that can be read.
    """
    fault = inspect_image(data, max_pixels=MOST_PIXELS).fault
    if fault:
        raise DataError(f"{name} cannot be described: {fault}")
    pixels = decode_image(tf.constant(data), color_mode=features.color_mode)
    small = resize_image(pixels, image_size=features.image_size, fit="stretch")
    rows = features.describe({"pixels": small.numpy()[None], "file": np.array([data], object)})
    if not np.isfinite(rows).all():
        raise DataError(f"{name} cannot be described: {features.name} rejects it")
    return rows


def _batches(examples: ExampleSet, features: Features, *, side: int) -> Iterator[Mapping[str, Any]]:
    """The examples of all splits in order, as NumPy arrays: id, thumbnail, pixels or file, and perhaps label."""

    def parts(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        kept: dict[str, tf.Tensor] = {key: example[key] for key in ("id", "image", "label") if key in example}
        return {**kept, "file": example["image"]} if features.reads_files else kept

    def measure(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        thumbnail = tf.cast(tf.round(resize_image(pixels, image_size=(side, side), fit="pad")), tf.uint8)
        found = {"thumbnail": tf.repeat(thumbnail, 3 // features.image_shape[-1], axis=-1)}
        if features.reads_files:
            return found
        return {**found, "pixels": resize_image(pixels, image_size=features.image_size, fit="stretch")}

    height, width = features.image_size
    batches = by_batches(
        # Not "train+test", whose order is another one than that of the names.
        reduce(tf.data.Dataset.concatenate, map(examples.dataset, examples.splits)),
        parts=parts,
        decode=partial(decode_image, color_mode=features.color_mode),
        decode_alike=partial(decode_alike, color_mode=features.color_mode),
        measure=measure,
        batch_size=max(1, min(MOST_IN_BATCH, BATCH_PIXELS // (height * width))),
    )
    yield from batches.prefetch(1).as_numpy_iterator()
