"""Measures the pixels and the captions of every example once, for the statistics."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from kerasvision.config.example_parts import IGNORED
from kerasvision.data.by_batches import by_batches
from kerasvision.data.captions import words_in
from kerasvision.data.examples import ExampleSet
from kerasvision.data.mapping.mapper import HERE, Mapper
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
# Images of a part of a data set that another process measures, and parts of a file.
PART_IMAGES, MOST_PARTS = 1024, 16
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


class Ragged(NamedTuple):
    """Lists of several lengths, one after the other: their values, and the length of each."""

    values: NDArray[Any]
    lengths: NDArray[np.int64]


class Batch(NamedTuple):
    """The measurements of some images, and the annotations to count.

    Attributes:
        ids: N names.
        colour: float64 (N, 2, 3): mean and mean square of red, green and blue.
        hashes, thumbnails: see `near_duplicates.fingerprints`.
        captions: texts in UTF-8; None without captions, and likewise for the others.
        objects: class numbers.
        corners: see `Boxes`.
        crowd, area: see `kerasvision.data.examples.EncodedObjects`.
        pixels: int32 (N, 256): how many pixels of its map have which number.
        values: float32 (N, V).
    """

    ids: list[str]
    colour: NDArray[np.float64]
    hashes: Hashes
    thumbnails: Thumbnails
    captions: Ragged | None
    objects: Ragged | None
    corners: NDArray[np.float32] | None
    crowd: NDArray[np.bool_] | None
    area: NDArray[np.float32] | None
    pixels: NDArray[np.int32] | None
    values: NDArray[np.float32] | None


def measure_examples(examples: ExampleSet, ids: pd.Series, *, mapper: Mapper = HERE) -> Measurements:
    """Decodes every image once. It keeps less than 1 kB for each, and its id; and 32 bytes for each object.

    For a label map it keeps 24 bytes for each class that the map shows.

    Args:
        examples: the data set.
        ids: the images in the table, in this order.
        mapper: where the images are decoded.

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
    for batch in _batches(examples, mapper):
        rows = index.get_indexer(batch.ids)
        known = rows >= 0
        colour[rows[known]] = batch.colour[known]
        found.hashes[rows[known]], found.thumbnails[rows[known]] = batch.hashes[known], batch.thumbnails[known]
        if batch.captions is not None:
            caption_words[rows[known]] = _count_words(batch.captions, found)[known]
        if batch.values is not None:
            numbers[rows[known]] = batch.values[known]
        if batch.objects is not None and batch.corners is not None:
            _count_objects(batch.objects, batch, found)
            boxes.append(_boxes(batch.objects, batch.corners, rows))
        if batch.pixels is not None:
            pixels.append(pixel_counts(rows, batch.pixels))
    found.boxes = Boxes(*(np.concatenate(parts) for parts in zip(*boxes, strict=True)))
    found.pixels = PixelCounts(*(np.concatenate(parts) for parts in zip(*pixels, strict=True)))
    _refuse_missing(index[np.isnan(colour[:, 0, 0])])
    of_names = {value_column(name): numbers[:, place] for place, name in enumerate(examples.value_names)}
    found.table = _table(ids, colour, caption_words).assign(**of_names)
    return found


def _batches(examples: ExampleSet, mapper: Mapper) -> Iterator[Batch]:
    # One data set of all splits: to make one and its iterator took most of the time for a few hundred images.
    parts = ["+".join(examples.splits)] if mapper.is_here else parts_of(examples)
    with bar("measuring images", total=sum(examples.count(split) for split in examples.splits)) as advance:
        for batch in mapper.map(partial(_measured, examples), parts, chunk=1):
            yield batch
            advance(len(batch.ids))


