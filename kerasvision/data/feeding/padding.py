"""Batches of examples with different numbers of captions and objects."""

from typing import Any

import tensorflow as tf

from kerasvision.data.tensors import Tensors

# The tf.TypeSpec of one part of an example, or those of its parts.
Spec = Any


def largest_shapes(examples: tf.data.Dataset) -> Any:
    """For every part of an example, its largest shape. If captions or objects vary, this reads all examples.

    Args:
        examples: undecoded, from `ExampleSet.dataset`.

    Returns:
        Tuples of int, in the structure of an example.
    """
    spec = examples.element_spec
    if all(part.shape.is_fully_defined() for part in tf.nest.flatten(spec)):
        return tf.nest.map_structure(lambda part: tuple(part.shape), spec)
    start = tf.nest.map_structure(lambda part: tf.zeros(part.shape.rank, tf.int32), spec)

    def larger(shapes: Any, example: Any) -> Any:
        return tf.nest.map_structure(lambda shape, part: tf.maximum(shape, tf.shape(part)), shapes, example)

    return tf.nest.map_structure(lambda shape: tuple(shape.numpy().tolist()), examples.reduce(start, larger))


def padded_batches(prepared: tf.data.Dataset, *, batch_size: int, shapes: Any, drop_remainder: bool) -> tf.data.Dataset:
    """Batches of prepared examples; captions are padded with "", objects' labels with -1, and their other parts with zeros.

    Args:
        prepared: examples with pixels.
        batch_size: rows of a batch.
        shapes: `largest_shapes` of the undecoded examples; only the first axis of captions and objects is used.
        drop_remainder: whether an incomplete last batch is left out.
    """
    spec = prepared.element_spec
    if all(part.shape.is_fully_defined() for part in tf.nest.flatten(spec)):
        return prepared.batch(batch_size, drop_remainder=drop_remainder)
    counted = counts_of(spec, shapes)
    filling = {key: _filling(key, part) for key, part in spec.items()}
    return prepared.padded_batch(batch_size, counted, filling, drop_remainder=drop_remainder)


def counts_of(spec: Spec, shapes: Any) -> Any:
    """The padded shapes of prepared examples, in their structure: lists of int.

    Args:
        spec: of the prepared examples.
        shapes: `largest_shapes` of the undecoded examples; a part that they lack must have a fixed shape.
    """
    return {key: _counts(part, shapes.get(key)) for key, part in spec.items()}


def filled_up(batch: Tensors) -> Tensors:
    """The same batch with its ragged parts as dense tensors, padded as by `padded_batches`.

    Captions are string (N, K), and the parts of objects (N, M, ...) with their own dtypes, such as float32 for boxes.

    >>> filled_up({"captions": tf.ragged.constant([["a", "b"], ["c"]])})["captions"].numpy().tolist()
    [[b'a', b'b'], [b'c', b'']]
    """
    return {key: _filled_up(part, _filling(key, part)) for key, part in batch.items()}


def rows_of(batch: Tensors, rows: tf.Tensor) -> Tensors:
    """The rows of a batch with these numbers, int32 or int64 (K,); or one row, for a scalar. Dtypes do not change."""
    picked: Tensors = tf.nest.map_structure(lambda part: tf.gather(part, rows), batch)
    return picked


def _counts(part: Spec, shapes: Any) -> Any:
    """The shape of a prepared part; its unknown first axis gets the largest length of the undecoded parts."""
    if isinstance(part, dict):
        # Augmentation may add a part for each object. Then it has as many as the labels.
        return {key: _counts(inner, shapes.get(key, shapes["label"])) for key, inner in part.items()}
    return list(part.shape) if part.shape.is_fully_defined() else [*shapes[:1], *part.shape[1:]]


def _filled_up(part: Any, filling: Any) -> Any:
    if isinstance(part, dict):
        return {key: _filled_up(inner, filling[key]) for key, inner in part.items()}
    return part.to_tensor(filling) if isinstance(part, tf.RaggedTensor) else part


def _filling(name: str, part: Spec) -> Any:
    if isinstance(part, dict):
        # This is an object's label. An image's label is never padded.
        return {key: tf.constant(-1, tf.int64) if key == "label" else _filling(key, inner) for key, inner in part.items()}
    return tf.zeros((), part.dtype)
