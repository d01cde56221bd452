"""Which replica gets which rows of a batch."""

from typing import Any

import keras
import tensorflow as tf

from kerasvision.errors import ConfigError


def shared_out(
    batches: tf.data.Dataset, *, strategy: tf.distribute.Strategy, micro_batches: int = 1, batch_size: int | None = None
) -> Any:
    """The batches in equal pieces: for each micro-batch in turn, one for each replica.

    A micro-batch has the same rows whatever the number of replicas, and so the same statistics of batch normalisation. A
    last batch that is not full is filled up with copies of its first row at weight 0, which count nowhere but in those
    statistics; on one device with whole batches it is left as it is.

    Args:
        batches: (inputs, targets) or (inputs, targets, weights); with several workers, this worker's part of each batch.
        strategy: for whose replicas.
        micro_batches: into how many parts a step cuts its batch.
        batch_size: rows of a full batch, where `batches` do not say it themselves.

    Returns:
        What the replicas take their pieces from; a dataset on one device.

    Raises:
        ConfigError: a full batch cannot be cut into equal pieces.

    >>> batches = tf.data.Dataset.range(6).map(lambda x: (x, x)).batch(4)
    >>> pieces = shared_out(batches, strategy=tf.distribute.get_strategy(), micro_batches=2, batch_size=4)
    >>> [(inputs.numpy().tolist(), weights.numpy().tolist()) for inputs, _, weights in pieces]
    [([0, 1], [1.0, 1.0]), ([2, 3], [1.0, 1.0]), ([4, 5], [1.0, 1.0]), ([4, 4], [0.0, 0.0])]
    """

    def local(context: tf.distribute.InputContext) -> tf.data.Dataset:
        replicas = context.num_replicas_in_sync // context.num_input_pipelines
        pieces = replicas * micro_batches
        if pieces == 1:
            return batches
        rows = tf.nest.flatten(batches.element_spec)[0].shape[0]
        full = batches if rows else batches.map(lambda *batch: _filled_up(batch, rows=batch_size))
        return _in_pieces(full, rows=rows or batch_size, replicas=replicas, micro_batches=micro_batches)

    return strategy.distribute_datasets_from_function(local)


def _in_pieces(batches: tf.data.Dataset, *, rows: int, replicas: int, micro_batches: int) -> tf.data.Dataset:
    pieces = replicas * micro_batches
    if rows % pieces:
        raise ConfigError(
            f"a batch must be a multiple of {replicas} replicas x {micro_batches} micro-batches, so that all get as many "
            "rows",
            received=rows,
        )

    def cut(*batch: Any) -> Any:
        return tf.nest.map_structure(lambda part: tf.reshape(part, [pieces, rows // pieces, *part.shape[1:]]), batch)

    return batches.map(cut, num_parallel_calls=tf.data.AUTOTUNE).unbatch().prefetch(pieces)


def _filled_up(batch: Any, *, rows: int) -> Any:
    """The batch with so many rows, and weights."""
    inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(batch)
    real = tf.shape(tf.nest.flatten(inputs)[0])[0]
    weights = tf.ones([real], tf.float32) if weights is None else weights
    chosen = tf.where(tf.range(rows) < real, tf.range(rows), 0)
    full = tf.nest.map_structure(lambda part: tf.gather(part, chosen), (inputs, targets, weights))
    return *full[:2], tf.where(tf.range(rows) < real, full[2], 0.0)
