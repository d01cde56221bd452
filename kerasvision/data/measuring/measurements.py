"""Measures the pixels and the captions of every example once, for the statistics."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from kerasvision.config.example_parts import IGNORED
from kerasvision.data.by_batches import by_batches
from kerasvision.data.captions import words_in
from kerasvision.data.examples import ExampleSet
from kerasvision.data.measuring.map_statistics import NO_PIXELS, PixelCounts, pixel_counts
from kerasvision.data.measuring.near_duplicates import HASHED_SIDE, THUMBNAIL_VALUES, Hashes, Thumbnails, fingerprints
from kerasvision.data.measuring.object_statistics import NO_BOXES, Boxes
from kerasvision.data.measuring.value_statistics import value_column
from kerasvision.errors import DataError
from kerasvision.ops.alike import decode_alike
from kerasvision.ops.images import decode_image
from kerasvision.ops.resize import resize_image
from kerasvision.progress import bar

COLOURS = ("red", "green", "blue")
BATCH_SIZE = 256
# COCO's names for the areas of objects, and where the second and the third begin, in pixels.
# Source: https://cocodataset.org/#detection-eval, "AP Across Scales".
SIZE_NAMES = ("small", "medium", "large")
SIZE_LIMITS = (32**2, 96**2)
MOST_NAMED = 10
# The parts of an example, without objects, that are measured.
MEASURED = ("id", "image", "captions", "label_map", "values")


@dataclass
class Measurements:
    """The measurements of a data set.

    Attributes:
        table: id; `brightness` and `contrast`, mean and deviation of all values of an image, in [0, 255]; `mean_red`,
            `square_red` and so on, mean and mean square of a colour; `caption_words`, mean words of an image's captions, NaN
            without captions; for each number of the images a column such as `value[age]`, NaN where it is missing.
        hashes, thumbnails: see `near_duplicates.fingerprints`; a row per row of the table.
        words: word -> how often, over all captions.
        caption_counts: number of captions -> how many images have this number.
        max_words: words of the longest caption.
        object_counts: int64 (object classes,), crowds included.
        crowd_counts: int64 (object classes,): how many of them are crowds.
        object_sizes: int64 (3,): how many objects that are not crowds are small, medium and large; see `SIZE_NAMES`.
        boxes: every object; `Boxes.image` is a row of the table.
        pixels: how many pixels of each class the label maps have; `PixelCounts.image` is a row of the table.
    """

    table: pd.DataFrame
    hashes: Hashes
    thumbnails: Thumbnails
    words: Counter[str] = field(default_factory=Counter)
    caption_counts: Counter[int] = field(default_factory=Counter)
    max_words: int = 0
    object_counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    crowd_counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    object_sizes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(SIZE_NAMES), np.int64))
    boxes: Boxes = NO_BOXES
    pixels: PixelCounts = NO_PIXELS


def measure_examples(examples: ExampleSet, ids: pd.Series) -> Measurements:
    """Decodes every image once. It keeps less than 1 kB for each, and its id; and 32 bytes for each object.

    For a label map it keeps 24 bytes for each class that the map shows.

    Args:
        examples: the data set.
        ids: the images in the table, in this order.

    Raises:
        DataError: the data set lacks some of these images.
    """
    index = pd.Index(ids)
    colour = np.full((len(index), 2, 3), np.nan)
    caption_words = np.full(len(index), np.nan)
    found = Measurements(
        table=pd.DataFrame(),
        hashes=np.empty(len(index), np.uint64),
        thumbnails=np.empty((len(index), THUMBNAIL_VALUES), np.uint8),
        object_counts=np.zeros(len(examples.object_classes), np.int64),
        crowd_counts=np.zeros(len(examples.object_classes), np.int64),
    )
    numbers = np.full((len(index), len(examples.value_names)), np.nan)
    boxes, pixels = [NO_BOXES], [NO_PIXELS]
    for batch in _batches(examples):
        rows = index.get_indexer([name.decode() for name in batch["id"].numpy()])
        known = rows >= 0
        colour[rows[known]] = batch["colour"].numpy()[known]
        hashes, thumbnails = fingerprints(batch["small"].numpy())
        found.hashes[rows[known]], found.thumbnails[rows[known]] = hashes[known], thumbnails[known]
        if "captions" in batch:
            caption_words[rows[known]] = _count_words(batch["captions"], found)[known]
        if "values" in batch:
            numbers[rows[known]] = batch["values"].numpy()[known]
        if "objects" in batch:
            _count_objects(batch, found)
            boxes.append(_boxes(batch, rows))
        if "pixels" in batch:
            pixels.append(pixel_counts(rows, batch["pixels"].numpy()))
    found.boxes = Boxes(*(np.concatenate(parts) for parts in zip(*boxes, strict=True)))
    found.pixels = PixelCounts(*(np.concatenate(parts) for parts in zip(*pixels, strict=True)))
    _refuse_missing(index[np.isnan(colour[:, 0, 0])])
    of_names = {value_column(name): numbers[:, place] for place, name in enumerate(examples.value_names)}
    found.table = _table(ids, colour, caption_words).assign(**of_names)
    return found


def _batches(examples: ExampleSet) -> Iterator[dict[str, tf.Tensor | tf.RaggedTensor]]:
    def measure(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        exact = tf.cast(pixels, tf.float64)
        small = resize_image(pixels, image_size=(HASHED_SIDE, HASHED_SIDE), fit="stretch")
        means = [tf.reduce_mean(exact, axis=(1, 2)), tf.reduce_mean(exact**2, axis=(1, 2))]
        return {"colour": tf.stack(means, axis=1), "small": tf.cast(tf.round(small), tf.uint8)}

    # One data set of all splits: to make one and its iterator took most of the time for a few hundred images.
    every = by_batches(
        examples.dataset("+".join(examples.splits)),
        parts=_measured_parts,
        decode=partial(decode_image, color_mode="rgb"),
        decode_alike=partial(decode_alike, color_mode="rgb"),
        measure=measure,
        batch_size=BATCH_SIZE,
    )
    if examples.has_label_maps:
        every = every.map(_with_pixels, num_parallel_calls=tf.data.AUTOTUNE)
    with bar("measuring images", total=sum(examples.count(split) for split in examples.splits)) as advance:
        for batch in every.prefetch(1):
            yield batch
            advance(len(batch["id"]))


def _measured_parts(example: dict[str, Any]) -> dict[str, tf.Tensor]:
    parts: dict[str, Any] = {key: example[key] for key in MEASURED if key in example}
    if "objects" in example:
        parts["objects"], parts["corners"] = example["objects"]["label"], example["objects"]["bbox"]
        # A TFDS folder that another program wrote may lack these two.
        parts |= {part: example["objects"][part] for part in ("crowd", "area") if part in example["objects"]}
    return parts


def _with_pixels(batch: dict[str, Any]) -> dict[str, Any]:
    """The batch with `pixels`, int32 (N, 256): how many pixels of its map have which number; in place of the maps."""

    def counted(label_map: tf.Tensor) -> tf.Tensor:
        numbers = tf.cast(tf.io.decode_png(label_map, channels=1), tf.int32)
        return tf.ensure_shape(tf.math.bincount(numbers, minlength=IGNORED + 1, maxlength=IGNORED + 1), [IGNORED + 1])

    pixels = tf.map_fn(counted, batch["label_map"], fn_output_signature=tf.int32)
    return {name: part for name, part in batch.items() if name != "label_map"} | {"pixels": pixels}


def _count_objects(batch: dict[str, tf.Tensor | tf.RaggedTensor], found: Measurements) -> None:
    labels = batch["objects"].flat_values.numpy()
    found.object_counts += np.bincount(labels, minlength=len(found.object_counts))
    crowd = batch["crowd"].flat_values.numpy() if "crowd" in batch else np.zeros(len(labels), bool)
    found.crowd_counts += np.bincount(labels[crowd], minlength=len(found.crowd_counts))
    if "area" in batch:
        sizes = np.digitize(batch["area"].flat_values.numpy()[~crowd], SIZE_LIMITS)
        found.object_sizes += np.bincount(sizes, minlength=len(SIZE_NAMES))


def _boxes(batch: dict[str, tf.Tensor | tf.RaggedTensor], rows: NDArray[np.intp]) -> Boxes:
    """The objects of the images that the table has; `rows` are their places in it, or -1."""
    image = np.repeat(rows.astype(np.int64), batch["objects"].row_lengths().numpy())
    known = image >= 0
    return Boxes(
        image[known], batch["objects"].flat_values.numpy()[known], batch["corners"].flat_values.numpy().reshape(-1, 4)[known]
    )


def _count_words(captions: tf.RaggedTensor, found: Measurements) -> NDArray[np.float64]:
    """Counts the words of a batch; returns the mean number of words of each image's captions, NaN without captions."""
    split = [words_in(caption.decode()) for caption in captions.flat_values.numpy()]
    found.words.update(word for words in split for word in words)
    counts = np.array([len(words) for words in split], np.int64)
    found.max_words = max(found.max_words, int(counts.max(initial=0)))
    per_image = captions.row_lengths().numpy()
    found.caption_counts.update(per_image.tolist())
    image = np.repeat(np.arange(len(per_image)), per_image)
    total = np.bincount(image, weights=counts, minlength=len(per_image))
    means: NDArray[np.float64] = np.full(len(per_image), np.nan)
    np.divide(total, per_image, out=means, where=per_image > 0)
    return means


def _refuse_missing(ids: pd.Index) -> None:
    if len(ids):
        raise DataError(
            f"the manifest names images that the data set lacks: {', '.join(ids[:MOST_NAMED])}",
            hint="both must come from the same ingest; run example_gen again",
        )


def _table(ids: pd.Series, colour: NDArray[np.float64], caption_words: NDArray[np.float64]) -> pd.DataFrame:
    mean, square = colour[:, 0], colour[:, 1]
    variance = square.mean(axis=1) - mean.mean(axis=1) ** 2
    table = pd.DataFrame({"id": ids.array, "brightness": mean.mean(axis=1), "contrast": np.sqrt(np.maximum(variance, 0.0))})
    for number, name in enumerate(COLOURS):
        table[f"mean_{name}"], table[f"square_{name}"] = mean[:, number], square[:, number]
    return table.assign(caption_words=caption_words)
