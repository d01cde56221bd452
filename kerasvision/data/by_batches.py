"""Applies a function of pixels to all examples: batch by batch where the images are small and alike, otherwise one by one.

To start TensorFlow's operations takes longer than the operations themselves if an image is small.
"""

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kerasvision.data.tensors import Tensors
from kerasvision.ops.alike import are_alike
from kerasvision.ops.tracing import without_autograph

# With fewer images, to trace both ways takes longer than it saves.
FEWEST = 2_000
# The first files decide how all are read.
TRIED = 16
# Images of a batch with more pixels are read one by one: a batch is in memory as a whole, as numbers of 8 bytes.
MOST_PIXELS = 1 << 19
# Batches at a time; more would take much memory and save little.
MOST_AT_A_TIME = 8

Decode = Callable[[tf.Tensor], tf.Tensor]
Measure = Callable[[tf.Tensor], Tensors]


def by_batches(
    examples: tf.data.Dataset,
    *,
    parts: Callable[[Any], Tensors],
    decode: Decode,
    decode_alike: Decode,
    measure: Measure,
    batch_size: int,
) -> tf.data.Dataset:
    """Batches of examples, with what `measure` returns for their images.

    Args:
        examples: one by one.
        parts: the parts of an example that are used, of which "image" is a whole file. It also gets a batch of examples, so
            it must not look at their values.
        decode: a file, string scalar, -> pixels (H, W, C).
        decode_alike: files for which `are_alike` is true, string (N,), -> pixels (N, H, W, C), those of `decode`.
        measure: pixels (N, H, W, C) of one size -> results, tensors (N, ...). The result of an image must not depend on the
            other images.
        batch_size: images per batch.

    Returns:
        Batches of the parts without "image", ragged where sizes vary, and of the results.
    """

    def of_one(file: tf.Tensor) -> Tensors:
        return {key: result[0] for key, result in measure(decode(file)[tf.newaxis]).items()}

    def together(files: tf.Tensor) -> Tensors:
        return measure(decode_alike(files))

    @without_autograph
    def one(example: Any) -> Tensors:
        rest = dict(parts(example))
        return of_one(rest.pop("image")) | rest

    @without_autograph
    def many(batch: Any) -> Tensors:
        rest, specs = dict(parts(batch)), _specs_of_one(together)
        files = rest.pop("image")
        measured: Tensors = tf.cond(
            are_alike(files, most_pixels=MOST_PIXELS),
            lambda: together(files),
            lambda: tf.map_fn(of_one, files, fn_output_signature=specs),
        )
        return measured | rest

    if int(examples.cardinality()) >= FEWEST and _first_are_alike(examples, parts, batch_size):
        at_a_time = min(os.cpu_count() or 1, MOST_AT_A_TIME)
        return examples.ragged_batch(batch_size).map(many, num_parallel_calls=at_a_time)
    return examples.map(one, num_parallel_calls=tf.data.AUTOTUNE).ragged_batch(batch_size)


def _first_are_alike(examples: tf.data.Dataset, parts: Callable[[Any], Tensors], batch_size: int) -> bool:
    first = [parts(example)["image"] for example in examples.take(TRIED)]
    return bool(are_alike(tf.stack(first), most_pixels=MOST_PIXELS * len(first) // batch_size))


def _specs_of_one(function: Callable[[tf.Tensor], Tensors]) -> dict[str, Any]:
    """The kind and shape of the results for one file."""
    traced = tf.function(function, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    batches = traced.get_concrete_function().structured_outputs
    return {key: tf.TensorSpec(batch.shape[1:], batch.dtype) for key, batch in batches.items()}