def parts_of(examples: ExampleSet) -> list[str]:
    """The data set in parts as TFDS names them: "train[0:1024]".

    A process reads the file of its part from the beginning, so a file has at most MOST_PARTS.
    """
    parts = []
    for split in examples.splits:
        begin = 0
        for count in examples.file_counts(split):
            pieces = min(MOST_PARTS, -(-count // PART_IMAGES))
            bounds = [begin + count * piece // pieces for piece in range(pieces + 1)]
            parts += [f"{split}[{start}:{stop}]" for start, stop in pairwise(bounds)]
            begin += count
    return parts


def _measured(examples: ExampleSet, parts: Iterable[str]) -> Iterator[Batch]:
    """Measures parts of a data set; nothing of an image depends on the others, nor on how they are batched."""
    for part in parts:
        for batch in _tensors(examples, part).prefetch(1):
            yield _as_arrays(batch)


def _tensors(examples: ExampleSet, part: str) -> tf.data.Dataset:
    def measure(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        exact = tf.cast(pixels, tf.float64)
        small = resize_image(pixels, image_size=(HASHED_SIDE, HASHED_SIDE), fit="stretch")
        means = [tf.reduce_mean(exact, axis=(1, 2)), tf.reduce_mean(exact**2, axis=(1, 2))]
        return {"colour": tf.stack(means, axis=1), "small": tf.cast(tf.round(small), tf.uint8)}

    every = by_batches(
        examples.dataset(part),
        parts=_measured_parts,
        decode=partial(decode_image, color_mode="rgb"),
        decode_alike=partial(decode_alike, color_mode="rgb"),
        measure=measure,
        batch_size=BATCH_SIZE,
    )
    return every.map(_with_pixels, num_parallel_calls=tf.data.AUTOTUNE) if examples.has_label_maps else every


def _as_arrays(batch: dict[str, Any]) -> Batch:
    """A batch of tensors as arrays, which other processes can send."""

    def ragged(name: str) -> Ragged | None:
        return Ragged(batch[name].flat_values.numpy(), batch[name].row_lengths().numpy()) if name in batch else None

    corners, crowd, area = (found.values if (found := ragged(name)) else None for name in ("corners", "crowd", "area"))
    return Batch(
        [name.decode() for name in batch["id"].numpy()],
        batch["colour"].numpy(),
        *fingerprints(batch["small"].numpy()),
        captions=ragged("captions"),
        objects=ragged("objects"),
        corners=corners,
        crowd=crowd,
        area=area,
        pixels=batch["pixels"].numpy() if "pixels" in batch else None,
        values=batch["values"].numpy() if "values" in batch else None,
    )


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


def _count_objects(objects: Ragged, batch: Batch, found: Measurements) -> None:
    labels = objects.values
    found.object_counts += np.bincount(labels, minlength=len(found.object_counts))
    crowd = batch.crowd if batch.crowd is not None else np.zeros(len(labels), bool)
    found.crowd_counts += np.bincount(labels[crowd], minlength=len(found.crowd_counts))
    if batch.area is not None:
        sizes = np.digitize(batch.area[~crowd], SIZE_LIMITS)
        found.object_sizes += np.bincount(sizes, minlength=len(SIZE_NAMES))


def _boxes(objects: Ragged, corners: NDArray[np.float32], rows: NDArray[np.intp]) -> Boxes:
    """The objects of the images that the table has; `rows` are their places in it, or -1."""
    image = np.repeat(rows.astype(np.int64), objects.lengths)
    known = image >= 0
    return Boxes(image[known], objects.values[known], corners.reshape(-1, 4)[known])


def _count_words(captions: Ragged, found: Measurements) -> NDArray[np.float64]:
    """Counts the words of a batch; returns the mean number of words of each image's captions, NaN without captions."""
    split = [words_in(caption.decode()) for caption in captions.values]
    found.words.update(word for words in split for word in words)
    counts = np.array([len(words) for words in split], np.int64)
    found.max_words = max(found.max_words, int(counts.max(initial=0)))
    per_image = captions.lengths
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
