"""Reads a prepared TFDS data set many records at a time.

TFDS parses each record by itself. For small images this takes longer than decoding them, and every stage reads them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from kerasvision.data.many_hot import many_hot
from kerasvision.ops.tracing import without_autograph

# A batch of records has about this many bytes, and at most this many records.
BATCH_BYTES = 1 << 20
MOST_RECORDS = 256
# TFDS' own numbers, which decide the order if a split has several files.
INTERLEAVED_FILES = INTERLEAVED_RECORDS = 16


def read_in_batches(
    builder: tfds.core.DatasetBuilder, split: str, *, skipped: Mapping[str, object]
) -> tf.data.Dataset | None:
    """The same examples in the same order as from `builder.as_dataset`, or None if the data set needs TFDS' own code.

    It serves TFRecord files whose features are texts, class numbers, sets of tags, encoded images and lists of float32 of
    one length. A set of tags, numbers of C classes, becomes float32 (C,), see `many_hot`.

    Args:
        builder: the data set.
        split: its split, several, or parts of them: "train+test", "train[0:1000]".
        skipped: names of the images that stay encoded; those that are not named need TFDS' own code.
    """
    info = builder.info
    files = info.splits[split].file_instructions
    if info.disable_shuffling or info.file_format is not tfds.core.FileFormat.TFRECORD:
        return None
    parsed = _parsed(info.features, skipped)
    if parsed is None:
        return None
    count = sum(file.take for file in files)
    names, bounds = [str(file.filename) for file in files], np.array([(file.skip, file.take) for file in files], np.int64)
    records = tf.data.Dataset.from_tensor_slices((names, bounds)).interleave(
        _piece_of_file,
        cycle_length=INTERLEAVED_FILES,
        block_length=INTERLEAVED_RECORDS,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    named = [info.splits[name.partition("[")[0]] for name in split.split("+")]
    batches = records.batch(_batch_size(sum(one.num_bytes for one in named), sum(one.num_examples for one in named)))
    sizes = {name: len(info.features[name].feature.names) for name in info.features if _is_set(info.features[name])}

    def examples_of(batch: tf.Tensor) -> dict[str, tf.Tensor]:
        examples = tf.io.parse_example(batch, parsed)
        return {name: many_hot(part, sizes[name]) if name in sizes else part for name, part in examples.items()}

    examples = batches.map(examples_of).unbatch()
    return examples.apply(tf.data.experimental.assert_cardinality(count))


@without_autograph
def _piece_of_file(file: tf.Tensor, bounds: tf.Tensor) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(file).skip(bounds[0]).take(bounds[1])


def _parsed(features: tfds.features.FeaturesDict, skipped: Mapping[str, object]) -> dict[str, Any] | None:
    """How `tf.io.parse_example` reads each feature; None if one is not a text, a number, a set of tags or a list."""
    parsed = {}
    for name, feature in features.items():
        if type(feature) is tfds.features.ClassLabel:
            parsed[name] = tf.io.FixedLenFeature([], tf.int64)
        elif _is_set(feature):
            parsed[name] = tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64)
        elif type(feature) is tfds.features.Text or (type(feature) is tfds.features.Image and name in skipped):
            parsed[name] = tf.io.FixedLenFeature([], tf.string)
        elif type(feature) is tfds.features.Tensor and feature.np_dtype == np.float32 and len(feature.shape) == 1:
            parsed[name] = tf.io.FixedLenFeature(feature.shape, tf.float32)
        else:
            return None
    return parsed


def _is_set(feature: object) -> bool:
    """Whether a feature is a sequence of class numbers; only our `tags` are."""
    return isinstance(feature, tfds.features.Sequence) and type(feature.feature) is tfds.features.ClassLabel


def _batch_size(num_bytes: int, count: int) -> int:
    """How many records of average size have BATCH_BYTES; 1 if the data set does not say its bytes.

    >>> _batch_size(70_000_000, 70_000), _batch_size(50_000_000, 1000), _batch_size(90_000_000, 10), _batch_size(0, 10)
    (256, 20, 1, 1)
    """
    return min(MOST_RECORDS, max(1, BATCH_BYTES * count // num_bytes)) if num_bytes else 1
